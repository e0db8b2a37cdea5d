// How often votes are right: voters that are drawn from a seed, counted by the package's own rules, beside the exact values
// of Condorcet's theorem. Exits with 1 where a claim does not hold.
import { weightsOf } from '../src/swarm/consensus/voter-weights.ts';
import { countVotes } from '../src/swarm/consensus/count-options.ts';
import {
  bestWeighted,
  condorcet,
  condorcetCorrelated,
  recordsAfter,
  simulate,
  voterId,
} from '../test/swarm/consensus/simulated-voters.ts';
import { seeded } from '../test/helpers/seeded.ts';
import { machine } from './child.ts';

const VOTES = 40_000;
const OPTION_VOTES = 10_000;
const SIZES = [1, 3, 5, 9];
const same = (n: number, p: number): number[] => Array.from({ length: n }, () => p);
const percent = (share: number): string => (100 * share).toFixed(2).padStart(6);
let failures = 0;

function claim(text: string, holds: boolean): void {
  if (!holds) failures += 1;
  console.log(`  ${holds ? 'holds' : 'FAILS'}: ${text}`);
}

function independence(correlation: number): void {
  console.log(`\nMajority, p = .7, correlation ${correlation}: right in %, exact, difference in points`);
  const differences = SIZES.map((n) => {
    const { right } = simulate({ accuracies: same(n, 0.7), correlation }, { rule: 'majority' }, VOTES, n);
    const exact = condorcetCorrelated(n, 0.7, correlation);
    console.log(`  n = ${n}: ${percent(right)} ${percent(exact)} ${(100 * (right - exact)).toFixed(2)}`);
    return Math.abs(right - exact);
  });
  claim('within 1 point of the exact values', Math.max(...differences) < 0.01);
}

function weighing(): void {
  console.log('\nWeights from 400 past votes each, beside the majority and the best possible (exact): right in %');
  const electorates = [
    [0.95, 0.6, 0.6, 0.6, 0.6],
    [0.9, 0.8, 0.55, 0.55, 0.55],
    [0.85, 0.85, 0.5, 0.5, 0.5, 0.5, 0.5],
    same(5, 0.7),
  ];
  for (const accuracies of electorates) {
    const weights = weightsOf(recordsAfter(400, accuracies, 5));
    const majority = simulate({ accuracies }, { rule: 'majority' }, VOTES, 6).right;
    const weighted = simulate({ accuracies }, { rule: 'weighted', weights }, VOTES, 6).right;
    const best = bestWeighted(accuracies);
    console.log(`  ${accuracies.join(' ')}: weighted ${percent(weighted)}, majority ${percent(majority)}, best ${percent(best)}`);
    if (new Set(accuracies).size > 1) claim('weighted beats majority', weighted > majority);
    else claim('equal voters lose less than a point', weighted > majority - 0.01);
  }
}

function faults(): void {
  console.log('\nFaulty voters among 5 with p = .8, majority: right in %, exact');
  for (const byzantine of [0, 1, 2]) {
    const { right } = simulate({ accuracies: same(5, 0.8), byzantine }, { rule: 'majority' }, VOTES, byzantine);
    const exact = condorcet(5, 0.8, byzantine);
    console.log(`  ${byzantine} Byzantine: ${percent(right)} ${percent(exact)}`);
    claim('within 1 point', Math.abs(right - exact) < 0.01);
  }
  console.log('\nByzantine rule, honest voters know the truth: right / wrong / undecided in %');
  for (const n of [4, 5, 7, 10]) {
    const most = Math.floor((n - 1) / 3);
    const results = Array.from({ length: most + 2 }, (_, total) =>
      Array.from({ length: total + 1 }, (_, crashed) => {
        const tally = simulate({ accuracies: same(n, 1), byzantine: total - crashed, crashed }, { rule: 'byzantine' }, 2000, n);
        return { total, crashed, tally };
      }),
    ).flat();
    for (const { total, crashed, tally } of results) {
      const line = `${percent(tally.right)} ${percent(tally.wrong)} ${percent(tally.undecided)}`;
      console.log(`  n = ${n}, ${total - crashed} Byzantine + ${crashed} crashed${total > most ? ' (beyond)' : ''}: ${line}`);
    }
    claim(
      `n = ${n} bears every mix of up to ${most}`,
      results.every(({ total, tally }) => total > most || tally.right === 1),
    );
    const asked = simulate({ accuracies: same(n, 1), byzantine: most + 1 }, { rule: 'byzantine', faults: most + 1 }, 2000, n);
    claim(`n = ${n} asked to bear ${most + 1} decides nothing and says so`, asked.undecided === 1);
  }
  console.log('\n7 voters with p = .8, 2 of them Byzantine, correlation 0 and .6: right / wrong / undecided in %');
  for (const rule of ['majority', 'byzantine'] as const) {
    for (const correlation of [0, 0.6]) {
      const { right, wrong, undecided } = simulate({ accuracies: same(7, 0.8), byzantine: 2, correlation }, { rule }, VOTES, 9);
      console.log(`  ${rule.padEnd(9)} ${correlation}: ${percent(right)} ${percent(wrong)} ${percent(undecided)}`);
    }
  }
}

/** Voters rank options by a quality that they see with noise; how often the best one wins. */
function options(): void {
  console.log('\n9 voters, 5 options whose quality they see with noise: the best one wins, another, none, in %');
  const names = ['a', 'b', 'c', 'd', 'e'];
  const eligible = Array.from({ length: 9 }, (_, i) => voterId(i));
  for (const rule of ['majority', 'ranked'] as const) {
    const random = seeded(11);
    const sums = { best: 0, other: 0, none: 0 };
    for (let vote = 0; vote < OPTION_VOTES; vote += 1) {
      const quality = new Map(names.map((name, i) => [name, i / 10]));
      const ballots = eligible.map((voter) => {
        const seen = new Map(names.map((name) => [name, (quality.get(name) ?? 0) + random()]));
        const ranking = [...names].sort((x, y) => (seen.get(y) ?? 0) - (seen.get(x) ?? 0));
        return { voter, choices: rule === 'ranked' ? ranking : ranking.slice(0, 1) };
      });
      const { winner } = countVotes({ rule, options: names, eligible, ballots });
      if (winner === null) sums.none += 1;
      else if (winner === 'e') sums.best += 1;
      else sums.other += 1;
    }
    const [best, other, none] = [sums.best / OPTION_VOTES, sums.other / OPTION_VOTES, sums.none / OPTION_VOTES];
    console.log(`  ${rule.padEnd(8)}: ${percent(best)} ${percent(other)} ${percent(none)}`);
  }
}

console.log(`${machine()}; ${VOTES} votes each`);
independence(0);
independence(0.6);
weighing();
faults();
options();
process.exitCode = failures === 0 ? 0 : 1;
