import { readFileSync } from 'node:fs';
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import wabt from 'wabt';
import { DOT_KERNEL } from '../../../src/memory/vector/dot-kernel-code.ts';
import { createDotKernel, createSharedMemory } from '../../../src/memory/vector/dot-kernel.ts';

test('the code is the assembled source', async () => {
  const source = new URL('../../../src/memory/vector/dot-kernel.wat', import.meta.url);
  const { parseWat } = await wabt();
  const { buffer } = parseWat('dot-kernel.wat', readFileSync(source, 'utf8'), { threads: true }).toBinary({});
  expect(DOT_KERNEL).toBe(Buffer.from(buffer).toString('base64'));
});

test('its products are those of a plain loop, up to the largest numbers', () => {
  const { memory, reserve } = createSharedMemory();
  const kernel = createDotKernel(memory);
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 8 }).map((n) => 16 * n),
      fc.integer({ min: 0, max: 40 }),
      fc.integer({ min: -2_147_483_648, max: 2_147_483_647 }),
      fc.constantFrom('extreme', 'mixed'),
      fc.array(fc.nat(), { maxLength: 20 }),
      (stride, count, seed, sort, picks) => {
        let state = seed;
        const next = (most: number): number => {
          state = (Math.imul(state, 1_664_525) + 1_013_904_223) | 0;
          return sort === 'extreme' ? most * Math.sign(state || 1) : (state >> 8) % (most + 1);
        };
        const products = 2 * stride;
        const rowsAt = products + 4 * Math.max(count, 20);
        const codes = rowsAt + 4 * 20;
        reserve(codes + stride * count);
        const query = Int16Array.from({ length: stride }, () => next(32_767));
        new Int16Array(memory.buffer).set(query);
        const vectors = new Int8Array(stride * count).map(() => next(127));
        new Int8Array(memory.buffer).set(vectors, codes);
        kernel.dot(codes, count, stride, 0, products);
        const expected = Array.from({ length: count }, (_, row) =>
          query.reduce((sum, x, i) => sum + x * (vectors[row * stride + i] ?? 0), 0),
        );
        expect([...new Int32Array(memory.buffer, products, count)]).toEqual(expected);
        if (count === 0) return;
        const rows = picks.slice(0, picks.length - (picks.length % 4)).map((pick) => pick % count);
        new Int32Array(memory.buffer, rowsAt, rows.length).set(rows);
        kernel.dotRows(rowsAt, rows.length, codes, stride, 0, products);
        expect([...new Int32Array(memory.buffer, products, rows.length)]).toEqual(rows.map((row) => expected[row]));
      },
    ),
    { seed: 1, numRuns: 200 },
  );
});

test('so are those of floating-point numbers', () => {
  const { memory, reserve } = createSharedMemory();
  const kernel = createDotKernel(memory);
  const numbers = fc.integer({ min: -1_000, max: 1_000 });
  fc.assert(
    fc.property(
      fc.array(numbers, { minLength: 32, maxLength: 32 }),
      fc.array(fc.array(numbers, { minLength: 32, maxLength: 32 }), { maxLength: 9 }),
      (query, vectors) => {
        reserve(128 * 11);
        const floats = new Float32Array(memory.buffer);
        floats.set(query);
        floats.set(vectors.flat(), 64);
        kernel.dotFloats(256, vectors.length, 128, 0, 128);
        const expected = vectors.map((vector) => vector.reduce((sum, x, at) => sum + x * (query[at] ?? 0), 0));
        expect([...floats.subarray(32, 32 + vectors.length)]).toEqual(expected.map(Math.fround));
      },
    ),
    { seed: 1, numRuns: 100 },
  );
});

test('more memory than there can be is refused', () => {
  expect(() => createSharedMemory().reserve(2 ** 33)).toThrow(RangeError);
});
