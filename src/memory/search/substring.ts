import type { Queries } from '../../store/database.ts';
import { numberOf } from '../../store/row.ts';
import type { Scope } from '../scope.ts';
import { BYTES, type Sized } from './in-parts.ts';

/** The entries that have a text exactly as it is in value, key or tags. */
export interface SubstringMatches {
  /** Written first last; one more than asked for when there are more. */
  readonly entries: readonly Sized[];
  /** Counted up to the limit. */
  readonly total: number;
}

/** Finds a text, which may be empty: then everything in scope. */
export async function findSubstring(
  queries: Queries,
  text: string,
  scope: Scope,
  page: { readonly limit: number; readonly offset: number; readonly before: number | undefined; readonly countUpTo: number },
): Promise<SubstringMatches> {
  const needles = text === '' ? [] : [text, text, text];
  const holds = '(instr(coalesce(m.words, m.value), ?) > 0 OR instr(m.key, ?) > 0 OR instr(m.tags, ?) > 0) AND ';
  const hits = `FROM memory_entry m WHERE ${text === '' ? '' : holds}${scope.sql}`;
  const params = [...needles, ...scope.params];
  const count = await queries.get(`SELECT count(*) AS total FROM (SELECT 1 ${hits} LIMIT ?)`, [...params, page.countUpTo]);
  // By id, which no write changes, so that pages neither repeat nor lose anything.
  const rows = await queries.all(`SELECT m.id, ${BYTES} AS bytes ${hits} AND m.id < ? ORDER BY m.id DESC LIMIT ? OFFSET ?`, [
    ...params,
    page.before ?? Number.MAX_SAFE_INTEGER,
    page.limit + 1,
    page.offset,
  ]);
  return {
    entries: rows.map((row) => ({ id: numberOf(row, 'id'), bytes: numberOf(row, 'bytes') })),
    total: numberOf(count ?? {}, 'total'),
  };
}
