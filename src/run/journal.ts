import type { Database, Queries } from '../store/database.ts';
import type { EventBody, RunEvent } from '../events.ts';
import type { Runtime } from '../runtime.ts';
import { numberColumns, numberOnly, numberOrNull, textColumns } from '../store/row.ts';
import { parseEvent } from './parse-event.ts';

/** The append-only record of runs. Whoever follows a run reads it from here, so an event is committed before anyone sees it. */
export interface Journal {
  /**
   * Appends events to a run, in order, in one transaction together with what `also` writes; `also` runs first, and may
   * still put events into `bodies`. Returns the events with their places.
   */
  append(runId: string, bodies: readonly EventBody[], also?: (queries: Queries) => Promise<void>): Promise<readonly RunEvent[]>;
  /** Events after `after` (0 = from the first), at most `limit`, in order; empty for an unknown run. */
  read(runId: string, options: { readonly after: number; readonly limit: number }): Promise<readonly RunEvent[]>;
}

export interface JournalDeps {
  readonly db: Database;
  readonly runtime: Runtime;
}

export function createJournal({ db, runtime }: JournalDeps): Journal {
  const insert = async (queries: Queries, runId: string, bodies: readonly EventBody[]): Promise<RunEvent[]> => {
    if (bodies.length === 0) return [];
    const last = await queries.get(`SELECT ${numberOnly('max(seq)')} AS seq FROM event WHERE run_id = ?`, [runId]);
    let seq = numberOrNull(last ?? {}, 'seq') ?? 0;
    const at = runtime.now();
    const events: RunEvent[] = [];
    for (const body of bodies) {
      seq += 1;
      const { type, ...rest } = body;
      await queries.run('INSERT INTO event(run_id, seq, type, at, body) VALUES (?, ?, ?, ?, ?)', [
        runId,
        seq,
        type,
        at,
        JSON.stringify(rest),
      ]);
      events.push({ ...body, runId, seq, at });
    }
    return events;
  };

  return {
    append: async (runId, bodies, also) => {
      return db.write(async (queries) => {
        await also?.(queries);
        return insert(queries, runId, bodies);
      });
    },
    read: async (runId, { after, limit }) => {
      const rows = await db.all(
        `SELECT ${textColumns(['run_id', 'type', 'body'])}, ${numberColumns(['seq', 'at'])} FROM event
        WHERE run_id = ? AND seq > ? ORDER BY event.seq LIMIT ?`,
        [runId, after, limit],
      );
      return rows.map(parseEvent);
    },
  };
}
