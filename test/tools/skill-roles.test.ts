import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { createRuntime } from '../../src/runtime.ts';
import { createTestApp } from '../helpers/test-app.ts';
import { createToolCalls } from './tool-calls.ts';

test('skill_show tells what is wrong with the roles of a skill, and it is not run with others instead', async () => {
  await using calls = await createToolCalls();
  const dir = join(calls.app.dir, '.skillflow', 'skills', 'checks');
  await mkdir(join(dir, 'roles'), { recursive: true });
  await writeFile(join(dir, 'SKILL.md'), '---\nname: checks\ndescription: Use when something is checked.\n---\n\nText.\n');
  await writeFile(join(dir, 'swarm.yaml'), 'agents:\n  - { type: checker }\n');
  expect(await calls.output('skill_show', { skill: 'checks' })).toMatchObject({ diagnostics: [] });

  await writeFile(join(dir, 'roles', 'checker.md'), '---\ndescription: Checks.\nstyle: wild\n---\n\nYou check.\n');
  const file = join(dir, 'roles', 'checker.md');
  expect(await calls.output('skill_show', { skill: 'checks' })).toMatchObject({
    diagnostics: [{ severity: 'warning', code: 'role', file, line: 3, column: 1, message: expect.stringContaining('style') }],
  });
  expect(await calls.text('skill_show', { skill: 'checks' })).toContain(`warning: ${file}:3:1: style`);
  const run = { skill: 'checks', provider: 'host', files: [dir] };
  expect(await calls.app.call('skill_run', run)).toMatchObject({
    ok: false,
    error: { code: 'invalid_input', message: expect.stringContaining(`${file}:3: style`) },
  });
});

test('a role that is damaged after the start is replaced by no other, neither by a claim nor by whoever goes on', async () => {
  await using calls = await createToolCalls();
  const dir = join(calls.app.dir, '.skillflow', 'skills', 'spells');
  await mkdir(join(dir, 'roles'), { recursive: true });
  await writeFile(join(dir, 'SKILL.md'), '---\nname: spells\ndescription: Use when something is spelt.\n---\n\nText.\n');
  await writeFile(
    join(dir, 'swarm.yaml'),
    'agents:\n  - { type: wizard }\n  - { type: coordinator }\ncoordination: { topology: ring }\n',
  );
  const file = join(dir, 'roles', 'wizard.md');
  const write = (style: string): Promise<void> =>
    writeFile(file, `---\ndescription: Mine.\nstyle: ${style}\n---\nYou are a WIZARD.\n`);
  await write('lateral');
  const { runId } = await calls.output('skill_run', { skill: 'spells', provider: 'host', files: [dir] });
  await write('sideways');
  const refused = { ok: false, error: { code: 'invalid_input', message: expect.stringContaining(`${file}:3: style`) } };
  for (const input of [{ taskId: runId }, {}]) expect(await calls.app.call('task_claim', input)).toMatchObject(refused);
  expect(await calls.app.call('run_retry', { runId, from: '1-work-wizard' })).toMatchObject(refused);
  expect(await calls.output('run_resume', { runId })).toMatchObject({ status: 'awaiting_host' });
  expect(await calls.raw("SELECT status, attempt FROM step WHERE agent_id = 'wizard'")).toContainEqual({
    status: 'waiting',
    attempt: 0,
  });
  await write('systems');
  const { step } = await calls.output('task_claim', { taskId: runId });
  expect(step).toMatchObject({ system: expect.stringContaining('You are a WIZARD.') });
  await write('sideways');
  const answer = { findings: [], text: 'done', confidence: 0.5, notes: [] };
  await calls.output('task_complete', { claimId: Object(step).claimId, answer });
  expect(await calls.output('task_claim', {})).toMatchObject({ step: { agentId: 'coordinator' } });
});

test('what a swarm.yaml says in vain is said when it is run, and written down in the run', async () => {
  const said: string[] = [];
  await using app = await createTestApp({
    runtime: { ...createRuntime('silent'), log: (level, text) => void said.push(`${level}: ${text}`) },
  });
  const dir = join(app.dir, '.skillflow', 'skills', 'typo');
  await mkdir(dir, { recursive: true });
  await writeFile(join(dir, 'SKILL.md'), '---\nname: typo\ndescription: Use when something is spelt.\n---\n\nText.\n');
  const run = (lines: string): Promise<unknown> =>
    writeFile(join(dir, 'swarm.yaml'), `agents:\n  - { type: analyst, capabilities: [secrets] }\n${lines}\n`).then(() =>
      app.call('skill_run', { skill: 'typo', files: [dir] }),
    );
  const words = 'swarm.yaml:3: unknown key "cordination"; it is ignored; Did you mean "coordination"?';
  expect(await run('cordination: { topology: ring }')).toMatchObject({
    ok: true,
    output: { status: 'completed', notLookedAt: expect.arrayContaining([words]) },
  });
  expect(said).toContain(`warn: the skill typo: ${words}`);
  expect(await run('aprovals: [spending]')).toMatchObject({
    ok: false,
    error: { code: 'invalid_input', message: expect.stringContaining('unknown key "aprovals"') },
  });
});
