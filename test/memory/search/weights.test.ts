import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { differentIds, heaviest, type Weighed } from '../../../src/memory/search/weights.ts';

const list = fc.record({
  // Beyond one block of ids, too.
  ids: fc.uniqueArray(fc.oneof(fc.integer({ min: 1, max: 60 }), fc.integer({ min: 1, max: 4_000_000_000 })), { maxLength: 40 }),
  weight: fc.constantFrom(0.5, 1, 1.5, 2.25),
});
const lists = fc
  .array(list, { maxLength: 5 })
  .map((all) => all.map(({ ids, weight }) => ({ ids: Uint32Array.from(ids).sort(), weight })));

/** All ids with their weights, by the order that is promised. */
function inOrder(all: readonly { readonly ids: Uint32Array; readonly weight: number }[]): readonly Weighed[] {
  const sums = new Map<number, number>();
  for (const { ids, weight } of all) for (const id of ids) sums.set(id, (sums.get(id) ?? 0) + weight);
  return [...sums].map(([id, weight]) => ({ id, weight })).sort((a, b) => b.weight - a.weight || b.id - a.id);
}

test('the heaviest come in order, of equals the highest id first, and pages of them fit together', () => {
  fc.assert(
    fc.property(lists, fc.integer({ min: 1, max: 30 }), (all, count) => {
      const expected = inOrder(all);
      const walked: Weighed[] = [];
      for (let page = heaviest(all, count); page.length > 0; page = heaviest(all, count, walked.at(-1) ?? null)) {
        walked.push(...page);
      }
      expect(walked).toEqual(expected);
    }),
    { seed: 42 },
  );
});

test('different ids are each given once, as many as wanted', () => {
  fc.assert(
    fc.property(lists, fc.integer({ min: 1, max: 80 }), (all, most) => {
      const every = new Set(all.flatMap(({ ids }) => [...ids]));
      const found = [...differentIds(all, most)];
      expect(found.length).toBe(Math.min(most, every.size));
      expect(found).toEqual([...new Set(found)].filter((id) => every.has(id)));
      expect([...differentIds(all, Infinity)]).toEqual([...every].sort((a, b) => a - b));
    }),
    { seed: 42 },
  );
});
