import type { Queries, Row } from '../store/database.ts';
import { VISIBLE } from './entry.ts';

/** A row of `memory_entry` that is there at a time (ms), with the named columns, or `undefined`. */
export async function visibleRow(
  queries: Queries,
  columns: string,
  name: readonly [namespace: string, key: string],
  now: number,
): Promise<Row | undefined> {
  return queries.get(`SELECT ${columns} FROM memory_entry WHERE namespace = ? AND key = ? AND ${VISIBLE}`, [...name, now]);
}
