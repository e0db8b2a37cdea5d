import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { ConflictError, InvalidInputError, NotFoundError } from '../../src/errors.ts';
import { createSwarms } from '../../src/run/swarms.ts';
import type { NewSwarm, NewTask, Swarms } from '../../src/run/swarms.ts';
import { createRuntime } from '../../src/runtime.ts';
import type { Database } from '../../src/store/database.ts';
import { openTestDatabase } from '../helpers/databases.ts';

const runtime = createRuntime('silent');
const SWARM: NewSwarm = { topology: 'star', strategy: 'auto', maxAgents: 8, config: {} };
const TASK: NewTask = { description: 'tidy the attic', strategy: 'adaptive', priority: 'medium', dependencies: [] };

let dir: string;
let db: Database;
/** A second connection, as another process has one. */
let other: Database;
let swarms: Swarms;

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'skillflow-swarms-'));
  db = await openTestDatabase(join(dir, 'a.db'), { runtime });
  other = await openTestDatabase(join(dir, 'a.db'), { runtime });
  swarms = createSwarms({ db, runtime });
});
afterEach(async () => {
  await db.close();
  await other.close();
  await rm(dir, { recursive: true });
});

const rows = async (table: string): Promise<number> => Number((await other.get(`SELECT count(*) AS n FROM ${table}`))?.['n']);

describe('swarms', () => {
  test('a created swarm is a row that another connection reads', async () => {
    const made = await swarms.create({ ...SWARM, topology: 'hierarchy', maxAgents: 3, config: { a: [1, null, 'x'] } });
    const row = await other.get('SELECT * FROM swarm WHERE id = ?', [made.swarmId]);
    expect(row).toMatchObject({ topology: 'hierarchy', max_agents: 3, status: 'active', config: '{"a":[1,null,"x"]}' });
    const read = await createSwarms({ db: other, runtime }).status(made.swarmId);
    expect(read).toStrictEqual({ ...made, agents: {}, busyAgents: 0, tasks: {} });
  });

  test('the newest active swarm is the default, also among swarms of one millisecond', async () => {
    const still = createSwarms({ db, runtime: { ...runtime, now: () => 1_700_000_000_000 } });
    const made = [];
    for (let i = 0; i < 5; i += 1) made.push(await still.create(SWARM));
    expect((await swarms.status()).swarmId).toBe(made[4]?.swarmId);
    await other.run("UPDATE swarm SET status = 'destroyed' WHERE id = ?", [made[4]?.swarmId ?? '']);
    expect((await swarms.status()).swarmId).toBe(made[3]?.swarmId);
  });

  test('without a swarm, status and spawn say so and the list is empty', async () => {
    await expect(swarms.status()).rejects.toThrow(NotFoundError);
    await expect(swarms.spawnAgent({ type: 'coder' })).rejects.toThrow(/no active swarm/);
    expect(await swarms.listAgents({ limit: 10, offset: 0 })).toStrictEqual({ swarmId: null, agents: [], total: 0 });
    expect(await rows('agent')).toBe(0);
  });

  test('an unknown id is not found anywhere, and SQL in it stays text', async () => {
    await swarms.create(SWARM);
    const hostile = "x'; DROP TABLE swarm; --";
    for (const swarmId of ['swarm_nope', hostile, '', '%']) {
      await expect(swarms.status(swarmId)).rejects.toThrow(NotFoundError);
      await expect(swarms.spawnAgent({ type: 'coder', swarmId })).rejects.toThrow(NotFoundError);
      await expect(swarms.listAgents({ swarmId, limit: 1, offset: 0 })).rejects.toThrow(NotFoundError);
      await expect(swarms.submitTask({ ...TASK, swarmId })).rejects.toThrow(NotFoundError);
      await expect(swarms.taskStatus(swarmId)).rejects.toThrow(NotFoundError);
    }
    expect([await rows('swarm'), await rows('agent'), await rows('task')]).toStrictEqual([1, 0, 0]);
  });
});

describe('agents', () => {
  test('are registered under the role that their type stands for', async () => {
    const { swarmId } = await swarms.create(SWARM);
    const analyst = await swarms.spawnAgent({ type: 'analyst', capabilities: ['a', 'b'] });
    expect(analyst).toMatchObject({ swarmId, type: 'analyst', role: 'analyst', name: 'analyst-1', status: 'registered' });
    const coder = await swarms.spawnAgent({ type: 'coder', name: 'Ada', swarmId });
    expect(coder).toMatchObject({ role: 'coder', name: 'Ada', capabilities: [] });
    expect(await other.get('SELECT type, role, capabilities FROM agent WHERE id = ?', [analyst.agentId])).toMatchObject({
      type: 'analyst',
      role: 'analyst',
      capabilities: '["a","b"]',
    });
    const elsewhere = createSwarms({ db: other, runtime });
    const idle = { steps: {}, openSteps: 0, busy: false, lastActivityAt: null };
    expect((await elsewhere.listAgents({ limit: 10, offset: 0 })).agents).toStrictEqual([
      { ...analyst, ...idle },
      { ...coder, ...idle },
    ]);
    expect((await elsewhere.status()).agents).toStrictEqual({ registered: 2 });
  });

  test.each([
    ['coordinator', 'coordinator'],
    ['task-orchestrator', 'coordinator'],
    ['code-analyzer', 'analyst'],
    ['perf-analyzer', 'optimizer'],
    ['api-docs', 'documenter'],
    ['monitor', 'performance-reviewer'],
    ['specialist', 'architect'],
    ['system-architect', 'architect'],
    ['security-analyst', 'security-analyst'],
  ])('%s is %s', async (type, role) => {
    await swarms.create(SWARM);
    expect((await swarms.spawnAgent({ type })).role).toBe(role);
  });

  test('maxAgents holds, also when two connections spawn at once', async () => {
    const { swarmId } = await swarms.create({ ...SWARM, maxAgents: 2 });
    const elsewhere = createSwarms({ db: other, runtime });
    const spawned = await Promise.allSettled(
      Array.from({ length: 6 }, (_, i) => (i % 2 === 0 ? swarms : elsewhere).spawnAgent({ type: 'coder', swarmId })),
    );
    const refused = spawned.flatMap((result): unknown[] => (result.status === 'rejected' ? [result.reason] : []));
    expect(refused).toHaveLength(4);
    for (const reason of refused) expect(reason).toBeInstanceOf(ConflictError);
    expect(await rows('agent')).toBe(2);
    const { agents } = await swarms.listAgents({ limit: 10, offset: 0 });
    expect(new Set(agents.map((agent) => agent.name)).size).toBe(2);
  });

  test('a destroyed swarm takes no agents and no tasks, and its status shows it', async () => {
    const { swarmId } = await swarms.create(SWARM);
    await other.run("UPDATE swarm SET status = 'destroyed'");
    await expect(swarms.spawnAgent({ type: 'coder', swarmId })).rejects.toThrow(/was destroyed/);
    await expect(swarms.submitTask({ ...TASK, swarmId })).rejects.toThrow(/was destroyed/);
    expect((await swarms.status(swarmId)).status).toBe('destroyed');
    expect([await rows('agent'), await rows('task')]).toStrictEqual([0, 0]);
  });

  test('pages keep the order of spawning', async () => {
    await swarms.create(SWARM);
    for (let i = 0; i < 5; i += 1) await swarms.spawnAgent({ type: 'coder' });
    const page = await swarms.listAgents({ limit: 2, offset: 3 });
    expect(page.agents.map((agent) => agent.name)).toStrictEqual(['coder-4', 'coder-5']);
    expect(page.total).toBe(5);
    expect((await swarms.listAgents({ limit: 2, offset: 99 })).agents).toStrictEqual([]);
  });
});

describe('tasks', () => {
  test('are recorded in the newest swarm', async () => {
    const { swarmId } = await swarms.create(SWARM);
    const first = await swarms.submitTask(TASK);
    expect(first).toMatchObject({ swarmId, runId: null });
    const second = await swarms.submitTask({ ...TASK, dependencies: [first.taskId], priority: 'critical' });
    expect(await createSwarms({ db: other, runtime }).taskStatus(second.taskId)).toStrictEqual(second);
    expect((await swarms.status()).tasks).toStrictEqual({ blocked: 1, not_started: 1 });
  });

  test('belong to no swarm when there is none', async () => {
    const task = await swarms.submitTask(TASK);
    expect(task.swarmId).toBeNull();
    expect(await other.get('SELECT swarm_id FROM task WHERE id = ?', [task.taskId])).toMatchObject({ swarm_id: null });
  });

  test('an unknown dependency is named, and nothing is written', async () => {
    const { taskId } = await swarms.submitTask(TASK);
    const bad = swarms.submitTask({ ...TASK, dependencies: [taskId, 'task_nope', "' OR 1=1 --"] });
    await expect(bad).rejects.toThrow(InvalidInputError);
    await expect(bad).rejects.toThrow(/dependencies: there is no task "task_nope", "' OR 1=1 --"/);
    expect(await rows('task')).toBe(1);
  });
});
