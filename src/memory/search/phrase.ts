import type { Queries, Row } from '../../store/database.ts';
import { numberOf, textBytes, textOf, textOrNull } from '../../store/row.ts';
import { parseTags } from '../entry.ts';
import { storable } from '../limits.ts';
import type { SearchScope } from './filter.ts';
import { BYTES, inParts } from './in-parts.ts';
import { quoted } from './question.ts';
import { wordsOf } from './stem.ts';

/** Entries with the words of a phrase that are looked at, the newest. */
const MAX_LOOKED_AT = 10_000;
/** Entries up to this size are read many at once. */
const SMALL_BYTES = 10_000;

/** Scripts that write a sentence without spaces: the index holds a whole run of theirs as one word. */
const WITHOUT_SPACES =
  /[\p{scx=Han}\p{scx=Hira}\p{scx=Kana}\p{scx=Bopo}\p{scx=Thai}\p{scx=Laoo}\p{scx=Khmr}\p{scx=Mymr}\p{scx=Tibt}]/u;
const LETTERS = /[\p{L}\p{M}]+/gu;

/** Whether what a phrase stands in need not have it as whole words. */
export function isWithinRuns(phrase: string): boolean {
  return (phrase.match(LETTERS) ?? []).some((letters) => WITHOUT_SPACES.test(letters));
}

/** Whether the words stand in the text one after the other, in the very form that was asked for. */
function has(text: string, phrase: readonly string[]): boolean {
  const words = wordsOf(text);
  for (let start = 0; start + phrase.length <= words.length; start += 1) {
    if (phrase.every((word, index) => words[start + index] === word)) return true;
  }
  return false;
}

/** The texts of the rows that came without. */
async function largeTexts(queries: Queries, rows: readonly Row[]): Promise<ReadonlyMap<number, string>> {
  const large = rows.filter((row) => row['text'] === null);
  const texts = new Map<number, string>();
  for (const part of inParts(large.map((row) => ({ id: numberOf(row, 'id'), bytes: numberOf(row, 'bytes') })))) {
    const read = await queries.all(
      `SELECT m.id, ${textBytes('coalesce(m.words, m.value)')} AS text FROM memory_entry m WHERE m.id IN (SELECT value FROM json_each(?))`,
      [JSON.stringify(part.map(({ id }) => id))],
    );
    for (const row of read) texts.set(numberOf(row, 'id'), textOf(row, 'text'));
  }
  return texts;
}

const AS_IT_IS = 'instr(coalesce(m.words, m.value), ?) > 0 OR instr(m.key, ?) > 0 OR instr(m.tags, ?) > 0';

/** The entries in scope, at most {@link MAX_LOOKED_AT}, that have the words of a phrase one after the other. */
async function withWords(queries: Queries, text: string, scope: SearchScope): Promise<readonly number[]> {
  const words = wordsOf(text);
  const found: number[] = [];
  const chunk = 100;
  for (let seen = 0, last = Number.MAX_SAFE_INTEGER; seen < MAX_LOOKED_AT; seen += chunk) {
    const rows = await queries.all(
      `SELECT m.id, ${textBytes('m.key')} AS key, ${textBytes('m.tags')} AS tags, ${BYTES} AS bytes,
        CASE WHEN ${BYTES} <= ${SMALL_BYTES} THEN ${textBytes('coalesce(m.words, m.value)')} END AS text
      FROM memory_fts CROSS JOIN memory_entry m ON m.id = memory_fts.rowid
      WHERE memory_fts MATCH ? AND memory_fts.rowid < ? AND ${scope.sql} ORDER BY memory_fts.rowid DESC LIMIT ?`,
      [quoted(text), last, ...scope.params, chunk],
    );
    const texts = await largeTexts(queries, rows);
    for (const row of rows) {
      last = numberOf(row, 'id');
      const parts = [texts.get(last) ?? textOrNull(row, 'text') ?? '', textOf(row, 'key'), ...parseTags(textOf(row, 'tags'))];
      if (parts.some((part) => has(part, words))) found.push(last);
    }
    if (rows.length < chunk) break;
  }
  return found;
}

/**
 * Narrows a scope to the entries that have a phrase in their value, their key or one of their tags. The index only tells
 * stems, so those that it finds are read. A phrase without a word is looked for as it is, and so is one in a script
 * without spaces, since the index does not tell what is within a run of it.
 */
export async function withPhrase(queries: Queries, phrase: string, scope: SearchScope): Promise<SearchScope> {
  const text = storable(phrase).trim();
  const exact = [text, text, text];
  if (wordsOf(text).length === 0) {
    return { sql: `${scope.sql} AND (${AS_IT_IS})`, params: [...scope.params, ...exact], name: null };
  }
  const found = JSON.stringify(await withWords(queries, text, scope));
  const among = 'm.id IN (SELECT value FROM json_each(?))';
  if (!isWithinRuns(text)) return { sql: `${scope.sql} AND ${among}`, params: [...scope.params, found], name: null };
  return { sql: `${scope.sql} AND (${among} OR ${AS_IT_IS})`, params: [...scope.params, found, ...exact], name: null };
}
