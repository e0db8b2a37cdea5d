import type { MemoryEntry } from '../entry.ts';
import type { SearchResult } from './answer.ts';
import { shorten } from './snippet.ts';

/** Characters that make about one token. */
const CHARACTERS_A_TOKEN = 4;
/** The rest of an answer, in tokens. */
const FRAME_TOKENS = 40;
/** Lengths that text values are shortened to, one after the other, before values are left out. */
const VALUE_CHARACTERS = [4_000, 1_000, 400];
const SHORTEST_SNIPPET = 40;

function tokens(results: readonly SearchResult[]): number {
  return Math.ceil(JSON.stringify(results).length / CHARACTERS_A_TOKEN) + FRAME_TOKENS;
}

/** Without a value that has more than so many characters, or with its beginning if it is text. */
function cut(result: SearchResult & MemoryEntry, characters: number): SearchResult {
  const { value, ...head } = result;
  if (typeof value === 'string') return { ...head, value: shorten(value, characters) };
  return JSON.stringify(value).length <= characters ? result : head;
}

/**
 * The results that fit into `maxTokens`: with their values, else with values cut or left out, else fewer of them. The
 * first one always comes, with as much of its snippet as there is room for.
 */
export function withinTokens(
  results: readonly (SearchResult & MemoryEntry)[],
  maxTokens: number | undefined,
): { readonly results: readonly SearchResult[]; readonly shortened: boolean } {
  if (maxTokens === undefined || tokens(results) <= maxTokens) return { results, shortened: false };
  for (const characters of VALUE_CHARACTERS) {
    const shorter = results.map((result) => cut(result, characters));
    if (tokens(shorter) <= maxTokens) return { results: shorter, shortened: true };
  }
  const bare = results.map(({ value: _value, ...head }): SearchResult => head);
  let count = bare.length;
  while (count > 1 && tokens(bare.slice(0, count)) > maxTokens) count -= 1;
  const kept = bare.slice(0, count);
  const [first] = kept;
  const excess = (tokens(kept) - maxTokens) * CHARACTERS_A_TOKEN;
  if (first === undefined || excess <= 0) return { results: kept, shortened: true };
  const room = Math.max(SHORTEST_SNIPPET, first.snippet.length - excess);
  return { results: [{ ...first, snippet: shorten(first.snippet, room) }], shortened: true };
}
