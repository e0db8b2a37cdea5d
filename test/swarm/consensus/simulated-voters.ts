import type { Ballot, DecisionRule, Outcome } from '../../../src/ballot.ts';
import { decide } from '../../../src/swarm/consensus/decide.ts';
import { seeded } from '../../helpers/seeded.ts';

/** Voters on claims half of which are true. */
export interface Electorate {
  /** How often each is right by itself, 0–1. */
  readonly accuracies: readonly number[];
  /**
   * Common cause, 0–1: in this share of the votes all follow one judgement, in which each is right as often as ever. Two
   * equal voters then agree with just this correlation.
   */
  readonly correlation?: number;
  /** So many of the first know the truth and vote against it. */
  readonly byzantine?: number;
  /** So many of the last never vote. */
  readonly crashed?: number;
}

export interface Tally {
  /** Shares of all votes, 0–1. */
  readonly right: number;
  readonly wrong: number;
  /** Ties and votes without a quorum. */
  readonly undecided: number;
}

export interface Counting {
  readonly rule: DecisionRule;
  readonly weights?: ReadonlyMap<string, number>;
  readonly faults?: number;
}

export const voterId = (i: number): string => `v${String(i).padStart(3, '0')}`;

/** One vote's ballots: who is right, drawn anew. */
function castAll(
  { accuracies, correlation = 0, byzantine = 0, crashed = 0 }: Electorate,
  truth: boolean,
  random: () => number,
): Ballot[] {
  const shared = random();
  const isShared = random() < correlation;
  const n = accuracies.length;
  return accuracies.slice(0, n - crashed).map((accuracy, i) => {
    const own = random();
    const isRight = i >= byzantine && (isShared ? shared : own) < accuracy;
    return { subject: 's', voter: voterId(i), vote: isRight === truth ? 'confirm' : 'reject', reason: '' };
  });
}

/** Holds votes and counts them by a rule of the package. */
export function simulate(electorate: Electorate, counting: Counting, votes: number, seed: number): Tally {
  const random = seeded(seed);
  const eligible = electorate.accuracies.map((_, i) => voterId(i));
  const sums = { right: 0, wrong: 0, undecided: 0 };
  for (let i = 0; i < votes; i += 1) {
    const truth = random() < 0.5;
    const ballots = castAll(electorate, truth, random);
    const { outcome } = decide({ ...counting, quorum: 1, subject: 's', eligible, ballots }).decision;
    const wanted: Outcome = truth ? 'confirmed' : 'rejected';
    if (outcome === wanted) sums.right += 1;
    else if (outcome === 'confirmed' || outcome === 'rejected') sums.wrong += 1;
    else sums.undecided += 1;
  }
  return { right: sums.right / votes, wrong: sums.wrong / votes, undecided: sums.undecided / votes };
}

function choose(n: number, k: number): number {
  let value = 1;
  for (let i = 1; i <= k; i += 1) value = (value * (n - k + i)) / i;
  return value;
}

/** Condorcet: how often more than half of n (odd) independent voters of accuracy p are right, f of them always wrong. */
export function condorcet(n: number, p: number, f = 0): number {
  const honest = n - f;
  let sum = 0;
  for (let k = Math.floor(n / 2) + 1; k <= honest; k += 1) sum += choose(honest, k) * p ** k * (1 - p) ** (honest - k);
  return sum;
}

/** The same with a common cause in a share of the votes, in which many are no better than one. */
export function condorcetCorrelated(n: number, p: number, correlation: number): number {
  return correlation * p + (1 - correlation) * condorcet(n, p);
}

/** How often an optimally weighted majority is right: the exact sum over all 2^n patterns of who is; ties count half. */
export function bestWeighted(accuracies: readonly number[]): number {
  let sum = 0;
  for (let pattern = 0; pattern < 2 ** accuracies.length; pattern += 1) {
    let chance = 1;
    let lead = 0;
    for (const [i, p] of accuracies.entries()) {
      const isRight = Math.floor(pattern / 2 ** i) % 2 === 1;
      chance *= isRight ? p : 1 - p;
      lead += Math.log(p / (1 - p)) * (isRight ? 1 : -1);
    }
    if (Math.abs(lead) < 1e-9) sum += chance / 2;
    else if (lead > 0) sum += chance;
  }
  return sum;
}

/** Records of voters after so many past votes whose truth came out. */
export function recordsAfter(
  votes: number,
  accuracies: readonly number[],
  seed: number,
): ReadonlyMap<string, { readonly votes: number; readonly correct: number }> {
  const random = seeded(seed);
  return new Map(
    accuracies.map((accuracy, i) => {
      const correct = Array.from({ length: votes }, () => random()).filter((draw) => draw < accuracy).length;
      return [voterId(i), { votes, correct }];
    }),
  );
}
