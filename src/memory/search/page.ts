import type { Queries } from '../../store/database.ts';
import { textBytes, textOrNull } from '../../store/row.ts';
import { ENTRY_COLUMNS, toStoredEntry, type MemoryEntry, type StoredEntry } from '../entry.ts';
import type { Explanation, SearchResult } from './answer.ts';
import type { SearchScope } from './filter.ts';
import { scoreOf, type Fused } from './fusion.ts';
import { inParts, type Sized } from './in-parts.ts';
import type { Inquiry } from './ranking.ts';
import { around, snippetOf } from './snippet.ts';
import type { Vocabulary } from './vocabulary.ts';

/** One line of an answer before its entry was read. */
export interface Line extends Sized {
  readonly score: number;
  readonly matched: readonly string[];
  readonly explanation?: Explanation;
}

function rounded(value: number): number {
  return Math.round(value * 10_000) / 10_000;
}

function explanationOf({ words, similarity, score }: Fused, full: number): Explanation {
  if (words === null && similarity === null) return { words: rounded(score) };
  const parts = words?.parts;
  const factor = words?.factor ?? 1;
  let sum = 0;
  let before = 0;
  const share = (part: number): number => {
    sum += factor * part;
    const score = scoreOf(sum, full);
    const gained = score - before;
    before = score;
    return rounded(gained);
  };
  const own = share(parts?.words ?? 0);
  const neighbours = share(parts?.neighbours ?? 0);
  const feedback = share(parts?.feedback ?? 0);
  const links = share(parts?.links ?? 0);
  return {
    ...(own > 0 && { words: own }),
    ...(neighbours > 0 && { neighbours }),
    ...(feedback > 0 && { feedback }),
    ...(similarity !== null && { vector: rounded(similarity) }),
    ...(links > 0 && { links }),
  };
}

const MAX_WORDS_SHOWN = 8;

/** What a result is here for. */
function reasons({ passage, words, similarity }: Fused, { terms, reader }: Inquiry, semantic: boolean): readonly string[] {
  const found = terms
    .filter(({ stem, word }) => passage.terms.includes(reader.vocabulary.ofStem(stem, word)))
    .map((term) => term.word);
  const reached: string[] = found.length === 0 ? [] : [found.slice(0, MAX_WORDS_SHOWN).join(', ')];
  if (words !== null && words.nextTo !== null) reached.push(`next to ${words.nextTo.key}`);
  if (words !== null && words.reached !== null) {
    const { from, by } = words.reached;
    reached.push(by === 'link' ? `linked from ${from.key}` : `shares a name with ${from.key}`);
  }
  if (similarity !== null) reached.push(`vector ${similarity.toFixed(2)} (${semantic ? 'semantic' : 'lexical'})`);
  if (reached.length > 0) return reached;
  return [words !== null && words.parts.feedback > words.parts.words ? 'words of the best results' : 'words of the question'];
}

export function toLine(
  fused: Fused,
  deps: { readonly inquiry: Inquiry; readonly full: number; readonly semantic: boolean; readonly explain: boolean },
): Line {
  return {
    id: fused.passage.id,
    bytes: fused.passage.bytes,
    score: rounded(fused.score),
    matched: reasons(fused, deps.inquiry, deps.semantic),
    ...(deps.explain && { explanation: explanationOf(fused, deps.full) }),
  };
}

/** What a snippet shows: most of the question's words by their weights, or a text as it stands. */
export type Shown =
  | { readonly vocabulary: Vocabulary; readonly weights: ReadonlyMap<number, number> }
  | { readonly text: string };

/** Reads the entries of a page; one that is no longer in scope is left out. */
export async function readPage(
  queries: Queries,
  lines: readonly Line[],
  shown: Shown,
  scope: SearchScope,
): Promise<readonly (SearchResult & MemoryEntry)[]> {
  const read = new Map<number, StoredEntry & { readonly words: string | null }>();
  for (const part of inParts(lines)) {
    const rows = await queries.all(
      `SELECT ${ENTRY_COLUMNS}, ${textBytes('words')} AS words FROM memory_entry m
      WHERE ${scope.sql} AND m.id IN (SELECT wanted.value FROM json_each(?) wanted)`,
      [...scope.params, JSON.stringify(part.map((line) => line.id))],
    );
    for (const row of rows) {
      const stored = toStoredEntry(row);
      read.set(stored.entry.id, { ...stored, words: textOrNull(row, 'words') });
    }
  }
  return lines.flatMap(({ id, score, matched, explanation }) => {
    const found = read.get(id);
    if (found === undefined) return [];
    const { entry } = found;
    const text = found.words ?? found.text;
    const snippet = 'text' in shown ? around(text, shown.text) : snippetOf(text, shown.vocabulary, shown.weights);
    return [{ ...entry, score, snippet, matched, ...(explanation !== undefined && { explanation }) }];
  });
}
