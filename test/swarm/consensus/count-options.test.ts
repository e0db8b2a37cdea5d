import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { InvalidInputError } from '../../../src/errors.ts';
import { countVotes, OPTION_RULES } from '../../../src/swarm/consensus/count-options.ts';
import type { OptionBallot, OptionPoll } from '../../../src/swarm/consensus/count-options.ts';

const OPTIONS = ['red', 'green', 'blue'];
const OPTION_OF: Readonly<Record<string, string>> = { r: 'red', g: 'green', b: 'blue' };
const voters = Array.from({ length: 20 }, (_, i) => `v${String(i).padStart(2, '0')}`);
/** One word a voter, one letter a choice; `-` abstains. */
const cast = (words: string): OptionBallot[] =>
  words
    .split(' ')
    .filter(Boolean)
    .map((word, i) => ({ voter: voters[i] ?? '', choices: word.split('').flatMap((letter) => OPTION_OF[letter] ?? []) }));
const count = (rule: OptionPoll['rule'], words: string, more: Partial<OptionPoll> = {}): string => {
  const ballots = cast(words);
  const eligible = voters.slice(0, ballots.length);
  const { outcome, winner } = countVotes({ rule, options: OPTIONS, eligible, ballots, ...more });
  return outcome === 'decided' ? `${winner}` : outcome;
};

describe('countVotes', () => {
  it.each([
    ['majority', 'r r g', 'red'],
    ['majority', 'r r g b', 'no_quorum'],
    ['majority', 'r r g g', 'tie'],
    ['majority', 'r g b', 'tie'],
    ['majority', 'r - - -', 'red'],
    ['majority', '- -', 'no_quorum'],
    ['majority', '', 'no_quorum'],
    ['weighted', 'r r g', 'red'],
    ['weighted', 'r g', 'tie'],
    ['unanimous', 'g g -', 'green'],
    ['unanimous', 'g g b', 'tie'],
    ['unanimous', '-', 'no_quorum'],
    ['byzantine', 'b b b r', 'blue'],
    ['byzantine', 'b b r r', 'no_quorum'],
    ['byzantine', 'b b b -', 'blue'],
    ['byzantine', 'b b - -', 'no_quorum'],
    ['byzantine', 'b b b b b r r', 'blue'],
    ['byzantine', 'b b b b r r r', 'no_quorum'],
    ['byzantine', 'b', 'blue'],
    ['byzantine', 'b b r', 'blue'],
    ['ranked', 'rgb rgb grb bgr bgr', 'red'],
    ['ranked', 'r r g', 'red'],
    ['ranked', 'r g', 'tie'],
    ['ranked', 'rg gr b bg', 'tie'],
    // Equal in the end; red had fewer in the round before.
    ['ranked', 'r r r g g g g br', 'green'],
    // Red and green have one each, blue three of its own and more than half only without both.
    ['ranked', 'rg gr b b b -', 'blue'],
    ['ranked', 'r r g b', 'tie'],
    ['ranked', 'r r r g b', 'red'],
    ['ranked', '- -', 'no_quorum'],
  ] as const)('%s of "%s": %s', (rule, words, expected) => {
    expect(count(rule, words)).toBe(expected);
  });

  it.each([
    ['quorum', 'r r g', 2, 'red'],
    ['quorum', 'r r g g b', 2, 'tie'],
    ['quorum', 'r g b', 2, 'no_quorum'],
    ['majority', 'r r -', 3, 'no_quorum'],
    ['ranked', 'r r -', 3, 'no_quorum'],
  ] as const)('%s of "%s" with a quorum of %i: %s', (rule, words, quorum, expected) => {
    expect(count(rule, words, { quorum })).toBe(expected);
  });

  it('weighs voters', () => {
    const weights = new Map([['v00', 3]]);
    expect(count('weighted', 'r g g', { weights })).toBe('red');
    const result = countVotes({ rule: 'weighted', options: OPTIONS, eligible: voters, ballots: cast('r g g'), weights });
    expect(result.counts.map(({ option, count: weight }) => [option, Number(weight.toFixed(2))])).toEqual([
      ['red', 3],
      ['green', 1.39],
      ['blue', 0],
    ]);
    expect(result.note).toBe('1 of 3 voters weighed by measured accuracy, the others as unmeasured');
  });

  it('lets the judge decide, or several by the larger side', () => {
    expect(count('judge', 'r g g', { judges: ['v00'] })).toBe('red');
    expect(count('judge', 'r g g', { judges: ['v00', 'v01'] })).toBe('tie');
    expect(count('judge', 'r g -', { judges: ['v02'] })).toBe('no_quorum');
    expect(count('judge', 'r g g')).toBe('no_quorum');
  });

  it('bears the faults it is asked to bear, or says that it cannot', () => {
    expect(count('byzantine', 'b b b b b b', { faults: 1 })).toBe('blue');
    const tooFew = countVotes({
      rule: 'byzantine',
      options: OPTIONS,
      eligible: voters.slice(0, 6),
      ballots: cast('b b b b b b'),
      faults: 2,
    });
    expect(tooFew).toMatchObject({
      outcome: 'no_quorum',
      winner: null,
      note: 'to bear 2 faulty takes 7 voters; 6 can vote, so nothing is decided',
    });
  });

  it('shows the rounds of a run-off: who left, and who had nobody left to vote for', () => {
    const result = countVotes({ rule: 'ranked', options: OPTIONS, eligible: voters, ballots: cast('r r r g gb b br br -') });
    expect(result).toMatchObject({ outcome: 'decided', winner: 'blue', abstains: 1 });
    const counts = (...list: readonly (readonly [string, number])[]): unknown =>
      list.map(([option, n]) => ({ option, count: n }));
    expect(result.rounds).toEqual([
      { counts: counts(['red', 3], ['green', 2], ['blue', 3]), eliminated: ['green'], exhausted: 0 },
      { counts: counts(['red', 3], ['blue', 4]), eliminated: [], exhausted: 1 },
    ]);
    const tie = countVotes({ rule: 'ranked', options: OPTIONS, eligible: voters, ballots: cast('r r r g g b b') });
    expect(tie).toMatchObject({ outcome: 'tie', winner: null, note: 'tied for the last place: "green", "blue"' });
    expect(tie.rounds?.map(({ eliminated }) => eliminated)).toEqual([[]]);
  });

  it('refuses ballots with the reason, and a refused one leaves its voter another try', () => {
    const at = (voter: string, choices: readonly string[], time?: number): OptionBallot =>
      time === undefined ? { voter, choices } : { voter, choices, at: time };
    const bad = [
      ['not_eligible', at('stranger', ['red'])],
      ['late', at('v00', ['red'], 101)],
      ['unknown_option', at('v01', ['pink'])],
      ['repeated_option', at('v02', ['red', 'red'])],
      ['too_many_choices', at('v03', ['red', 'blue'])],
    ] as const;
    const good = [at('v00', ['red'], 100), at('v01', ['red']), at('v02', []), at('v03', ['blue'])];
    const second = at('v02', ['blue']);
    const ballots = [...bad.map(([, ballot]) => ballot), ...good, second];
    const result = countVotes({ rule: 'majority', options: OPTIONS, eligible: voters, ballots, closesAt: 100 });
    expect(result).toMatchObject({ outcome: 'decided', winner: 'red', abstains: 1 });
    expect(result.counts.map((entry) => entry.count)).toEqual([2, 0, 1]);
    expect(result.refused).toEqual([
      ...bad.map(([reason, ballot]) => ({ ballot, reason })),
      { ballot: second, reason: 'duplicate' },
    ]);
  });

  it.each([
    [{ options: [] }, /at least one option/],
    [{ options: ['a', 'b', 'a'] }, /"a" is there twice/],
    [{ quorum: 0 }, /quorum is 0/],
    [{ rule: 'byzantine', faults: -1 }, /faults is -1/],
    [{ rule: 'byzantine', faults: 0.5 }, /faults is 0.5/],
  ] as const)('refuses %j', (bad, message) => {
    const run = (): unknown => countVotes({ rule: 'majority', options: ['a'], eligible: ['x'], ballots: [], ...bad });
    expect(run).toThrow(InvalidInputError);
    expect(run).toThrow(message);
  });

  it('keeps options that look like parts of objects apart', () => {
    const options = ['__proto__', 'constructor', ''];
    const ballots = [{ voter: 'x', choices: ['__proto__'] }];
    expect(countVotes({ rule: 'majority', options, eligible: ['x'], ballots }).winner).toBe('__proto__');
  });
});

const words = fc.array(fc.constantFrom('-', 'r', 'g', 'b', 'rg', 'gr', 'rb', 'bgr', 'grb', 'rgb'), { maxLength: 12 });

describe('every vote among options', () => {
  it('does not depend on the order of ballots nor of options, and never counts a refused ballot', () => {
    const scene = words.chain((list) => {
      const ballots = cast(list.join(' '));
      const noise = [
        ...ballots.map((ballot) => ({ ...ballot, choices: ['red'] })),
        { voter: 'stranger', choices: ['blue'] },
        { voter: 'v15', choices: ['pink'] },
      ];
      return fc.record({
        ballots: fc.constant(ballots),
        shuffled: fc.shuffledSubarray(ballots, { minLength: ballots.length }),
        noise: fc.shuffledSubarray(noise),
        options: fc.shuffledSubarray(OPTIONS, { minLength: OPTIONS.length }),
      });
    });
    const weights = new Map([
      ['v01', 0.1],
      ['v02', 0.2],
      ['v03', 0.3],
    ]);
    fc.assert(
      fc.property(fc.constantFrom(...OPTION_RULES), fc.integer({ min: 1, max: 4 }), scene, (rule, quorum, drawn) => {
        // Rankings only where they may be.
        const fit = (list: readonly OptionBallot[]): OptionBallot[] =>
          rule === 'ranked' ? [...list] : list.map((ballot) => ({ ...ballot, choices: ballot.choices.slice(0, 1) }));
        const poll = { rule, quorum, options: OPTIONS, eligible: voters, weights, judges: ['v00', 'v01'] } as const;
        const plain = countVotes({ ...poll, ballots: fit(drawn.ballots) });
        const noisy = countVotes({ ...poll, options: drawn.options, ballots: [...fit(drawn.shuffled), ...drawn.noise] });
        expect([noisy.outcome, noisy.winner, noisy.abstains]).toEqual([plain.outcome, plain.winner, plain.abstains]);
        expect(new Map(noisy.counts.map(({ option, count: n }) => [option, n]))).toEqual(
          new Map(plain.counts.map(({ option, count: n }) => [option, n])),
        );
        expect(noisy.refused.length).toBe(drawn.noise.length);
        expect(plain.refused).toEqual([]);
      }),
      { seed: 31, numRuns: 500 },
    );
  });

  it('ranked: who more than half put first wins, and who wins has more than half of the last round', () => {
    fc.assert(
      fc.property(words, (list) => {
        const ballots = cast(list.join(' '));
        const { winner, rounds = [], counts } = countVotes({ rule: 'ranked', options: OPTIONS, eligible: voters, ballots });
        const spoken = ballots.filter(({ choices }) => choices.length > 0).length;
        const favourite = counts.find((entry) => entry.count * 2 > spoken);
        expect(favourite === undefined || favourite.option === winner).toBe(true);
        const last = rounds.at(-1);
        const inPlay = last?.counts.reduce((sum, entry) => sum + entry.count, 0) ?? 0;
        const own = last?.counts.find((entry) => entry.option === winner)?.count ?? 0;
        expect(winner === null || own * 2 > inPlay).toBe(true);
        for (const round of rounds) {
          expect(round.counts.reduce((sum, entry) => sum + entry.count, 0) + round.exhausted).toBe(spoken);
        }
      }),
      { seed: 32, numRuns: 300 },
    );
  });
});
