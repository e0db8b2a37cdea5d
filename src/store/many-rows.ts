import type { Queries, Row, SqlValue } from './database.ts';

/**
 * Rows of one statement. Fewer statements are less work for indexes and fewer round trips to a server; of a few fixed sizes,
 * few texts are prepared.
 */
const CHUNK_SIZES = [64, 32, 16, 8, 4, 2, 1] as const;

/** The largest of the fixed sizes that is not above a number of rows, which is 1 at least. */
export function chunkSize(rows: number): number {
  return CHUNK_SIZES.find((size) => size <= rows) ?? 1;
}

/** The statement around the placeholders of its rows: `(?, ?), (?, ?)`. A constant: its texts are kept. */
export type RowStatement = (placeholders: string) => string;

/** `(?, ?), (?, ?)` for two rows of two columns. */
export function placeholders(rows: number, columns: number): string {
  const row = `(${Array.from({ length: columns }, () => '?').join(', ')})`;
  return Array.from({ length: rows }, () => row).join(', ');
}

const texts = new Map<RowStatement, Map<number, string>>();

/** The text of a statement for so many rows; made once. */
function textFor(statement: RowStatement, rows: number, columns: number): string {
  const known = texts.get(statement) ?? new Map<number, string>();
  texts.set(statement, known);
  const text = known.get(rows) ?? statement(placeholders(rows, columns));
  known.set(rows, text);
  return text;
}

/** @param run runs a statement for `count` rows */
async function inChunks(
  statement: RowStatement,
  rows: readonly (readonly SqlValue[])[],
  run: (sql: string, params: readonly SqlValue[], count: number) => Promise<void>,
): Promise<void> {
  const columns = rows[0]?.length ?? 0;
  for (let at = 0; at < rows.length;) {
    const size = chunkSize(rows.length - at);
    await run(textFor(statement, size, columns), rows.slice(at, at + size).flat(), size);
    at += size;
  }
}

/** @returns the rows that a statement returned for many rows */
export async function allRows(
  queries: Queries,
  statement: RowStatement,
  rows: readonly (readonly SqlValue[])[],
): Promise<readonly Row[]> {
  const found: Row[] = [];
  await inChunks(statement, rows, async (sql, params) => {
    found.push(...(await queries.all(sql, params)));
  });
  return found;
}

/**
 * Inserts rows. SQLite numbers the rows of a statement one after the other, and a transaction that writes is alone, so the
 * ids of rows follow from the last one.
 * @returns the rowid of each row, where the table has such; without meaning else
 */
export async function insertRows(
  queries: Queries,
  statement: RowStatement,
  rows: readonly (readonly SqlValue[])[],
): Promise<readonly number[]> {
  const ids: number[] = [];
  await inChunks(statement, rows, async (sql, params, count) => {
    const { lastId } = await queries.run(sql, params);
    for (let at = 1; at <= count; at += 1) ids.push(lastId - count + at);
  });
  return ids;
}
