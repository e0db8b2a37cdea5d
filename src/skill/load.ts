import type { Dirent } from 'node:fs';
import { lstat, readdir, realpath } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { InvalidInputError, NotFoundError } from '../errors.ts';
import { nearest } from '../nearest.ts';
import { parseSkillFolder, SKILL_FILE } from './parse.ts';
import { ioReason } from './read-text.ts';
import type { Diagnostic, FoundSkill, SkillSource } from './skill.ts';
import { KEBAB } from './swarm-schema.ts';

/** How many skills are read at once. */
const BATCH = 16;

/** A folder that holds skill folders. */
export interface SkillRoot {
  readonly source: SkillSource;
  /** Absolute, or relative to the working directory. It need not exist. */
  readonly dir: string;
}

/** Where skills are looked for. */
export interface SkillPlaces {
  readonly projectRoot: string;
  /** `null` where the user has no home folder. */
  readonly home: string | null;
  /** The folder of the installed package. */
  readonly packageDir: string;
}

/** The roots in their order of precedence: the project's, the user's, the package's. */
export function skillRoots({ projectRoot, home, packageDir }: SkillPlaces): SkillRoot[] {
  const own = (source: SkillSource, dir: string): SkillRoot[] => [
    { source, dir: join(dir, '.claude', 'skills') },
    { source, dir: join(dir, '.skillflow', 'skills') },
  ];
  const user = home === null ? [] : own('user', home);
  return [...own('project', projectRoot), ...user, { source: 'package', dir: join(packageDir, 'skills') }];
}

interface Candidate {
  readonly name: string;
  readonly source: SkillSource;
  readonly dir: string;
}

/** Whether a folder, or a link to one, has a SKILL.md of any kind; a broken one is for the parser to report. */
async function isSkill(dir: string): Promise<boolean> {
  try {
    await lstat(join(dir, SKILL_FILE));
    return true;
  } catch (error) {
    return !['ENOENT', 'ENOTDIR', 'ELOOP'].includes(ioReason(error));
  }
}

interface Listing {
  readonly candidates: readonly Candidate[];
  /** The root itself, where it cannot be read. */
  readonly broken: readonly FoundSkill[];
}

async function listRoot({ source, dir }: SkillRoot): Promise<Listing> {
  const root = resolve(dir);
  let entries: Dirent[];
  try {
    entries = await readdir(root, { withFileTypes: true });
  } catch (error) {
    const reason = ioReason(error);
    if (reason === 'ENOENT') return { candidates: [], broken: [] };
    const message = `the folder of skills cannot be read (${reason})`;
    const hint = 'Check that it is a folder, and its permissions.';
    const found: Diagnostic = { severity: 'error', code: 'unreadable_root', message, file: root, line: 1, column: 1, hint };
    return { candidates: [], broken: [{ name: root, source, dir: root, skill: null, diagnostics: [found], shadows: [] }] };
  }
  const folders = entries.filter((entry) => !entry.name.startsWith('.') && (entry.isDirectory() || entry.isSymbolicLink()));
  const names = folders.map((entry) => entry.name).sort();
  const checked = await Promise.all(names.map(async (name) => ((await isSkill(join(root, name))) ? [name] : [])));
  return { candidates: checked.flat().map((name) => ({ name, source, dir: join(root, name) })), broken: [] };
}

/** Where a folder really is; the path as given when it cannot be told. */
async function realDir(dir: string): Promise<string> {
  try {
    return await realpath(dir);
  } catch {
    return dir;
  }
}

async function readFound([first, ...others]: readonly [Candidate, ...Candidate[]]): Promise<FoundSkill> {
  // One folder reached through two roots (a link) hides nothing.
  const seen = new Set(others.length === 0 ? [] : [await realDir(first.dir)]);
  const shadows: { source: SkillSource; dir: string }[] = [];
  for (const { source, dir } of others) {
    const real = await realDir(dir);
    if (!seen.has(real)) shadows.push({ source, dir });
    seen.add(real);
  }
  return { ...first, ...(await parseSkillFolder(first.dir)), shadows };
}

/**
 * Finds the skills of all roots, in the order of the roots and within one by name. Of several with one name the first
 * root's counts, even when its files have errors, and names the others in `shadows`. A missing root is empty; one that
 * cannot be read comes last, with its path for a name and a diagnostic. Folders without a SKILL.md and hidden ones are
 * passed over; a skill's folder may be a link. Never throws.
 */
export async function findSkills({ roots }: { readonly roots: readonly SkillRoot[] }): Promise<FoundSkill[]> {
  const listings = await Promise.all(roots.map(listRoot));
  const byName = new Map<string, [Candidate, ...Candidate[]]>();
  for (const candidate of listings.flatMap((listing) => listing.candidates)) {
    const same = byName.get(candidate.name);
    if (same === undefined) byName.set(candidate.name, [candidate]);
    else same.push(candidate);
  }
  const groups = [...byName.values()];
  const skills: FoundSkill[] = [];
  for (let i = 0; i < groups.length; i += BATCH) skills.push(...(await Promise.all(groups.slice(i, i + BATCH).map(readFound))));
  return [...skills, ...listings.flatMap((listing) => listing.broken)];
}

/**
 * Finds one skill by name and reads only that one. `skill` is `null` where its files have errors.
 *
 * @throws InvalidInputError a name that is not 1–64 lower-case letters, digits and single hyphens
 * @throws NotFoundError no root has it; the hint names the nearest that exist
 */
export async function loadSkill(name: string, roots: readonly SkillRoot[]): Promise<FoundSkill> {
  if (name.length > 64 || !KEBAB.test(name)) {
    throw new InvalidInputError(
      `"${name.slice(0, 80)}" is no skill name; expected lower-case letters, digits and single hyphens`,
      {
        hint: 'Give the name of a skill, not a path.',
      },
    );
  }
  const candidates = roots.map(({ source, dir }): Candidate => ({ name, source, dir: join(resolve(dir), name) }));
  const there = await Promise.all(candidates.map(async (candidate) => ((await isSkill(candidate.dir)) ? [candidate] : [])));
  const [first, ...others] = there.flat();
  if (first !== undefined) return readFound([first, ...others]);
  const listings = await Promise.all(roots.map(listRoot));
  const names = [...new Set(listings.flatMap((listing) => listing.candidates.map((candidate) => candidate.name)))];
  const near = nearest(name, names);
  const known = names.length === 0 ? 'No skills were found.' : `Known skills: ${names.slice(0, 10).join(', ')}.`;
  throw new NotFoundError(`no skill is named "${name}"`, {
    hint: near.length === 0 ? known : `Did you mean ${near.join(', ')}?`,
    details: { searched: candidates.map((candidate) => candidate.dir) },
  });
}
