import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createRuntime } from '../../src/runtime.ts';
import type { Database } from '../../src/store/database.ts';
import { openLocation } from '../helpers/open-location.ts';
import { createTestApp } from '../helpers/test-app.ts';
import type { TestApp } from '../helpers/test-app.ts';
import { HUGE, testBadCalls } from './bad-calls.ts';
import type { BadCall } from './bad-calls.ts';

const PLAIN = { color: false, width: 100 };
const HOSTILE = "x'); DROP TABLE agent; --";
let app: TestApp;
let db: Database;

beforeEach(async () => {
  app = await createTestApp();
  db = await openLocation(app.location, { runtime: createRuntime('silent') });
});
afterEach(async () => {
  await db.close();
  await app[Symbol.asyncDispose]();
});

const counts = async (): Promise<readonly unknown[]> => {
  const [row] = await db.all(
    'SELECT (SELECT count(*) FROM swarm) AS swarms, (SELECT count(*) FROM agent) AS agents, (SELECT count(*) FROM task) AS tasks',
  );
  return [row?.['swarms'], row?.['agents'], row?.['tasks']];
};
const output = async (tool: string, input: unknown): Promise<Readonly<Record<string, unknown>>> => {
  const result = await app.call(tool, input);
  if (!result.ok) throw new Error(JSON.stringify(result.error));
  return Object.fromEntries(Object.entries(Object(result.output)));
};
const idOf = async (tool: string, input: unknown, field: string): Promise<string> => String((await output(tool, input))[field]);

test('a swarm, its agent and its task are rows, and read the same after a restart', async () => {
  const swarmId = await idOf('swarm_create', { topology: 'ring', maxAgents: 2, config: { deep: [{ a: null }] } }, 'swarmId');
  const agentId = await idOf('agent_spawn', { type: 'architect', capabilities: ['draw'] }, 'agentId');
  const taskId = await idOf('task_submit', { description: `do ${HOSTILE}` }, 'taskId');
  expect(await db.get('SELECT topology, max_agents, config FROM swarm WHERE id = ?', [swarmId])).toMatchObject({
    topology: 'ring',
    max_agents: 2,
    config: '{"deep":[{"a":null}]}',
  });
  expect(await db.get('SELECT type, role, swarm_id FROM agent WHERE id = ?', [agentId])).toMatchObject({
    type: 'architect',
    role: 'architect',
    swarm_id: swarmId,
  });
  expect(await db.get('SELECT description, run_id FROM task WHERE id = ?', [taskId])).toMatchObject({
    description: `do ${HOSTILE}`,
    run_id: expect.stringMatching(/^run_/),
  });
  const ask = async (): Promise<unknown> => [
    await output('swarm_status', {}),
    await output('agent_list', { swarmId }),
    await output('task_status', { taskId }),
  ];
  const before = await ask();
  await app.restart();
  expect(await ask()).toStrictEqual(before);
  expect(before).toMatchObject([
    { swarmId, agents: { registered: 1 }, tasks: { awaiting_host: 1 } },
    { swarmId, total: 1, agents: [{ agentId, type: 'architect', role: 'architect', status: 'registered' }] },
    { taskId, swarmId, status: 'awaiting_host', runId: expect.stringMatching(/^run_/) },
  ]);
});

test('what runs nothing by itself says so, and a task that waits says for what', async () => {
  await output('swarm_create', {});
  expect(await output('agent_spawn', { type: 'coder' })).toMatchObject({
    note: expect.stringMatching(/runs nothing by itself; tasks of task_submit have steps for it/),
  });
  const first = await output('task_submit', { description: 'x' });
  expect(first).toMatchObject({ status: 'awaiting_host' });
  expect(await output('task_submit', { description: 'y', dependencies: [first['taskId']] })).toMatchObject({
    status: 'blocked',
    reason: expect.stringContaining(`${String(first['taskId'])} is awaiting_host`),
    runId: null,
  });
});

test('tasks are counted as task_status tells them: what is blocked, waits or is done', async () => {
  await output('swarm_create', {});
  const submit = (description: string, ...dependencies: readonly string[]): Promise<string> =>
    idOf('task_submit', { description, dependencies }, 'taskId');
  const first = await submit('one');
  const second = await submit('two', first);
  const ids = [first, second, await submit('three', first, second), await submit('four')];
  const counted = async (): Promise<unknown> => {
    const told: Record<string, number> = {};
    for (const taskId of ids) {
      const status = String((await output('task_status', { taskId }))['status']);
      told[status] = (told[status] ?? 0) + 1;
    }
    const { tasks } = await output('swarm_status', {});
    expect(tasks).toStrictEqual(told);
    expect(await output('swarm_monitor', {})).toMatchObject({ samples: [{ tasks: told }] });
    return tasks;
  };
  const complete = async (taskId: string): Promise<void> => {
    const { step } = await output('task_claim', { taskId });
    const answer = { findings: [], text: 'done', confidence: 1, notes: [] };
    await output('task_complete', { claimId: Object(step).claimId, answer });
  };
  expect(await counted()).toStrictEqual({ awaiting_host: 2, blocked: 2 });
  const shown = await app.skillflow.render('swarm_status', await output('swarm_status', {}), PLAIN);
  expect(shown).toMatch(/tasks +2 awaiting_host, 2 blocked/);
  await complete(first);
  expect(await counted()).toStrictEqual({ awaiting_host: 2, blocked: 1, completed: 1 });
  await db.run('UPDATE task SET run_id = NULL WHERE id = ?', [second]); // its process was killed before it began
  expect(await counted()).toStrictEqual({ awaiting_host: 1, blocked: 1, completed: 1, not_started: 1 });
  const { runId } = await output('task_status', { taskId: ids[3] });
  await output('run_cancel', { runId });
  expect(await counted()).toStrictEqual({ blocked: 1, cancelled: 1, completed: 1, not_started: 1 });
});

test('defaults are those that the schema names', async () => {
  expect(await output('swarm_create', {})).toMatchObject({ topology: 'star', maxAgents: 8, strategy: 'auto', config: {} });
  expect(await output('task_submit', { description: 'x' })).toMatchObject({
    strategy: 'adaptive',
    priority: 'medium',
    dependencies: [],
  });
});

describe('a wrong call is refused and changes nothing', () => {
  let deep: unknown = 1;
  for (let i = 0; i < 2000; i += 1) deep = [deep];
  const bad: readonly BadCall[] = [
    ['swarm_create', { topology: 'hierarchical' }, 'invalid_input', /topology/],
    ['swarm_create', { topology: 42 }, 'invalid_input', /topology.*42/],
    ['swarm_create', { maxAgents: 0 }, 'invalid_input', /maxAgents/],
    ['swarm_create', { maxAgents: 1001 }, 'invalid_input', /maxAgents/],
    ['swarm_create', { maxAgents: 2.5 }, 'invalid_input', /maxAgents/],
    ['swarm_create', { maxAgents: '8' }, 'invalid_input', /maxAgents.*got "8"/],
    ['swarm_create', { strategy: HUGE }, 'invalid_input', /strategy/],
    ['swarm_create', { strategy: 'a\0b' }, 'invalid_input', /strategy.*NUL/],
    ['swarm_create', { config: [] }, 'invalid_input', /config/],
    ['swarm_create', { config: { a: HUGE } }, 'invalid_input', /config.*65,536/],
    ['swarm_create', { config: { a: deep } }, 'invalid_input', /config.*32 levels/],
    ['swarm_create', { unknown: 1 }, 'invalid_input', /unknown/],
    ['swarm_status', { swarmId: 'swarm_nope' }, 'not_found', /swarm_nope/],
    ['swarm_status', { swarmId: HOSTILE }, 'not_found', /DROP TABLE/],
    ['swarm_status', { swarmId: HUGE }, 'invalid_input', /swarmId/],
    ['agent_spawn', {}, 'invalid_input', /type/],
    ['agent_spawn', { type: 'Not Kebab' }, 'invalid_input', /type.*kebab-case.*text N…/],
    ['agent_spawn', { type: HOSTILE }, 'invalid_input', /type/],
    ['agent_spawn', { type: 'coder\0' }, 'invalid_input', /type/],
    ['agent_spawn', { type: 'a'.repeat(65) }, 'invalid_input', /type/],
    ['agent_spawn', { type: 'coder', name: HUGE }, 'invalid_input', /name/],
    ['agent_spawn', { type: 'coder', capabilities: 'all' }, 'invalid_input', /capabilities/],
    ['agent_spawn', { type: 'coder', capabilities: [1] }, 'invalid_input', /capabilities\.0/],
    ['agent_spawn', { type: 'coder', swarmId: '../..' }, 'not_found', /\.\.\/\.\./],
    ['agent_list', { swarmId: 'swarm_nope' }, 'not_found', /swarm_nope/],
    ['agent_list', { limit: 0 }, 'invalid_input', /limit/],
    ['agent_list', { offset: -1 }, 'invalid_input', /offset/],
    ['task_submit', {}, 'invalid_input', /description/],
    ['task_submit', { description: HUGE }, 'invalid_input', /description/],
    ['task_submit', { description: 'x', priority: 'urgent' }, 'invalid_input', /priority.*got "urgent"/],
    ['task_submit', { description: 'x', dependencies: ['task_nope'] }, 'invalid_input', /task_nope/],
    ['task_submit', { description: 'x', swarmId: 'swarm_nope' }, 'not_found', /swarm_nope/],
    ['task_status', { taskId: 'task_nope' }, 'not_found', /task_nope/],
    ['task_status', { taskId: 7 }, 'invalid_input', /taskId/],
    ['task_status', {}, 'invalid_input', /taskId/],
    ['task_status', 'task_nope', 'invalid_input', /input/],
  ];
  testBadCalls(bad, {
    call: (tool, input) => app.call(tool, input),
    prepare: () => output('swarm_create', {}),
    everything: counts,
  });

  test('a full swarm', async () => {
    await output('swarm_create', { maxAgents: 1 });
    await output('agent_spawn', { type: 'coder' });
    expect(await app.call('agent_spawn', { type: 'coder' })).toMatchObject({ ok: false, error: { code: 'conflict' } });
    expect(await counts()).toStrictEqual([1, 1, 0]);
  });

  test('read-only mode', async () => {
    await using readOnly = await createTestApp({ flags: { readOnly: true } });
    for (const [tool, input] of [
      ['swarm_create', {}],
      ['agent_spawn', { type: 'coder' }],
      ['task_submit', { description: 'x' }],
    ] as const) {
      expect(await readOnly.call(tool, input)).toMatchObject({ ok: false, error: { code: 'forbidden' } });
    }
    expect(await readOnly.call('agent_list', {})).toMatchObject({ ok: true, output: { swarmId: null, agents: [] } });
  });
});

describe('text', () => {
  const text = async (tool: string, input: unknown): Promise<string> =>
    app.skillflow.render(tool, await output(tool, input), PLAIN);

  test('agents are a table; control characters in names are visible', async () => {
    expect(await text('agent_list', {})).toBe('No active swarm.');
    const swarmId = await idOf('swarm_create', {}, 'swarmId');
    expect(await text('agent_list', {})).toBe(`No agents in ${swarmId}.`);
    const agentId = await idOf('agent_spawn', { type: 'analyst', name: 'a\u001B[31mb', capabilities: ['x', 'y'] }, 'agentId');
    const [head, row] = (await text('agent_list', {})).split('\n');
    expect(head).toMatch(/^AGENT +NAME +ROLE +STATUS +STEPS +CAPABILITIES$/);
    expect(row).toBe(`${agentId}  ${String.raw`a\x1b[31mb`}  analyst  registered         x, y`);
  });

  test('a status counts, and a task says how it stands', async () => {
    await output('swarm_create', {});
    await output('agent_spawn', { type: 'coder' });
    expect(await text('swarm_status', {})).toMatch(/agents +1 registered\nat work now +0\ntasks +none\n/);
    expect(await text('task_submit', { description: 'x' })).toMatch(/status +awaiting_host\n/);
  });
});
