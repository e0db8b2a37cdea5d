import { InvalidInputError } from '../../errors.ts';
import type { MemoryEntry } from '../entry.ts';
import type { SearchResult } from './answer.ts';
import { shorten } from './snippet.ts';

/** Characters that make about one token. */
const CHARACTERS_A_TOKEN = 4;
/** What a result may have more when it is shown: five times as text instead of milliseconds. */
const SHOWN_CHARACTERS = 65;
/** Lengths that text values are shortened to, one after the other, before values are left out. */
const VALUE_CHARACTERS = [4_000, 1_000, 400];
const SHORTEST_SNIPPET = 40;

/** Without a value that has more than so many characters, or with its beginning if it is text. */
function cut(result: SearchResult & MemoryEntry, characters: number): SearchResult {
  const { value, ...head } = result;
  if (typeof value === 'string') return { ...head, value: shorten(value, characters) };
  return JSON.stringify(value).length <= characters ? result : head;
}

/** A result with as much of its snippet as there is room for; `undefined` when 40 characters are too many. */
function withShorterSnippet(result: SearchResult, fits: (results: readonly SearchResult[]) => boolean): SearchResult | undefined {
  let longest: SearchResult | undefined;
  let low = SHORTEST_SNIPPET;
  let high = Math.max(low, result.snippet.length);
  while (low <= high) {
    const room = (low + high) >> 1;
    const shorter = { ...result, snippet: shorten(result.snippet, room) };
    if (fits([shorter])) {
      longest = shorter;
      low = room + 1;
    } else high = room - 1;
  }
  return longest;
}

export interface Budget {
  readonly maxTokens: number | undefined;
  /** Characters of the answer besides its results when it has so many of them. */
  readonly frame: (count: number) => number;
}

/**
 * The results that fit into `maxTokens`: with their values, else with values cut or left out, else fewer of them, else
 * one with a short snippet. Throws `InvalidInputError` naming what is needed when not even that fits.
 */
export function withinTokens(
  results: readonly (SearchResult & MemoryEntry)[],
  { maxTokens, frame }: Budget,
): { readonly results: readonly SearchResult[]; readonly shortened: boolean } {
  if (maxTokens === undefined) return { results, shortened: false };
  const tokens = (some: readonly SearchResult[]): number =>
    Math.ceil((JSON.stringify(some).length + some.length * SHOWN_CHARACTERS + frame(some.length)) / CHARACTERS_A_TOKEN);
  const fits = (some: readonly SearchResult[]): boolean => tokens(some) <= maxTokens;
  if (fits(results)) return { results, shortened: false };
  for (const characters of VALUE_CHARACTERS) {
    const shorter = results.map((result) => cut(result, characters));
    if (fits(shorter)) return { results: shorter, shortened: true };
  }
  const bare = results.map(({ value: _value, ...head }): SearchResult => head);
  for (let count = bare.length; count > 0; count -= 1) {
    const kept = bare.slice(0, count);
    if (fits(kept)) return { results: kept, shortened: true };
  }
  const [first] = bare;
  const shortest = first === undefined ? [] : [{ ...first, snippet: shorten(first.snippet, SHORTEST_SNIPPET) }];
  const shorter = first === undefined ? undefined : withShorterSnippet(first, fits);
  if (shorter !== undefined) return { results: [shorter], shortened: true };
  const needed = tokens(shortest);
  throw new InvalidInputError(
    `maxTokens is ${maxTokens}; ${first === undefined ? 'the answer' : 'its next result'} needs ${needed}`,
    {
      hint: `Pass at least ${needed}, or leave maxTokens out.`,
      details: { parameter: 'maxTokens', minimum: needed },
    },
  );
}
