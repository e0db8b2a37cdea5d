import { appendFile, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createTestApp } from '../helpers/test-app.ts';
import type { TestApp } from '../helpers/test-app.ts';
import { runCommand } from './run-command.ts';

let app: TestApp;
beforeEach(async () => {
  app = await createTestApp();
});
afterEach(() => app[Symbol.asyncDispose]());

/** What a command line printed, stdout before stderr, as one line; and its exit code. */
async function run(...argv: readonly string[]): Promise<{ readonly code: number; readonly said: string }> {
  const { code, out, err } = await runCommand(app, argv, { columns: 500 });
  return { code, said: out + err };
}

async function addSkill(name: string, swarm: string | null, body = 'Do it.'): Promise<void> {
  const folder = join(app.dir, '.claude', 'skills', name);
  await mkdir(folder, { recursive: true });
  await writeFile(
    join(folder, 'SKILL.md'),
    `---\nname: ${name}\ndescription: A skill of the tests, for when they need one.\n---\n${body}\n`,
  );
  if (swarm !== null) await writeFile(join(folder, 'swarm.yaml'), swarm);
}

const THINKING = `agents:
  - { type: researcher, count: 2, capabilities: [reasoning] }
  - { type: coordinator, count: 1 }
  - { type: reviewer, count: 1, capabilities: [reasoning] }
coordination: { topology: star, decision: { rule: judge, judge: reviewer } }
`;
const REVIEWING = `agents:
  - { type: security-analyst, count: 1, capabilities: [secrets] }
outputs: [{ type: report, format: markdown }]
`;

async function newestRun(): Promise<string> {
  const result = await app.call('run_list', {});
  return String(Object(result.ok ? result.output : {}).runs[0].runId);
}

test('what nobody could do has failed, and the ways to have it done are named', async () => {
  await addSkill('ask', THINKING);
  const { code, said } = await run('run', 'ask', 'how does it work?');
  expect(code).toBe(1);
  expect(said).toMatch(
    /reason +nobody could do the work: no local analyzer has the capability reasoning; it needs a model provider/,
  );
  for (const way of ['--provider anthropic', 'ANTHROPIC_API_KEY', '--provider claude-cli', 'MCP']) expect(said).toContain(way);
  expect(said).toMatch(/merge-coordinator +skipped .*nothing to merge/);
  expect(said).not.toContain('found nothing');
});

test('a question is about no files unless some are named', async () => {
  await addSkill('ask', THINKING);
  await writeFile(join(app.dir, 'a.js'), 'export const a = 1;\n');
  const { code, said } = await run('run', 'ask', 'how?', '--provider', 'host');
  expect(code).toBe(3);
  const id = await newestRun();
  expect(said).toContain(`skillflow task claim ${id}`);
  const claimed = await run('task', 'claim', id);
  expect(claimed.said).not.toContain('under review');
  expect(claimed.said).toContain(`skillflow task complete ${id}/`);
  await run('run', 'ask', 'how?', '--provider', 'host', '--files', 'a.js');
  expect((await run('task', 'claim', await newestRun())).said).toContain('Files under review');
});

test('where all steps are claimed, until when', async () => {
  await addSkill('ask', THINKING.replace('count: 2', 'count: 1'));
  await run('run', 'ask', 'how?', '--provider', 'host');
  const id = await newestRun();
  await run('task', 'claim', id);
  const { said } = await run('task', 'claim', id);
  expect(said).toMatch(/All steps that are ready are claimed.* free again at \d{4}-/);
});

test('a run without a report says what its state needs, in commands', async () => {
  await addSkill('ask', THINKING);
  await run('run', 'ask', 'how?', '--provider', 'host');
  const id = await newestRun();
  expect(await run('replay', id)).toMatchObject({ code: 1, said: expect.stringContaining(`skillflow show ${id}`) });
  await run('cancel', id);
  expect((await run('replay', id)).said).toContain(`skillflow retry ${id} --from`);
  expect((await run('show', id)).said).toContain(`skillflow retry ${id} --from`);
});

test('a report that is not what the journal gives is exit code 1', async () => {
  await addSkill('look', REVIEWING);
  await writeFile(join(app.dir, 'a.js'), 'export const a = 1;\n');
  expect((await run('run', 'look', '--files', 'a.js')).code).toBe(0);
  const id = await newestRun();
  expect((await run('replay', id)).code).toBe(0);
  await appendFile(join(app.dir, '.skillflow', 'runs', id, 'report.md'), 'x\n');
  expect(await run('replay', id)).toMatchObject({ code: 1, said: expect.stringContaining('different') });
});

test('a task that waits is exit code 3, and says how it goes on', async () => {
  const { code, said } = await run('task', 'submit', 'do it');
  expect(code).toBe(3);
  expect(said).toMatch(/next +Claim a step with `skillflow task claim run_\w+`, do it, answer with `skillflow task complete`\./);
});

test('required flags are named, in the help and where they are missing', async () => {
  expect((await run('approve', '--help')).said).toContain('approve <runId> --[no-]approved [flags]');
  expect((await run('retry', '--help')).said).toMatch(/--from STRING +.*\(required\)/);
  expect(await run('approve', 'run_x')).toMatchObject({ code: 2, said: expect.stringContaining('--approved or --no-approved') });
  const help = (await run('--help')).said;
  for (const word of ['research-swarm', 'ANTHROPIC_API_KEY', 'claude-cli']) expect(help.split('Commands:')[0]).toContain(word);
});

test('of a skill that is a text, its file and the tools that it uses', async () => {
  await addSkill('vote', null, 'Open it with `vote_open`, then `vote_cast`.');
  const { code, said } = await run('run', 'vote');
  expect(code).toBe(1);
  expect(said).toContain(join('.claude', 'skills', 'vote', 'SKILL.md'));
  expect(said).toContain('skillflow vote open');
});
