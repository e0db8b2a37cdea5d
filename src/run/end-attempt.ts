import type { Usage } from '../agent/usage.ts';
import type { EventBody, RunEvent } from '../events.ts';
import type { Queries, SqlValue } from '../store/database.ts';
import type { Claim, RunLog, RunLogDeps } from './run-log.ts';
import { completedEvents, eventUsage, failedEvent } from './step-events.ts';

/** What a claim holds: nobody has taken the step since. */
const HELD = `run_id = ? AND id = ? AND epoch = ? AND owner = ? AND status = 'running'`;
/** A step comes to no end in a run that has. */
const RUN_GOES_ON = `EXISTS (SELECT 1 FROM run WHERE run.id = step.run_id AND run.status = 'running')`;
const FREE = `status = 'waiting', ended_at = NULL, owner = NULL, lease_until = NULL, not_before = ?, code = ?, reason = ?`;
const RUN_HAS_ENDED = 'its run had ended before its answer came';

interface Spent {
  readonly provider: string;
  readonly usage?: Usage | undefined;
  readonly possiblyBilled?: boolean | undefined;
}

interface Change {
  readonly set: string;
  readonly values: readonly SqlValue[];
  readonly events: readonly EventBody[];
  readonly spent?: Spent;
}

async function addSpending(queries: Queries, claim: Claim, at: number, { usage, provider }: Spent): Promise<void> {
  if (usage === undefined) return;
  await queries.run(
    `INSERT INTO spend(run_id, step_id, agent_id, at, provider, model, input_tokens, output_tokens, cache_read_tokens,
    cache_write_tokens, requests, cost_usd) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    [
      claim.runId,
      claim.stepId,
      claim.agentId,
      at,
      provider,
      usage.model,
      usage.inputTokens,
      usage.outputTokens,
      usage.cacheReadTokens,
      usage.cacheWriteTokens,
      usage.requests,
      usage.costUsd,
    ],
  );
}

/**
 * The part of a run's log that is about the ends of attempts. An end counts only while the claim holds and the run goes
 * on, which one statement tells; what the attempt used is recorded in any case, in the same transaction.
 */
export function createAttemptEnds({
  journal,
  runtime,
}: Pick<RunLogDeps, 'journal' | 'runtime'>): Pick<RunLog, 'complete' | 'skip' | 'fail' | 'reset'> {
  const update = async (
    queries: Queries,
    claim: Claim,
    set: string,
    values: readonly SqlValue[],
    also = '',
  ): Promise<boolean> => {
    const { runId, stepId, epoch, owner } = claim;
    const where = [runId, stepId, epoch, owner];
    return (await queries.run(`UPDATE step SET ${set} WHERE ${HELD}${also}`, [...values, ...where])).changes === 1;
  };
  /** What there is to tell of an attempt whose end does not count. */
  const tooLate = async (queries: Queries, claim: Claim, spent: Spent): Promise<readonly EventBody[]> => {
    const retryAt = runtime.now();
    const ended = { ...spent, code: 'cancelled', reason: RUN_HAS_ENDED, retryAt };
    if (await update(queries, claim, FREE, [retryAt, ended.code, ended.reason])) return [failedEvent(claim, ended)];
    const usage = eventUsage(spent);
    const { stepId, agentId, epoch } = claim;
    const mayBeMore = spent.possiblyBilled === true ? { possiblyBilled: true as const } : {};
    return usage === null ? [] : [{ type: 'usage_recorded', stepId, agentId, epoch, usage, ...mayBeMore }];
  };
  const change = async (claim: Claim, { set, values, events, spent = NOTHING }: Change, also: string) => {
    const bodies: EventBody[] = [];
    let isDone = false;
    const appended = await journal.append(claim.runId, bodies, async (queries) => {
      isDone = await update(queries, claim, set, values, also);
      bodies.splice(0, bodies.length, ...(isDone ? events : await tooLate(queries, claim, spent)));
      await addSpending(queries, claim, runtime.now(), spent);
    });
    return isDone ? appended : null;
  };
  /** Ends a step. */
  const end = (claim: Claim, changed: Change): Promise<readonly RunEvent[] | null> =>
    change(claim, changed, ` AND ${RUN_GOES_ON}`);
  /** Gives a step back: also when its run has ended, so that it does not seem to be under way. */
  const free = (claim: Claim, changed: Change): Promise<readonly RunEvent[] | null> => change(claim, changed, '');

  return {
    complete: (claim, result) =>
      end(claim, {
        set: `status = 'completed', ended_at = ?, owner = NULL, lease_until = NULL, reason = NULL, code = NULL`,
        values: [runtime.now()],
        events: completedEvents(claim, result),
        spent: result,
      }),
    skip: (claim, code, reason) => {
      const { stepId, agentId } = claim;
      return end(claim, {
        set: `status = 'skipped', ended_at = ?, owner = NULL, lease_until = NULL, code = ?, reason = ?`,
        values: [runtime.now(), code, reason],
        events: [{ type: 'step_skipped', stepId, agentId, code, reason }],
      });
    },
    fail: (claim, failure) => {
      const { code, reason, retryAt } = failure;
      const events = [failedEvent(claim, failure)];
      if (retryAt !== null) return free(claim, { set: FREE, values: [retryAt, code, reason], events, spent: failure });
      const set = `status = 'failed', ended_at = ?, owner = NULL, lease_until = NULL, not_before = NULL, code = ?, reason = ?`;
      return end(claim, { set, values: [runtime.now(), code, reason], events, spent: failure });
    },
    reset: (claim, reason) => {
      const { stepId, agentId } = claim;
      return free(claim, {
        set: `status = 'waiting', owner = NULL, lease_until = NULL, not_before = NULL, started_at = NULL, code = NULL, reason = NULL`,
        values: [],
        events: [{ type: 'step_reset', stepId, agentId, reason }],
      });
    },
  };
}

const NOTHING: Spent = { provider: '' };
