import type { Queries } from '../../store/database.ts';
import type { Passage } from './passages.ts';
import { expressionOf } from './question.ts';
import type { QueryTerm } from './rank.ts';
import type { Statistics } from './statistics.ts';
import type { Vocabulary } from './vocabulary.ts';
import type { WordCounts } from './word-counts.ts';

/** How much is learnt from the best results. */
interface Learning {
  readonly passages: number;
  /** The share of the question's own words in the new question. */
  readonly keep: number;
}

const FROM_TEXTS: Learning = { passages: 10, keep: 0.5 };
/** Turns of a talk and notes are too short to be trusted with more. */
const FROM_SHORT: Learning = { passages: 5, keep: 0.85 };
const NEW_TERMS = 20;
/** Words whose frequency is looked up to find the new ones. */
const CONSIDERED = 30;
/** Words that more entries have than this share tell nothing of the topic. */
const MAX_SHARE = 0.1;

export interface Learnt {
  /** Weights of the question's own terms and of the new ones, in the scale of the question's counts. */
  readonly terms: readonly QueryTerm[];
  /** The share of the question itself in the weight of its terms. */
  readonly keep: number;
}

function totals(best: readonly { readonly passage: Passage; readonly score: number }[]): Map<number, number> {
  const sum = best.reduce((total, { score }) => total + score, 0);
  const weights = new Map<number, number>();
  for (const { passage, score } of best) {
    const words = passage.terms.subarray(0, passage.own);
    for (const term of words) weights.set(term, (weights.get(term) ?? 0) + score / sum / words.length);
  }
  return weights;
}

/**
 * Adds to a question the words that its best results have in common: relevance model 3 (Abdul-Jaleel et al. 2004).
 * @param ranked passages by their own words, best first, scores above 0
 */
export async function learn(
  queries: Queries,
  question: readonly QueryTerm[],
  ranked: readonly { readonly passage: Passage; readonly score: number; readonly short: boolean }[],
  deps: { readonly vocabulary: Vocabulary; readonly counts: WordCounts; readonly statistics: Statistics },
): Promise<Learnt> {
  const { vocabulary, statistics } = deps;
  const short = ranked.slice(0, FROM_SHORT.passages).filter(({ short }) => short).length;
  const { passages, keep } = short > FROM_SHORT.passages / 2 ? FROM_SHORT : FROM_TEXTS;
  const limit = Math.floor(statistics.entries * MAX_SHARE);
  const asked = new Map(question.map((term) => [term.term, term]));
  const weights = totals(ranked.slice(0, passages));
  const considered = [...weights].sort((a, b) => b[1] - a[1] || a[0] - b[0]).slice(0, CONSIDERED);
  const unknown = considered.filter(([term]) => !asked.has(term));
  const expressions = unknown.map(([term]) => expressionOf(vocabulary.stem(term), vocabulary.word(term)));
  const counts = limit < 2 ? [] : await deps.counts.of(queries, statistics, expressions, limit + 1);
  const frequencyOf = new Map(unknown.map(([term], index) => [term, counts[index] ?? 0]));
  const chosen = considered
    .filter(([term]) => {
      const frequency = frequencyOf.get(term);
      return frequency === undefined || (frequency >= 2 && frequency <= limit);
    })
    .slice(0, NEW_TERMS);
  if (!chosen.some(([term]) => !asked.has(term))) return { terms: question, keep: 1 };
  const size = question.reduce((sum, { weight }) => sum + weight, 0);
  const learnt = chosen.reduce((sum, [, weight]) => sum + weight, 0);
  const added = new Map(chosen.map(([term, weight]) => [term, ((1 - keep) * size * weight) / learnt]));
  const own = question.map((term) => ({ ...term, weight: keep * term.weight + (added.get(term.term) ?? 0) }));
  const others = chosen
    .filter(([term]) => !asked.has(term))
    .map(([term]) => ({ term, weight: added.get(term) ?? 0, frequency: frequencyOf.get(term) ?? 0 }));
  return { terms: [...own, ...others], keep };
}
