import type { Queries } from '../../store/database.ts';
import type { VectorAnswer } from '../vector/vector-search.ts';
import type { SearchScope } from './filter.ts';
import type { Passage, Reader } from './passages.ts';
import { total, type Ranked } from './ranking.ts';

/**
 * The weight of vectors that see meaning beside words, in a sum of both scores (a convex combination, Bruch et al. 2023):
 * what averaged word vectors (GloVe-like, 100 dimensions, a weak model) gained most with on the collections that search
 * was tuned on without making any of them worse than FTS5's own ranking; 0.2 did. The score of words is not brought to 1,
 * so vectors decide where words say little. Vectors that only see letters rank worse than words on every collection, so
 * they are asked only when no word was found.
 */
const SEMANTIC_WEIGHT = 0.1;

/** Entries that vectors rank beside those that words found; those further away come after all of them. */
export const NEAREST = 100;

/** One result with its score, 0 to 1. */
export interface Fused {
  readonly passage: Passage;
  readonly score: number;
  /** `null` when only vectors found it, and when it was not ranked closely. */
  readonly words: Ranked | null;
  /** Cosine; `null` when vectors did not find it. */
  readonly similarity: number | null;
}

/** Brings a total to 0..1 so that an entry of average length with each word of the question once has about 0.78. */
export function scoreOf(sum: number, full: number): number {
  return full === 0 ? 0 : 1 - Math.exp((-1.5 * sum) / full);
}

/** Results of words alone. */
export function wordsOnly(ranked: readonly Ranked[], full: number): readonly Fused[] {
  return ranked.map((words) => ({ passage: words.passage, score: scoreOf(total(words), full), words, similarity: null }));
}

/** @param places of entries among what vectors found: equals keep that order, which is the same however many were asked for */
const byScore = (places: ReadonlyMap<number, number>) => (a: Fused, b: Fused) => {
  const [placeA, placeB] = [places.get(a.passage.id) ?? Infinity, places.get(b.passage.id) ?? Infinity];
  if (b.score !== a.score) return b.score - a.score;
  if (placeA !== placeB) return placeA - placeB;
  return b.passage.updatedAt - a.passage.updatedAt || b.passage.id - a.passage.id;
};

/** Results of words and vectors together; vectors that only see letters count only when words found nothing. */
export async function fuse(
  queries: Queries,
  byWords: readonly Fused[],
  vectors: VectorAnswer,
  reader: Reader,
  scope: SearchScope,
): Promise<readonly Fused[]> {
  if (vectors.hits.length === 0 || (!vectors.semantic && byWords.length > 0)) return byWords;
  const similarities = new Map(vectors.hits.map(({ entryId, similarity }) => [entryId, similarity]));
  const inOrder = byScore(new Map(vectors.hits.map(({ entryId }, place) => [entryId, place])));
  const known = new Set(byWords.map(({ passage }) => passage.id));
  const unknown = [...similarities.keys()].filter((id) => !known.has(id));
  const passages = await reader.read(queries, unknown, scope);
  const added = [...passages.values()].map((passage): Fused => ({ passage, score: 0, words: null, similarity: null }));
  const all = [...byWords, ...added].map((one) => ({ ...one, similarity: similarities.get(one.passage.id) ?? null }));
  if (byWords.length === 0) return all.map((one) => ({ ...one, score: Math.max(0, one.similarity ?? 0) })).sort(inOrder);
  // Of the same ones on every page, so that the pages fit together.
  const found = vectors.hits.slice(0, NEAREST).map(({ similarity }) => similarity);
  const lowest = Math.min(...found);
  const range = Math.max(...found) - lowest || 1;
  return all
    .map((one) => {
      const near = one.similarity === null ? 0 : Math.max(0, one.similarity - lowest) / range;
      return { ...one, score: (1 - SEMANTIC_WEIGHT) * one.score + SEMANTIC_WEIGHT * near };
    })
    .sort(inOrder);
}
