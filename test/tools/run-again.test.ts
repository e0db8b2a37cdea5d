import { existsSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createApp } from '../../src/app.ts';
import type { Skillflow } from '../../src/app.ts';
import { loadConfig } from '../../src/config.ts';
import { FAKE_API_KEY, startFakeMessagesApi } from '../helpers/fake-messages-api.ts';
import type { FakeMessagesApi } from '../helpers/fake-messages-api.ts';
import { createToolCalls } from './tool-calls.ts';
import type { Output, ToolCalls } from './tool-calls.ts';

const ANSWER = { findings: [], text: 'fine', confidence: 0.9, notes: [] };
const GOOD = { type: 'answer', answer: ANSWER, usage: { input: 1000, output: 100 } } as const;
const BAD = { type: 'status', status: 400, message: 'no' } as const;
const NO_PROVIDER = { ok: false, error: { code: 'unavailable', message: expect.stringMatching(/nothing was begun or spent/) } };

/** A process of the project without a key, and one with a key whose model is a fake. */
let calls: ToolCalls;
let api: FakeMessagesApi;
let paying: Skillflow;
beforeEach(async () => {
  calls = await createToolCalls({ isFile: true });
  api = await startFakeMessagesApi();
  api.fallback(() => GOOD);
  const { dir, skillflow } = calls.app;
  const env = { ANTHROPIC_API_KEY: FAKE_API_KEY, ANTHROPIC_BASE_URL: api.url };
  const config = loadConfig({ projectRoot: dir, rootSource: 'test', home: dir, flags: {}, env });
  const { runtime } = skillflow.app;
  paying = createApp({ config, runtime, version: '0', packageDir: dir, workerUrl: null, vectorWorkerUrl: null });
});
afterEach(async () => {
  await paying[Symbol.asyncDispose]();
  await api[Symbol.asyncDispose]();
  await calls[Symbol.asyncDispose]();
});

async function addSkill(more = ''): Promise<void> {
  const folder = join(calls.app.dir, '.claude', 'skills', 'pair');
  await mkdir(folder, { recursive: true });
  const head = '---\nname: pair\ndescription: A skill of the tests, for when they need one.\n---\nDo it.\n';
  await writeFile(join(folder, 'SKILL.md'), head);
  const swarm = `agents:\n  - { type: analyst }\n  - { type: coordinator }\ncoordination: { topology: star }\n${more}\n`;
  await writeFile(join(folder, 'swarm.yaml'), swarm);
}

async function paid(tool: string, input: object): Promise<Output> {
  const result = await paying.call(tool, input, { surface: 'api' });
  if (!result.ok) throw new Error(`${tool}: ${JSON.stringify(result.error)}`);
  return Object.fromEntries(Object.entries(Object(result.output)));
}
const run = (more: object = {}): Promise<Output> =>
  paid('skill_run', { skill: 'pair', task: 'q', provider: 'anthropic', ...more });
const call = (tool: string, input: object) => calls.app.call(tool, input);
const everything = (): Promise<unknown> =>
  calls.raw(`SELECT (SELECT json_group_array(id || status || epoch || attempt) FROM step) AS steps,
    (SELECT json_group_array(id || status || coalesce(waiting, '') || spec || coalesce(summary, '')) FROM run) AS runs,
    (SELECT count(*) FROM event) AS events`);

describe('without the provider of a run, nothing of it is changed', () => {
  test('run_retry: a completed run keeps its result and its files', async () => {
    await addSkill();
    const { runId, status, outputs } = await run();
    expect(status).toBe('completed');
    const before = await everything();
    expect(await call('run_retry', { runId, from: '1-work-analyst' })).toMatchObject(NO_PROVIDER);
    expect(await everything()).toStrictEqual(before);
    expect(await calls.output('run_status', { runId })).toMatchObject({ status: 'completed', outputs });
    expect(await calls.output('run_replay', { runId })).toMatchObject({ identical: true });
  });

  test('run_approve: the gate stays open, and is answered where the provider is', async () => {
    await addSkill('approvals: [spending]');
    const { runId, status } = await run();
    expect(status).toBe('awaiting_approval');
    const before = await everything();
    expect(await call('run_approve', { runId, approved: true })).toMatchObject(NO_PROVIDER);
    expect(await everything()).toStrictEqual(before);
    expect(await paid('run_approve', { runId, approved: true })).toMatchObject({ status: 'completed' });
  });

  test('run_approve: a refusal needs nobody who thinks, and neither does what comes when all is done', async () => {
    await addSkill('approvals: [spending]');
    const { runId } = await run();
    expect(await calls.output('run_approve', { runId, approved: false })).toMatchObject({ status: 'cancelled' });
    await addSkill('approvals: [writing]');
    for (const approved of [true, false]) {
      const done = await run();
      expect(done).toMatchObject({ status: 'awaiting_approval', waiting: { gate: 'writing' } });
      expect(await calls.output('run_approve', { runId: done['runId'], approved })).toMatchObject({ status: 'completed' });
    }
  });

  test('run_resume: no higher limit is set', async () => {
    await addSkill();
    const { runId, status } = await run({ maxSteps: 1 });
    expect(status).toBe('paused');
    const before = await everything();
    expect(await call('run_resume', { runId, maxSteps: 9 })).toMatchObject(NO_PROVIDER);
    expect(await everything()).toStrictEqual(before);
    expect(await calls.output('run_status', { runId })).toMatchObject({ next: expect.stringMatching(/"maxSteps":2\b/) });
    expect(await paid('run_resume', { runId, maxSteps: 9 })).toMatchObject({ status: 'completed' });
  });

  test('a run that has ended is said to have ended', async () => {
    await addSkill('approvals: [spending]');
    const { runId } = await run();
    await calls.output('run_cancel', { runId });
    for (const [tool, input] of [
      ['run_resume', { runId }],
      ['run_approve', { runId, approved: true }],
    ] as const) {
      expect(await call(tool, input)).toMatchObject({ ok: false, error: { code: 'conflict' } });
    }
    expect(await call('run_retry', { runId, from: '1-work-analyst' })).toMatchObject(NO_PROVIDER);
    expect(await calls.output('run_status', { runId })).toMatchObject({ status: 'cancelled' });
  });
});

test('a process that was killed when it had written down an answer: the run says how it goes on', async () => {
  await addSkill('approvals: [writing]');
  const { runId } = await run();
  await (await calls.app.skillflow.app.runControl()).approve(String(runId), { approved: true, note: null });
  const { status, waiting, next } = await calls.output('run_status', { runId });
  expect({ status, waiting, next }).toMatchObject({
    status: 'awaiting_approval',
    waiting: { for: 'approval', gate: null, question: null },
    next: `Its question was answered. Go on with it: run_resume {"runId":"${String(runId)}"}.`,
  });
  expect(await call('run_approve', { runId, approved: true })).toMatchObject({
    ok: false,
    error: { code: 'conflict', message: expect.stringMatching(/answered/), hint: expect.stringMatching(/resume/) },
  });
  expect(await calls.output('run_resume', { runId })).toMatchObject({ status: 'completed' });
});

test('a retry that fails leaves no file of the result before', async () => {
  await addSkill();
  const { runId, outputs } = await run();
  const [file = ''] = [outputs].flat().map((path) => join(calls.app.dir, String(path)));
  expect(existsSync(file)).toBe(true);
  api.fallback(() => BAD);
  expect(await paid('run_retry', { runId, from: '1-work-analyst' })).toMatchObject({ status: 'failed', outputs: [] });
  expect(existsSync(file)).toBe(false);
});

test.each([
  [{ maxSeconds: 0.0001 }, 'maxSeconds: expected more than 0.73; 730 ms of work used already', 'Give more than 0.73;'],
  [{ maxTokens: 1100 }, 'maxTokens: expected more than 1100; 1,100 tokens used already', 'Give more than 1100;'],
  [{ maxSteps: 1 }, 'maxSteps: expected more than 1; 1 attempt used already', 'Give more than 1;'],
  [
    { maxCostUsd: 0.001 },
    expect.stringMatching(/^maxCostUsd: expected more than 0\.\d+; \$0\.\d+ used already$/),
    'Give more than 0.',
  ],
])('a limit that is not above what was used names its parameter, in its unit: %j', async (limit, message, hint) => {
  await addSkill();
  api.fallback(() => {
    calls.now += 730;
    return GOOD;
  });
  const { runId, status } = await run({ maxSteps: 1 });
  expect(status).toBe('paused');
  const before = await everything();
  expect(await paying.call('run_resume', { runId, ...limit }, { surface: 'api' })).toMatchObject({
    ok: false,
    error: { code: 'invalid_input', message, hint: expect.stringContaining(hint), details: { parameter: Object.keys(limit)[0] } },
  });
  expect(await everything()).toStrictEqual(before);
});

describe('a task that depends on another begins when that completes', () => {
  const submitted = async (): Promise<readonly [first: Output, second: unknown]> => {
    const first = await paid('task_submit', { description: 'A', provider: 'anthropic' });
    const second = await paid('task_submit', { description: 'B', dependencies: [first['taskId']] });
    return [first, second['taskId']];
  };
  const statusOf = async (taskId: unknown): Promise<unknown> => (await calls.output('task_status', { taskId }))['status'];

  test('by run_retry', async () => {
    api.fallback(() => BAD);
    const [{ runId, status }, second] = await submitted();
    expect(status).toBe('failed');
    expect(await statusOf(second)).toBe('cancelled');
    api.fallback(() => GOOD);
    expect(await paid('run_retry', { runId, from: '1-work-generalist' })).toMatchObject({ status: 'completed' });
    expect(await statusOf(second)).toBe('awaiting_host');
  });

  test('by run_resume', async () => {
    api.fallback(() => BAD);
    const [{ runId }, second] = await submitted();
    await (await paying.app.runControl()).repeat(String(runId), '1-work-generalist', false); // and then it was killed
    api.fallback(() => GOOD);
    expect(await paid('run_resume', { runId })).toMatchObject({ status: 'completed' });
    expect(await statusOf(second)).toBe('awaiting_host');
  });
});

describe('task_claim without an id takes up what was left', () => {
  const gone = "UPDATE run SET waiting = NULL, owner_pid = NULL, owner_host = NULL, lease_until = 0 WHERE status = 'running'";

  test('a task that was never begun, once whoever submitted it had the time to', async () => {
    const { taskId } = await calls.output('task_submit', { description: 'A' });
    await calls.raw('UPDATE task SET run_id = NULL');
    await calls.output('run_cancel', { runId: Object([await calls.raw('SELECT id FROM run')].flat()[0]).id });
    expect(await calls.output('task_claim', {})).toMatchObject({ step: null });
    calls.now += 10_001;
    const { step } = await calls.output('task_claim', {});
    expect(step).toMatchObject({ agentId: 'generalist' });
    expect(await calls.output('task_status', { taskId })).toMatchObject({ runId: Object(step).runId });
  });

  test('a run whose process was killed before it said that it waits', async () => {
    const { runId } = await calls.output('task_submit', { description: 'A' });
    await calls.raw(gone);
    expect(await calls.output('run_status', { runId })).toMatchObject({ status: 'interrupted' });
    expect(await calls.output('task_claim', {})).toMatchObject({ step: { runId } });
  });

  test('one that cannot go on stands in nobody else’s way', async () => {
    const { runId: broken } = await calls.output('task_submit', { description: 'A' });
    calls.now += 1;
    const { runId } = await calls.output('task_submit', { description: 'B' });
    await calls.raw(gone);
    await calls.raw('UPDATE run SET spec = NULL WHERE id = ?', [String(broken)]); // of an earlier version
    expect(await calls.output('task_claim', {})).toMatchObject({ step: { runId } });
    expect(await calls.output('task_claim', {})).toMatchObject({ step: null });
  });

  test('nothing that another has claimed, and nothing that waits for a person or a budget', async () => {
    const { runId } = await calls.output('task_submit', { description: 'A' });
    expect(await calls.output('task_claim', {})).toMatchObject({ step: { runId } });
    const before = await everything();
    calls.now += 60_000;
    expect(await calls.output('task_claim', {})).toMatchObject({ step: null });
    expect(await everything()).toStrictEqual(before);
    await addSkill('approvals: [writing]');
    await run();
    const waiting = await everything();
    expect(await calls.output('task_claim', {})).toMatchObject({ step: null });
    expect(await everything()).toStrictEqual(waiting);
  });
});

test('words of a task that name calls are those of the caller', async () => {
  const { taskId, runId } = await calls.output('task_submit', { description: 'A' });
  const { taskId: second } = await calls.output('task_submit', { description: 'B', dependencies: [taskId] });
  const { step } = await calls.output('task_claim', { taskId });
  await calls.output('task_fail', { claimId: Object(step).claimId, reason: 'see run_retry' });
  const asked = async (tool: string, id: unknown): Promise<unknown> => {
    const result = await calls.app.skillflow.call(tool, { taskId: id }, { surface: 'cli' });
    return result.ok ? Object(result.output).reason : result.error;
  };
  for (const tool of ['task_status', 'task_results', 'task_claim']) {
    expect(await asked(tool, second)).toMatch(/complete that with `skillflow retry`/);
  }
  expect(await asked('task_status', taskId)).toBe('see run_retry'); // somebody else's words
  expect(await calls.output('run_status', { runId })).toMatchObject({ status: 'failed' });
});
