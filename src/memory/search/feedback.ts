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

interface Deps {
  readonly vocabulary: Vocabulary;
  readonly counts: WordCounts;
  readonly statistics: Statistics;
}

type Considered = readonly [term: number, weight: number];

/** The first of the considered words that tell something of the topic, and how many entries have the new ones. */
async function chooseTelling(
  queries: Queries,
  considered: readonly Considered[],
  asked: ReadonlyMap<number, QueryTerm>,
  { vocabulary, counts, statistics }: Deps,
): Promise<{ readonly chosen: readonly Considered[]; readonly frequencyOf: ReadonlyMap<number, number> }> {
  const limit = Math.floor(statistics.entries * MAX_SHARE);
  const frequencyOf = new Map<number, number>();
  const isTelling = ([term]: Considered): boolean => {
    const frequency = frequencyOf.get(term);
    return frequency === undefined ? asked.has(term) : frequency >= 2 && frequency <= limit;
  };
  // Most of the first are telling, so that few of the rest need be counted.
  let missing = limit < 2 ? 0 : NEW_TERMS;
  for (let first = 0; missing > 0 && first < considered.length;) {
    const next = considered.slice(first, first + missing);
    const unknown = next.filter(([term]) => !asked.has(term));
    const expressions = unknown.map(([term]) => expressionOf(vocabulary.stem(term), vocabulary.word(term)));
    const found = await counts.about(queries, statistics, expressions);
    for (const [index, [term]] of unknown.entries()) frequencyOf.set(term, found[index] ?? 0);
    first += next.length;
    missing -= next.filter(isTelling).length;
  }
  return { chosen: considered.filter(isTelling).slice(0, NEW_TERMS), frequencyOf };
}

/**
 * Adds to a question the words that its best results have in common: relevance model 3 (Abdul-Jaleel et al. 2004).
 * @param ranked passages by their own words, best first, scores above 0
 */
export async function learn(
  queries: Queries,
  question: readonly QueryTerm[],
  ranked: readonly { readonly passage: Passage; readonly score: number; readonly short: boolean }[],
  deps: Deps,
): Promise<Learnt> {
  const short = ranked.slice(0, FROM_SHORT.passages).filter(({ short }) => short).length;
  const { passages, keep } = short > FROM_SHORT.passages / 2 ? FROM_SHORT : FROM_TEXTS;
  const asked = new Map(question.map((term) => [term.term, term]));
  const weights = totals(ranked.slice(0, passages));
  const considered = [...weights].sort((a, b) => b[1] - a[1] || a[0] - b[0]).slice(0, CONSIDERED);
  const { chosen, frequencyOf } = await chooseTelling(queries, considered, asked, deps);
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
