import type { Database, SqlValue } from '../../store/database.ts';
import { bytesOnly, numberOf, numberOnly, numberOrNull } from '../../store/row.ts';
import { indexDamaged } from '../../store/sqlite-failure.ts';

/** What BM25 needs to know of all entries together. */
export interface Statistics {
  /** Entries in the full-text index. */
  readonly entries: number;
  /** Words of an average entry, with its key and tags; at least 1. */
  readonly averageWords: number;
  /** No entry has a higher id. */
  readonly newest: number;
  /** Entries up to this id are in the full-text index; later ones are pending. Grows; changes without {@link revision}. */
  readonly folded: number;
  /** Grows with every change of any entry. */
  readonly revision: number;
  /** Whether any entry is linked with another. */
  readonly linked: boolean;
}

/** Unsigned numbers of 7 bits a byte, most significant first, the last byte without its top bit (sqlite.org/fileformat.html). */
function varints(bytes: Uint8Array): readonly number[] {
  const numbers: number[] = [];
  let value = 0;
  for (const byte of bytes) {
    value = value * 128 + (byte & 127);
    if (byte < 128) {
      numbers.push(value);
      value = 0;
    }
  }
  return numbers;
}

/**
 * FTS5 keeps the number of rows and of words in each column in the record 1 of its data (sqlite/ext/fts5/fts5_index.c).
 * Errors: `DatabaseDamagedError` when it is not known what is in the index.
 */
export async function readStatistics(db: Database): Promise<Statistics> {
  const row = await db.get(
    `SELECT (SELECT ${bytesOnly('block')} FROM memory_fts_data WHERE id = 1) AS averages, coalesce((SELECT max(seq) FROM chg), 0) AS revision,
      coalesce((SELECT max(id) FROM memory_entry), 0) AS newest, (SELECT ${numberOnly('entry_id')} FROM memory_fts_folded) AS folded,
      EXISTS (SELECT 1 FROM memory_link) AS linked`,
  );
  const folded = numberOrNull(row ?? {}, 'folded');
  if (folded === null) throw indexDamaged(db.path, 'memory_fts_folded does not say what is indexed');
  const averages: SqlValue = row?.['averages'] ?? null;
  const [entries = 0, ...words] = averages instanceof Uint8Array ? varints(averages) : [];
  const total = words.reduce((sum, count) => sum + count, 0);
  return {
    entries,
    averageWords: Math.max(1, total / Math.max(1, entries)),
    newest: numberOf(row ?? {}, 'newest'),
    folded,
    revision: numberOf(row ?? {}, 'revision'),
    linked: row?.['linked'] === 1,
  };
}

/** Weight of a word that so many of all entries have; never negative. */
export function idf(frequency: number, { entries }: Statistics): number {
  return Math.log(1 + (Math.max(0, entries - frequency) + 0.5) / (frequency + 0.5));
}
