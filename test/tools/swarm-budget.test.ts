import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { createTestApp } from '../helpers/test-app.ts';
import { testBadCalls } from './bad-calls.ts';
import type { BadCall } from './bad-calls.ts';
import { createToolCalls } from './tool-calls.ts';
import type { ToolCalls } from './tool-calls.ts';

const NONE = { tokens: null, costUsd: null, wallMs: null, steps: null };
const HOSTILE = "x'); DROP TABLE swarm; --";

let calls: ToolCalls;
let swarmId: string;
beforeEach(async () => {
  calls = await createToolCalls();
  swarmId = String((await calls.output('swarm_create', { config: { mine: 1 } }))['swarmId']);
});
afterEach(() => calls[Symbol.asyncDispose]());

const spawn = async (type: string): Promise<string> => String((await calls.output('agent_spawn', { type }))['agentId']);
const submit = async (): Promise<string> => String((await calls.output('task_submit', { description: 'x' }))['runId']);
/** The budget that a run was started with, as another process reads it. */
async function budgetOf(runId: string): Promise<unknown> {
  const rows = await calls.raw("SELECT json_extract(spec, '$.swarm.budget') AS budget FROM run WHERE id = ?", [runId]);
  return JSON.parse(z.array(z.object({ budget: z.string() })).parse(rows)[0]?.budget ?? '');
}
const spend = (runId: string, tokens: number, cost: number): Promise<unknown> =>
  calls.raw(
    `INSERT INTO spend(run_id, step_id, agent_id, at, provider, model, input_tokens, output_tokens, cost_usd)
     VALUES (?, 's', 'a', 1, 'anthropic', 'm', ?, 1, ?)`,
    [runId, tokens - 1, cost],
  );

test('without one, tasks have no limits', async () => {
  expect(await calls.output('swarm_budget', {})).toMatchObject({ swarmId, allocation: null, left: NONE, used: { tokens: 0 } });
  expect(await budgetOf(await submit())).toStrictEqual({ run: NONE, agent: NONE });
});

test('it lasts, and a task gets what is left of the pool', async () => {
  const first = await submit();
  const set = await calls.output('swarm_budget', { tokens: 1000, costUsd: 2, steps: 50 });
  const pool = { tokens: 1000, costUsd: 2, wallMs: null, steps: 50 };
  expect(set).toMatchObject({ allocation: { pool, share: null, agents: [] } });
  await calls.app.restart();
  expect(await calls.output('swarm_budget', { swarmId })).toStrictEqual(set);
  await spend(first, 300, 0.5);
  await calls.raw('UPDATE step SET attempt = 2, started_at = 1000, ended_at = 1250 WHERE run_id = ?', [first]);
  expect(await calls.output('swarm_budget', {})).toMatchObject({
    used: { tokens: 300, costUsd: 0.5, unpriced: 0, wallMs: 250, steps: 2 },
    left: { tokens: 700, costUsd: 1.5, wallMs: null, steps: 48 },
  });
  expect(await budgetOf(await submit())).toStrictEqual({
    run: { tokens: 700, costUsd: 1.5, wallMs: null, steps: 48 },
    agent: NONE,
  });
  expect(await budgetOf(first)).toStrictEqual({ run: NONE, agent: NONE });
  expect(await calls.raw("SELECT json_extract(config, '$.mine') AS mine FROM swarm")).toStrictEqual([{ mine: 1 }]);
});

test('a pool that is used up pauses the next task at once', async () => {
  await calls.output('swarm_budget', { tokens: 100 });
  await spend(await submit(), 100, 0);
  const runId = await submit();
  expect(await calls.output('run_status', { runId })).toMatchObject({ status: 'paused' });
});

test('it binds what tasks use that were begun before, and says how they go on', async () => {
  await spawn('coder');
  await calls.output('swarm_budget', { steps: 1, tokens: 5000 });
  const runIds = [await submit(), await submit()];
  const answer = { findings: [], text: 't', confidence: 0.5, notes: [] };
  const { step } = await calls.output('task_claim', { taskId: runIds[0] });
  const { claimId } = z.object({ claimId: z.string() }).parse(step);
  await calls.output('task_complete', { claimId, answer });
  expect(await calls.app.call('task_claim', { taskId: runIds[1] })).toMatchObject({
    error: { code: 'conflict', message: expect.stringMatching(/budget of the swarm is used up: 1 attempt/) },
  });
  await spend(String(runIds[0]), 6000, 0);
  const third = await submit();
  const waiting = await calls.output('run_status', { runId: third });
  expect(waiting).toMatchObject({ status: 'paused', waiting: { budget: { scope: 'swarm', what: 'steps', limit: 1, used: 1 } } });
  const next = z.string().parse(waiting['next']);
  const named = [...next.matchAll(/(swarm_budget|run_resume) (\{.*?\})/gu)];
  expect(named.map(([, tool]) => tool)).toEqual(['swarm_budget', 'run_resume']);
  expect(JSON.parse(named[0]?.[2] ?? '')).toEqual({ swarmId, tokens: 12_000, steps: 2 });
  for (const [, tool = '', input = ''] of named) await calls.output(tool, JSON.parse(input));
  expect(await calls.output('run_status', { runId: third })).toMatchObject({ status: 'awaiting_host' });
});

test('what was read from and written to caches is used as well', async () => {
  const runId = await submit();
  await calls.raw(
    `INSERT INTO spend(run_id, step_id, agent_id, at, provider, model, input_tokens, output_tokens, cache_read_tokens, cache_write_tokens)
     VALUES (?, 's', 'a', 1, 'anthropic', 'm', 1, 2, 3, 4)`,
    [runId],
  );
  expect(await calls.output('swarm_budget', {})).toMatchObject({ used: { tokens: 10 } });
});

test('parts are equal, and together no more than the pool', async () => {
  const agents = [await spawn('coder'), await spawn('tester'), await spawn('reviewer')];
  const all = await calls.output('swarm_budget', { tokens: 100, costUsd: 1, divide: true });
  const share = { tokens: 33, costUsd: 0.333333, wallMs: null, steps: null };
  expect(all).toMatchObject({ allocation: { share, agents } });
  expect(await budgetOf(await submit())).toMatchObject({ run: { tokens: 100 }, agent: share });
  const some = await calls.output('swarm_budget', { wallMs: 1000, agents: ['coder-1', agents[1], agents[0]] });
  expect(some).toMatchObject({ allocation: { share: { ...NONE, wallMs: 500 }, agents: [agents[0], agents[1]] } });
});

test('releasing it takes the limits away', async () => {
  await calls.output('swarm_budget', { steps: 5 });
  expect(await calls.output('swarm_budget', { release: true })).toMatchObject({ allocation: null, left: NONE });
  expect(await calls.raw('SELECT config FROM swarm')).toStrictEqual([{ config: '{"mine":1}' }]);
  expect(await budgetOf(await submit())).toStrictEqual({ run: NONE, agent: NONE });
});

test('text', async () => {
  expect(await calls.text('swarm_budget', {})).toMatch(/pool +no limit\n/);
  expect(await calls.text('swarm_budget', { steps: 5 })).toMatch(
    /pool +5 attempts\neach agent +no limit\nused .*\nleft +5 attempts/,
  );
});

describe('a wrong call is refused and changes nothing', () => {
  const bad: readonly (readonly [input: unknown, code: string, message: RegExp])[] = [
    [{ tokens: -1 }, 'invalid_input', /tokens/],
    [{ tokens: 0 }, 'invalid_input', /tokens/],
    [{ tokens: 1.5 }, 'invalid_input', /tokens/],
    [{ tokens: 1e15 }, 'invalid_input', /tokens/],
    [{ costUsd: Number.NaN }, 'invalid_input', /costUsd/],
    [{ costUsd: Number.POSITIVE_INFINITY }, 'invalid_input', /costUsd/],
    [{ wallMs: 1e9 }, 'invalid_input', /wallMs/],
    [{ steps: '5' }, 'invalid_input', /steps/],
    [{ cpu: 1 }, 'invalid_input', /cpu/],
    [{ divide: true }, 'invalid_input', /no limit to divide/],
    [{ steps: 5, release: true }, 'invalid_input', /release/],
    [{ steps: 5, divide: true, agents: ['coder-1'] }, 'invalid_input', /exclude each other/],
    [{ steps: 5, agents: [] }, 'invalid_input', /agents/],
    [{ steps: 5, agents: ['coder-1', 'agent_nope'] }, 'not_found', /agent_nope/],
    [{ steps: 5, agents: ['tester-2'] }, 'not_found', /tester-2/],
    [{ steps: 1, divide: true }, 'conflict', /steps: 1 cannot be divided among 2 agents/],
    [{ tokens: 299 }, 'conflict', /299.*300/],
    [{ costUsd: 0.4 }, 'conflict', /costUsd.*0\.5/],
    [{ steps: 5, swarmId: 'swarm_nope' }, 'not_found', /swarm_nope/],
    [{ steps: 5, swarmId: HOSTILE }, 'not_found', /DROP TABLE/],
  ];
  testBadCalls(
    bad.map(([input, code, message]): BadCall => ['swarm_budget', input, code, message]),
    {
      call: (tool, input) => calls.app.call(tool, input),
      prepare: async () => {
        await spawn('coder');
        await calls.output('agent_stop', { agentId: await spawn('tester') });
        await spawn('reviewer');
        await spend(await submit(), 300, 0.5);
        await calls.output('swarm_budget', { tokens: 5000, costUsd: 5 });
      },
      everything: () => calls.raw('SELECT * FROM swarm'),
    },
  );

  test('a destroyed swarm, a swarm without agents, a config with its key', async () => {
    expect(await calls.app.call('swarm_budget', { steps: 5, divide: true })).toMatchObject({ error: { code: 'conflict' } });
    expect(await calls.app.call('swarm_create', { config: { $budget: {} } })).toMatchObject({
      error: { code: 'invalid_input', message: expect.stringMatching(/config/) },
    });
    await calls.output('swarm_destroy', { swarmId });
    for (const input of [{ steps: 5 }, { release: true }]) {
      expect(await calls.app.call('swarm_budget', { ...input, swarmId })).toMatchObject({ error: { code: 'not_found' } });
    }
    expect(await calls.raw('SELECT config FROM swarm')).toStrictEqual([{ config: '{"mine":1}' }]);
  });

  test('read-only mode shows, and sets nothing', async () => {
    await using readOnly = await createTestApp({ flags: { readOnly: true } });
    for (const input of [{ steps: 5 }, { release: true }]) {
      expect(await readOnly.call('swarm_budget', input)).toMatchObject({ ok: false, error: { code: 'forbidden' } });
    }
    expect(await readOnly.call('swarm_budget', {})).toMatchObject({ ok: false, error: { code: 'not_found' } });
  });
});
