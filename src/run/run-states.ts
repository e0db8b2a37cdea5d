import type { EventBody, RunEvent } from '../events.ts';
import type { Queries, SqlValue } from '../store/database.ts';
import { textColumns, textOf } from '../store/row.ts';
import { LEASE_MS } from './lease.ts';
import type { RunLog, RunLogDeps } from './run-log.ts';
import { isDrivenElsewhere, otherDriver } from './who-drives.ts';

const WAIT = `UPDATE run SET waiting = ?, owner_pid = NULL, owner_host = NULL, lease_until = NULL
  WHERE id = ? AND status = 'running' AND waiting IS NULL AND cancel_asked_at IS NULL`;
const WAKE = `UPDATE run SET status = 'running', waiting = NULL, ended_at = NULL, summary = NULL,
  lease_until = CASE WHEN ? THEN lease_until ELSE ? END, owner_pid = CASE WHEN ? THEN owner_pid ELSE ? END,
  owner_host = CASE WHEN ? THEN owner_host ELSE ? END, cancel_asked_at = CASE WHEN status = 'running' THEN cancel_asked_at END WHERE id = ? AND (status = 'running' OR ?)`;
const RESET = `UPDATE step SET status = 'waiting', owner = NULL, lease_until = NULL, not_before = NULL, started_at = NULL,
  ended_at = NULL, reason = NULL, code = NULL WHERE run_id = ? AND id = ?`;
const ASK_CANCEL = `UPDATE run SET cancel_asked_at = ? WHERE id = ? AND status = 'running'`;
const FINISH = `UPDATE run SET status = ?, waiting = NULL, ended_at = ?, summary = ? WHERE id = ? AND status = 'running'`;
const HAND_OVER = `UPDATE run SET owner_pid = ?, owner_host = ? WHERE id = ? AND owner_pid = ? AND owner_host = ? AND status = 'running'`;
const WAITING = `SELECT ${textColumns(['id', 'agent_id'])} FROM step WHERE run_id = ? AND status = 'waiting' ORDER BY rowid`;
const SKIP_WAITING = `UPDATE step SET status = 'skipped', ended_at = ?, not_before = NULL, code = ?, reason = ?
  WHERE run_id = ? AND status = 'waiting'`;
/** Of steps that ended because the run's time was over. */
export const TIMEOUT = 'timeout';
/** A step may have been given back, to be done again, since its run was found to be complete. */
const ALL_ENDED = ` AND NOT EXISTS (SELECT 1 FROM step WHERE step.run_id = run.id AND step.status IN ('waiting', 'running'))`;

/** The part of a run's log that is about the run as a whole: whether it goes on, waits, or has ended. */
export function createRunStates({
  db,
  journal,
  runtime,
  leaseMs = LEASE_MS,
}: RunLogDeps): Pick<RunLog, 'wait' | 'wake' | 'askCancel' | 'finish' | 'leave' | 'skipWaiting'> {
  /** Changes a run's state and writes the events of that; `null` when the state was another. */
  const change = async (
    runId: string,
    sql: string,
    values: readonly SqlValue[],
    events: readonly EventBody[],
    also?: (queries: Queries) => Promise<void>,
  ): Promise<readonly RunEvent[] | null> => {
    const bodies: EventBody[] = [];
    const appended = await journal.append(runId, bodies, async (queries) => {
      bodies.length = 0;
      if ((await queries.run(sql, values)).changes !== 1) return;
      await also?.(queries);
      bodies.push(...events);
    });
    return appended.length === 0 ? null : appended;
  };

  return {
    wait: (runId, waiting, events) => change(runId, WAIT, [waiting, runId], events),
    wake: async (runId, { owner, reset = [] } = {}) => {
      const { host, pid } = runtime;
      // Who drives it already stays on record.
      const joins = (await isDrivenElsewhere(db, runId, runtime)) ? 1 : 0;
      const events: readonly EventBody[] = [
        { type: 'run_resumed', owner: owner ?? `${host}/${pid}` },
        ...reset.map(({ id, agentId }): EventBody => {
          return { type: 'step_reset', stepId: id, agentId, reason: 'it is to be done again' };
        }),
      ];
      const driver = [joins, runtime.now() + leaseMs, joins, pid, joins, host];
      return change(runId, WAKE, [...driver, runId, reset.length], events, async (queries) => {
        for (const { id } of reset) await queries.run(RESET, [runId, id]);
      });
    },
    askCancel: (runId, reason) => change(runId, ASK_CANCEL, [runtime.now(), runId], [{ type: 'cancel_asked', reason }]),
    leave: async (runId, owner, summary, event) => {
      const bodies: EventBody[] = [];
      let goesOn = false;
      const events = await journal.append(runId, bodies, async (queries) => {
        bodies.length = 0;
        const other = await otherDriver(queries, runId, owner, runtime);
        goesOn = other !== null;
        if (other === null) {
          const values = ['cancelled', runtime.now(), JSON.stringify(summary), runId];
          if ((await queries.run(FINISH, values)).changes === 1) bodies.push(event);
          return;
        }
        await queries.run(HAND_OVER, [other.pid, other.host, runId, runtime.pid, runtime.host]);
        bodies.push({ type: 'run_left', owner });
      });
      return { goesOn, events };
    },
    skipWaiting: (runId, reason) => {
      const bodies: EventBody[] = [];
      return journal.append(runId, bodies, async (queries) => {
        bodies.length = 0;
        const steps = (await queries.all(WAITING, [runId])).map((row) => ({
          stepId: textOf(row, 'id'),
          agentId: textOf(row, 'agent_id'),
        }));
        if (steps.length === 0) return;
        await queries.run(SKIP_WAITING, [runtime.now(), TIMEOUT, reason, runId]);
        const message = `steps that were not done: ${reason}`;
        bodies.push(...steps.map((step): EventBody => ({ type: 'step_skipped', ...step, code: TIMEOUT, reason })), {
          type: 'note_added',
          stepId: null,
          agentId: null,
          note: { code: TIMEOUT, message, count: steps.length },
        });
      });
    },
    finish: (runId, status, summary, event, also) =>
      change(
        runId,
        status === 'completed' ? `${FINISH}${ALL_ENDED}` : FINISH,
        [status, runtime.now(), JSON.stringify(summary), runId],
        [event],
        also,
      ),
  };
}
