import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { z } from 'zod';
import type { LegacyAnswer } from '../../src/legacy/translate.ts';
import { CALLER } from '../helpers/test-app.ts';
import { createToolCalls } from '../tools/tool-calls.ts';
import type { ToolCalls } from '../tools/tool-calls.ts';

type Body = Readonly<Record<string, unknown>>;
const ANSWER = { findings: [], ballots: [], notes: ['looked at nothing'], text: 'it is done', confidence: 0.5 };

let calls: ToolCalls;
beforeEach(async () => {
  calls = await createToolCalls();
});
afterEach(() => calls[Symbol.asyncDispose]());

const call = (name: string, args: unknown): Promise<LegacyAnswer> => calls.app.skillflow.legacy.call(name, args, CALLER);
async function keyed(name: string, args: object, keys: string): Promise<Body> {
  const { body, isError } = await call(name, args);
  expect(isError, JSON.stringify(body)).toBe(false);
  expect(Object.keys(body).slice(0, keys.split(' ').length)).toStrictEqual(keys.split(' '));
  return body;
}
const echoed = (name: string, args: object): Promise<Body> => keyed(name, args, 'success tool message args timestamp');
const start = async (task: string): Promise<Body> =>
  keyed('task_orchestrate', { task }, 'success taskId task strategy priority status persisted timestamp');

/** Does the steps of a task as the host, until none waits; says how the run stands then. */
async function work(taskId: string): Promise<unknown> {
  for (;;) {
    const { step } = z
      .object({ step: z.object({ claimId: z.string() }).nullable() })
      .parse(await calls.output('task_claim', { taskId }));
    if (step === null) return (await calls.output('task_status', { taskId }))['status'];
    await calls.output('task_complete', { claimId: step.claimId, answer: ANSWER });
  }
}

describe('tasks', () => {
  test('task_results tells what came of a task, before and after it was done', async () => {
    const taskId = String((await start('say a word'))['taskId']);
    expect(await echoed('task_results', { taskId })).toMatchObject({
      success: true,
      taskId,
      status: 'awaiting_host',
      answers: [],
    });
    expect(await work(taskId)).toBe('completed');
    expect(await echoed('task_results', { taskId })).toMatchObject({
      taskId,
      status: 'completed',
      answers: [{ text: 'it is done' }],
      findings: { confirmed: 0, undecided: 0, rejected: 0 },
    });
    expect((await call('task_status', { taskId })).body).toMatchObject({ success: true, status: 'completed' });
  });

  test('parallel_execute starts a run for each task, and calls none of them completed', async () => {
    const keys = 'success jobId taskCount status timestamp';
    const body = await keyed('parallel_execute', { tasks: ['one', { description: 'two', priority: 'high' }] }, keys);
    expect(body).toMatchObject({
      success: true,
      jobId: null,
      taskCount: 2,
      status: 'awaiting_host',
      tasks: [{ task: 'one' }, {}],
    });
    const ids = z.array(z.string()).parse(body['taskIds']);
    for (const taskId of ids) expect(await calls.output('task_status', { taskId })).toMatchObject({ status: 'awaiting_host' });
    const [first = '', second = ''] = ids;
    expect(await work(second)).toBe('completed');
    expect(await calls.output('task_status', { taskId: first })).toMatchObject({ status: 'awaiting_host' });
    expect(await calls.output('task_status', { taskId: second })).toMatchObject({ description: 'two', priority: 'high' });
  });

  test('parallel_execute tells which task could not be started', async () => {
    const tasks = ['fine', { task: 'not fine', dependencies: ['task_nope'] }];
    const { body } = await call('parallel_execute', { tasks });
    expect(body).toMatchObject({
      success: false,
      status: 'mixed',
      taskIds: [expect.stringMatching(/^task_/)],
      tasks: [{ error: null }, { task: 'not fine', taskId: null, status: 'failed', error: expect.stringMatching(/task_nope/) }],
    });
    expect(await calls.raw('SELECT description FROM task')).toStrictEqual([{ description: 'fine' }]);
  });

  test('batch_process stores entries, and starts a task for any other operation', async () => {
    const keys = 'success batchId operation itemCount status timestamp';
    const items = [
      { key: 'a', value: 'x' },
      { key: 'b', value: [1], namespace: 'n' },
    ];
    expect(await keyed('batch_process', { items, operation: 'store' }, keys)).toMatchObject({
      itemCount: 2,
      status: 'completed',
      results: [{ id: 'default/a' }, { id: 'n/b' }],
    });
    expect(await calls.output('memory_get', { key: 'b', namespace: 'n' })).toMatchObject({ value: [1] });
    expect(await keyed('batch_process', { items: ['a.ts', { file: 'b.ts' }], operation: 'review' }, keys)).toMatchObject({
      status: 'awaiting_host',
      results: [{ item: 'review: a.ts' }, { item: 'review: {"file":"b.ts"}' }],
    });
    expect(await calls.raw('SELECT count(*) AS n FROM task')).toStrictEqual([{ n: 2 }]);
  });
});

describe('the agents of a swarm are those who work', () => {
  const good = async (name: string, args: object): Promise<Body> => {
    const { body, isError } = await call(name, args);
    expect(isError, JSON.stringify(body)).toBe(false);
    return body;
  };
  const claimed = z.object({
    step: z.object({ claimId: z.string(), agentId: z.string(), agentName: z.string(), prompt: z.string() }),
  });
  const claim = async (taskId: unknown): Promise<z.output<typeof claimed>['step']> => {
    calls.now += 10;
    return claimed.parse(await calls.output('task_claim', { taskId })).step;
  };
  const answer = (claimId: string): Promise<unknown> => {
    calls.now += 100;
    return calls.output('task_complete', { claimId, answer: ANSWER });
  };
  let bob: string;
  let eve: string;
  beforeEach(async () => {
    await good('swarm_init', { topology: 'ring' });
    bob = String((await good('agent_spawn', { type: 'coder', name: 'bob', capabilities: ['sql'] }))['agentId']);
    eve = String((await good('agent_spawn', { type: 'reviewer', name: 'eve' }))['agentId']);
  });

  test('daa_communication and load_balance: what is sent is in the prompt of the next step', async () => {
    await good('daa_communication', { from: eve, to: bob, message: 'mind the index' });
    await good('load_balance', { tasks: ['look at the sql of the reports'] });
    const { taskId } = await good('task_orchestrate', { task: 'do it', strategy: 'sequential' });
    const first = await claim(taskId);
    expect(first).toMatchObject({ agentId: bob, agentName: 'bob' });
    expect(first.prompt).toMatch(new RegExp(`message from ${eve}[^<]*mind the index`));
    expect(first.prompt).toContain('look at the sql of the reports');
    await good('daa_communication', { from: bob, to: eve, message: { while: 'it goes on' } });
    await answer(first.claimId);
    const second = await claim(taskId);
    expect(second).toMatchObject({ agentId: eve, prompt: expect.stringContaining('{"while":"it goes on"}') });
    await answer(second.claimId);
    expect(await good('coordination_sync', {})).toMatchObject({ openMessages: 0, runs: { completed: 1 } });
  });

  test.each([
    ['task_orchestrate', { task: 'do it', strategy: 'sequential' }],
    ['parallel_execute', { tasks: [{ task: 'do it', strategy: 'sequential' }] }],
    ['batch_process', { items: ['a.ts'], operation: 'review' }],
  ] as const)(
    '%s: its steps count for them in agent_metrics, swarm_status, agent_list and daa_fault_tolerance',
    async (name, args) => {
      await good(name, args);
      const [row] = z.array(z.object({ id: z.string() })).parse(await calls.raw('SELECT id FROM task'));
      const first = await claim(row?.id);
      expect(await good('swarm_status', {})).toMatchObject({ activeAgents: 1, agentCount: 2 });
      await calls.output('task_fail', { claimId: first.claimId, reason: 'no' });
      expect(await good('swarm_status', {})).toMatchObject({ activeAgents: 0 });
      expect(await good('daa_fault_tolerance', { agentId: first.agentId })).toMatchObject({
        failed: 1,
        message: expect.stringMatching(/^registered: 1 steps failed/),
        lastActivityAt: expect.any(String),
      });
      const second = await claim(row?.id);
      await answer(second.claimId);
      expect(new Set([first.agentId, second.agentId])).toEqual(new Set([bob, eve]));
      expect(await good('agent_metrics', { agentId: second.agentId })).toMatchObject({
        agents: [{ steps: { completed: 1 }, lastActivityAt: new Date(calls.now).toISOString() }],
      });
      expect(await good('agent_list', {})).toMatchObject({
        agents: [bob, eve].map((id) => ({ id, steps: { [id === first.agentId ? 'failed' : 'completed']: 1 } })),
      });
    },
  );

  test('load_balance counts steps that are to be done', async () => {
    const ann = String((await good('agent_spawn', { type: 'coder', name: 'ann' }))['agentId']);
    await good('daa_lifecycle_manage', { agentId: ann, action: 'pause' });
    await good('task_orchestrate', { task: 'do it' });
    await good('daa_lifecycle_manage', { agentId: ann, action: 'resume' });
    expect(await good('load_balance', { tasks: ['a thing for a coder'] })).toMatchObject({
      assignments: [{ agentId: ann, agentName: 'ann', queue: 1 }],
    });
  });

  test('swarm_destroy ends tasks that wait', async () => {
    const { taskId: first, swarmId } = await good('task_orchestrate', { task: 'one' });
    const { taskId } = await good('task_orchestrate', { task: 'two', dependencies: [first] });
    expect(await good('swarm_destroy', { swarmId })).toMatchObject({ tasksCancelled: [taskId] });
    expect(await good('task_status', { taskId })).toMatchObject({
      status: 'cancelled',
      reason: expect.stringMatching(/destroyed/),
    });
  });

  test('daa_consensus takes each voter once', async () => {
    const { body, isError } = await call('daa_consensus', { agents: [bob, 'bob'], proposal: 'x' });
    expect(isError).toBe(true);
    expect(body).toMatchObject({ code: 'invalid_input', error: expect.stringMatching(/stands in it twice/) });
    expect(await calls.raw('SELECT id FROM poll')).toStrictEqual([]);
  });
});

describe('runs', () => {
  test('query_list and query_control: a run is listed while it goes on, and ends', async () => {
    const { runId } = await start('one');
    expect(await echoed('query_list', {})).toMatchObject({ count: 1, queries: [{ queryId: runId, status: 'awaiting_host' }] });
    expect(await echoed('query_control', { action: 'resume', queryId: runId })).toMatchObject({ status: 'awaiting_host' });
    const args = { action: 'terminate', queryId: runId };
    expect(await echoed('query_control', args)).toMatchObject({ args, queryId: runId, status: 'cancelled' });
    expect(await calls.raw('SELECT status FROM run')).toStrictEqual([{ status: 'cancelled' }]);
    expect(await echoed('query_list', {})).toMatchObject({ count: 0, queries: [], total: 1 });
    expect(await echoed('query_list', { includeHistory: true })).toMatchObject({ count: 1, queries: [{ status: 'cancelled' }] });
    for (const action of ['resume', 'terminate']) {
      expect((await call('query_control', { action, queryId: runId })).body, action).toMatchObject({ code: 'conflict' });
    }
  });

  test.each(['pause', 'change_model', 'change_permissions', 'execute_command'])('%s is refused', async (action) => {
    const { runId } = await start('one');
    const { body, isError } = await call('query_control', { action, queryId: runId, model: 'm', command: 'ls' });
    expect(isError).toBe(true);
    expect(body).toMatchObject({ success: false, code: 'not_supported', error: expect.stringContaining(action) });
    expect(await echoed('query_list', {})).toMatchObject({ queries: [{ status: 'awaiting_host' }] });
  });
});

describe('a wrong call fails visibly and starts nothing', () => {
  test.each([
    ['task_results', { taskId: 'task_nope' }, /task_nope/],
    ['task_results', {}, /taskId/],
    ['parallel_execute', { tasks: [] }, /tasks/],
    ['parallel_execute', { tasks: ['fine', {}] }, /tasks\.1/],
    ['parallel_execute', { tasks: ['fine', 7] }, /tasks\.1/],
    ['parallel_execute', { tasks: ['x'], swarmId: 'swarm_nope' }, /swarm_nope/],
    ['batch_process', { items: ['x'] }, /operation/],
    ['batch_process', { items: [{ key: 'a', value: 'fine' }, { key: 'a' }], operation: 'store' }, /items\.1/],
    ['batch_process', { items: [], operation: 'review' }, /items/],
    ['query_control', { action: 'terminate', queryId: 'run_nope' }, /run_nope/],
    ['query_control', { action: 'resume', queryId: 'run_nope' }, /run_nope/],
    ['query_control', { action: 'explode', queryId: 'x' }, /action.*got "explode"/],
    ['query_list', { includeHistory: 'yes' }, /includeHistory/],
  ] as const)('%s %j', async (name, args, error) => {
    await call('swarm_init', {});
    const { body, isError } = await call(name, args);
    expect(isError).toBe(true);
    expect(Object.keys(body)).toStrictEqual(['success', 'error', 'hint', 'code', 'timestamp']);
    expect(body).toMatchObject({ success: false, error: expect.stringMatching(error) });
    expect(body['code']).not.toBe('internal');
    const [counted] = z
      .array(z.unknown())
      .parse(await calls.raw('SELECT (SELECT count(*) FROM task) AS tasks, (SELECT count(*) FROM run) AS runs'));
    expect(counted).toStrictEqual({ tasks: 0, runs: 0 });
  });
});
