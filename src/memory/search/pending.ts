import type { Runtime } from '../../runtime.ts';
import type { Database } from '../../store/database.ts';
import { numberOf } from '../../store/row.ts';
import { foldWithin, tryFold } from '../fold.ts';
import { readStatistics, type Statistics } from './statistics.ts';

/** Milliseconds that a search waits for its turn to write. */
const PATIENCE_MS = 2_000;

/** What a search begins with. */
export interface Searchable {
  readonly statistics: Statistics;
  /** How many entries are not searched by their words, and why; `null`: all are. */
  readonly unsearched: string | null;
}

/** Sees to it that a search finds all that was stored before it. */
export interface Pending {
  /**
   * Takes pending entries into the full-text index. Errors: those of the database; that it cannot be written to is none.
   */
  takeIn(db: Database): Promise<Searchable>;
}

async function pendingAfter(db: Database, id: number): Promise<string> {
  const row = await db.get('SELECT count(*) AS n FROM memory_entry WHERE id > ? AND deleted_at IS NULL', [id]);
  const count = numberOf(row ?? {}, 'n');
  if (count === 0) return '';
  return count === 1 ? '1 entry stored lately is' : `${count} entries stored lately are`;
}

export function createPending(runtime: Pick<Runtime, 'sleep'>): Pending {
  /** One at a time, also when nobody waits for it any more: each would wait for the same lock. */
  let underWay: { readonly db: Database; readonly folding: Promise<string | null> } | undefined;
  const folding = (db: Database): Promise<string | null> => {
    if (underWay?.db === db) return underWay.folding;
    const mine = {
      db,
      folding: tryFold(db).finally(() => {
        if (underWay === mine) underWay = undefined;
      }),
    };
    underWay = mine;
    return mine.folding;
  };
  return {
    takeIn: async (db) => {
      let statistics = await readStatistics(db);
      const wanted = statistics.newest; // what comes meanwhile may be left out
      let why: string | null = null;
      // Again when the folding that was under way had begun before this search.
      while (why === null && statistics.folded < Math.min(wanted, statistics.newest)) {
        why = await foldWithin(PATIENCE_MS, folding(db), db, runtime);
        statistics = await readStatistics(db);
      }
      const pending = why === null ? '' : await pendingAfter(db, statistics.folded);
      return { statistics, unsearched: pending === '' ? null : `${pending} not searched by words yet: ${why}` };
    },
  };
}
