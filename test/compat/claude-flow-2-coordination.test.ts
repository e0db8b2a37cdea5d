import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { z } from 'zod';
import type { LegacyAnswer } from '../../src/legacy/translate.ts';
import { CALLER } from '../helpers/test-app.ts';
import { createToolCalls } from '../tools/tool-calls.ts';
import type { ToolCalls } from '../tools/tool-calls.ts';

const ISO = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;
const HOSTILE = "x'); DROP TABLE agent; --";
type Body = Readonly<Record<string, unknown>>;

let calls: ToolCalls;
beforeEach(async () => {
  calls = await createToolCalls();
});
afterEach(() => calls[Symbol.asyncDispose]());

const call = (name: string, args: unknown): Promise<LegacyAnswer> => calls.app.skillflow.legacy.call(name, args, CALLER);
async function good(name: string, args: object): Promise<Body> {
  const { body, isError } = await call(name, args);
  expect(body, JSON.stringify(body)).toMatchObject({ success: true, timestamp: expect.stringMatching(ISO) });
  expect(isError).toBe(false);
  return body;
}
/** Of a name that 2.7 answers with these keys and nothing else. */
async function echoed(name: string, args: object): Promise<Body> {
  const body = await good(name, args);
  expect(Object.keys(body).slice(0, 5)).toStrictEqual(['success', 'tool', 'message', 'args', 'timestamp']);
  expect(body['tool']).toBe(name);
  return body;
}
/** Of a name that 2.7 answers with these keys, in this order. */
async function keyed(name: string, args: object, keys: string): Promise<Body> {
  const body = await good(name, args);
  expect(Object.keys(body).slice(0, keys.split(' ').length)).toStrictEqual(keys.split(' '));
  return body;
}
const init = async (args: object = {}): Promise<string> =>
  String((await good('swarm_init', { topology: 'star', ...args }))['swarmId']);
const spawn = async (type: string, capabilities: readonly string[] = []): Promise<string> =>
  String((await good('agent_spawn', { type, capabilities }))['agentId']);

describe('swarms', () => {
  test('swarm_scale spawns and stops real records', async () => {
    const swarmId = await init();
    await spawn('coder');
    expect(await echoed('swarm_scale', { swarmId, targetSize: 3 })).toMatchObject({
      args: { swarmId, targetSize: 3 },
      previousSize: 1,
      newSize: 3,
    });
    expect((await calls.output('agent_list', {}))['total']).toBe(3);
    expect(await echoed('swarm_scale', { targetSize: 1 })).toMatchObject({ newSize: 1, stopped: [{}, {}] });
    expect(await good('swarm_status', {})).toMatchObject({ agentsByStatus: { registered: 1, stopped: 2 } });
  });

  test('swarm_destroy: the status says so afterwards', async () => {
    const swarmId = await init();
    await spawn('coder');
    expect(await echoed('swarm_destroy', { swarmId })).toMatchObject({ swarmId, status: 'destroyed', destroyed: true });
    expect(await calls.raw('SELECT status FROM swarm')).toMatchObject([{ status: 'destroyed' }]);
    expect(await good('swarm_status', { swarmId })).toMatchObject({ status: 'destroyed', activeAgents: 0 });
    expect((await call('swarm_destroy', { swarmId })).isError).toBe(true);
  });

  test('agents_spawn_parallel registers all or none', async () => {
    await init({ maxAgents: 3 });
    const agents = [
      { type: 'coder', name: 'a', priority: 'high' },
      { type: 'tester', name: 'b', capabilities: ['x'] },
    ];
    expect(await echoed('agents_spawn_parallel', { agents, maxConcurrency: 2, batchSize: 3 })).toMatchObject({
      count: 2,
      agents: [
        { name: 'a', status: 'registered' },
        { name: 'b', capabilities: ['x'] },
      ],
    });
    expect((await call('agents_spawn_parallel', { agents })).body).toMatchObject({ success: false, code: 'conflict' });
    expect(await calls.raw('SELECT name FROM agent ORDER BY rowid')).toStrictEqual([{ name: 'a' }, { name: 'b' }]);
  });

  test('agent_metrics and swarm_monitor tell what is recorded', async () => {
    const swarmId = await init();
    const agentId = await spawn('coder');
    await calls.raw(
      "INSERT INTO run(id, skill, task, status, provider, created_at, swarm_id) VALUES ('r', 's', 't', 'completed', 'local', 1, ?)",
      [swarmId],
    );
    await calls.raw(
      "INSERT INTO step(run_id, id, agent_id, kind, status, attempt, started_at, ended_at) VALUES ('r', 's', ?, 'work', 'completed', 2, 1000, 1250)",
      [agentId],
    );
    expect(await echoed('agent_metrics', { agentId })).toMatchObject({
      agents: [{ agentId, steps: { completed: 1 }, retries: 1, durationMs: { total: 250 }, usage: null }],
    });
    expect(await echoed('swarm_monitor', { swarmId, interval: 20 })).toMatchObject({
      swarmId,
      args: { swarmId, interval: 20 },
      samples: [{ agents: { registered: 1 }, runs: { completed: 1 } }, {}],
    });
  });

  test('topology_optimize gives the figures of plans, and applies on request', async () => {
    const swarmId = await init({ topology: 'ring' });
    for (const type of ['coder', 'tester', 'reviewer']) await spawn(type);
    const found = await echoed('topology_optimize', { swarmId });
    expect(found).toMatchObject({
      topology: 'ring',
      agents: 3,
      changed: false,
      plans: [{}, {}, { topology: 'ring', criticalPath: 3 }, {}],
    });
    const applied = await echoed('topology_optimize', { swarmId, apply: true });
    expect(await calls.raw('SELECT topology FROM swarm')).toStrictEqual([{ topology: found['recommended'] }]);
    expect(applied).toMatchObject({ topology: found['recommended'], changed: found['recommended'] !== 'ring' });
  });

  test('load_balance puts tasks into mailboxes, by capability and queue', async () => {
    await init();
    const [one, two] = [await spawn('coder'), await spawn('coder')];
    const db = await spawn('analyst', ['database design']);
    const tasks = ['improve the database design', 'write a', 'write b', 'write c'];
    expect(await echoed('load_balance', { tasks })).toMatchObject({
      assignments: [
        { agentId: db, matched: ['database design'], queue: 1 },
        { agentId: one, queue: 1 },
        { agentId: two, queue: 1 },
        { agentId: one, queue: 2 },
      ],
    });
    expect(
      await calls.raw('SELECT d.agent, m.body FROM delivery d JOIN message m ON m.id = d.message_id ORDER BY m.id'),
    ).toStrictEqual([
      { agent: db, body: tasks[0] },
      { agent: one, body: tasks[1] },
      { agent: two, body: tasks[2] },
      { agent: one, body: tasks[3] },
    ]);
    expect(await echoed('coordination_sync', {})).toMatchObject({ openMessages: 4, votesClosed: [] });
  });
});

describe('autonomous agents', () => {
  test('daa_agent_create registers one, also without a swarm', async () => {
    const made = await keyed(
      'daa_agent_create',
      { agent_type: 'researcher', capabilities: ['search'], resources: { cpu: 1 } },
      'success agentId agent timestamp',
    );
    expect(made).toMatchObject({
      agent: {
        id: made['agentId'],
        type: 'researcher',
        capabilities: ['search'],
        resources: {},
        status: 'registered',
        tasks: [],
      },
      note: expect.stringMatching(/no resources/),
    });
    expect(await calls.raw('SELECT id FROM agent')).toStrictEqual([{ id: made['agentId'] }]);
    await good('daa_agent_create', { agent_type: 'coder' });
    expect(await calls.raw('SELECT count(*) AS n FROM swarm')).toStrictEqual([{ n: 1 }]);
  });

  test('daa_capability_match scores over all registered agents', async () => {
    await init();
    const [one, two] = [await spawn('coder', ['typescript', 'sql']), await spawn('tester', ['typescript'])];
    const found = await keyed(
      'daa_capability_match',
      { task_requirements: ['SQL', 'typescript'] },
      'success matches totalCandidates bestMatch timestamp',
    );
    expect(found).toMatchObject({
      totalCandidates: 2,
      bestMatch: { agentId: one, agentType: 'coder', score: 1, matchedRequirements: ['SQL', 'typescript'] },
      matches: [{ agentId: one }, { agentId: two, score: 0.5 }],
    });
    expect(await good('daa_capability_match', { task_requirements: ['cobol'], available_agents: [two] })).toMatchObject({
      matches: [],
      bestMatch: null,
      totalCandidates: 1,
    });
  });

  test('daa_communication delivers what can be read', async () => {
    await init();
    const [from, to] = [await spawn('coder'), await spawn('tester')];
    const sent = await keyed(
      'daa_communication',
      { from, to, message: { ask: 1 } },
      'success messageId from to delivered timestamp',
    );
    expect(sent).toMatchObject({ from, to, delivered: true });
    expect(await calls.output('agent_inbox', { agentId: to })).toMatchObject({
      messages: [{ messageId: Number(sent['messageId']), from, message: '{"ask":1}' }],
    });
  });

  test('daa_consensus is a vote of agents: twice the same result', async () => {
    await init();
    const agents = [await spawn('coder'), await spawn('tester'), await spawn('coder')];
    const keys = 'success consensusId approved votes summary timestamp';
    const begun = await keyed('daa_consensus', { agents, proposal: { do: 'it' } }, keys);
    expect(begun).toMatchObject({ approved: null, votes: {}, status: 'open', summary: { total: 3, approvalRate: null } });
    const { consensusId } = begun;
    for (const [at, voter] of agents.entries()) {
      await calls.output('vote_cast', { pollId: consensusId, voter, choice: at === 1 ? 'no' : 'yes', reason: 'r' });
    }
    const result = await keyed('daa_consensus', { consensusId }, keys);
    expect(result).toMatchObject({ approved: true, summary: { total: 3, approvals: 2, rejections: 1, approvalRate: 2 / 3 } });
    expect(Object.keys(Object(result['votes'])).sort()).toStrictEqual([...agents].sort());
    expect(await good('daa_consensus', { consensusId })).toStrictEqual(result);
  });

  test('daa_lifecycle_manage and daa_fault_tolerance change the record', async () => {
    await init();
    const agentId = await spawn('coder');
    const keys = 'success message agentId previousStatus currentStatus timestamp';
    expect(await keyed('daa_lifecycle_manage', { agentId, action: 'pause' }, keys)).toMatchObject({
      previousStatus: 'registered',
      currentStatus: 'stopped',
    });
    expect(await calls.raw('SELECT status FROM agent')).toStrictEqual([{ status: 'stopped' }]);
    expect(await echoed('daa_fault_tolerance', { agentId })).toMatchObject({ status: 'stopped', failed: 0 });
    expect(await echoed('daa_fault_tolerance', { agentId, strategy: 'restart' })).toMatchObject({ status: 'registered' });
    expect(await calls.raw('SELECT status FROM agent')).toStrictEqual([{ status: 'registered' }]);
    expect(await keyed('daa_lifecycle_manage', { agentId, action: 'resume' }, keys)).toMatchObject({
      previousStatus: 'registered',
    });
  });
});

describe('limits and tuning', () => {
  test('daa_resource_alloc limits the tasks of a swarm, and releases them', async () => {
    const swarmId = await init();
    const [one, two] = [await spawn('coder'), await spawn('tester')];
    const keys = 'success allocationId allocation utilization timestamp';
    const resources = { tokens: 1001, cost: 2, time: 60_000, steps: 9 };
    const given = await keyed('daa_resource_alloc', { resources, agents: [one, 'tester-2'] }, keys);
    const pool = { tokens: 1001, costUsd: 2, wallMs: 60_000, steps: 9 };
    const share = { tokens: 500, costUsd: 1, wallMs: 30_000, steps: 4 };
    expect(given).toMatchObject({ utilization: 0, swarmId, allocation: { id: given['allocationId'], resources: pool } });
    expect(given['allocation']).toMatchObject({ agents: [one, two], allocated: { [one]: share, [two]: share } });
    expect(await calls.raw(`SELECT json_extract(config, '$."$budget".share.tokens') AS n FROM swarm`)).toStrictEqual([
      { n: 500 },
    ]);
    await calls.output('task_submit', { description: 'x' });
    const [row] = z
      .array(z.object({ budget: z.string() }))
      .parse(await calls.raw("SELECT json_extract(spec, '$.swarm.budget') AS budget FROM run"));
    expect(JSON.parse(row?.budget ?? '')).toStrictEqual({ run: pool, agent: share });
    expect(await good('daa_resource_alloc', { action: 'status' })).toMatchObject({ allocationId: given['allocationId'] });
    expect(await keyed('daa_resource_alloc', { action: 'release' }, keys)).toMatchObject({
      allocationId: null,
      allocation: null,
    });
    expect(await calls.raw('SELECT config FROM swarm')).toStrictEqual([{ config: '{}' }]);
  });

  test('daa_optimization sets the topology, with the figures of before and after', async () => {
    const swarmId = await init({ topology: 'mesh' });
    for (const type of ['coder', 'tester', 'reviewer']) await spawn(type);
    const { recommended, plans } = await calls.output('swarm_topology', {});
    const done = await echoed('daa_optimization', { target: 'swarm topology', metrics: ['latency'] });
    const figures = z.array(z.looseObject({ topology: z.string() })).parse(plans);
    const plan = (wanted: unknown): unknown => figures.find(({ topology }) => topology === wanted);
    expect(done).toMatchObject({
      swarmId,
      args: { target: 'swarm topology', metrics: ['latency'] },
      changed: true,
      before: { topology: 'mesh', plan: plan('mesh') },
      after: { topology: recommended, plan: plan(recommended) },
      note: expect.stringMatching(/metrics were not used/),
    });
    expect(recommended).not.toBe('mesh');
    expect(await calls.raw('SELECT topology FROM swarm')).toStrictEqual([{ topology: recommended }]);
    const again = await echoed('daa_optimization', { target: 'coordination' });
    expect(again).toMatchObject({ changed: false, before: { topology: recommended }, after: { topology: recommended } });
    expect(again).not.toHaveProperty('note');
  });
});

describe('a wrong call fails visibly and changes nothing', () => {
  const bad: readonly (readonly [name: string, args: unknown, error: RegExp])[] = [
    ['swarm_scale', { swarmId: 'swarm_nope', targetSize: 2 }, /swarm_nope/],
    ['swarm_scale', { targetSize: -1 }, /swarm_scale: targetSize/],
    ['swarm_scale', {}, /targetSize/],
    ['swarm_destroy', {}, /swarmId/],
    ['swarm_destroy', { swarmId: HOSTILE }, /DROP TABLE/],
    ['swarm_monitor', { swarmId: 'swarm_nope' }, /swarm_nope/],
    ['swarm_monitor', { interval: 0 }, /swarm_monitor: interval/],
    ['agent_metrics', { agentId: 'agent_nope' }, /agent_nope/],
    ['agents_spawn_parallel', {}, /agents/],
    ['agents_spawn_parallel', { agents: [{ name: 'x' }] }, /agents\.0\.type/],
    ['agents_spawn_parallel', { agents: [{ type: HOSTILE, name: 'x' }] }, /agents_spawn_parallel: agents\.0\.type/],
    ['topology_optimize', { swarmId: 'swarm_nope', apply: true }, /swarm_nope/],
    ['load_balance', { tasks: [] }, /tasks/],
    ['load_balance', { swarmId: 'swarm_nope', tasks: ['x'] }, /swarm_nope/],
    ['load_balance', { tasks: ['fine', 'a\0b'] }, /tasks\.1/],
    ['coordination_sync', { swarmId: 'swarm_nope' }, /swarm_nope/],
    ['daa_agent_create', {}, /agent_type/],
    ['daa_agent_create', { agent_type: 'No Role' }, /daa_agent_create: agent_type/],
    ['daa_agent_create', { agent_type: 'coder', swarmId: 'swarm_nope' }, /swarm_nope/],
    ['daa_capability_match', { task_requirements: [] }, /task_requirements/],
    ['daa_capability_match', { task_requirements: ['x'], available_agents: ['agent_nope'] }, /agent_nope/],
    ['daa_communication', { from: 'agent_nope', to: 'coder-1', message: {} }, /agent_nope/],
    ['daa_communication', { from: 'coder-1', to: 'agent_nope', message: {} }, /agent_nope/],
    ['daa_communication', { from: 'coder-1', to: 'coder-1' }, /message/],
    ['daa_consensus', { agents: ['agent_nope'], proposal: {} }, /agent_nope/],
    ['daa_consensus', { agents: ['coder-1'] }, /proposal/],
    ['daa_consensus', { proposal: 'x' }, /agents/],
    ['daa_consensus', { consensusId: 'poll_nope' }, /poll_nope/],
    ['daa_lifecycle_manage', { agentId: 'agent_nope', action: 'pause' }, /agent_nope/],
    ['daa_lifecycle_manage', { agentId: 'x', action: 'explode' }, /action.*got "explode"/],
    ['daa_fault_tolerance', { agentId: 'agent_nope', strategy: 'restart' }, /agent_nope/],
    ['daa_resource_alloc', {}, /resources is missing/],
    ['daa_resource_alloc', { resources: {} }, /resources is empty/],
    ['daa_resource_alloc', { resources: { tokens: 10, cpu: 2, memory: '1GB' } }, /nothing here limits "cpu", "memory"/],
    ['daa_resource_alloc', { resources: { tokens: 10, max_tokens: 20 } }, /max_tokens says again/],
    ['daa_resource_alloc', { resources: { max_tokens: -1 } }, /daa_resource_alloc: resources\.max_tokens/],
    ['daa_resource_alloc', { resources: { cost: '5' } }, /daa_resource_alloc: resources\.cost/],
    ['daa_resource_alloc', { resources: { steps: 5 }, agents: ['agent_nope'] }, /agent_nope/],
    ['daa_resource_alloc', { resources: { steps: 5 }, swarmId: HOSTILE }, /DROP TABLE/],
    ['daa_resource_alloc', { resources: { steps: 5 }, action: 'release' }, /takes no resources/],
    ['daa_optimization', {}, /target/],
    ['daa_optimization', { target: 'performance' }, /"performance" cannot be optimized/],
    ['daa_optimization', { target: 'topology of memory' }, /cannot be optimized/],
    ['daa_optimization', { target: 'topology', swarmId: 'swarm_nope' }, /swarm_nope/],
  ];
  const state = async (): Promise<unknown> => {
    const db = await calls.app.skillflow.app.database('read');
    return db.get(
      `SELECT (SELECT group_concat(id || status || topology || coalesce(config, '')) FROM swarm) AS swarms, (SELECT group_concat(id || status) FROM agent) AS agents,
        (SELECT count(*) FROM message) AS messages, (SELECT count(*) FROM poll) AS polls`,
    );
  };

  test.each(bad.map(([name, args, error], index) => ({ index, name, args, error })))(
    '$index: $name $error',
    async ({ name, args, error }) => {
      await init();
      await spawn('coder');
      const before = await state();
      const { body, isError } = await call(name, args);
      expect(isError).toBe(true);
      expect(Object.keys(body)).toStrictEqual(['success', 'error', 'hint', 'code', 'timestamp']);
      expect(body).toMatchObject({ success: false, error: expect.stringMatching(error) });
      expect(body['code']).not.toBe('internal');
      expect(await state()).toStrictEqual(before);
    },
  );

  test('without a swarm or agents', async () => {
    for (const [name, args] of [
      ['swarm_scale', { targetSize: 2, type: 'coder' }],
      ['load_balance', { tasks: ['x'] }],
      ['swarm_monitor', {}],
      ['coordination_sync', {}],
      ['topology_optimize', {}],
      ['agents_spawn_parallel', { agents: [{ type: 'coder', name: 'a' }] }],
    ] as const) {
      expect((await call(name, args)).body, name).toMatchObject({ success: false, code: 'not_found' });
    }
  });
});
