import { ConflictError, InvalidInputError, NotFoundError } from '../errors.ts';
import type { Runtime } from '../runtime.ts';
import type { Topology } from '../skill/skill.ts';
import type { Database, Queries, Row } from '../store/database.ts';
import { numberOf, textColumns, textOf } from '../store/row.ts';
import { roleOf } from './agent-role.ts';
import { AGENT, SWARM, TASK, toAgent, toSwarm, toTask } from './swarm-records.ts';
import type { AgentRecord, Json, SwarmOverview, SwarmRecord, TaskPriority, TaskRecord } from './swarm-records.ts';

export interface NewSwarm {
  readonly topology: Topology;
  readonly strategy: string;
  readonly maxAgents: number;
  readonly config: Readonly<Record<string, Json>>;
}

export interface NewAgent {
  readonly type: string;
  /** Default `<type>-<n>`, n counting the swarm's agents from 1. */
  readonly name?: string | undefined;
  readonly capabilities?: readonly string[] | undefined;
  readonly swarmId?: string | undefined;
}

export interface NewTask {
  readonly description: string;
  readonly strategy: string;
  readonly priority: TaskPriority;
  readonly dependencies: readonly string[];
  readonly swarmId?: string | undefined;
}

export interface AgentPage {
  /** `null` when no swarm was named and none is active. */
  readonly swarmId: string | null;
  /** In the order they were spawned. */
  readonly agents: readonly AgentRecord[];
  /** How many the swarm has. */
  readonly total: number;
}

/**
 * Swarms, agents and tasks as records in the project's database: every process sees the same. They describe; work is
 * done by runs. Where a `swarmId` may be left out, the newest active swarm is meant.
 */
export interface Swarms {
  create(swarm: NewSwarm): Promise<SwarmRecord>;
  /** A destroyed swarm named by its id is shown. Throws `NotFoundError`, also when none is active. */
  status(swarmId?: string): Promise<SwarmOverview>;
  /**
   * Puts an agent of status `registered` on record. Throws `NotFoundError` when the swarm is unknown or destroyed or
   * none is active, `ConflictError` when it has `maxAgents` already; nothing is written then.
   */
  spawnAgent(agent: NewAgent): Promise<AgentRecord>;
  /** Empty when no swarm is named and none is active. Throws `NotFoundError` for an unknown swarm. */
  listAgents(options: {
    readonly swarmId?: string | undefined;
    readonly limit: number;
    readonly offset: number;
  }): Promise<AgentPage>;
  /**
   * Puts a task of status `not_executed` on record, in no swarm when none is named and none is active. Throws
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

const NOT_EXECUTED = 'no provider here can do free-form tasks; run a skill with skill_run';

async function newestActive(queries: Queries): Promise<SwarmRecord | undefined> {
  const sql = `${SWARM} WHERE status = 'active' ORDER BY swarm.created_at DESC, rowid DESC LIMIT 1`;
  const row = await queries.get(sql);
  return row === undefined ? undefined : toSwarm(row);
}

/** The named swarm whatever its status, else the newest active one. */
async function findSwarm(queries: Queries, swarmId: string | undefined): Promise<SwarmRecord> {
  if (swarmId === undefined) {
    const newest = await newestActive(queries);
    if (newest !== undefined) return newest;
    throw new NotFoundError('there is no active swarm', { hint: 'Create one with swarm_create.' });
  }
  const row = await queries.get(`${SWARM} WHERE id = ?`, [swarmId]);
  if (row !== undefined) return toSwarm(row);
  throw new NotFoundError(`there is no swarm ${JSON.stringify(swarmId)}`, {
    hint: 'Leave swarmId out for the newest active swarm, or create one with swarm_create.',
  });
}

/** As {@link findSwarm}, for what is about to change it. */
async function findActiveSwarm(queries: Queries, swarmId: string | undefined): Promise<SwarmRecord> {
  const swarm = await findSwarm(queries, swarmId);
  if (swarm.status === 'active') return swarm;
  throw new NotFoundError(`the swarm ${swarm.swarmId} was destroyed`, {
    hint: 'Name an active swarm, or create one with swarm_create.',
  });
}

async function countByStatus(
  queries: Queries,
  table: 'agent' | 'task',
  swarmId: string,
): Promise<Readonly<Record<string, number>>> {
  const rows = await queries.all(
    `SELECT ${textColumns(['status'])}, count(*) AS n FROM ${table} WHERE swarm_id = ? GROUP BY ${table}.status ORDER BY ${table}.status`,
    [swarmId],
  );
  return Object.fromEntries(rows.map((row) => [textOf(row, 'status'), numberOf(row, 'n')]));
}

async function countAgents(queries: Queries, swarmId: string): Promise<number> {
  const row = await queries.get('SELECT count(*) AS n FROM agent WHERE swarm_id = ?', [swarmId]);
  return numberOf(row ?? {}, 'n');
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

async function insert(queries: Queries, table: 'swarm' | 'agent' | 'task', row: Row): Promise<Row> {
  const columns = Object.keys(row);
  const places = columns.map(() => '?').join(', ');
  await queries.run(`INSERT INTO ${table}(${columns.join(', ')}) VALUES (${places})`, Object.values(row));
  return row;
}

/** The swarms of one project's database. */
export function createSwarms({ db, runtime }: SwarmsDeps): Swarms {
  const fresh = (prefix: string): Row => {
    const now = runtime.now();
    return { id: runtime.id(prefix), created_at: now, updated_at: now };
  };

  const create = async (queries: Queries, { topology, strategy, maxAgents, config }: NewSwarm): Promise<SwarmRecord> => {
    const columns = { topology, strategy, max_agents: maxAgents, status: 'active', config: JSON.stringify(config) };
    return toSwarm(await insert(queries, 'swarm', { ...fresh('swarm'), ...columns }));
  };

  const spawnAgent = async (queries: Queries, { type, name, capabilities, swarmId }: NewAgent): Promise<AgentRecord> => {
    const swarm = await findActiveSwarm(queries, swarmId);
    const present = await countAgents(queries, swarm.swarmId);
    if (present >= swarm.maxAgents) {
      throw new ConflictError(`the swarm ${swarm.swarmId} has ${present} agents, and its maxAgents is ${swarm.maxAgents}`, {
        hint: 'Create a swarm with a larger maxAgents by swarm_create; nothing was changed.',
        details: { swarmId: swarm.swarmId, maxAgents: swarm.maxAgents },
      });
    }
    const row = await insert(queries, 'agent', {
      ...fresh('agent'),
      swarm_id: swarm.swarmId,
      type,
      role: roleOf(type),
      name: name ?? `${type}-${present + 1}`,
      capabilities: JSON.stringify(capabilities ?? []),
      status: 'registered',
    });
    return toAgent(row);
  };

  const submitTask = async (queries: Queries, { swarmId, dependencies, ...task }: NewTask): Promise<TaskRecord> => {
    const swarm = swarmId === undefined ? await newestActive(queries) : await findActiveSwarm(queries, swarmId);
    await checkDependencies(queries, dependencies);
    const row = await insert(queries, 'task', {
      ...fresh('task'),
      swarm_id: swarm?.swarmId ?? null,
      description: task.description,
      strategy: task.strategy,
      priority: task.priority,
      dependencies: JSON.stringify(dependencies),
      status: 'not_executed',
      reason: NOT_EXECUTED,
      run_id: null,
    });
    return toTask(row);
  };

  return {
    create: (swarm) => db.write((queries) => create(queries, swarm)),
    spawnAgent: (agent) => db.write((queries) => spawnAgent(queries, agent)),
    submitTask: (task) => db.write((queries) => submitTask(queries, task)),
    status: async (wanted) => {
      const swarm = await findSwarm(db, wanted);
      const agents = await countByStatus(db, 'agent', swarm.swarmId);
      return { ...swarm, agents, tasks: await countByStatus(db, 'task', swarm.swarmId) };
    },
    listAgents: async ({ swarmId, limit, offset }) => {
      const swarm = swarmId === undefined ? await newestActive(db) : await findSwarm(db, swarmId);
      if (swarm === undefined) return { swarmId: null, agents: [], total: 0 };
      const page = `${AGENT} WHERE swarm_id = ? ORDER BY rowid LIMIT ? OFFSET ?`;
      const rows = await db.all(page, [swarm.swarmId, limit, offset]);
      return { swarmId: swarm.swarmId, agents: rows.map(toAgent), total: await countAgents(db, swarm.swarmId) };
    },
    taskStatus: async (taskId) => {
      const row = await db.get(`${TASK} WHERE id = ?`, [taskId]);
      if (row !== undefined) return toTask(row);
      throw new NotFoundError(`there is no task ${JSON.stringify(taskId)}`, { hint: 'Give an id that task_submit returned.' });
    },
  };
}
