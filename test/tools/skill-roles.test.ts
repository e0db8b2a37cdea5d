import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
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
