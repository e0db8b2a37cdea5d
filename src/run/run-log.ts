import type { StepOutput } from '../agent/provider.ts';
import type { Usage } from '../agent/usage.ts';
import type { ChangeSet } from '../changes.ts';
import { NotFoundError } from '../errors.ts';
import type { EventBody, RunEvent } from '../events.ts';
import type { Finding } from '../finding.ts';
import type { Runtime } from '../runtime.ts';
import type { Database, Queries } from '../store/database.ts';
import { bytesOf, bytesOnly, numberColumns, numberOf, textColumns, textOrNull } from '../store/row.ts';
import type { Plan, PlanStep } from '../swarm/plan.ts';
import type { Room } from './claim-room.ts';
import { createAttemptEnds } from './end-attempt.ts';
import type { Journal } from './journal.ts';
import { createKeptRuns } from './kept-runs.ts';
import type { KeptRuns } from './kept-runs.ts';
import { LEASE_MS } from './lease.ts';
import { packChanges, unpackChanges } from './run-spec.ts';
import type { RunSpec } from './run-spec.ts';
import { createRunStates } from './run-states.ts';
import type { RunSummary } from './runs.ts';
import { startedEvent } from './started-event.ts';
import { createStepClaims, flagsOf } from './step-claims.ts';
import type { PoolPart } from './swarm-pool.ts';

export interface BeginRun {
  readonly spec: RunSpec;
  readonly version: string;
  readonly changes: ChangeSet;
  readonly plan: Plan;
  /** Milliseconds since the epoch. */
  readonly startedAt: number;
  readonly swarmId: string | null;
}

/** What identifies one attempt: only who holds the newest epoch of a step may end it. */
export interface Claim {
  readonly runId: string;
  readonly stepId: string;
  readonly agentId: string;
  readonly owner: string;
  readonly epoch: number;
  readonly attempt: number;
}

export interface ClaimRequest extends Room {
  readonly runId: string;
  readonly step: Pick<PlanStep, 'id' | 'agentId'>;
  readonly owner: string;
  readonly provider: string;
  readonly leaseMs: number;
}

/** A step that was claimed. */
interface Claimed {
  readonly claim: Claim;
  readonly events: readonly RunEvent[];
  /** What it may use of its swarm's pool; `null` where there is none. */
  readonly pool: PoolPart | null;
}

export interface StepResult {
  readonly output: StepOutput;
  /** The findings that are the step's own; its output may pass on those of others. */
  readonly reported: readonly Finding[];
  readonly durationMs: number;
  readonly provider: string;
  readonly usage?: Usage | undefined;
}

export interface StepFailure {
  readonly code: string;
  readonly reason: string;
  /** When it may be tried again, ms since the epoch; `null`: it has failed for good. */
  readonly retryAt: number | null;
  readonly provider: string;
  readonly usage?: Usage | undefined;
  readonly possiblyBilled?: boolean | undefined;
}

/** What a run was started with, as another process reads it. */
export interface StoredRun {
  readonly runId: string;
  readonly spec: RunSpec;
  readonly changes: ChangeSet;
  readonly startedAt: number;
}

/** What stops a claim. */
export interface RunFlags {
  readonly swarmId: string | null;
  readonly status: string;
  readonly waiting: string | null;
  readonly cancelAsked: boolean;
}

/**
 * Writes what happens in a run: each state and its event in one transaction. Steps are claimed by lease and epoch, so
 * that several processes can drive one run, and one can take up what another left. What a lost claim would write is
 * refused: those calls resolve with `null`.
 */
export interface RunLog {
  /** Records a new run and its waiting steps; resolves with its id and its first events. */
  begin(run: BeginRun): Promise<{ readonly runId: string; readonly events: readonly RunEvent[] }>;
  /** Throws `NotFoundError` for a run that is unknown or was made by a version that kept no spec. */
  load(runId: string): Promise<StoredRun>;
  flags(runId: string): Promise<RunFlags>;
  /** Takes a waiting step, or one whose owner is gone. `null`: another has it, it has ended, or the run was stopped. */
  claim(request: ClaimRequest): Promise<Claimed | null>;
  /** Whether a step can be claimed now. */
  isFree(runId: string, stepId: string): Promise<boolean>;
  /** Renews all claims of an owner, and says that it drives the run. */
  renew(runId: string, owner: string): Promise<void>;
  complete(claim: Claim, result: StepResult): Promise<readonly RunEvent[] | null>;
  skip(claim: Claim, code: string, reason: string): Promise<readonly RunEvent[] | null>;
  fail(claim: Claim, failure: StepFailure): Promise<readonly RunEvent[] | null>;
  /** Gives a step back without an end. */
  reset(claim: Claim, reason: string): Promise<readonly RunEvent[] | null>;
  /** Ends the steps of a run that nobody has begun, as its time is over: they were not done. */
  skipWaiting(runId: string, reason: string): Promise<readonly RunEvent[]>;
  /** Adds steps to a run's plan; nothing when another process has added them. */
  grow(runId: string, steps: readonly PlanStep[], reason: string): Promise<readonly RunEvent[]>;
  /** Events that change no state of a step. */
  note(runId: string, events: readonly EventBody[]): Promise<readonly RunEvent[]>;
  /** The run waits; `null` when it does already, is not running any more, or is to be cancelled. */
  wait(runId: string, waiting: 'host' | 'budget' | 'approval', events: readonly EventBody[]): Promise<readonly RunEvent[] | null>;
  /**
   * This process goes on with the run; `null` when it has ended. `reset`: steps to do again, which also opens a run that
   * has ended. `owner`: who drives it from now on.
   */
  wake(
    runId: string,
    by?: { readonly owner?: string; readonly reset?: readonly Pick<PlanStep, 'id' | 'agentId'>[] },
  ): Promise<readonly RunEvent[] | null>;
  /** Asks whoever drives the run to stop; `null` when it has ended. */
  askCancel(runId: string, reason: string): Promise<readonly RunEvent[] | null>;
  /**
   * An owner goes on no more, having given back what it had under way: where another process drives the run, that one goes
   * on with it; else the run is cancelled.
   */
  leave(
    runId: string,
    owner: string,
    summary: RunSummary,
    event: EventBody,
  ): Promise<{ readonly goesOn: boolean; readonly events: readonly RunEvent[] }>;
  /** Replaces what the run was started with: budgets that were raised. */
  respecify(runId: string, spec: RunSpec, events: readonly EventBody[]): Promise<readonly RunEvent[]>;
  /** Ends the run once: `null` when another process has, or when it is not complete any more. */
  finish(
    runId: string,
    status: 'completed' | 'failed' | 'cancelled',
    summary: RunSummary,
    event: EventBody,
    also?: (queries: Queries) => Promise<void>,
  ): Promise<readonly RunEvent[] | null>;
}

export interface RunLogDeps {
  readonly db: Database;
  readonly journal: Journal;
  readonly runtime: Runtime;
  /** Milliseconds for which the run and its claims hold unless they are renewed; default {@link LEASE_MS}. */
  readonly leaseMs?: number | undefined;
  /** Default: nothing is kept from one log to the next. */
  readonly kept?: KeptRuns | undefined;
}

/** A text as a column takes it: well-formed, without NUL, at which the database would end it. */
function storable(text: string): string {
  return Buffer.from(text).toString('utf8').replaceAll('\0', '\u2400');
}

async function insertSteps(queries: Queries, runId: string, steps: readonly PlanStep[]): Promise<void> {
  for (const step of steps) {
    await queries.run(
      "INSERT INTO step(run_id, id, agent_id, kind, round, status, attempt) VALUES (?, ?, ?, ?, ?, 'waiting', 0)",
      [runId, step.id, step.agentId, step.kind, step.round],
    );
  }
}

async function insertRun(
  queries: Queries,
  runId: string,
  { spec, changes, plan, startedAt, swarmId }: BeginRun,
  { runtime, leaseMs = LEASE_MS }: RunLogDeps,
): Promise<void> {
  const { pid, host } = runtime;
  await queries.run(
    `INSERT INTO run(id, skill, task, status, provider, selection, owner_pid, owner_host, lease_until, created_at, spec, swarm_id)
     VALUES (?, ?, ?, 'running', ?, ?, ?, ?, ?, ?, ?, ?)`,
    [
      runId,
      spec.skill,
      storable(spec.task),
      spec.provider,
      JSON.stringify(spec.selection),
      pid,
      host,
      runtime.now() + leaseMs,
      startedAt,
      JSON.stringify(spec),
      swarmId,
    ],
  );
  await queries.run('INSERT INTO run_input(run_id, body) VALUES (?, ?)', [runId, packChanges(changes)]);
  await insertSteps(queries, runId, plan.steps);
}

async function readChanges(db: Database, runId: string): Promise<ChangeSet> {
  const row = await db.get(`SELECT ${bytesOnly('body')} AS body FROM run_input WHERE run_id = ?`, [runId]);
  return unpackChanges(bytesOf(row ?? {}, 'body'));
}

async function loadRun(db: Database, kept: KeptRuns, runId: string): Promise<StoredRun> {
  const row = await db.get(
    `SELECT ${textColumns(['spec'])}, ${numberColumns(['created_at'])}
     FROM run JOIN run_input ON run_input.run_id = run.id WHERE run.id = ?`,
    [runId],
  );
  const json = row === undefined ? null : textOrNull(row, 'spec');
  if (row === undefined || json === null) {
    throw new NotFoundError(`there is no run ${JSON.stringify(runId)} that can go on`, {
      hint: 'List the runs with `skillflow runs`; those of earlier versions cannot be resumed.',
    });
  }
  const input = await kept.input({ runId, spec: json }, () => readChanges(db, runId));
  return { runId, ...input, startedAt: numberOf(row, 'created_at') };
}

/** Journals and tables of one database as a run's log. */
export function createRunLog(deps: RunLogDeps): RunLog {
  const { db, journal, runtime, kept = createKeptRuns() } = deps;
  return {
    ...createStepClaims(deps),
    ...createAttemptEnds(deps),
    ...createRunStates(deps),
    begin: async (run) => {
      const runId = runtime.id('run');
      const events = await journal.append(runId, [startedEvent(run)], (queries) => insertRun(queries, runId, run, deps));
      return { runId, events };
    },
    load: (runId) => loadRun(db, kept, runId),
    flags: (runId) => flagsOf(db, runId),
    grow: async (runId, steps, reason) => {
      const [first] = steps;
      const bodies: EventBody[] = [];
      return journal.append(runId, bodies, async (queries) => {
        bodies.length = 0;
        const isThere = `SELECT 1 AS one FROM step WHERE run_id = ? AND id = ?`;
        if (first === undefined || (await queries.get(isThere, [runId, first.id])) !== undefined) return;
        await insertSteps(queries, runId, steps);
        bodies.push({ type: 'plan_grown', steps: [...steps], reason });
      });
    },
    note: async (runId, events) => (events.length === 0 ? [] : journal.append(runId, events)),
    respecify: (runId, spec, events) =>
      journal.append(runId, events, async (queries) => {
        await queries.run('UPDATE run SET spec = ? WHERE id = ?', [JSON.stringify(spec), runId]);
      }),
  };
}
