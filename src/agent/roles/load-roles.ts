import type { Dirent } from 'node:fs';
import { readdir, realpath } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { Role } from '../role.ts';
import { normalType, roleNameOf } from './aliases.ts';
import { fallbackRole } from './fallback-role.ts';
import { parseRole } from './parse-role.ts';
import type { Problem, ReadFrontmatter, Reading } from './parse-role.ts';

/** Role files that a folder may have. */
const MAX_FILES = 256;
/** How many files are read at once. */
const BATCH = 16;
const ROLE_FILE = /^([a-z0-9]+(?:-[a-z0-9]+)*)\.md$/;

/** A folder of role files. */
export interface RoleFolder {
  /** Absolute. */
  readonly dir: string;
  /** Whether it is a problem when it is not there: only the package's own must be. */
  readonly required: boolean;
}

/** What is wrong with a role's file or folder; the roles are loaded without it. */
export interface RoleProblem {
  /** Absolute path. */
  readonly file: string;
  /** From 1; absent where the whole file or folder is meant. */
  readonly line?: number;
  readonly message: string;
  readonly hint?: string;
}

/** A role and the file it was read from, an absolute path. */
export interface FoundRole {
  readonly role: Role;
  readonly file: string;
}

export interface RolesDeps {
  /** In the order of precedence. */
  readonly folders: readonly RoleFolder[];
  /** Reads a file that must lie, links resolved, inside a real folder; never rejects. `skill/read-text.ts` has one. */
  readonly readText: (file: string, realFolder: string) => Promise<Reading<string>>;
  readonly readFrontmatter: ReadFrontmatter;
}

/** Roles by name. They are read once, at the first call. */
export interface Roles {
  /**
   * The role of an agent type: the one of that name, else the one that does that type's work under another name, else a
   * general one that reads and reports. Never rejects; see `problems` for files that could not be used.
   */
  find(type: string): Promise<Role>;
  /** What is wrong with the file that {@link Roles.find} would take, were it not for its errors; `null`: nothing is. */
  damage(type: string): Promise<RoleProblem | null>;
  /** All roles by name, and the files that are none. A role from a project under review is a text of that project. */
  list(): Promise<{ readonly roles: readonly FoundRole[]; readonly problems: readonly RoleProblem[] }>;
}

/** Where roles are looked for: the folder of the skill that runs (`null` for none), the project's, the package's. */
export function roleFolders(places: {
  readonly skillDir: string | null;
  readonly projectRoot: string;
  readonly packageDir: string;
}): readonly RoleFolder[] {
  const own = places.skillDir === null ? [] : [{ dir: join(places.skillDir, 'roles'), required: false }];
  return [
    ...own,
    { dir: join(places.projectRoot, '.skillflow', 'roles'), required: false },
    { dir: join(places.packageDir, 'skills', 'swarm-orchestration', 'roles'), required: true },
  ];
}

interface Loaded {
  readonly roles: ReadonlyMap<string, FoundRole>;
  readonly problems: readonly RoleProblem[];
}

function reasonOf(thrown: unknown): string {
  if (thrown instanceof Error && 'code' in thrown && typeof thrown.code === 'string') return thrown.code;
  return thrown instanceof Error ? thrown.message : String(thrown);
}

interface Listing {
  /** The folder, links resolved. */
  readonly real: string;
  /** Names of markdown files, sorted. */
  readonly files: readonly string[];
  readonly problems: readonly RoleProblem[];
}

async function listFiles({ dir, required }: RoleFolder): Promise<Listing> {
  try {
    const real = await realpath(dir);
    const entries = await readdir(real, { withFileTypes: true });
    // A README beside the roles is nobody's mistake.
    const isRole = (entry: Dirent): boolean =>
      entry.name.endsWith('.md') && !entry.isDirectory() && entry.name.toLowerCase() !== 'readme.md';
    const files = entries
      .filter(isRole)
      .map(({ name }) => name)
      .sort();
    if (files.length <= MAX_FILES) return { real, files, problems: [] };
    const message = `the folder has ${files.length} role files; the first ${MAX_FILES} are read`;
    const problems = [{ file: dir, message, hint: 'Remove those that no swarm uses.' }];
    return { real, files: files.slice(0, MAX_FILES), problems };
  } catch (error) {
    const reason = reasonOf(error);
    const none = { real: dir, files: [] } as const;
    if (reason === 'ENOENT' && !required) return { ...none, problems: [] };
    const hint = required
      ? 'Install the package again: its roles belong to it.'
      : 'Check that it is a folder, and its permissions.';
    return { ...none, problems: [{ file: dir, message: `the folder of roles cannot be read (${reason})`, hint }] };
  }
}

function toRoleProblem(file: string, { message, line, hint }: Problem): RoleProblem {
  return { file, line, message, ...(hint === undefined ? {} : { hint }) };
}

const BAD_NAME = {
  line: 1,
  message: 'the file is not named as a role is',
  hint: 'Name it in lower-case letters, digits and single hyphens, e.g. security-analyst.md.',
} as const;

/** How many texts of roles this process remembers what they say. */
const MAX_TEXTS = 512;
const parsed = new WeakMap<ReadFrontmatter, Map<string, Reading<Role>>>();

/** As {@link parseRole}; hosts ask for the same roles with every step, and reading their YAML takes most of that time. */
function parseOnce(name: string, text: string, readFrontmatter: ReadFrontmatter): Reading<Role> {
  const known = parsed.get(readFrontmatter) ?? new Map<string, Reading<Role>>();
  parsed.set(readFrontmatter, known);
  const key = `${name}\n${text}`;
  const role = known.get(key) ?? parseRole(name, text, readFrontmatter);
  if (known.size >= MAX_TEXTS) known.clear();
  known.set(key, role);
  return role;
}

async function loadFolder(folder: RoleFolder, { readText, readFrontmatter }: RolesDeps): Promise<Loaded> {
  const roles = new Map<string, FoundRole>();
  const { real, files, problems } = await listFiles(folder);
  const found: RoleProblem[] = [...problems];
  const read = async (file: string): Promise<Reading<Role>> => {
    const name = ROLE_FILE.exec(file)?.[1];
    if (name === undefined) return { ok: false, problems: [BAD_NAME] };
    const text = await readText(join(real, file), real);
    return text.ok ? parseOnce(name, text.value, readFrontmatter) : text;
  };
  for (let i = 0; i < files.length; i += BATCH) {
    const batch = await Promise.all(files.slice(i, i + BATCH).map(async (file) => ({ file, role: await read(file) })));
    for (const { file: name, role } of batch) {
      const file = join(folder.dir, name);
      if (role.ok) roles.set(role.value.name, { role: role.value, file });
      else found.push(...role.problems.map((problem) => toRoleProblem(file, problem)));
    }
  }
  return { roles, problems: found };
}

/** The roles of some folders; of several with one name the first folder's that can be read counts. */
export function createRoles(deps: RolesDeps): Roles {
  const load = async (): Promise<Loaded> => {
    const folders = await Promise.all(deps.folders.map((folder) => loadFolder(folder, deps)));
    const roles = new Map(folders.toReversed().flatMap((folder) => [...folder.roles]));
    return { roles, problems: folders.flatMap(({ problems }) => problems) };
  };
  let loading: Promise<Loaded> | undefined;
  const loaded = (): Promise<Loaded> => (loading ??= load());

  return {
    find: async (type) => {
      const { roles } = await loaded();
      const found = roles.get(type) ?? roles.get(normalType(type)) ?? roles.get(roleNameOf(type));
      return found?.role ?? fallbackRole(type);
    },
    damage: async (type) => {
      const { roles, problems } = await loaded();
      const rankOf = (file: string): number => deps.folders.findIndex(({ dir }) => dirname(file) === dir);
      for (const name of [type, normalType(type), roleNameOf(type)]) {
        const found = roles.get(name);
        const bad = problems.find(({ file }) => basename(file) === `${name}.md`);
        if (bad !== undefined && (found === undefined || rankOf(bad.file) < rankOf(found.file))) return bad;
        if (found !== undefined) return null;
      }
      return null;
    },
    list: async () => {
      const { roles, problems } = await loaded();
      return { roles: [...roles.values()].sort((a, b) => (a.role.name < b.role.name ? -1 : 1)), problems };
    },
  };
}
