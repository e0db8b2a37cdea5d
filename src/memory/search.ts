import type { Database, Row, SqlValue } from '../store/database.ts';
import { numberOf, textOf } from '../store/row.ts';
import { parseTags } from './entry.ts';
import { checkName, checkRange } from './limits.ts';
import { parseQuery } from './query.ts';
import { decodeValue, type JsonValue } from './value.ts';

export interface SearchInput {
  /** Plain language, at most 4,096 bytes; no character has a special meaning. */
  readonly query: string;
  /** Default: all. */
  readonly namespace?: string | undefined;
  /** 1 to 100; default 10. */
  readonly limit?: number | undefined;
  /** Results skipped; default 0. */
  readonly offset?: number | undefined;
}

export interface SearchResult {
  readonly namespace: string;
  readonly key: string;
  readonly value: JsonValue;
  /** Higher is better; comparable within one answer only. 0 for substrings, which are not ranked. */
  readonly score: number;
  /** The part that matches, as plain text of at most 300 characters. */
  readonly snippet: string;
  readonly tags: readonly string[];
  readonly updatedAt: number;
}

export interface SearchAnswer {
  /** Best first; substrings: newest first. Empty when nothing matches. */
  readonly results: readonly SearchResult[];
  /** Matches without `limit` and `offset`. */
  readonly total: number;
  /**
   * `words`: any word of the query, in any of its forms, ranked by BM25. `substring`: the query exactly as it is, used when
   * it has no word (only emoji, only punctuation), and when words outside ASCII found nothing, since scripts without
   * spaces are indexed a whole run at a time.
   */
  readonly matchedBy: 'words' | 'substring';
}

const SNIPPET_WORDS = 24;
const SNIPPET_CHARACTERS = 300;
/** Characters shown before a substring. */
const LEAD = 80;

const VISIBLE = '(m.expires_at IS NULL OR m.expires_at > ?)';
const COLUMNS = 'm.namespace, m.key, m.value, m.format, m.tags, m.updated_at';

interface Scope {
  /** SQL after `AND`. */
  readonly where: string;
  readonly params: readonly SqlValue[];
  readonly limit: number;
  readonly offset: number;
}

function shorten(text: string): string {
  const characters = Array.from(text.slice(0, 2 * SNIPPET_CHARACTERS + 2));
  return characters.length <= SNIPPET_CHARACTERS ? text : `${characters.slice(0, SNIPPET_CHARACTERS - 1).join('')}…`;
}

/** The surroundings of the first place where `needle` stands; the start of the text when it stands elsewhere. */
function around(text: string, needle: string): string {
  const found = text.indexOf(needle);
  if (found <= LEAD) return shorten(text);
  const start = found - LEAD;
  const splitsPair = /^[\uDC00-\uDFFF]/.test(text.slice(start, start + 1));
  return shorten(`…${text.slice(splitsPair ? start + 1 : start)}`);
}

function toResult(row: Row, score: number, snippet: string): SearchResult {
  return {
    namespace: textOf(row, 'namespace'),
    key: textOf(row, 'key'),
    value: decodeValue(textOf(row, 'format'), textOf(row, 'value')),
    score,
    snippet,
    tags: parseTags(textOf(row, 'tags')),
    updatedAt: numberOf(row, 'updated_at'),
  };
}

async function byWords(db: Database, match: string, { where, params, limit, offset }: Scope): Promise<SearchAnswer> {
  const hits = `FROM memory_fts JOIN memory_entry m ON m.id = memory_fts.rowid WHERE memory_fts MATCH ? AND ${where}`;
  const count = await db.get(`SELECT count(*) AS total ${hits}`, [match, ...params]);
  const total = numberOf(count ?? {}, 'total');
  if (total === 0) return { results: [], total, matchedBy: 'words' };
  // Snippets are made for the page alone: making one reads the whole entry again.
  const rows = await db.all(
    `WITH page AS MATERIALIZED (SELECT m.id, -bm25(memory_fts) AS score ${hits} ORDER BY score DESC, m.id LIMIT ? OFFSET ?)
    SELECT ${COLUMNS}, page.score, (
      SELECT snippet(memory_fts, -1, '', '', '…', ${SNIPPET_WORDS}) FROM memory_fts WHERE memory_fts MATCH ? AND rowid = page.id
    ) AS snippet FROM page JOIN memory_entry m ON m.id = page.id ORDER BY page.score DESC, m.id`,
    [match, ...params, limit, offset, match],
  );
  const results = rows.map((row) => toResult(row, numberOf(row, 'score'), shorten(textOf(row, 'snippet'))));
  return { results, total, matchedBy: 'words' };
}

async function bySubstring(db: Database, text: string, { where, params, limit, offset }: Scope): Promise<SearchAnswer> {
  const hits = `FROM memory_entry m WHERE
    (instr(coalesce(m.words, m.value), ?) > 0 OR instr(m.key, ?) > 0 OR instr(m.tags, ?) > 0) AND ${where}`;
  const needles = [text, text, text];
  const count = await db.get(`SELECT count(*) AS total ${hits}`, [...needles, ...params]);
  const rows = await db.all(
    `SELECT ${COLUMNS}, coalesce(m.words, m.value) AS words ${hits} ORDER BY m.updated_at DESC, m.id LIMIT ? OFFSET ?`,
    [...needles, ...params, limit, offset],
  );
  const results = rows.map((row) => toResult(row, 0, around(textOf(row, 'words'), text)));
  return { results, total: numberOf(count ?? {}, 'total'), matchedBy: 'substring' };
}

/** Finds the entries visible at `now` (ms). Errors: `InvalidInputError` naming the parameter, before the database is opened. */
export async function searchEntries(open: () => Promise<Database>, input: SearchInput, now: number): Promise<SearchAnswer> {
  const { query, namespace, limit = 10, offset = 0 } = input;
  const { text, match, foreign } = parseQuery(query);
  checkRange('limit', limit, 1, 100);
  checkRange('offset', offset, 0, Number.MAX_SAFE_INTEGER);
  if (namespace !== undefined) checkName('namespace', namespace);
  const scope: Scope = {
    where: namespace === undefined ? VISIBLE : `${VISIBLE} AND m.namespace = ?`,
    params: namespace === undefined ? [now] : [now, namespace],
    limit,
    offset,
  };
  const db = await open();
  if (match === undefined) return bySubstring(db, text, scope);
  const answer = await byWords(db, match, scope);
  return answer.total === 0 && foreign ? bySubstring(db, text, scope) : answer;
}
