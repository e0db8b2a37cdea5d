import type { VectorAnswer, VectorSearch } from '../vector/vector-search.ts';
import type { SearchInput } from './answer.ts';
import type { Place } from './cursor.ts';
import type { SearchScope } from './filter.ts';
import { NEAREST } from './fusion.ts';
import type { Question } from './question.ts';

/** Vectors to search besides words. */
export interface SearchedVectors {
  /** Whether near vectors mean near meanings. Those that do not are only asked when no word was found. */
  readonly semantic: boolean;
  readonly search: () => Promise<VectorSearch>;
}

interface Near extends VectorAnswer {
  /** Whether no other entry in the scope has a vector. */
  readonly isAll: boolean;
}

/** What page of the answer vectors are asked for. */
interface AskedPage {
  readonly input: SearchInput;
  readonly question: Question;
  readonly limit: number;
  readonly offset: number;
  readonly place: Place | null;
}

/** What vectors say that nobody asks. */
export const OFF: Near = { hits: [], note: 'off', semantic: false, isAll: true };

/** As many of the nearest as the page and one more need, so that a walk through the pages comes to every one. */
async function nearest(
  { input, question, limit, offset, place }: AskedPage,
  search: VectorSearch,
  scope: SearchScope,
): Promise<Near> {
  const text = question.text === '' ? (input.phrase ?? '') : question.text;
  const { signal } = new AbortController();
  if (place?.at !== 'head') {
    const count = Math.max(NEAREST, offset + limit + 1);
    const found = await search.nearest(text, count, scope, signal);
    return { ...found, isAll: found.hits.length < count };
  }
  const count = Math.max(NEAREST, place.given.length + limit + 1);
  // What was stored since the first page is no part of the walk, and must not take the place of what is.
  const within = { sql: `(${scope.sql}) AND m.id <= ?`, params: [...scope.params, place.newest] };
  const found = await search.nearest(text, count, within, signal);
  return { ...found, isAll: found.hits.length < count };
}

/** What vectors add to what words found. */
export async function askVectors(
  page: AskedPage,
  scope: SearchScope,
  found: boolean,
  vectors: SearchedVectors | undefined,
): Promise<Near> {
  if (vectors === undefined) return OFF;
  if (!vectors.semantic && found) return { ...OFF, note: 'not needed: words were found' };
  return nearest(page, await vectors.search(), scope);
}
