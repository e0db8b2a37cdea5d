import { InvalidInputError, NotFoundError } from '../errors.ts';
import type { Runtime } from '../runtime.ts';
import type { Topology } from '../skill/skill.ts';
import type { Database, Queries, Row } from '../store/database.ts';
import { numberOf, textBytes, textColumns, textOf } from '../store/row.ts';
import { countBusyAgents } from './agent-work.ts';
import { createAgents, registeredAgents } from './agents.ts';
import type { Agents } from './agents.ts';
import { findActiveSwarm, findSwarm, insertRows, newestActive } from './find-swarm.ts';
import { endPolls } from './close-poll.ts';
import { createSwarmBudgets, requireNoBudget } from './swarm-budget.ts';
import type { SwarmBudgets } from './swarm-budget.ts';
import { TASK, toSwarm, toTask } from './swarm-records.ts';
import { RUN_STATUS, unbegunTasks } from './unbegun-tasks.ts';
import type { AgentRecord, Json, SwarmOverview, SwarmRecord, TaskPriority, TaskRecord } from './swarm-records.ts';

export interface NewSwarm {
  readonly topology: Topology;
  readonly strategy: string;
  readonly maxAgents: number;
  readonly config: Readonly<Record<string, Json>>;
}

export interface NewTask {
  readonly description: string;
  readonly strategy: string;
  readonly priority: TaskPriority;
  readonly dependencies: readonly string[];
  readonly swarmId?: string | undefined;
}

/** What came of destroying a swarm. */
export interface Destroyed {
  readonly swarm: SwarmRecord;
  /** Registered agents that are stopped now. */
  readonly stopped: readonly AgentRecord[];
  /** Ids of votes that were open, and closed without a decision. */
  readonly polls: readonly string[];
  /** Ids of runs that were asked to end. */
  readonly runs: readonly string[];
  /** Ids of tasks that never began, and never will. */
  readonly tasks: readonly string[];
}

/** A swarm at one moment. Everything counted by status, empty where there is none. */
export interface SwarmSample extends SwarmOverview {
  /** Milliseconds since the epoch. */
  readonly at: number;
  readonly runs: Readonly<Record<string, number>>;
  readonly polls: Readonly<Record<string, number>>;
  /** Messages to its agents that were not acknowledged. */
  readonly openMessages: number;
}

/**
 * Swarms, agents and tasks as records in the project's database: every process sees the same. They describe; work is
 * done by runs. Where a `swarmId` may be left out, the newest active swarm is meant.
 */
export interface Swarms extends Agents, SwarmBudgets {
  /** Throws `InvalidInputError` for a config with the key of budgets. */
  create(swarm: NewSwarm): Promise<SwarmRecord>;
  /** A destroyed swarm named by its id is shown. Throws `NotFoundError`, also when none is active. */
  status(swarmId?: string): Promise<SwarmOverview>;
  /** As {@link Swarms.status}, with its runs, votes and mail. */
  sample(swarmId?: string): Promise<SwarmSample>;
  /**
   * Stops its agents, closes its open votes as without quorum, asks its runs to end, and keeps the records; its tasks that
   * have not begun count as cancelled from then on. Throws
   * `NotFoundError`, also when it was destroyed before.
   */
  destroy(swarmId: string): Promise<Destroyed>;
  /** Its registered agents, in the order they were spawned. Throws as {@link Swarms.status}. */
  members(swarmId?: string): Promise<{ readonly swarm: SwarmRecord; readonly agents: readonly AgentRecord[] }>;
  /** Changes who sees whose work. Throws `NotFoundError`, also for a destroyed one. */
  setTopology(topology: Topology, swarmId?: string): Promise<SwarmRecord>;
  /**
   * Puts a task on record, in no swarm when none is named and none is active. Throws
   * `NotFoundError` when the named swarm is unknown or destroyed, `InvalidInputError` when a dependency does not exist;
   * nothing is written then.
   */
  submitTask(task: NewTask): Promise<TaskRecord>;
  /** Throws `NotFoundError`. */
  taskStatus(taskId: string): Promise<TaskRecord>;
}

export interface SwarmsDeps {
  readonly db: Database;
  readonly runtime: Runtime;
}

const COUNTED = { agent: 'swarm_id', run: 'swarm_id', poll: 'place' } as const;

const STATUS = { agent: 'status', poll: 'status', run: RUN_STATUS } as const;

type Counts = Readonly<Record<string, number>>;

async function countByStatus(queries: Queries, table: keyof typeof COUNTED, swarmId: string): Promise<Counts> {
  const rows = await queries.all(
    `SELECT ${textBytes(STATUS[table])} AS status, count(*) AS n FROM ${table} WHERE ${COUNTED[table]} = ? GROUP BY 1 ORDER BY 1`,
    [swarmId],
  );
  return Object.fromEntries(rows.map((row) => [textOf(row, 'status'), numberOf(row, 'n')]));
}

/** Ids of the tasks of a swarm that have no run. */
async function withoutRun(queries: Queries, swarmId: string): Promise<readonly string[]> {
  const sql = `SELECT ${textColumns(['id'])} FROM task WHERE swarm_id = ? AND run_id IS NULL ORDER BY rowid`;
  return (await queries.all(sql, [swarmId])).map((row) => textOf(row, 'id'));
}

/** Tasks by the status of their runs; those without one by what they wait for. */
async function countTasks(queries: Queries, swarmId: string): Promise<Counts> {
  const rows = await queries.all(
    `SELECT ${textBytes(RUN_STATUS)} AS status, count(*) AS n FROM task JOIN run ON run.id = task.run_id
     WHERE task.swarm_id = ? GROUP BY 1`,
    [swarmId],
  );
  const counts = new Map(rows.map((row) => [textOf(row, 'status'), numberOf(row, 'n')]));
  const waiting = await withoutRun(queries, swarmId);
  const unbegun = await unbegunTasks(queries, waiting);
  for (const id of waiting) {
    const state = unbegun.get(id)?.state;
    if (state !== undefined) counts.set(state, (counts.get(state) ?? 0) + 1);
  }
  return Object.fromEntries([...counts].sort(([a], [b]) => (a < b ? -1 : 1)));
}

async function checkDependencies(queries: Queries, dependencies: readonly string[]): Promise<void> {
  const rows = await queries.all(`SELECT ${textColumns(['id'])} FROM task WHERE id IN (SELECT value FROM json_each(?))`, [
    JSON.stringify(dependencies),
  ]);
  const known = new Set(rows.map((row) => textOf(row, 'id')));
  const unknown = dependencies.filter((id) => !known.has(id));
  if (unknown.length === 0) return;
  throw new InvalidInputError(
    `dependencies: there is no task ${unknown
      .slice(0, 5)
      .map((id) => JSON.stringify(id))
      .join(', ')}`,
    {
      hint: 'Name ids that task_submit gave; nothing was changed.',
      details: { parameter: 'dependencies', unknown: unknown.slice(0, 20) },
    },
  );
}

/** Asks the running runs of a swarm to end; resolves with their ids. */
async function cancelRuns(queries: Queries, swarmId: string, now: number): Promise<readonly string[]> {
  const running = "swarm_id = ? AND status = 'running' AND cancel_asked_at IS NULL";
  const rows = await queries.all(`SELECT ${textColumns(['id'])} FROM run WHERE ${running} ORDER BY run.id`, [swarmId]);
  await queries.run(`UPDATE run SET cancel_asked_at = ? WHERE ${running}`, [now, swarmId]);
  return rows.map((row) => textOf(row, 'id'));
}

async function overview(queries: Queries, swarmId: string | undefined, now: number): Promise<SwarmOverview> {
  const swarm = await findSwarm(queries, swarmId);
  const agents = await countByStatus(queries, 'agent', swarm.swarmId);
  const busyAgents = await countBusyAgents(queries, swarm.swarmId, now);
  return { ...swarm, agents, busyAgents, tasks: await countTasks(queries, swarm.swarmId) };
}

/** The swarms of one project's database. */
export function createSwarms({ db, runtime }: SwarmsDeps): Swarms {
  const fresh = (prefix: string): Row => {
    const now = runtime.now();
    return { id: runtime.id(prefix), created_at: now, updated_at: now };
  };

  const create = async (queries: Queries, { topology, strategy, maxAgents, config }: NewSwarm): Promise<SwarmRecord> => {
    requireNoBudget(config);
    const columns = { topology, strategy, max_agents: maxAgents, status: 'active', config: JSON.stringify(config) };
    const row = { ...fresh('swarm'), ...columns };
    await insertRows(queries, 'swarm', [row]);
    return toSwarm(row);
  };

  const destroy = async (queries: Queries, wanted: string): Promise<Destroyed> => {
    const swarm = await findActiveSwarm(queries, wanted);
    const { swarmId } = swarm;
    const now = runtime.now();
    const agents = await registeredAgents(queries, swarmId);
    await queries.run("UPDATE agent SET status = 'stopped', updated_at = ? WHERE swarm_id = ? AND status = 'registered'", [
      now,
      swarmId,
    ]);
    await queries.run("UPDATE swarm SET status = 'destroyed', updated_at = ? WHERE id = ?", [now, swarmId]);
    return {
      swarm: { ...swarm, status: 'destroyed', updatedAt: now },
      stopped: agents.map((agent) => ({ ...agent, status: 'stopped', updatedAt: now })),
      polls: await endPolls(queries, swarmId, now),
      runs: await cancelRuns(queries, swarmId, now),
      tasks: await withoutRun(queries, swarmId),
    };
  };

  const submitTask = async (queries: Queries, { swarmId, dependencies, ...task }: NewTask): Promise<TaskRecord> => {
    const swarm = swarmId === undefined ? await newestActive(queries) : await findActiveSwarm(queries, swarmId);
    await checkDependencies(queries, dependencies);
    const row = {
      ...fresh('task'),
      swarm_id: swarm?.swarmId ?? null,
      description: task.description,
      strategy: task.strategy,
      priority: task.priority,
      dependencies: JSON.stringify(dependencies),
      status: 'recorded', // how it stands is its run's state
      reason: null,
      run_id: null,
    };
    await insertRows(queries, 'task', [row]);
    return toTask(row);
  };

  return {
    ...createAgents({ db, runtime }),
    ...createSwarmBudgets({ db, runtime }),
    create: (swarm) => db.write((queries) => create(queries, swarm)),
    submitTask: (task) => db.write((queries) => submitTask(queries, task)),
    destroy: (swarmId) => db.write((queries) => destroy(queries, swarmId)),
    status: (wanted) => overview(db, wanted, runtime.now()),
    sample: async (wanted) => {
      const swarm = await overview(db, wanted, runtime.now());
      const { swarmId } = swarm;
      const open = await db.get('SELECT count(*) AS n FROM delivery WHERE place = ? AND acked_at IS NULL', [swarmId]);
      return {
        ...swarm,
        at: runtime.now(),
        runs: await countByStatus(db, 'run', swarmId),
        polls: await countByStatus(db, 'poll', swarmId),
        openMessages: numberOf(open ?? {}, 'n'),
      };
    },
    members: async (wanted) => {
      const swarm = await findSwarm(db, wanted);
      return { swarm, agents: await registeredAgents(db, swarm.swarmId) };
    },
    setTopology: (topology, wanted) =>
      db.write(async (queries) => {
        const swarm = await findActiveSwarm(queries, wanted);
        const now = runtime.now();
        await queries.run('UPDATE swarm SET topology = ?, updated_at = ? WHERE id = ?', [topology, now, swarm.swarmId]);
        return { ...swarm, topology, updatedAt: now };
      }),
    taskStatus: async (taskId) => {
      const row = await db.get(`${TASK} WHERE id = ?`, [taskId]);
      if (row !== undefined) return toTask(row);
      throw new NotFoundError(`there is no task ${JSON.stringify(taskId)}`, { hint: 'Give an id that task_submit returned.' });
    },
  };
}
