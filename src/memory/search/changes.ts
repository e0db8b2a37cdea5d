import type { Database, Queries } from '../../store/database.ts';
import { numberColumns, numberOf } from '../../store/row.ts';

/** Changes that are read one by one; after more of them all that was kept is forgotten. */
const MAX_READ = 2_000;

/** Tells what to forget of what was read before. */
export interface Changes {
  /**
   * The entries that changed since the last call, up to a revision (the last `seq` of the change log); `null` when that is
   * not known: at first, in another database, or when the log does not reach back.
   */
  since(db: Database, revision: number): Promise<readonly number[] | null>;
}

async function changed(queries: Queries, from: number, to: number): Promise<readonly number[] | null> {
  if (to < from || to - from > MAX_READ) return null;
  const rows = await queries.all(`SELECT ${numberColumns(['entry_id'])} FROM chg WHERE seq > ? AND seq <= ?`, [from, to]);
  // The log has no gaps, but its beginning is cut off from time to time.
  return rows.length === to - from ? rows.map((row) => numberOf(row, 'entry_id')) : null;
}

export function createChanges(): Changes {
  let last: { readonly db: Database; readonly revision: number } | undefined;
  return {
    since: async (db, revision) => {
      const known = last;
      if (known?.db === db && known.revision === revision) return [];
      const ids = known?.db === db ? await changed(db, known.revision, revision) : null;
      last = { db, revision };
      return ids;
    },
  };
}
