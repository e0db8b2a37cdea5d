import type { Place } from './cursor.ts';
import type { Fused } from './fusion.ts';
import type { Head } from './head.ts';
import type { Inquiry } from './ranking.ts';
import { readTail, tailScore, type Tail } from './tail.ts';
import type { Weighed } from './weights.ts';

/** Results of one page, in order. */
export interface Paged {
  readonly results: readonly Fused[];
  readonly more: boolean;
  /** Where one is after so many of the results, at least 1. */
  readonly placeAfter: (shown: number) => Place;
}

interface Wanted {
  readonly offset: number;
  readonly limit: number;
  readonly minScore: number;
}

interface TailResults {
  readonly results: readonly Fused[];
  readonly places: readonly Weighed[];
}

/** Up to `count` results of the tail. */
async function tailResults(
  inquiry: Inquiry,
  tail: Tail,
  after: Weighed | null,
  { minScore, count }: { readonly minScore: number; readonly count: number },
): Promise<TailResults> {
  const read = await readTail(inquiry, inquiry.question, tail, { after, count });
  const good = read.filter(({ weight }) => tailScore(tail, weight) >= minScore);
  const passages = await inquiry.reader.load(
    inquiry.queries,
    good.map(({ id }) => id),
  );
  const places = good.filter(({ id }) => passages.has(id));
  const results = places.flatMap(({ id, weight }): readonly Fused[] => {
    const passage = passages.get(id);
    return passage === undefined ? [] : [{ passage, score: tailScore(tail, weight), words: null, similarity: null }];
  });
  return { results, places };
}

async function inTail(
  inquiry: Inquiry,
  { tail, after }: Extract<Place, { at: 'tail' }>,
  { limit, minScore }: Wanted,
): Promise<Paged> {
  const { results, places } = await tailResults(inquiry, tail, after, { minScore, count: limit + 1 });
  return {
    results: results.slice(0, limit),
    more: results.length > limit,
    placeAfter: (shown) => ({ at: 'tail', tail, after: places[shown - 1] ?? after }),
  };
}

/**
 * One page: what is in the head and was not given yet, then the tail. Since the head is known by its entries, and the
 * order of the tail is frozen, no write in between makes a page repeat or lose another entry.
 */
export async function turnPage(inquiry: Inquiry, head: Head, place: Place | null, wanted: Wanted): Promise<Paged> {
  if (place?.at === 'tail') return inTail(inquiry, place, wanted);
  const { offset, limit, minScore } = wanted;
  const given = place?.at === 'head' ? place.given : [];
  const newest = place?.at === 'head' ? place.newest : inquiry.statistics.newest;
  const known = new Set(given);
  const results = head.results.filter(
    ({ passage, score }) => score >= minScore && passage.id <= newest && !known.has(passage.id),
  );
  const end = offset + limit;
  const tail = head.tail === null ? null : { ...head.tail, newest, head: [...new Set([...given, ...head.tail.head])] };
  const missing = end + 1 - results.length;
  const none: TailResults = { results: [], places: [] };
  const rest =
    tail === null || missing <= 0 || tail.top < minScore
      ? none
      : await tailResults(inquiry, tail, null, { minScore, count: missing });
  const all = [...results, ...rest.results];
  return {
    results: all.slice(offset, end),
    more: all.length > end,
    placeAfter: (shown) => {
      const after = rest.places[offset + shown - results.length - 1];
      if (tail !== null && after !== undefined) return { at: 'tail', tail, after };
      return { at: 'head', newest, given: [...given, ...results.slice(0, offset + shown).map(({ passage }) => passage.id)] };
    },
  };
}
