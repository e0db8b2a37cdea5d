import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { meanSimilarities } from '../../../src/memory/search/cohesion.ts';

// Terms beyond the buffers that there are at first, too; -1 separates parts of an entry.
const term = fc.oneof(fc.integer({ min: -1, max: 12 }), fc.integer({ min: 4_000, max: 20_000 }));
const entry = fc.array(term, { maxLength: 200 }).map((terms) => ({ terms: Int32Array.from(terms) }));

/** The cosine of two entries' words, each weighed by the logarithm of how few have it. */
function expected(sets: readonly ReadonlySet<number>[], a: number, b: number): number {
  const weight = (wanted: number): number => {
    const count = sets.filter((set) => set.has(wanted)).length;
    return Math.log(1 + (sets.length - count + 0.5) / (count + 0.5)) ** 2;
  };
  const sum = (terms: readonly number[]): number => terms.reduce((total, one) => total + weight(one), 0);
  const [mine, other] = [[...(sets[a] ?? [])], [...(sets[b] ?? [])]];
  const norm = Math.sqrt(sum(mine)) * Math.sqrt(sum(other));
  return norm === 0 ? 0 : sum(mine.filter((one) => sets[b]?.has(one))) / norm;
}

test('the mean cosine of entries so far apart, whatever was compared before', () => {
  fc.assert(
    fc.property(
      fc.array(entry, { minLength: 1, maxLength: 64 }),
      fc.array(fc.integer({ min: 1, max: 30 })),
      (sample, distances) => {
        const sets = sample.map(({ terms }) => new Set(terms.filter((one) => one >= 0)));
        for (const [at, mean] of meanSimilarities(sample, distances).entries()) {
          const distance = distances[at] ?? 0;
          const pairs = sample.flatMap((_, index) =>
            index + distance < sample.length ? [expected(sets, index, index + distance)] : [],
          );
          expect(mean).toBeCloseTo(pairs.reduce((sum, one) => sum + one, 0) / Math.max(1, pairs.length), 9);
        }
      },
    ),
    { seed: 42, numRuns: 40 },
  );
});

test('entries that say the same have all in common, others nothing', () => {
  const of = (...terms: readonly number[]): { readonly terms: Int32Array } => ({ terms: Int32Array.from(terms) });
  expect(meanSimilarities([of(1, 2, 2), of(2, 1), of(1, 2)], [1, 2])).toEqual([expect.closeTo(1), expect.closeTo(1)]);
  expect(meanSimilarities([of(1, 2), of(3), of(), of(5)], [1, 2, 9])).toEqual([0, 0, 0]);
});
