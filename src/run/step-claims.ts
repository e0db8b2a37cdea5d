import type { Usage } from '../agent/usage.ts';
import { ConflictError, NotFoundError } from '../errors.ts';
import type { EventBody, EventUsage, RunEvent } from '../events.ts';
import type { Queries, Row } from '../store/database.ts';
import { numberColumns, numberOf, numberOrNull, textColumns, textOf, textOrNull } from '../store/row.ts';
import { LEASE_MS } from './lease.ts';
import type { Claim, ClaimRequest, RunFlags, RunLog, RunLogDeps, StepResult } from './run-log.ts';

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

/** What stops a claim. Throws `NotFoundError`. */
export async function flagsOf(queries: Queries, runId: string): Promise<RunFlags> {
  const row = await queries.get(FLAGS, [runId]);
  if (row === undefined) {
    throw new NotFoundError(`there is no run ${JSON.stringify(runId)}`, { hint: 'List the runs with `skillflow runs`.' });
  }
  return {
    status: textOf(row, 'status'),
    waiting: textOrNull(row, 'waiting'),
    cancelAsked: numberOrNull(row, 'cancel_asked_at') !== null,
  };
}

/** The part of a run's log that is about steps: who has them, and how they end. */
export function createStepClaims({
  db,
  journal,
  runtime,
  leaseMs: heldMs = LEASE_MS,
}: RunLogDeps): Pick<RunLog, 'claim' | 'isFree' | 'renew' | 'complete' | 'skip' | 'fail' | 'reset'> {
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

  return {
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
  };
}
