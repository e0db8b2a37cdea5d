import type { Queries, SqlValue } from '../store/database.ts';

/** Rows of one statement; few sizes, so that few statements are prepared. */
const CHUNK_SIZES = [64, 8, 1] as const;

/**
 * Inserts rows, many in a statement. SQLite numbers the rows of a statement one after the other, and a transaction that
 * writes is alone, so the ids of rows follow from the last one.
 * @param columns `table (a, b)`
 * @returns the rowid of each row, where the table has such; without meaning else
 */
export async function insertRows(
  queries: Queries,
  columns: string,
  rows: readonly (readonly SqlValue[])[],
): Promise<readonly number[]> {
  const ids: number[] = [];
  for (const size of CHUNK_SIZES) {
    for (; rows.length - ids.length >= size;) {
      const chunk = rows.slice(ids.length, ids.length + size);
      const row = `(${(chunk[0] ?? []).map(() => '?').join(', ')})`;
      const sql = `INSERT INTO ${columns} VALUES ${chunk.map(() => row).join(', ')}`;
      const { lastId } = await queries.run(sql, chunk.flat());
      for (let at = 1; at <= size; at += 1) ids.push(lastId - size + at);
    }
  }
  return ids;
}
