import type { Passage } from './passages.ts';

type Worded = Pick<Passage, 'terms'>;

/** What {@link meanSimilarities} works with: kept, since new buffers take longer than what is done in them. */
const scratch = {
  /** By term, how many of a sample have it, and who was marked with it last; all 0 between two calls. */
  frequencies: new Uint8Array(4096),
  marks: new Uint8Array(4096),
  /** The different terms of each entry of a sample, one entry after the other, and what each weighs. */
  terms: new Int32Array(4096),
  weights: new Float64Array(4096),
};

function largestOf(terms: Int32Array): number {
  let largest = 0;
  for (let index = 0; index < terms.length; index += 1) largest = Math.max(largest, terms[index] ?? 0);
  return largest;
}

function makeRoom(sample: readonly Worded[]): void {
  const largest = sample.reduce((most, { terms }) => Math.max(most, largestOf(terms)), 0);
  if (largest >= scratch.marks.length) {
    scratch.frequencies = new Uint8Array(2 * largest);
    scratch.marks = new Uint8Array(2 * largest);
  }
  const count = sample.reduce((sum, { terms }) => sum + terms.length, 0);
  if (count > scratch.terms.length) {
    scratch.terms = new Int32Array(count);
    scratch.weights = new Float64Array(count);
  }
}

/** Writes the different terms of an entry from a place on, counts and marks them; returns where they end. */
function countTerms({ terms: all }: Worded, mark: number, from: number): number {
  const { terms, marks, frequencies } = scratch;
  let size = from;
  for (let index = 0; index < all.length; index += 1) {
    const term = all[index] ?? -1;
    if (term < 0 || marks[term] === mark) continue;
    marks[term] = mark;
    frequencies[term] = (frequencies[term] ?? 0) + 1;
    terms[size] = term;
    size += 1;
  }
  return size;
}

/** Weighs the terms between two places by how few of the sample have them; returns the length of the vector. */
function weighTerms(from: number, to: number, byFrequency: Float64Array): number {
  const { terms, weights, frequencies } = scratch;
  let sum = 0;
  for (let index = from; index < to; index += 1) {
    const weight = byFrequency[frequencies[terms[index] ?? 0] ?? 0] ?? 0;
    weights[index] = weight;
    sum += weight;
  }
  return Math.sqrt(sum);
}

function mark(from: number, to: number, value: 0 | 1): void {
  const { terms, marks } = scratch;
  for (let index = from; index < to; index += 1) marks[terms[index] ?? 0] = value;
}

/** What the terms between two places have in common with those that are marked. */
function common(from: number, to: number): number {
  const { terms, weights, marks } = scratch;
  let sum = 0;
  for (let index = from; index < to; index += 1) if (marks[terms[index] ?? 0] === 1) sum += weights[index] ?? 0;
  return sum;
}

/** What is where in {@link scratch}: the terms of an entry. */
interface Span {
  readonly from: number;
  readonly to: number;
  readonly norm: number;
}

function weighSample(sample: readonly Worded[]): readonly Span[] {
  makeRoom(sample);
  const ends: number[] = [];
  for (const [index, passage] of sample.entries()) ends.push(countTerms(passage, index + 1, ends.at(-1) ?? 0));
  const byFrequency = Float64Array.from(
    { length: sample.length + 1 },
    (_, count) => Math.log(1 + (sample.length - count + 0.5) / (count + 0.5)) ** 2,
  );
  const spans = ends.map((to, index) => {
    const from = ends[index - 1] ?? 0;
    return { from, to, norm: weighTerms(from, to, byFrequency) };
  });
  const { terms, frequencies } = scratch;
  const count = ends.at(-1) ?? 0;
  for (let index = 0; index < count; index += 1) frequencies[terms[index] ?? 0] = 0;
  mark(0, count, 0);
  return spans;
}

/** How much entries so far apart have in common, for each distance: the mean cosine of their weighed words. */
export function meanSimilarities(sample: readonly Worded[], distances: readonly number[]): readonly number[] {
  const spans = weighSample(sample);
  const sums = distances.map(() => 0);
  for (const [index, one] of spans.entries()) {
    mark(one.from, one.to, 1);
    for (let at = 0; at < distances.length; at += 1) {
      const other = spans[index + (distances[at] ?? 0)];
      const norm = one.norm * (other?.norm ?? 0);
      if (other !== undefined && norm > 0) sums[at] = (sums[at] ?? 0) + common(other.from, other.to) / norm;
    }
    mark(one.from, one.to, 0);
  }
  return sums.map((sum, at) => sum / Math.max(1, sample.length - (distances[at] ?? 0)));
}
