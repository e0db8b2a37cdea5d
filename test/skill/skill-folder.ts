import { mkdir, mkdtemp, realpath, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach } from 'vitest';
import { parseSkillFolder } from '../../src/skill/parse.ts';
import type { ParsedSkill } from '../../src/skill/parse.ts';
import type { Diagnostic, SwarmSpec } from '../../src/skill/skill.ts';

const created: string[] = [];

afterEach(async () => {
  for (const dir of created.splice(0)) await rm(dir, { recursive: true, force: true });
});

/** A real folder of its own, removed after the test. */
export async function tempDir(): Promise<string> {
  const dir = await realpath(await mkdtemp(join(tmpdir(), 'skillflow-skill-')));
  created.push(dir);
  return dir;
}

/** Writes files by their path below a folder. */
export async function writeFiles(dir: string, files: Readonly<Record<string, string | Uint8Array>>): Promise<string> {
  for (const [path, content] of Object.entries(files)) {
    const file = join(dir, path);
    await mkdir(dirname(file), { recursive: true });
    await writeFile(file, content);
  }
  return dir;
}

/** A skill folder `demo` with these files. */
export async function skillFolder(files: Readonly<Record<string, string | Uint8Array>>): Promise<string> {
  const dir = join(await tempDir(), 'demo');
  await mkdir(dir);
  return writeFiles(dir, files);
}

export const HEAD = '---\nname: demo\ndescription: Use when testing.\n---\nDo it.\n';

/** A SKILL.md of the skill `demo` with more frontmatter and another body. */
export function skillFile(frontmatter = '', body = 'Do it.\n'): string {
  return `---\nname: demo\ndescription: Use when testing.\n${frontmatter}---\n${body}`;
}

export async function parseFiles(files: Readonly<Record<string, string | Uint8Array>>): Promise<ParsedSkill> {
  return parseSkillFolder(await skillFolder(files));
}

/** Diagnostics of a skill file alone. */
export async function diagnose(skillMd: string | Uint8Array): Promise<readonly Diagnostic[]> {
  return (await parseFiles({ 'SKILL.md': skillMd })).diagnostics;
}

/** `severity code line:column`, one each. */
export function brief(diagnostics: readonly Diagnostic[]): string[] {
  return diagnostics.map(({ severity, code, line, column }) => `${severity} ${code} ${line}:${column}`);
}

/** The swarm that a swarm file makes, and what was wrong. */
export async function swarmOf(
  text: string,
  file = 'swarm.yaml',
): Promise<{ swarm: SwarmSpec | null; diagnostics: readonly Diagnostic[] }> {
  const { skill, diagnostics } = await parseFiles({ 'SKILL.md': HEAD, [file]: text });
  return { swarm: skill?.swarm ?? null, diagnostics };
}
