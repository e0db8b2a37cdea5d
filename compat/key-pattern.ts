import * as z from 'zod';
import type { CallResult } from '../src/executor/executor.ts';
import type { CallTool, LegacyBody, LegacyCall } from '../src/legacy/row.ts';
import { memoryListOutput } from '../src/tools/memory-entries.ts';
import { memorySearchOutput } from '../src/tools/memory-search.ts';

type Found = z.output<typeof memorySearchOutput>;
type Listed = z.output<typeof memoryListOutput>;

/** UTF-8 bytes of a key. */
const MAX_KEY_BYTES = 512;
/** Results of one search. */
const MOST_FOUND = 100;
const DEFAULT_LIMIT = 10;

const page = z.object({ limit: z.number().default(DEFAULT_LIMIT), offset: z.number().default(0) });

/** Whether a text may be a pattern of keys, as `auth*`; a question that ends with `?` may be one too. */
export function isPattern(text: string): boolean {
  return /[*?]/.test(text) && !/[\0\p{Surrogate}]/u.test(text) && Buffer.byteLength(text) <= MAX_KEY_BYTES;
}

/** Whether a key is like a pattern in which `*` is any text and `?` any character. */
function isLike(key: string, pattern: string): boolean {
  const [letters, wanted] = [Array.from(key), Array.from(pattern)];
  let [at, next] = [0, 0];
  /** Where the last `*` was, and how far its text went. */
  let [star, starEnd] = [-1, 0];
  while (at < letters.length) {
    if (wanted[next] === '*') {
      [star, starEnd] = [next, at];
      next += 1;
    } else if (wanted[next] === '?' || wanted[next] === letters[at]) {
      at += 1;
      next += 1;
    } else if (star === -1) {
      return false;
    } else {
      starEnd += 1;
      [at, next] = [starEnd, star + 1];
    }
  }
  return wanted.slice(next).every((letter) => letter === '*');
}

/** Entries whose keys are like the pattern, as results of a search. */
function asResults({ entries }: Listed): Found['results'] {
  return entries.map(({ preview, ...entry }) => ({ ...entry, score: 1, snippet: preview, matched: ['the key is like it'] }));
}

/** The words that were looked for after the keys; `null` when there is none in the pattern. */
function joined(pattern: string, listed: Listed, words: Found | null, total: number): Found {
  const others = words?.results.filter(({ key }) => !isLike(key, pattern)) ?? [];
  return {
    query: pattern,
    namespace: listed.namespace,
    results: [...asResults(listed), ...others],
    total,
    totalIsExact: words?.totalIsExact ?? true,
    offset: listed.offset,
    cursor: null,
    shortened: false,
    matchedBy: words?.matchedBy ?? 'substring',
    vectors: words?.vectors ?? 'off',
  };
}

/** Searches for the words of the pattern; `offset` counts from the first of them. */
async function askForWords(
  call: CallTool,
  pattern: string,
  input: LegacyBody,
  listed: Listed,
  { limit, offset }: { readonly limit: number; readonly offset: number },
): Promise<CallResult> {
  const left = Math.min(MOST_FOUND, limit) - listed.entries.length;
  const answer = await call('memory_search', { ...input, limit: Math.max(1, left), offset });
  if (!answer.ok) return answer;
  const found = memorySearchOutput.parse(answer.output);
  const words = left > 0 ? found : { ...found, results: [] };
  if (words.total === 0 || listed.total === 0) {
    return { ok: true, output: joined(pattern, listed, words, listed.total + words.total) };
  }
  // Those that are found by both count once.
  const both = await call('memory_search', { ...input, keys: pattern, limit: 1, offset: 0, values: false });
  if (!both.ok) return both;
  const total = listed.total + words.total - memorySearchOutput.parse(both.output).total;
  return { ok: true, output: joined(pattern, listed, words, total) };
}

/**
 * Looks for a pattern as 2.7's callers write it: first the entries whose keys are like it, by key, then those that have
 * its words, best first. Results of words whose keys were told before are left out, so a page may be shorter than asked.
 */
export function askForPattern(pattern: string, input: LegacyBody): NonNullable<LegacyCall['ask']> {
  return async (call) => {
    const { query: _query, ...filter } = input;
    const answer = await call('memory_list', { ...filter, limit: input['limit'] ?? DEFAULT_LIMIT, keys: pattern });
    if (!answer.ok) return answer;
    const listed = memoryListOutput.parse(answer.output);
    if (!/[\p{L}\p{N}]/u.test(pattern)) return { ok: true, output: joined(pattern, listed, null, listed.total) };
    const { limit, offset } = page.parse(input);
    return askForWords(call, pattern, input, listed, { limit, offset: Math.max(0, offset - listed.total) });
  };
}
