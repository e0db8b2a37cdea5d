import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import * as z from 'zod';
import { createToolCalls } from './tool-calls.ts';
import type { ToolCalls } from './tool-calls.ts';

let calls: ToolCalls;
beforeEach(async () => {
  calls = await createToolCalls();
  const folder = join(calls.app.dir, '.claude', 'skills', 'pair');
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, 'SKILL.md'), '---\nname: pair\ndescription: A skill of the tests.\n---\nDo it.\n');
  const agents = ['researcher', 'reviewer'].map((type) => `  - { type: ${type}, count: 1, capabilities: [reasoning] }`);
  await writeFile(join(folder, 'swarm.yaml'), `agents:\n${agents.join('\n')}\ncoordination: { topology: mesh }\n`);
  await writeFile(join(calls.app.dir, 'a.js'), 'eval(x);\n');
});
afterEach(() => calls[Symbol.asyncDispose]());

test('a host that claims a step is told which files changed since the run began, and the journal keeps that', async () => {
  const { runId } = await calls.output('skill_run', { skill: 'pair', files: ['a.js'], provider: 'host' });
  const claim = async (): Promise<{ readonly claimId: string; readonly prompt: string; readonly stepId: string }> =>
    Object((await calls.output('task_claim', { taskId: runId }))['step']);
  const toldIn = async (): Promise<readonly string[]> => {
    const { events } = await calls.output('run_events', { runId, limit: 1000 });
    const notes = z.array(z.looseObject({ type: z.string(), note: z.looseObject({ message: z.string() }).optional() }));
    return notes.parse(events).flatMap(({ note }) => note?.message ?? []);
  };
  const first = await claim();
  expect(first.prompt).not.toContain('since the run began');
  expect(await toldIn()).toEqual([]);

  await writeFile(join(calls.app.dir, 'a.js'), 'eval(y);\n'); // as long as before
  await calls.output('task_fail', { claimId: first.claimId, reason: 'not now', retryable: true });
  const changed = 'Read anew, changed since the run began: a.js.';
  const again = await claim();
  expect(again.stepId).toBe(first.stepId);
  expect(again.prompt).toMatch(/^<data name="files that changed">\nRead anew/u);
  expect(again.prompt).toContain(changed);
  await calls.app.restart();
  expect((await claim()).prompt).toContain(changed); // who else claims is told as well, and it is on record once
  expect(await toldIn()).toEqual([changed]);
});
