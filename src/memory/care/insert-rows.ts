import type { Queries, Row, SqlValue } from '../../store/database.ts';
import { placeholders } from '../many-rows.ts';

/** Rows of one statement. Fewer statements are fewer round trips to a remote server. */
const LARGEST_CHUNK = 64;

/**
 * Runs one statement for many rows, in chunks whose sizes are powers of two, so that few statements are prepared. Unlike
 * `allRows` it keeps nothing of the statement, which may be made for the call.
 * @param sql the statement around the given placeholders
 * @returns the rows that the statements returned
 */
export async function withRows(
  queries: Queries,
  rows: readonly (readonly SqlValue[])[],
  sql: (placeholders: string) => string,
): Promise<readonly Row[]> {
  const returned: Row[] = [];
  let size = LARGEST_CHUNK;
  for (let at = 0; at < rows.length;) {
    while (size > rows.length - at) size /= 2;
    const chunk = rows.slice(at, at + size);
    at += size;
    returned.push(...(await queries.all(sql(placeholders(size, chunk[0]?.length ?? 0)), chunk.flat())));
  }
  return returned;
}
