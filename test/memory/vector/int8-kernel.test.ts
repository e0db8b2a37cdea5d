import { readFileSync } from 'node:fs';
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import wabt from 'wabt';
import { INT8_KERNEL } from '../../../src/memory/vector/int8-kernel-code.ts';
import { createInt8Kernel } from '../../../src/memory/vector/int8-kernel.ts';

test('the code is the assembled source', async () => {
  const source = new URL('../../../src/memory/vector/int8-kernel.wat', import.meta.url);
  const { parseWat } = await wabt();
  const { buffer } = parseWat('int8-kernel.wat', readFileSync(source, 'utf8')).toBinary({});
  expect(INT8_KERNEL).toBe(Buffer.from(buffer).toString('base64'));
});

test('its products are those of a plain loop, up to the largest numbers', () => {
  const kernel = createInt8Kernel();
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 8 }).map((n) => 16 * n),
      fc.integer({ min: 0, max: 40 }),
      fc.integer({ min: -2_147_483_648, max: 2_147_483_647 }),
      fc.constantFrom('extreme', 'mixed'),
      (stride, count, seed, sort) => {
        let state = seed;
        const next = (most: number): number => {
          state = (Math.imul(state, 1_664_525) + 1_013_904_223) | 0;
          return sort === 'extreme' ? most * Math.sign(state || 1) : (state >> 8) % (most + 1);
        };
        const products = 2 * stride;
        const codes = products + 4 * count;
        kernel.reserve(codes + stride * count);
        const query = new Int16Array(kernel.buffer, 0, stride).map(() => next(32_767));
        new Int16Array(kernel.buffer).set(query);
        const vectors = new Int8Array(stride * count).map(() => next(127));
        new Int8Array(kernel.buffer).set(vectors, codes);
        kernel.dot(codes, count, stride, 0, products);
        const expected = Array.from({ length: count }, (_, row) =>
          query.reduce((sum, x, i) => sum + x * (vectors[row * stride + i] ?? 0), 0),
        );
        expect([...new Int32Array(kernel.buffer, products, count)]).toEqual(expected);
      },
    ),
    { seed: 1, numRuns: 200 },
  );
});

test('more memory than there can be is refused', () => {
  expect(() => createInt8Kernel().reserve(2 ** 33)).toThrow(RangeError);
});
