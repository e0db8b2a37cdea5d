import type { StepOutput } from '../agent/provider.ts';
import type { Usage } from '../agent/usage.ts';
import type { ChangeSet } from '../changes.ts';
import { ConflictError, NotFoundError } from '../errors.ts';
import type { EventBody, EventUsage, RunEvent } from '../events.ts';
import type { Finding } from '../finding.ts';
import type { Runtime } from '../runtime.ts';
import type { Database, Queries, Row } from '../store/database.ts';
import { bytesOf, bytesOnly, numberColumns, numberOf, numberOrNull, textColumns, textOf, textOrNull } from '../store/row.ts';
import type { Plan, PlanStep } from '../swarm/plan.ts';
import type { Journal } from './journal.ts';
import { packChanges, parseSpec, unpackChanges } from './run-spec.ts';
import type { RunSpec } from './run-spec.ts';
import type { RunSummary } from './runs.ts';
import { startedEvent } from './started-event.ts';

/** Milliseconds for which a claim of this process holds unless it is renewed. */
export const LEASE_MS = 15_000;

/** A text as a column takes it: well-formed, without NUL, at which the database would end it. */
function storable(text: string): string {
  return Buffer.from(text).toString('utf8').replaceAll('\0', '\u2400');
}

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

export interface ClaimRequest {
  readonly runId: string;
  readonly step: Pick<PlanStep, 'id' | 'agentId'>;
  readonly owner: string;
  readonly provider: string;
  readonly paid: boolean;
  readonly leaseMs: number;
  /** Attempts that the run and the agent may have, this one included; `null` where there is no limit. */
  readonly maxSteps?: { readonly run: number | null; readonly agent: number | null } | undefined;
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
  claim(request: ClaimRequest): Promise<{ readonly claim: Claim; readonly events: readonly RunEvent[] } | null>;
  /** Whether a step can be claimed now. */
  isFree(runId: string, stepId: string): Promise<boolean>;
  /** Renews all claims of an owner, and says that it drives the run. */
  renew(runId: string, owner: string): Promise<void>;
  complete(claim: Claim, result: StepResult): Promise<readonly RunEvent[] | null>;
  skip(claim: Claim, code: string, reason: string): Promise<readonly RunEvent[] | null>;
  fail(claim: Claim, failure: StepFailure): Promise<readonly RunEvent[] | null>;
  /** Gives a step back without an end. */
  reset(claim: Claim, reason: string): Promise<readonly RunEvent[] | null>;
  /** Adds steps to a run's plan; nothing when another process has added them. */
  grow(runId: string, steps: readonly PlanStep[], reason: string): Promise<readonly RunEvent[]>;
  /** Events that change no state of a step. */
  note(runId: string, events: readonly EventBody[]): Promise<readonly RunEvent[]>;
  /** The run waits; `null` when it is not running any more. */
  wait(runId: string, waiting: 'host' | 'budget' | 'approval', events: readonly EventBody[]): Promise<readonly RunEvent[] | null>;
  /**
   * This process goes on with the run; `null` when it has ended. `reset`: steps to do again, which also opens a run that
   * has ended.
   */
  wake(runId: string, reset?: readonly Pick<PlanStep, 'id' | 'agentId'>[]): Promise<readonly RunEvent[] | null>;
  /** Asks whoever drives the run to stop; `null` when it has ended. */
  askCancel(runId: string, reason: string): Promise<readonly RunEvent[] | null>;
  /** Replaces what the run was started with: budgets that were raised. */
  respecify(runId: string, spec: RunSpec, events: readonly EventBody[]): Promise<readonly RunEvent[]>;
  /** Ends the run once: `null` when another process has. */
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
}

function stepEvents({ stepId, agentId, epoch }: Claim, result: StepResult): readonly EventBody[] {
  const { output, reported, durationMs } = result;
  const usage = eventUsage(result);
  return [
    ...reported.map((finding): EventBody => ({ type: 'finding_reported', stepId, agentId, finding })),
    ...output.notes.map((note): EventBody => ({ type: 'note_added', stepId, agentId, note })),
    ...output.ballots.map((ballot): EventBody => ({ type: 'ballot_cast', stepId, agentId, ballot })),
    {
      type: 'step_completed',
      stepId,
      agentId,
      epoch,
      durationMs,
      findings: reported.length,
      ballots: output.ballots.length,
      output: {
        findingIds: output.findings.map(({ id }) => id),
        stats: output.stats,
        ...(output.text === undefined ? {} : { text: output.text }),
        ...(output.confidence === undefined ? {} : { confidence: output.confidence }),
      },
      ...(usage === null ? {} : { usage }),
    },
  ];
}

function eventUsage({ usage, provider }: { readonly usage?: Usage | undefined; readonly provider: string }): EventUsage | null {
  return usage === undefined ? null : { provider, ...usage };
}

const STEP = `SELECT ${textColumns(['status', 'owner'])}, ${numberColumns(['attempt', 'epoch', 'lease_until', 'not_before'])}
  FROM step WHERE run_id = ? AND id = ?`;
const FLAGS = `SELECT ${textColumns(['status', 'waiting'])}, ${numberColumns(['cancel_asked_at'])} FROM run WHERE id = ?`;
const HELD = `run_id = ? AND id = ? AND epoch = ? AND owner = ? AND status = 'running'`;
const ATTEMPTS = `SELECT total(attempt) AS attempts, total(CASE WHEN agent_id = ? THEN attempt END) AS own FROM step WHERE run_id = ?`;
/** Thrown to roll back what a lost claim would write. */
const LOST = new ConflictError('another process has the step');

/** Whether the budgets leave room for another attempt; asked within the claim, as other attempts may begin at the same time. */
async function hasRoom(queries: Queries, runId: string, agentId: string, most: ClaimRequest['maxSteps']): Promise<boolean> {
  if (most === undefined || (most.run === null && most.agent === null)) return true;
  const row = (await queries.get(ATTEMPTS, [agentId, runId])) ?? {};
  return numberOf(row, 'attempts') < (most.run ?? Infinity) && numberOf(row, 'own') < (most.agent ?? Infinity);
}

/** Journals and tables of one database as a run's log. */
export function createRunLog({ db, journal, runtime, leaseMs: heldMs = LEASE_MS }: RunLogDeps): RunLog {
  const ownerIsGone = (owner: string): boolean => {
    const [host, pid] = owner.split('/');
    return host === runtime.host && Number(pid) > 0 && !runtime.alive(Number(pid));
  };
  const isFree = (row: Row): boolean => {
    const [status, now] = [textOf(row, 'status'), runtime.now()];
    if (status === 'waiting') return (numberOrNull(row, 'not_before') ?? 0) <= now;
    if (status !== 'running') return false;
    return (numberOrNull(row, 'lease_until') ?? 0) < now || ownerIsGone(textOrNull(row, 'owner') ?? '');
  };
  const flagsOf = async (queries: Queries, runId: string): Promise<RunFlags> => {
    const row = await queries.get(FLAGS, [runId]);
    if (row === undefined) {
      throw new NotFoundError(`there is no run ${JSON.stringify(runId)}`, { hint: 'List the runs with `skillflow runs`.' });
    }
    return {
      status: textOf(row, 'status'),
      waiting: textOrNull(row, 'waiting'),
      cancelAsked: numberOrNull(row, 'cancel_asked_at') !== null,
    };
  };
  /** Ends or frees a step that is still ours, with its events. */
  const change = async (
    { runId, stepId, epoch, owner }: Claim,
    set: string,
    values: readonly (string | number | null)[],
    bodies: readonly EventBody[],
    also?: (queries: Queries) => Promise<void>,
  ): Promise<readonly RunEvent[] | null> => {
    try {
      return await journal.append(runId, bodies, async (queries) => {
        const { changes } = await queries.run(`UPDATE step SET ${set} WHERE ${HELD}`, [...values, runId, stepId, epoch, owner]);
        if (changes !== 1) throw LOST;
        await also?.(queries);
      });
    } catch (error) {
      if (error === LOST) return null;
      throw error;
    }
  };
  const spend =
    (claim: Claim, used: { readonly usage?: Usage | undefined; readonly provider: string }) => async (queries: Queries) => {
      const { usage } = used;
      if (usage === undefined) return;
      await queries.run(
        `INSERT INTO spend(run_id, step_id, agent_id, at, provider, model, input_tokens, output_tokens, cache_read_tokens,
        cache_write_tokens, requests, cost_usd) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
        [
          claim.runId,
          claim.stepId,
          claim.agentId,
          runtime.now(),
          used.provider,
          usage.model,
          usage.inputTokens,
          usage.outputTokens,
          usage.cacheReadTokens,
          usage.cacheWriteTokens,
          usage.requests,
          usage.costUsd,
        ],
      );
    };
  const insertSteps = async (queries: Queries, runId: string, steps: readonly PlanStep[]): Promise<void> => {
    for (const step of steps) {
      await queries.run(
        "INSERT INTO step(run_id, id, agent_id, kind, round, status, attempt) VALUES (?, ?, ?, ?, ?, 'waiting', 0)",
        [runId, step.id, step.agentId, step.kind, step.round],
      );
    }
  };

  return {
    begin: async (run) => {
      const { spec, plan, changes, startedAt, swarmId } = run;
      const runId = runtime.id('run');
      const events = await journal.append(runId, [startedEvent(run)], async (queries) => {
        await queries.run(
          `INSERT INTO run(id, skill, task, status, provider, selection, owner_pid, owner_host, lease_until, created_at, spec, swarm_id)
           VALUES (?, ?, ?, 'running', ?, ?, ?, ?, ?, ?, ?, ?)`,
          [
            runId,
            spec.skill,
            storable(spec.task),
            spec.provider,
            JSON.stringify(spec.selection),
            runtime.pid,
            runtime.host,
            runtime.now() + heldMs,
            startedAt,
            JSON.stringify(spec),
            swarmId,
          ],
        );
        await queries.run('INSERT INTO run_input(run_id, body) VALUES (?, ?)', [runId, packChanges(changes)]);
        await insertSteps(queries, runId, plan.steps);
      });
      return { runId, events };
    },
    load: async (runId) => {
      const row = await db.get(
        `SELECT ${textColumns(['spec'])}, ${numberColumns(['created_at'])}, ${bytesOnly('body')} AS body
         FROM run JOIN run_input ON run_input.run_id = run.id WHERE run.id = ?`,
        [runId],
      );
      const json = row === undefined ? null : textOrNull(row, 'spec');
      if (row === undefined || json === null) {
        throw new NotFoundError(`there is no run ${JSON.stringify(runId)} that can go on`, {
          hint: 'List the runs with `skillflow runs`; those of earlier versions cannot be resumed.',
        });
      }
      return {
        runId,
        spec: parseSpec(json),
        changes: unpackChanges(bytesOf(row, 'body')),
        startedAt: numberOf(row, 'created_at'),
      };
    },
    flags: (runId) => flagsOf(db, runId),
    claim: async ({ runId, step, owner, provider, paid, leaseMs, maxSteps }) => {
      let claim: Claim | undefined;
      const bodies: EventBody[] = [];
      try {
        const events = await journal.append(runId, bodies, async (queries) => {
          bodies.length = 0;
          const flags = await flagsOf(queries, runId);
          const row = await queries.get(STEP, [runId, step.id]);
          if (row === undefined || flags.status !== 'running' || flags.cancelAsked) throw LOST;
          if (flags.waiting === 'budget' || flags.waiting === 'approval' || !isFree(row)) throw LOST;
          if (!(await hasRoom(queries, runId, step.agentId, maxSteps))) throw LOST;
          const [now, isRunning] = [runtime.now(), textOf(row, 'status') === 'running'];
          const [epoch, attempt] = [numberOf(row, 'epoch') + 1, numberOf(row, 'attempt') + 1];
          await queries.run(
            `UPDATE step SET status = 'running', owner = ?, epoch = ?, attempt = ?, lease_until = ?, started_at = ?, ended_at = NULL
             WHERE run_id = ? AND id = ?`,
            [owner, epoch, attempt, now + leaseMs, now, runId, step.id],
          );
          const ref = { stepId: step.id, agentId: step.agentId };
          const twice = isRunning && paid ? { possiblyBilledTwice: true as const } : {};
          bodies.push({ type: 'step_started', ...ref, attempt, epoch, owner, provider, ...twice });
          claim = { runId, ...ref, owner, epoch, attempt };
        });
        return claim === undefined ? null : { claim, events };
      } catch (error) {
        if (error === LOST) return null;
        throw error;
      }
    },
    isFree: async (runId, stepId) => {
      const row = await db.get(STEP, [runId, stepId]);
      return row !== undefined && isFree(row);
    },
    renew: (runId, owner) =>
      db.write(async (queries) => {
        const until = runtime.now() + heldMs;
        await queries.run(`UPDATE step SET lease_until = ? WHERE run_id = ? AND owner = ? AND status = 'running'`, [
          until,
          runId,
          owner,
        ]);
        await queries.run(
          `UPDATE run SET lease_until = ?, owner_pid = ?, owner_host = ? WHERE id = ? AND status = 'running' AND waiting IS NULL`,
          [until, runtime.pid, runtime.host, runId],
        );
      }),
    complete: (claim, result) =>
      change(
        claim,
        `status = 'completed', ended_at = ?, owner = NULL, lease_until = NULL, reason = NULL, code = NULL`,
        [runtime.now()],
        stepEvents(claim, result),
        spend(claim, result),
      ),
    skip: ({ stepId, agentId, ...rest }, code, reason) =>
      change(
        { stepId, agentId, ...rest },
        `status = 'skipped', ended_at = ?, owner = NULL, lease_until = NULL, code = ?, reason = ?`,
        [runtime.now(), code, reason],
        [{ type: 'step_skipped', stepId, agentId, code, reason }],
      ),
    fail: (claim, failure) => {
      const { stepId, agentId, attempt } = claim;
      const { code, reason, retryAt, possiblyBilled } = failure;
      const usage = eventUsage(failure);
      const event: EventBody = {
        type: 'step_failed',
        stepId,
        agentId,
        attempt,
        code,
        reason,
        willRetry: retryAt !== null,
        ...(usage === null ? {} : { usage }),
        ...(possiblyBilled === true ? { possiblyBilled: true as const } : {}),
      };
      return change(
        claim,
        `status = ?, ended_at = ?, owner = NULL, lease_until = NULL, not_before = ?, code = ?, reason = ?`,
        [retryAt === null ? 'failed' : 'waiting', retryAt === null ? runtime.now() : null, retryAt, code, reason],
        [event],
        spend(claim, failure),
      );
    },
    reset: (claim, reason) =>
      change(
        claim,
        `status = 'waiting', owner = NULL, lease_until = NULL, not_before = NULL, started_at = NULL, code = NULL, reason = NULL`,
        [],
        [{ type: 'step_reset', stepId: claim.stepId, agentId: claim.agentId, reason }],
      ),
    grow: async (runId, steps, reason) => {
      const [first] = steps;
      const bodies: EventBody[] = [];
      return journal.append(runId, bodies, async (queries) => {
        bodies.length = 0;
        if (first === undefined || (await queries.get(STEP, [runId, first.id])) !== undefined) return;
        await insertSteps(queries, runId, steps);
        bodies.push({ type: 'plan_grown', steps: [...steps], reason });
      });
    },
    note: async (runId, events) => (events.length === 0 ? [] : journal.append(runId, events)),
    wait: async (runId, waiting, events) => {
      const bodies: EventBody[] = [];
      const appended = await journal.append(runId, bodies, async (queries) => {
        bodies.length = 0;
        const set = `UPDATE run SET waiting = ?, owner_pid = NULL, owner_host = NULL, lease_until = NULL WHERE id = ? AND status = 'running' AND waiting IS NULL`;
        if ((await queries.run(set, [waiting, runId])).changes === 1) bodies.push(...events);
      });
      return appended.length === 0 ? null : appended;
    },
    wake: async (runId, reset = []) => {
      const resumed: EventBody = { type: 'run_resumed', owner: `${runtime.host}/${runtime.pid}` };
      const bodies: EventBody[] = [];
      const appended = await journal.append(runId, bodies, async (queries) => {
        bodies.length = 0;
        const { changes } = await queries.run(
          `UPDATE run SET status = 'running', waiting = NULL, ended_at = NULL, summary = NULL, lease_until = ?, owner_pid = ?, owner_host = ?,
            cancel_asked_at = CASE WHEN status = 'running' THEN cancel_asked_at END WHERE id = ? AND (status = 'running' OR ?)`,
          [runtime.now() + heldMs, runtime.pid, runtime.host, runId, reset.length],
        );
        if (changes !== 1) return;
        bodies.push(resumed);
        for (const { id, agentId } of reset) {
          await queries.run(
            `UPDATE step SET status = 'waiting', owner = NULL, lease_until = NULL, not_before = NULL, started_at = NULL,
              ended_at = NULL, reason = NULL, code = NULL WHERE run_id = ? AND id = ?`,
            [runId, id],
          );
          bodies.push({ type: 'step_reset', stepId: id, agentId, reason: 'it is to be done again' });
        }
      });
      return appended.length === 0 ? null : appended;
    },
    askCancel: async (runId, reason) => {
      const bodies: EventBody[] = [];
      const appended = await journal.append(runId, bodies, async (queries) => {
        bodies.length = 0;
        const set = `UPDATE run SET cancel_asked_at = ? WHERE id = ? AND status = 'running'`;
        if ((await queries.run(set, [runtime.now(), runId])).changes === 1) bodies.push({ type: 'cancel_asked', reason });
      });
      return appended.length === 0 ? null : appended;
    },
    respecify: (runId, spec, events) =>
      journal.append(runId, events, async (queries) => {
        await queries.run('UPDATE run SET spec = ? WHERE id = ?', [JSON.stringify(spec), runId]);
      }),
    finish: async (runId, status, summary, event, also) => {
      const bodies: EventBody[] = [];
      const appended = await journal.append(runId, bodies, async (queries) => {
        bodies.length = 0;
        const { changes } = await queries.run(
          `UPDATE run SET status = ?, waiting = NULL, ended_at = ?, summary = ? WHERE id = ? AND status = 'running'`,
          [status, runtime.now(), JSON.stringify(summary), runId],
        );
        if (changes !== 1) return;
        await also?.(queries);
        bodies.push(event);
      });
      return appended.length === 0 ? null : appended;
    },
  };
}
