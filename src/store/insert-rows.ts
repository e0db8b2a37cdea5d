import type { Queries, SqlValue } from './database.ts';

/** Rows of one statement: any few rows are one statement, and few texts are prepared all the same. */
const CHUNK_SIZES = [64, 32, 16, 8, 7, 6, 5, 4, 3, 2, 1] as const;

const statements = new Map<string, ReadonlyMap<number, string>>();

/** The texts for a table, one for each size; made once. */
function statementsFor(columns: string, width: number): ReadonlyMap<number, string> {
  const known = statements.get(columns);
  if (known !== undefined) return known;
  const row = `(${Array.from({ length: width }, () => '?').join(', ')})`;
  const made = new Map(
    CHUNK_SIZES.map((size) => {
      const rows = Array.from({ length: size }, () => row).join(', ');
      return [size, `INSERT INTO ${columns} VALUES ${rows}`];
    }),
  );
  statements.set(columns, made);
  return made;
}

/**
 * Inserts rows, many in a statement. SQLite numbers the rows of a statement one after the other, and a transaction that
 * writes is alone, so the ids of rows follow from the last one.
 * @param columns `table (a, b)`, a constant: its statements are kept
 * @returns the rowid of each row, where the table has such; without meaning else
 */
export async function insertRows(
  queries: Queries,
  columns: string,
  rows: readonly (readonly SqlValue[])[],
): Promise<readonly number[]> {
  const ids: number[] = [];
  const [first] = rows;
  if (first === undefined) return ids;
  const texts = statementsFor(columns, first.length);
  for (const size of CHUNK_SIZES) {
    for (; rows.length - ids.length >= size;) {
      const { lastId } = await queries.run(texts.get(size) ?? '', rows.slice(ids.length, ids.length + size).flat());
      for (let at = 1; at <= size; at += 1) ids.push(lastId - size + at);
    }
  }
  return ids;
}
