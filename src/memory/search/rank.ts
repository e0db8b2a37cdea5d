import type { Passage } from './passages.ts';
import { idf, type Statistics } from './statistics.ts';
import { WINDOWS, type Beside, type SequenceKind } from './sequences.ts';

/** A stem and how much it counts. */
export interface QueryTerm {
  /** Number in the vocabulary. */
  readonly term: number;
  readonly weight: number;
  /** Entries that have it. */
  readonly frequency: number;
}

/** Saturation of repeated words, and how much long entries are held back, of BM25 (Robertson and Zaragoza 2009). */
const K1 = 1.2;
const B = 0.5;
/** Turns of a talk and notes are short by chance, not by focus. */
const B_SHORT = 0.2;

/** The passages that compete for one question, and what they are to each other. */
export interface Pool {
  readonly passages: readonly Passage[];
  /** For each passage: those that lend it their words, and how much of them counts. */
  readonly lenders: readonly (readonly Lender[])[];
  /** Turns of a talk, which may answer without a word of the question. */
  readonly talk: readonly boolean[];
  /** Of a sequence of short texts. */
  readonly short: readonly boolean[];
}

export interface Lender {
  /** Index in the pool. */
  readonly from: number;
  readonly weight: number;
}

export function kindOf(passage: Passage, kinds: ReadonlyMap<string, SequenceKind>): SequenceKind {
  return passage.sequence === null ? 'none' : (kinds.get(passage.sequence) ?? 'none');
}

/** Puts a pool together: an entry lends its words to those that stand beside it, as far as the window of its sequence reaches. */
export function createPool(
  passages: readonly Passage[],
  beside: readonly Beside[],
  kinds: ReadonlyMap<string, SequenceKind>,
): Pool {
  const indexOf = new Map(passages.map((passage, index) => [passage.id, index]));
  const weights = passages.map(() => new Map<number, number>());
  const lend = (from: number, to: number, weight: number | undefined): void => {
    const source = indexOf.get(from);
    const target = indexOf.get(to);
    if (source !== undefined && target !== undefined && weight !== undefined) weights[target]?.set(source, weight);
  };
  for (const { id, before, after } of beside) {
    const passage = passages[indexOf.get(id) ?? -1];
    if (passage === undefined) continue;
    const window = WINDOWS[kindOf(passage, kinds)];
    for (const [distance, other] of before.entries()) {
      lend(other, id, window.before[distance]);
      lend(id, other, window.after[distance]);
    }
    for (const [distance, other] of after.entries()) {
      lend(other, id, window.after[distance]);
      lend(id, other, window.before[distance]);
    }
  }
  return {
    passages,
    lenders: weights.map((lenders) => [...lenders].map(([from, weight]) => ({ from, weight }))),
    talk: passages.map((passage) => kindOf(passage, kinds) === 'talk'),
    short: passages.map((passage) => ['talk', 'topics'].includes(kindOf(passage, kinds))),
  };
}

/** Row + 1 by term while scores are computed, else 0; kept since it is as long as the vocabulary. */
let rowOf = new Int16Array(4096);

/** BM25 of each term (rows) in each passage (columns) by its own words, for a term of weight 1. */
export function ownScores(pool: Pool, terms: readonly QueryTerm[], statistics: Statistics): readonly Float64Array[] {
  const largest = terms.reduce((most, { term }) => Math.max(most, term), 0);
  if (largest >= rowOf.length) rowOf = new Int16Array(2 * largest + 1);
  for (const [row, { term }] of terms.entries()) rowOf[term] = row + 1;
  const counts = new Uint16Array(terms.length);
  const found = new Uint16Array(terms.length);
  const scores = terms.map(() => new Float64Array(pool.passages.length));
  const rarity = terms.map(({ frequency }) => idf(frequency, statistics));
  for (const [column, passage] of pool.passages.entries()) {
    const b = pool.short[column] === true ? B_SHORT : B;
    const norm = K1 * (1 - b + (b * passage.length) / statistics.averageWords);
    const own = passage.terms;
    let different = 0;
    for (let index = 0; index < own.length; index += 1) {
      const term = own[index] ?? -1;
      const row = term < 0 ? -1 : (rowOf[term] ?? 0) - 1;
      if (row < 0) continue;
      if (counts[row] === 0) found[different++] = row;
      counts[row] = (counts[row] ?? 0) + 1;
    }
    for (let index = 0; index < different; index += 1) {
      const row = found[index] ?? 0;
      const target = scores[row];
      const count = counts[row] ?? 0;
      if (target !== undefined) target[column] = ((rarity[row] ?? 0) * count * (K1 + 1)) / (count + norm);
      counts[row] = 0;
    }
  }
  for (const { term } of terms) rowOf[term] = 0;
  return scores;
}

const NOTHING_LENT = { gain: 0, from: -1 } as const;

/**
 * What each passage gains from those beside it, for each term: a word that stands there counts as a weaker occurrence
 * here, unless it occurs here as strongly.
 */
export function lentScore(pool: Pool, own: Float64Array, column: number): { readonly gain: number; readonly from: number } {
  const lenders = pool.lenders[column];
  if (lenders === undefined || lenders.length === 0) return NOTHING_LENT;
  const mine = own[column] ?? 0;
  let best = mine;
  let source = -1;
  for (const { from, weight } of lenders) {
    const lent = weight * (own[from] ?? 0);
    if (lent > best) {
      best = lent;
      source = from;
    }
  }
  return { gain: best - mine, from: source };
}

/** Distance in telling words beyond which two words have nothing to do with each other. */
const NEAR = 4;
const NEARNESS_WEIGHT = 0.3;

function nearest(terms: Int32Array, a: number, b: number): number {
  let lastA = -Infinity;
  let lastB = -Infinity;
  let best = Infinity;
  for (let index = 0; index < terms.length; index += 1) {
    if (terms[index] === a) {
      lastA = index;
      best = Math.min(best, index - lastB);
    } else if (terms[index] === b) {
      lastB = index;
      best = Math.min(best, index - lastA);
    }
  }
  return best;
}

/** Two words that stand together in the question. */
export interface Pair {
  readonly a: QueryTerm;
  readonly b: QueryTerm;
  /** Their rows among the scores. */
  readonly rows: readonly [number, number];
}

/**
 * What a passage gains from words that stand together in the question and here.
 * @param scores of {@link ownScores}: words that it has not got need not be looked for
 */
export function nearness(
  { passages }: Pool,
  column: number,
  pairs: readonly Pair[],
  scores: readonly Float64Array[],
  statistics: Statistics,
): number {
  let gain = 0;
  for (const { a, b, rows } of pairs) {
    const terms = passages[column]?.terms;
    if (terms === undefined || !scores[rows[0]]?.[column] || !scores[rows[1]]?.[column]) continue;
    const distance = nearest(terms, a.term, b.term);
    if (distance <= NEAR) gain += (NEARNESS_WEIGHT * idf(Math.max(a.frequency, b.frequency), statistics)) / distance;
  }
  return gain;
}
