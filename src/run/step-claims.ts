import { NotFoundError } from '../errors.ts';
import type { EventBody } from '../events.ts';
import type { Queries, Row } from '../store/database.ts';
import { numberColumns, numberOf, numberOrNull, textColumns, textOf, textOrNull } from '../store/row.ts';
import { hasRoom } from './claim-room.ts';
import { LEASE_MS } from './lease.ts';
import type { Claim, ClaimRequest, RunFlags, RunLog, RunLogDeps } from './run-log.ts';
import { isDrivenElsewhere, ownerIsGone } from './who-drives.ts';

const STEP = `SELECT ${textColumns(['status', 'owner'])}, ${numberColumns(['attempt', 'epoch', 'lease_until', 'not_before', 'started_at'])}
  FROM step WHERE run_id = ? AND id = ?`;
const FLAGS = `SELECT ${textColumns(['status', 'waiting'])}, ${numberColumns(['cancel_asked_at'])} FROM run WHERE id = ?`;

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

const goesOn = ({ status, cancelAsked, waiting }: RunFlags): boolean =>
  status === 'running' && !cancelAsked && waiting !== 'budget' && waiting !== 'approval';

/** The part of a run's log that is about who has which step. */
export function createStepClaims({
  db,
  journal,
  runtime,
  leaseMs: heldMs = LEASE_MS,
}: RunLogDeps): Pick<RunLog, 'claim' | 'isFree' | 'renew'> {
  const isFree = (row: Row): boolean => {
    const [status, now] = [textOf(row, 'status'), runtime.now()];
    if (status === 'waiting') {
      // An attempt that was begun later than now tells that the clock was set back: its pause is not to last until then.
      return (numberOrNull(row, 'not_before') ?? 0) <= now || (numberOrNull(row, 'started_at') ?? 0) > now;
    }
    if (status !== 'running') return false;
    return (numberOrNull(row, 'lease_until') ?? 0) < now || ownerIsGone(textOrNull(row, 'owner') ?? '', runtime);
  };
  /** The step's row, where it may be taken now. */
  const freeStep = async (queries: Queries, { runId, step, ...room }: ClaimRequest): Promise<Row | undefined> => {
    const flags = await flagsOf(queries, runId);
    const row = await queries.get(STEP, [runId, step.id]);
    if (row === undefined || !goesOn(flags) || !isFree(row)) return undefined;
    const place = { runId, agentId: step.agentId, now: runtime.now() };
    return (await hasRoom(queries, place, room)) ? row : undefined;
  };

  return {
    claim: async (request) => {
      const { runId, step, owner, provider, paid, leaseMs } = request;
      let claim: Claim | undefined;
      const bodies: EventBody[] = [];
      const events = await journal.append(runId, bodies, async (queries) => {
        bodies.length = 0;
        claim = undefined;
        const row = await freeStep(queries, request);
        if (row === undefined) return;
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
        // Who drove it first stays on record, so that who joined does not seem to be alone.
        if (await isDrivenElsewhere(queries, runId, runtime)) return;
        await queries.run(
          `UPDATE run SET lease_until = ?, owner_pid = ?, owner_host = ? WHERE id = ? AND status = 'running' AND waiting IS NULL`,
          [until, runtime.pid, runtime.host, runId],
        );
      }),
  };
}
