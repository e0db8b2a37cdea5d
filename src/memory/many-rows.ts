import type { Queries, Row, SqlValue } from '../store/database.ts';

/** Rows of one statement at most. Fewer statements are less work for the index, and fewer round trips to a server. */
const CHUNK_SIZES = [64, 8, 1] as const;

/** The statement around the placeholders of its rows: `(?, ?), (?, ?)`. */
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

/**
 * Runs one statement for many rows, in chunks of a few fixed sizes, so that few statements are prepared.
 * @param statement a constant function; its texts are kept
 * @returns the rows that the statements returned
 */
export async function allRows(
  queries: Queries,
  statement: RowStatement,
  rows: readonly (readonly SqlValue[])[],
): Promise<readonly Row[]> {
  const [only] = rows;
  if (only === undefined) return [];
  if (rows.length === 1) return queries.all(textFor(statement, 1, only.length), only);
  const found: Row[] = [];
  let at = 0;
  for (const size of CHUNK_SIZES) {
    for (; rows.length - at >= size; at += size) {
      found.push(...(await queries.all(textFor(statement, size, only.length), rows.slice(at, at + size).flat())));
    }
  }
  return found;
}
