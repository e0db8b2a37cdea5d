import { InvalidInputError } from '../../errors.ts';
import { UNMEASURED_WEIGHT } from './voter-weights.ts';

/** Differences below this are rounding. */
export const WEIGHT_EPSILON = 1e-9;

function requireAtLeast(value: number, min: number, what: string, hint: string): void {
  if (Number.isInteger(value) && value >= min) return;
  throw new InvalidInputError(`${what} is ${value}; expected a whole number ≥ ${min}`, { hint });
}

/** Refuses a quorum that is no whole number ≥ 1 and faults that are none ≥ 0. */
export function requireLimits({ quorum = 1, faults = 0 }: { readonly quorum?: number; readonly faults?: number }): void {
  requireAtLeast(quorum, 1, 'quorum', 'Set the quorum to the number of ballots that must not abstain.');
  requireAtLeast(faults, 0, 'faults', 'Give the number of faulty voters to bear.');
}

/** The weights of some voters added up, in an order of their own so that rounding does not depend on that of ballots. */
export function weigh(voters: readonly string[], weights: ReadonlyMap<string, number>): number {
  return [...voters].sort().reduce((sum, voter) => sum + (weights.get(voter) ?? UNMEASURED_WEIGHT), 0);
}

/** What is to be said of the weights of those who voted. */
export function noteOnWeights(voters: readonly string[], weights: ReadonlyMap<string, number>): string {
  const measured = voters.filter((voter) => weights.has(voter)).length;
  return `${measured} of ${voters.length} voters weighed by measured accuracy, the others as unmeasured`;
}

/** How many faulty voters a vote of n is to bear, and how many equal ballots decide it. */
export interface FaultBound {
  readonly faults: number;
  readonly needed: number;
  /** Whether n ≥ 3f + 1; if not, nothing that is counted can be relied on. */
  readonly holds: boolean;
  readonly note: string;
}

/**
 * The bound of Byzantine agreement (Lamport, Shostak and Pease 1982): n voters bear f faulty ones if n ≥ 3f + 1. Then
 * ⌈(n + f + 1) / 2⌉ equal ballots decide, which is 2f + 1 where n = 3f + 1: any two such groups share an honest voter, and
 * the honest ones reach it by themselves. Without `faults` f is the most that n can bear, ⌊(n − 1) / 3⌋.
 */
export function faultBound(n: number, faults: number = Math.max(0, Math.floor((n - 1) / 3))): FaultBound {
  const needed = Math.ceil((n + faults + 1) / 2);
  const holds = n >= 3 * faults + 1;
  const note = holds
    ? `bears ${faults} faulty of ${n} voters; ${needed} equal ballots decide`
    : `to bear ${faults} faulty takes ${3 * faults + 1} voters; ${n} can vote, so nothing is decided`;
  return { faults, needed, holds, note };
}
