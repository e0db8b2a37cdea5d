import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { InvalidInputError } from '../../src/errors.ts';
import { retryDelayMs } from '../../src/swarm/retry.ts';

const series = (backoff: 'fixed' | 'linear' | 'exponential'): number[] =>
  [1, 2, 3, 4].map((attempt) => retryDelayMs({ backoff, delayMs: 500, attempt }));
const jitteredAt = (value: number): number => retryDelayMs({ backoff: 'fixed', delayMs: 500, attempt: 1, random: () => value });

describe('retryDelayMs', () => {
  it('follows its backoff', () => {
    expect(series('fixed')).toEqual([500, 500, 500, 500]);
    expect(series('linear')).toEqual([500, 1000, 1500, 2000]);
    expect(series('exponential')).toEqual([500, 1000, 2000, 4000]);
  });

  it('is capped at 30 s however many attempts', () => {
    expect(retryDelayMs({ backoff: 'exponential', delayMs: 500, attempt: 1_000_000 })).toBe(30_000);
    expect(retryDelayMs({ backoff: 'fixed', delayMs: 1e9, attempt: 1 })).toBe(30_000);
    expect(retryDelayMs({ backoff: 'exponential', delayMs: 0, attempt: 5000 })).toBe(0);
  });

  it('spreads over the whole delay when it is given randomness', () => {
    expect([jitteredAt(0), jitteredAt(0.5), jitteredAt(0.999_999)]).toEqual([0, 250, 500]);
  });

  it('is whole and within 0–30,000 for any input', () => {
    fc.assert(
      fc.property(
        fc.constantFrom('fixed', 'linear', 'exponential'),
        fc.double({ min: 0, max: 1e6, noNaN: true }),
        fc.integer({ min: 1, max: 10_000 }),
        fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
        (backoff, delayMs, attempt, value) => {
          const delay = retryDelayMs({ backoff, delayMs, attempt });
          const jittered = retryDelayMs({ backoff, delayMs, attempt, random: () => value });
          expect(Number.isInteger(delay) && delay >= 0 && delay <= 30_000).toBe(true);
          expect(Number.isInteger(jittered) && jittered >= 0 && jittered <= delay).toBe(true);
        },
      ),
      { seed: 9, numRuns: 300 },
    );
  });

  it('refuses attempts below 1 and delays that are negative or not finite', () => {
    for (const attempt of [0, -1, 1.5, Number.NaN]) {
      expect(() => retryDelayMs({ backoff: 'fixed', delayMs: 1, attempt })).toThrow(InvalidInputError);
    }
    for (const delayMs of [-1, Number.NaN, Number.POSITIVE_INFINITY]) {
      expect(() => retryDelayMs({ backoff: 'fixed', delayMs, attempt: 1 })).toThrow(InvalidInputError);
    }
  });
});
