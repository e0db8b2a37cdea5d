import { describe, expect, it } from 'vitest';
import { weightsOf } from '../../../src/swarm/consensus/voter-weights.ts';
import { bestWeighted, condorcet, condorcetCorrelated, recordsAfter, simulate } from './simulated-voters.ts';

const VOTES = 20_000;
const same = (n: number, p: number): number[] => Array.from({ length: n }, () => p);
/** Within a point of a hundred. */
const isWithinAPoint = (value: number, expected: number): boolean => Math.abs(value - expected) < 0.01;

describe('simulated votes', () => {
  it('know the exact values', () => {
    expect([1, 3, 5, 9].map((n) => Number(condorcet(n, 0.7).toFixed(4)))).toEqual([0.7, 0.784, 0.8369, 0.9012]);
    expect([0, 1, 2].map((f) => Number(condorcet(5, 0.8, f).toFixed(4)))).toEqual([0.9421, 0.8192, 0.512]);
    expect([1, 3, 5, 9].map((n) => Math.round(100 * condorcetCorrelated(n, 0.7, 0.6)))).toEqual([70, 73, 75, 78]);
    expect(bestWeighted(same(5, 0.7))).toBeCloseTo(condorcet(5, 0.7), 10);
  });

  it.each([1, 3, 5, 9])('a majority of %i independent voters is right as often as Condorcet says', (n) => {
    const { right, undecided } = simulate({ accuracies: same(n, 0.7) }, { rule: 'majority' }, VOTES, n);
    expect(isWithinAPoint(right, condorcet(n, 0.7))).toBe(true);
    expect(undecided).toBe(0);
  });

  it.each([1, 3, 5, 9])('a common cause takes most of the gain of %i voters', (n) => {
    const { right } = simulate({ accuracies: same(n, 0.7), correlation: 0.6 }, { rule: 'majority' }, VOTES, n);
    expect(isWithinAPoint(right, condorcetCorrelated(n, 0.7, 0.6))).toBe(true);
  });

  it.each([0, 1, 2])('a majority of 5 with %i Byzantine voters loses what it must', (byzantine) => {
    const { right } = simulate({ accuracies: same(5, 0.8), byzantine }, { rule: 'majority' }, VOTES, byzantine);
    expect(isWithinAPoint(right, condorcet(5, 0.8, byzantine))).toBe(true);
  });

  it.each([[[0.95, 0.6, 0.6, 0.6, 0.6]], [[0.9, 0.8, 0.55, 0.55, 0.55]], [[0.85, 0.85, 0.5, 0.5, 0.5, 0.5, 0.5]]])(
    'weights beat the majority of voters of accuracy %j, and come within a point of the best possible',
    (accuracies) => {
      const weights = weightsOf(recordsAfter(400, accuracies, 5));
      const majority = simulate({ accuracies }, { rule: 'majority' }, VOTES, 6);
      const weighted = simulate({ accuracies }, { rule: 'weighted', weights }, VOTES, 6);
      expect(weighted.right).toBeGreaterThan(majority.right + 0.01);
      expect(weighted.right).toBeGreaterThan(bestWeighted(accuracies) - 0.01);
    },
  );

  it('weights of equal voters lose nothing to the majority', () => {
    const accuracies = same(5, 0.7);
    const weighted = simulate(
      { accuracies },
      { rule: 'weighted', weights: weightsOf(recordsAfter(400, accuracies, 5)) },
      VOTES,
      6,
    );
    expect(isWithinAPoint(weighted.right, condorcet(5, 0.7))).toBe(true);
  });

  it.each([1, 2, 3, 4, 5, 6, 7, 10, 13])(
    '%i voters of whom honest ones know the truth bear every mix of up to (n − 1) / 3 faults',
    (n) => {
      const most = Math.floor((n - 1) / 3);
      for (let byzantine = 0; byzantine <= most; byzantine += 1) {
        for (let crashed = 0; byzantine + crashed <= most; crashed += 1) {
          const tally = simulate({ accuracies: same(n, 1), byzantine, crashed }, { rule: 'byzantine' }, 50, n);
          expect(tally).toEqual({ right: 1, wrong: 0, undecided: 0 });
        }
      }
    },
  );

  it.each([4, 5, 6, 7, 10])('%i voters with one fault too many are never led to decide wrongly before half of them lie', (n) => {
    const most = Math.floor((n - 1) / 3);
    for (let byzantine = most + 1; byzantine <= Math.floor(n / 2); byzantine += 1) {
      const tally = simulate({ accuracies: same(n, 1), byzantine }, { rule: 'byzantine' }, 50, n);
      expect(tally.wrong).toBe(0);
    }
    const asked = simulate({ accuracies: same(n, 1), byzantine: most + 1 }, { rule: 'byzantine', faults: most + 1 }, 50, n);
    expect(asked).toEqual({ right: 0, wrong: 0, undecided: 1 });
  });

  it('honest voters that err decide less often by a Byzantine vote, and are wrong far less often', () => {
    const electorate = { accuracies: same(7, 0.8), byzantine: 2 };
    const majority = simulate(electorate, { rule: 'majority' }, VOTES, 9);
    const byzantine = simulate(electorate, { rule: 'byzantine' }, VOTES, 9);
    expect(byzantine.undecided).toBeGreaterThan(0.5);
    expect(byzantine.wrong).toBeLessThan(majority.wrong / 3);
  });
});
