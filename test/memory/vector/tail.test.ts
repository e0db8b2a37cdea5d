import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { createClosest } from '../../../src/memory/vector/closest.ts';
import { dotAt } from '../../../src/memory/vector/rows.ts';
import { createTail } from '../../../src/memory/vector/tail.ts';
import { clustered, toRows, unit, type Vector } from './space.ts';

function exactly(vectors: readonly Vector[], query: Vector, count: number, firstId = 1) {
  const closest = createClosest(count);
  for (const [at, vector] of vectors.entries()) closest.offer(firstId + at, dotAt(vector, 0, query));
  return closest.sorted();
}

test('it finds what an exact comparison finds, to the last digit', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 70 }),
      fc.integer({ min: 0, max: 90 }),
      fc.integer({ min: 1, max: 100 }),
      fc.constantFrom(0, 1e-7, 1e-5, 0.5),
      (dimensions, size, count, spread) => {
        const vectors = clustered(size, dimensions, size, 3, spread);
        const tail = createTail(dimensions);
        tail.append(toRows(vectors.slice(0, 30)));
        if (size > 30) tail.append(toRows(vectors.slice(30), 31));
        const [query = new Float32Array(dimensions)] = clustered(1, dimensions, size, 3, spread);
        expect(tail.size).toBe(size);
        const found = tail.nearest(query, count);
        expect(found.map(({ similarity }) => similarity)).toEqual(
          exactly(vectors, query, count).map(({ similarity }) => similarity),
        );
        // Of equal ones at the end any will do.
        for (const { id, similarity } of found) expect(dotAt(vectors[id - 1] ?? query, 0, query)).toBe(similarity);
        expect(new Set(found.map(({ id }) => id)).size).toBe(found.length);
      },
    ),
    { seed: 1, numRuns: 200 },
  );
});

test('more rows than are compared at once, some of them forgotten', () => {
  const vectors = clustered(9_000, 20, 1);
  const tail = createTail(20);
  tail.append(toRows(vectors));
  expect(tail.copy(50)).toEqual(toRows(vectors.slice(0, 50)));
  const query = vectors[8_500] ?? new Float32Array(20);
  expect(tail.nearest(query, 20)).toEqual(exactly(vectors, query, 20));
  tail.dropThrough(5_000);
  expect(tail.size).toBe(4_000);
  expect(tail.nearest(query, 20)).toEqual(exactly(vectors.slice(5_000), query, 20, 5_001));
  tail.append(toRows(vectors.slice(0, 10), 9_001));
  expect(tail.nearest(vectors[3] ?? query, 1)[0]?.id).toBe(9_004);
  tail.dropThrough(10_000);
  expect([tail.size, tail.nearest(query, 20), tail.copy(5).ids.length]).toEqual([0, [], 0]);
});

test.each([NaN, Infinity, 3e38, 0])('a vector of %d disturbs nothing', (number) => {
  const vectors = [...clustered(20, 33, 1), new Float32Array(33).fill(number), ...clustered(20, 33, 2)];
  const tail = createTail(33);
  tail.append(toRows(vectors));
  const query = unit(new Float32Array(33).map((_, at) => at - 16));
  for (const count of [1, 5, 41]) expect(tail.nearest(query, count)).toEqual(exactly(vectors, query, count));
});
