import { ConflictError, InvalidInputError, NotFoundError } from '../errors.ts';
import type { AgentSpec, SwarmSpec } from '../skill/skill.ts';
import type { Database, Queries } from '../store/database.ts';
import { numberOf, textColumns, textOf, textOrNull } from '../store/row.ts';
import { MAX_AGENTS } from '../swarm/validate-plan.ts';
import { newestActive } from './find-swarm.ts';
import { RUN_STATES } from './runs.ts';
import type { RunState, Runs } from './runs.ts';
import { taskBudget } from './swarm-budget.ts';
import { AGENT, SWARM, TASK, toAgent, toSwarm, toTask } from './swarm-records.ts';
import type { TaskRecord } from './swarm-records.ts';
import { unbegunTasks } from './unbegun-tasks.ts';

/**
 * How a task stands. `blocked`: tasks that it depends on have not completed. `not_started`: nothing is in its way, and its
 * run has not begun. All others are the state of its run; without one it is `cancelled` when it cannot begin any more, as its
 * swarm was destroyed or a task that it depends on failed or was cancelled.
 */
export type TaskState = 'blocked' | 'not_started' | RunState;
export const TASK_STATES = ['blocked', 'not_started', ...RUN_STATES] as const satisfies readonly TaskState[];

export interface TaskView extends TaskRecord {
  readonly state: TaskState;
  /** Why it is in this state. */
  readonly because: string | null;
}

/** What a run of a task is made of. */
export interface TaskRun {
  readonly task: TaskRecord;
  readonly name: string;
  readonly swarm: SwarmSpec;
}

/** Tasks in words, each done by a run of its own over the agents of its swarm. */
export interface Tasks {
  /** Throws `InvalidInputError` when a task of this swarm, by default the newest active one, could not be planned. */
  check(swarmId: string | undefined): Promise<void>;
  /** Throws `NotFoundError`. */
  view(taskId: string): Promise<TaskView>;
  /** The task whose run this is, or `null`. */
  ofRun(runId: string): Promise<TaskRecord | null>;
  /** Ids of the tasks that depend on this one, and of no run yet. */
  dependents(taskId: string): Promise<readonly string[]>;
  /** Ids of the tasks that nothing is in the way of and that have no run, submitted before a time, the oldest first. */
  notStarted(before: number): Promise<readonly string[]>;
  /** What to run. Throws `ConflictError` while the task is blocked, or has a run. */
  prepare(taskId: string): Promise<TaskRun>;
  /** Puts the run on record, once. */
  started(taskId: string, runId: string): Promise<void>;
}

export interface TasksDeps {
  readonly db: Database;
  readonly runs: Runs;
}

const DAY_MS = 86_400_000;

/** How a swarm with these agents does a task; without agents one generalist does it. */
function taskSwarm(
  agents: readonly AgentSpec[],
  topology: SwarmSpec['topology'],
  parallel: boolean,
  budget: SwarmSpec['budget'],
): SwarmSpec {
  const total = agents.reduce((sum, { count }) => sum + count, 0);
  return {
    agents,
    topology,
    strategy: 'plan',
    span: 4,
    maxRounds: 3,
    decision: { rule: 'majority', quorum: 1, judge: null },
    timeoutMs: DAY_MS, // hosts take their time; what a run may use is limited by budgets
    execution: { parallel, maxConcurrent: Math.min(8, total), retry: { maxAttempts: 3, backoff: 'exponential', delayMs: 500 } },
    provider: null,
    budget,
    supervision: { strategy: 'one_for_one', intensity: total * 9, periodMs: DAY_MS },
    approvals: [],
    memory: { persistence: false, vectorSearch: false, ttlMs: null },
    outputs: [
      { type: 'report', format: 'markdown' },
      { type: 'report', format: 'json' },
    ],
  };
}

/** A strategy of a task in words as a topology: one after another, all at once, or by the task's shape. */
const TOPOLOGY_OF: Readonly<Record<string, SwarmSpec['topology']>> = { sequential: 'ring', parallel: 'star' };

/** Throws `InvalidInputError` for more agents than a plan can hold. */
async function requireFewMembers(queries: Queries, swarmId: string): Promise<void> {
  const row = await queries.get("SELECT count(*) AS n FROM agent WHERE swarm_id = ? AND status = 'registered'", [swarmId]);
  const members = numberOf(row ?? {}, 'n');
  if (members <= MAX_AGENTS) return;
  throw new InvalidInputError(`the swarm ${swarmId} has ${members} agents, and a plan holds at most ${MAX_AGENTS}`, {
    hint: 'Stop some with agent_stop, or submit the task to a smaller swarm; nothing was begun.',
  });
}

/** The agents that a new run of a swarm has: all that are registered now, under their own ids. */
async function membersOf(queries: Queries, swarmId: string | null): Promise<readonly AgentSpec[]> {
  if (swarmId === null) return [];
  await requireFewMembers(queries, swarmId);
  const rows = await queries.all(`${AGENT} WHERE swarm_id = ? AND agent.status = 'registered' ORDER BY rowid`, [swarmId]);
  return rows.map(toAgent).map(({ agentId: id, name, type, capabilities }) => ({ id, name, type, capabilities, count: 1 }));
}

/** The tasks of a project's database. */
export function createTasks({ db, runs }: TasksDeps): Tasks {
  const find = async (taskId: string): Promise<TaskRecord> => {
    const row = await db.get(`${TASK} WHERE id = ?`, [taskId]);
    if (row !== undefined) return toTask(row);
    throw new NotFoundError(`there is no task ${JSON.stringify(taskId)}`, { hint: 'Give an id that task_submit returned.' });
  };
  const stateOf = async (task: TaskRecord): Promise<{ readonly state: TaskState; readonly because: string | null }> => {
    if (task.runId !== null) {
      const run = await runs.get(task.runId);
      return { state: run.status, because: run.summary?.reason ?? null };
    }
    const stands = (await unbegunTasks(db, [task.taskId])).get(task.taskId);
    return stands ?? stateOf(await find(task.taskId)); // begun in the meantime
  };
  return {
    check: async (swarmId) => {
      const meant = swarmId ?? (await newestActive(db))?.swarmId;
      if (meant !== undefined) await requireFewMembers(db, meant);
    },
    view: async (taskId) => {
      const task = await find(taskId);
      return { ...task, ...(await stateOf(task)) };
    },
    ofRun: async (runId) => {
      const row = await db.get(`${TASK} WHERE run_id = ?`, [runId]);
      return row === undefined ? null : toTask(row);
    },
    dependents: async (taskId) => {
      const rows = await db.all(
        `SELECT ${textColumns(['id'])} FROM task
         WHERE run_id IS NULL AND EXISTS (SELECT 1 FROM json_each(dependencies) WHERE json_each.value = ?) ORDER BY task.created_at`,
        [taskId],
      );
      return rows.map((row) => textOf(row, 'id'));
    },
    notStarted: async (before) => {
      const rows = await db.all(
        `SELECT ${textColumns(['id'])} FROM task WHERE run_id IS NULL AND task.created_at < ? ORDER BY task.created_at, rowid`,
        [before],
      );
      const ids = rows.map((row) => textOf(row, 'id'));
      const stand = await unbegunTasks(db, ids);
      return ids.filter((id) => stand.get(id)?.state === 'not_started');
    },
    prepare: async (taskId) => {
      const task = await find(taskId);
      const { state, because } = await stateOf(task);
      if (state !== 'not_started') {
        throw new ConflictError(
          `the task ${taskId} cannot be started: it is ${state}${because === null ? '' : ` (${because})`}`,
          {
            hint:
              state === 'blocked' ? 'Complete what it depends on first; nothing was changed.' : 'Look at it with task_status.',
          },
        );
      }
      const swarmRow = task.swarmId === null ? undefined : await db.get(`${SWARM} WHERE id = ?`, [task.swarmId]);
      const swarm = swarmRow === undefined ? null : toSwarm(swarmRow);
      const members = await membersOf(db, task.swarmId);
      const agents = members.length > 0 ? members : [{ type: 'generalist', count: 1, capabilities: [] }];
      const topology = TOPOLOGY_OF[task.strategy] ?? swarm?.topology ?? 'adaptive';
      const budget = await taskBudget(db, swarm);
      return { task, name: 'task', swarm: taskSwarm(agents, topology, task.strategy !== 'sequential', budget) };
    },
    started: async (taskId, runId) => {
      await db.write(async (queries) => {
        const { changes } = await queries.run(
          `UPDATE task SET run_id = ? WHERE id = ? AND run_id IS NULL
           AND NOT EXISTS (SELECT 1 FROM swarm WHERE swarm.id = task.swarm_id AND swarm.status = 'destroyed')`,
          [runId, taskId],
        );
        if (changes === 1) return;
        const row = (await queries.get(`SELECT ${textColumns(['run_id'])} FROM task WHERE id = ?`, [taskId])) ?? {};
        const other = textOrNull(row, 'run_id');
        const why = other === null ? 'its swarm was destroyed' : `it was started by another: ${other}`;
        throw new ConflictError(`the task ${taskId} cannot be started: ${why}`, { hint: 'Look at it with task_status.' });
      });
    },
  };
}
