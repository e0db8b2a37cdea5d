import { countMatches, type Candidates } from './candidates.ts';
import type { Fused } from './fusion.ts';
import { HEAD, type Inquiry } from './ranking.ts';
import { createTail, readTail, tailScore, type Tail } from './tail.ts';

/** The results that are ranked closely. */
export interface Head {
  /** Best first. */
  readonly results: readonly Fused[];
  /** How many have a word of the question. */
  readonly matches: number;
  /** What comes after it; `null` when there are no more matches. */
  readonly tail: Tail | null;
}

/** Whether an ascending list has an id. */
function includes(ids: Uint32Array, id: number): boolean {
  let low = 0;
  let high = ids.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((ids[middle] ?? 0) < id) low = middle + 1;
    else high = middle;
  }
  return ids[low] === id;
}

/** Tells who has a word of the question, in any scope. */
function matcher({ best, lists, frequent }: Candidates, { reader }: Inquiry): (one: Fused) => boolean {
  const known = new Set(best.map(({ id }) => id));
  const terms = frequent.map(({ stem, word }) => reader.vocabulary.ofStem(stem, word));
  return ({ passage }) =>
    known.has(passage.id) ||
    lists.some(({ ids }) => includes(ids, passage.id)) ||
    terms.some((term) => passage.terms.includes(term));
}

/**
 * Tells the head from the tail. When there is a tail, what only stands beside a match, or is linked with it, must score
 * higher than the last match of the head: so scores only fall from the head to the tail.
 */
export function toHead(inquiry: Inquiry, candidates: Candidates, fused: readonly Fused[]): Head {
  const matches = matcher(candidates, inquiry);
  if (candidates.best.length < HEAD) {
    return { results: fused, matches: fused.filter(matches).length, tail: null };
  }
  const known = new Set(candidates.best.map(({ id }) => id));
  const top = fused.reduce((least, { passage, score }) => (known.has(passage.id) ? Math.min(least, score) : least), 1);
  const results = fused.filter(({ passage, score }) => known.has(passage.id) || score > top);
  const ids = results.map(({ passage }) => passage.id);
  return {
    results,
    matches: results.filter(matches).length,
    tail: createTail(inquiry.terms, inquiry.asked, { newest: inquiry.statistics.newest, head: ids, top }),
  };
}

/** Results with at least such a score, counted up to `limit`. */
export async function countResults(
  inquiry: Inquiry,
  candidates: Candidates,
  head: Head,
  { minScore, limit }: { readonly minScore: number; readonly limit: number },
): Promise<number> {
  const { tail, results, matches } = head;
  const good = results.filter(({ score }) => score >= minScore).length;
  if (minScore > 0) {
    if (tail === null || tail.top < minScore || good >= limit) return good;
    const rest = await readTail(inquiry, inquiry.question, tail, { after: null, count: limit - good });
    return good + rest.filter(({ weight }) => tailScore(tail, weight) >= minScore).length;
  }
  const others = results.length - matches;
  return Math.min(limit, others + Math.max(matches, await countMatches(inquiry, inquiry.terms, candidates, limit)));
}
