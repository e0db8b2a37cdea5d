import { basename, join, resolve } from 'node:path';
import { readFrontmatter } from './frontmatter.ts';
import type { Frontmatter } from './frontmatter.ts';
import { frontmatterKeys, frontmatterSchema, splitTools } from './frontmatter-schema.ts';
import type { FrontmatterData } from './frontmatter-schema.ts';
import { listFolder, realFolderOf } from './list-folder.ts';
import { readText } from './read-text.ts';
import { checkReferences } from './references.ts';
import type { Diagnostic, Skill, SwarmSpec } from './skill.ts';
import { problem } from './source-document.ts';
import type { Problem, SourceDocument } from './source-document.ts';
import { GUARDS, swarmKeys, swarmSchema } from './swarm-schema.ts';
import type { SwarmFile } from './swarm-schema.ts';
import { toSwarmSpec } from './swarm-spec.ts';
import { readToon } from './toon-source.ts';
import { validate } from './validate.ts';
import { readYaml } from './yaml-source.ts';

/** The file that makes a folder a skill. */
export const SKILL_FILE = 'SKILL.md';

/** A skill read from its folder; `skill` is `null` exactly when one of the diagnostics is an error. */
export interface ParsedSkill {
  readonly skill: Skill | null;
  readonly diagnostics: readonly Diagnostic[];
}

/** A part of a skill; `null` where there is none or it has errors. */
interface Part<T> {
  readonly value: T | null;
  readonly problems: readonly Problem[];
}

type SkillHead = Omit<Skill, 'dir' | 'file' | 'swarm'>;

/** Problems and their file. */
function inFile(file: string, problems: readonly Problem[]): Diagnostic[] {
  return problems.map((found) => ({ ...found, file }));
}

function readMetadata(
  data: FrontmatterData,
  document: SourceDocument,
): { metadata: Record<string, string>; problems: Problem[] } {
  const problems: Problem[] = [];
  const entries = Object.entries(data.metadata ?? {}).map(([key, value]) => {
    if (typeof value === 'string') return [key, value] as const;
    const text = document.textAt(['metadata', key]) ?? String(value);
    const place = { ...document.locateValue(['metadata', key]), hint: `Write "${text}", in quotes.` } as const;
    problems.push(problem('warning', 'metadata_not_string', `metadata.${key} is no string; it is read as "${text}"`, place));
    return [key, text] as const;
  });
  return { metadata: Object.fromEntries(entries), problems };
}

function checkName(data: FrontmatterData, document: SourceDocument, folder: string): Part<string> {
  const key = typeof data.name === 'string' ? 'name' : 'skill_name';
  const name = data.name ?? data.skill_name;
  const at = document.locateValue([key]);
  if (typeof name !== 'string') {
    const hint = `Add "name: ${folder}".`;
    return { value: null, problems: [problem('error', 'missing_key', 'name is missing', { ...at, hint })] };
  }
  const other = data.skill_name ?? name;
  if (other !== name) {
    const place = { ...document.locateValue(['skill_name']), hint: 'Keep one of the two.' } as const;
    const message = `name is "${name}", skill_name is "${other}"`;
    return { value: null, problems: [problem('error', 'contradiction', message, place)] };
  }
  if (name === folder) return { value: name, problems: [] };
  const hint = `Rename the folder to "${name}" or the skill to "${folder}".`;
  const message = `${key} is "${name}" but the folder is "${folder}"`;
  return { value: null, problems: [problem('error', 'name_mismatch', message, { ...at, hint })] };
}

function readVersion(data: FrontmatterData, document: SourceDocument, metadata: Readonly<Record<string, string>>): string | null {
  // 1.0 without quotes is the number 1: what is written counts.
  if (typeof data.version === 'number') return document.textAt(['version']) ?? String(data.version);
  return data.version ?? metadata['version'] ?? null;
}

function readHead(data: FrontmatterData, { document, body }: Frontmatter, folder: string): Part<SkillHead> {
  const name = checkName(data, document, folder);
  const { metadata, problems } = readMetadata(data, document);
  const tools = data['allowed-tools'] ?? [];
  if (name.value === null) return { value: null, problems: [...name.problems, ...problems] };
  return {
    value: {
      name: name.value,
      description: data.description,
      version: readVersion(data, document, metadata),
      triggers: data.triggers ?? [],
      body,
      license: data.license ?? null,
      compatibility: data.compatibility ?? null,
      allowedTools: typeof tools === 'string' ? splitTools(tools) : tools,
      metadata,
    },
    problems,
  };
}

function checkBody({ body, bodyLine }: Frontmatter, entries: ReadonlySet<string>): Problem[] {
  const problems = checkReferences(body, bodyLine, entries);
  if (body.trim() === '') {
    const hint = 'Write below the frontmatter what to do.';
    problems.push(problem('warning', 'empty_body', 'the skill has no instructions', { line: bodyLine, hint }));
  }
  return problems;
}

/** Keys that say something about agents only. */
const SWARM_KEYS = [
  'coordination',
  'memory',
  'execution',
  'outputs',
  'provider',
  'budget',
  'supervision',
  'approvals',
] as const satisfies readonly (keyof SwarmFile)[];

/** The swarm of the one-file form; `null` without `agents`, which any other of its keys then misses. */
function inlineSwarm(data: FrontmatterData, document: SourceDocument): Part<SwarmSpec> {
  if (data.agents !== undefined && data.agents !== null) {
    const { spec, problems } = toSwarmSpec({ ...data, agents: data.agents }, document);
    return { value: spec, problems };
  }
  const orphan = SWARM_KEYS.find((key) => (data[key] ?? null) !== null);
  if (orphan === undefined) return { value: null, problems: [] };
  const place = { ...document.locateKey([orphan]), hint: 'Add "agents", or remove this key.' } as const;
  return { value: null, problems: [problem('error', 'missing_key', `${orphan} is there but agents is missing`, place)] };
}

async function swarmFromFile(file: string, realFolder: string): Promise<Part<SwarmSpec>> {
  const text = await readText(file, realFolder);
  if (!text.ok) return { value: null, problems: text.problems };
  const document = file.endsWith('.toon') ? readToon(text.value) : readYaml(text.value);
  if (!document.ok) return { value: null, problems: document.problems };
  const { value, problems } = validate(swarmSchema, document.value, swarmKeys, GUARDS);
  if (value === null) return { value, problems };
  const swarm = toSwarmSpec(value, document.value);
  return { value: swarm.spec, problems: [...problems, ...swarm.problems] };
}

interface Swarm {
  readonly swarm: SwarmSpec | null;
  readonly diagnostics: readonly Diagnostic[];
}

/** Takes the swarm from the one place that declares it; two places are an error. */
async function readSwarm(
  dir: string,
  realFolder: string,
  entries: ReadonlySet<string>,
  inline: SwarmSpec | null,
): Promise<Swarm> {
  const files = ['swarm.yaml', 'swarm.toon'].filter((name) => entries.has(name));
  const places = [...(inline === null ? [] : [`the frontmatter of ${SKILL_FILE}`]), ...files];
  const [name] = files;
  if (places.length > 1) {
    const hint = 'Keep one of them.';
    const found = problem('error', 'several_swarms', `the swarm is declared in ${places.join(' and ')}`, { hint });
    return { swarm: null, diagnostics: inFile(join(dir, name ?? SKILL_FILE), [found]) };
  }
  if (name !== undefined) {
    const { value, problems } = await swarmFromFile(join(dir, name), realFolder);
    return { swarm: value, diagnostics: inFile(join(dir, name), problems) };
  }
  const ignored = ['swarm.yml', 'swarm.json'].filter((file) => entries.has(file));
  const diagnostics = ignored.flatMap((file) =>
    inFile(join(dir, file), [problem('warning', 'ignored_file', 'the file is not read', { hint: 'Rename it to swarm.yaml.' })]),
  );
  return { swarm: inline, diagnostics };
}

function hasAgents({ value }: SourceDocument): boolean {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, 'agents');
}

/** What SKILL.md says, its problems, and the swarm of the one-file form. */
async function readSkillFile(
  file: string,
  realFolder: string,
  folder: string,
  entries: ReadonlySet<string>,
): Promise<{ readonly head: SkillHead | null; readonly inline: SwarmSpec | null; readonly problems: readonly Problem[] }> {
  const none = { head: null, inline: null } as const;
  const text = await readText(file, realFolder);
  if (!text.ok) return { ...none, problems: text.problems };
  const front = readFrontmatter(text.value);
  if (!front.ok) return { ...none, problems: front.problems };
  const bodyProblems = checkBody(front.value, entries);
  const { document } = front.value;
  // A text alone may have keys of its own.
  const guards = hasAgents(document) ? GUARDS : undefined;
  const { value: data, problems } = validate(frontmatterSchema, document, frontmatterKeys, guards);
  if (data === null) return { ...none, problems: [...problems, ...bodyProblems] };
  const head = readHead(data, front.value, folder);
  const inline = inlineSwarm(data, front.value.document);
  return {
    head: head.value,
    inline: inline.value,
    problems: [...problems, ...head.problems, ...inline.problems, ...bodyProblems],
  };
}

/**
 * Reads a skill from its folder: `SKILL.md` (Agent Skills spec, Claude Code's keys, or the one-file form with the swarm
 * in the frontmatter), and `swarm.yaml` or `swarm.toon`. The folder may itself be a link; what lies in it must resolve
 * inside it. Nothing of it is executed. A skill whose swarm is declared nowhere has `swarm: null`.
 *
 * Never throws on a bad folder: everything wrong is a diagnostic with its file, line and column.
 */
export async function parseSkillFolder(dir: string): Promise<ParsedSkill> {
  const folder = resolve(dir);
  const realFolder = await realFolderOf(folder);
  if (typeof realFolder !== 'string') return { skill: null, diagnostics: [realFolder] };
  const { entries, diagnostics: listed } = await listFolder(folder, realFolder);
  const file = join(folder, SKILL_FILE);
  const { head, inline, problems } = await readSkillFile(file, realFolder, basename(folder), entries);
  const { swarm, diagnostics: swarmed } = await readSwarm(folder, realFolder, entries, inline);
  // A link that was already reported by the listing is the same fault as the file that could not be read through it.
  const reported = new Set(listed.map((found) => `${found.code} ${found.file}`));
  const diagnostics = [
    ...listed,
    ...[...inFile(file, problems), ...swarmed].filter((found) => !reported.has(`${found.code} ${found.file}`)),
  ];
  const broken = head === null || diagnostics.some((found) => found.severity === 'error');
  return { skill: broken ? null : { ...head, dir: folder, file, swarm }, diagnostics };
}
