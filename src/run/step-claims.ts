import { NotFoundError } from '../errors.ts';
import type { EventBody } from '../events.ts';
import type { Queries, Row } from '../store/database.ts';
import { numberColumns, numberOf, numberOrNull, textColumns, textOf, textOrNull } from '../store/row.ts';
import { hasRoom } from './claim-room.ts';
import { LEASE_MS } from './lease.ts';
import type { Claim, ClaimRequest, RunFlags, RunLog, RunLogDeps } from './run-log.ts';
import { poolPart, poolReached, readPool } from './swarm-pool.ts';
import type { PoolPart } from './swarm-pool.ts';
import { isDrivenElsewhere, ownerIsGone } from './who-drives.ts';

const STEP = `SELECT ${textColumns(['status', 'owner'])}, ${numberColumns(['attempt', 'epoch', 'lease_until', 'not_before', 'started_at'])}
  FROM step WHERE run_id = ? AND id = ?`;
const FLAGS = `SELECT ${textColumns(['status', 'waiting', 'swarm_id'])}, ${numberColumns(['cancel_asked_at'])} FROM run WHERE id = ?`;

const CALLED = `SELECT 1 AS one FROM event WHERE run_id = ? AND type = 'call_started'
  AND json_extract(body, '$.stepId') = ? AND json_extract(body, '$.epoch') = ? LIMIT 1`;

/** Whether the attempt of an epoch has sent a call that costs money. */
async function hasCalled(queries: Queries, runId: string, stepId: string, epoch: number): Promise<boolean> {
  return (await queries.get(CALLED, [runId, stepId, epoch])) !== undefined;
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
    swarmId: textOrNull(row, 'swarm_id'),
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
  /** The step's row, and its part of the swarm's pool, where it may be taken now. */
  const freeStep = async (
    queries: Queries,
    { runId, step, ...room }: ClaimRequest,
  ): Promise<{ readonly row: Row; readonly part: PoolPart | null } | undefined> => {
    const flags = await flagsOf(queries, runId);
    const row = await queries.get(STEP, [runId, step.id]);
    if (row === undefined || !goesOn(flags) || !isFree(row)) return undefined;
    const place = { runId, agentId: step.agentId, now: runtime.now() };
    if (!(await hasRoom(queries, place, room))) return undefined;
    const pool = await readPool(queries, { runId, swarmId: flags.swarmId }, place.now);
    if (pool === null) return { row, part: null };
    if (poolReached(pool) !== null) return undefined;
    if (room.sharers === undefined) return { row, part: null };
    const part = poolPart(pool, room.sharers);
    return part === null ? undefined : { row, part };
  };

  return {
    claim: async (request) => {
      const { runId, step, owner, provider, leaseMs } = request;
      let claim: Claim | undefined;
      let pool: PoolPart | null = null;
      const bodies: EventBody[] = [];
      const events = await journal.append(runId, bodies, async (queries) => {
        bodies.length = 0;
        claim = undefined;
        const free = await freeStep(queries, request);
        if (free === undefined) return;
        const { row, part } = free;
        const [now, isRunning] = [runtime.now(), textOf(row, 'status') === 'running'];
        const [epoch, attempt] = [numberOf(row, 'epoch') + 1, numberOf(row, 'attempt') + 1];
        await queries.run(
          `UPDATE step SET status = 'running', owner = ?, epoch = ?, attempt = ?, lease_until = ?, started_at = ?, ended_at = NULL
           WHERE run_id = ? AND id = ?`,
          [owner, epoch, attempt, now + leaseMs, now, runId, step.id],
        );
        const ref = { stepId: step.id, agentId: step.agentId };
        const inFlight = isRunning && (await hasCalled(queries, runId, step.id, epoch - 1));
        const twice = inFlight ? { possiblyBilledTwice: true as const } : {};
        const held = part === null ? {} : { pool: part };
        bodies.push({ type: 'step_started', ...ref, attempt, epoch, owner, provider, ...twice, ...held });
        claim = { runId, ...ref, owner, epoch, attempt };
        pool = part;
      });
      return claim === undefined ? null : { claim, events, pool };
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
