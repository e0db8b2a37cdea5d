import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DECISION_RULES } from '../../../src/ballot.ts';
import type { Ballot, Decision, DecisionRule, Vote } from '../../../src/ballot.ts';
import { InvalidInputError } from '../../../src/errors.ts';
import { decide } from '../../../src/swarm/consensus/decide.ts';
import { weightsOf } from '../../../src/swarm/consensus/voter-weights.ts';

const voters = ['a', 'b', 'c', 'd', 'e', 'f'];
const ballot = (voter: string, vote: Vote, subject = 's'): Ballot => ({ subject, voter, vote, reason: `${voter} says ${vote}` });
/** `+` confirms, `-` rejects, `0` abstains; one character a voter. */
const cast = (marks: string): Ballot[] =>
  marks.split('').map((mark, i) => ballot(voters[i] ?? '', mark === '+' ? 'confirm' : mark === '-' ? 'reject' : 'abstain'));
const poll = (rule: DecisionRule, quorum: number, ballots: readonly Ballot[]): ReturnType<typeof decide> =>
  decide({ rule, quorum, subject: 's', eligible: voters, ballots });

describe('decide', () => {
  it.each([
    ['majority', 1, '', 'no_quorum'],
    ['majority', 1, '000', 'no_quorum'],
    ['majority', 1, '+', 'confirmed'],
    ['majority', 1, '-', 'rejected'],
    ['majority', 1, '+-', 'tie'],
    ['majority', 1, '++-000', 'confirmed'],
    ['majority', 2, '+0000', 'no_quorum'],
    ['majority', 2, '+-', 'tie'],
    ['majority', 3, '+-', 'no_quorum'],
    ['majority', 3, '+--', 'rejected'],
    ['quorum', 1, '', 'no_quorum'],
    ['quorum', 2, '+', 'no_quorum'],
    ['quorum', 2, '+-', 'no_quorum'],
    ['quorum', 2, '++-', 'confirmed'],
    ['quorum', 2, '+--', 'rejected'],
    ['quorum', 2, '++--', 'tie'],
    ['quorum', 2, '+++--', 'tie'],
    ['quorum', 3, '+++--', 'confirmed'],
    ['quorum', 2, '+0000', 'no_quorum'],
    ['weighted', 1, '++-', 'confirmed'],
    ['weighted', 1, '+-', 'tie'],
    ['weighted', 3, '++', 'no_quorum'],
    ['weighted', 1, '', 'no_quorum'],
    ['unanimous', 1, '+++0', 'confirmed'],
    ['unanimous', 1, '--', 'rejected'],
    ['unanimous', 1, '++++-', 'tie'],
    ['unanimous', 3, '++', 'no_quorum'],
    // Six voters bear one faulty; four equal ballots decide.
    ['byzantine', 1, '++++--', 'confirmed'],
    ['byzantine', 1, '+++---', 'no_quorum'],
    ['byzantine', 1, '----', 'rejected'],
    ['byzantine', 1, '---', 'no_quorum'],
    ['byzantine', 5, '++++', 'no_quorum'],
    ['judge', 1, '+++', 'no_quorum'],
  ] as const)('%s of %i with "%s": %s', (rule, quorum, marks, outcome) => {
    expect(poll(rule, quorum, cast(marks)).decision.outcome).toBe(outcome);
  });

  it('counts one ballot a voter and hands back those it refuses', () => {
    const first = ballot('a', 'confirm');
    const second = ballot('a', 'reject');
    const stranger = ballot('z', 'reject');
    const elsewhere = ballot('b', 'reject', 'other');
    expect(poll('majority', 1, [elsewhere, first, second, stranger, ballot('c', 'abstain')])).toEqual({
      decision: {
        subject: 's',
        rule: 'majority',
        outcome: 'confirmed',
        confirms: 1,
        rejects: 0,
        abstains: 1,
        quorum: 1,
        eligible: 6,
      },
      refused: [
        { ballot: elsewhere, reason: 'other_subject' },
        { ballot: second, reason: 'duplicate' },
        { ballot: stranger, reason: 'not_eligible' },
      ],
    });
  });

  it('an abstention is the ballot that was cast: no second one after it', () => {
    expect(poll('majority', 1, [ballot('a', 'abstain'), ballot('a', 'confirm')]).decision).toMatchObject({
      outcome: 'no_quorum',
      confirms: 0,
      abstains: 1,
    });
  });

  it('a voter listed twice has one vote', () => {
    const result = decide({ rule: 'majority', quorum: 1, subject: 's', eligible: ['a', 'a'], ballots: cast('+') });
    expect(result.decision).toMatchObject({ confirms: 1, eligible: 1 });
  });

  it.each([0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY])('refuses a quorum of %d', (quorum) => {
    expect(() => poll('majority', quorum, [])).toThrow(InvalidInputError);
  });
});

describe('a weighted decision', () => {
  const weights = new Map([
    ['a', 2],
    ['b', 0.5],
    ['c', 0.5],
  ]);
  const weigh = (text: string, by: ReadonlyMap<string, number> = weights): Decision =>
    decide({ rule: 'weighted', quorum: 1, subject: 's', eligible: voters, ballots: cast(text), weights: by }).decision;

  it('follows the weight, not the number', () => {
    expect(weigh('+--')).toMatchObject({
      outcome: 'confirmed',
      confirms: 1,
      rejects: 2,
      note: 'weight 2.00 for, 1.00 against; 3 of 3 voters weighed by measured accuracy, the others as unmeasured',
    });
    expect(weigh('+-----').outcome).toBe('rejected');
  });

  it('is a tie where rounding alone differs, and where nobody has a weight', () => {
    expect(
      weigh(
        '++-',
        new Map([
          ['a', 0.1],
          ['b', 0.2],
          ['c', 0.3],
        ]),
      ).outcome,
    ).toBe('tie');
    expect(weigh('++-', new Map(voters.map((voter) => [voter, 0]))).outcome).toBe('tie');
  });
});

describe('weightsOf', () => {
  const weight = (votes: number, correct: number): number =>
    weightsOf(new Map([['x', { votes, correct }]])).get('x') ?? Number.NaN;

  it('is the log-odds of the accuracy on record, two of three before anything is known', () => {
    expect(weight(0, 0)).toBeCloseTo(Math.log(2), 10);
    expect(weight(7, 5)).toBeCloseTo(Math.log(0.7 / 0.3), 10);
    expect(weight(97, 88)).toBeCloseTo(Math.log(0.9 / 0.1), 10);
    expect(weightsOf(new Map()).size).toBe(0);
  });

  it('stays finite for whoever was always right, and is 0 for whoever is wrong more often than not', () => {
    expect(weight(1e9, 1e9)).toBeCloseTo(Math.log(99), 6);
    expect(weight(1000, 400)).toBe(0);
    expect(weight(1000, 0)).toBe(0);
  });
});

describe('a Byzantine decision', () => {
  const bear = (faults: number | undefined, n: number, text: string): Decision =>
    decide({
      rule: 'byzantine',
      quorum: 1,
      subject: 's',
      eligible: voters.slice(0, n),
      ballots: cast(text),
      ...(faults === undefined ? {} : { faults }),
    }).decision;

  it('says what it bears', () => {
    expect(bear(undefined, 4, '+++-')).toMatchObject({
      outcome: 'confirmed',
      note: 'bears 1 faulty of 4 voters; 3 equal ballots decide',
    });
    expect(bear(undefined, 3, '++-').note).toBe('bears 0 faulty of 3 voters; 2 equal ballots decide');
    expect(bear(0, 6, '++++--').note).toBe('bears 0 faulty of 6 voters; 4 equal ballots decide');
  });

  it('decides nothing where it would have to bear more than it can', () => {
    expect(bear(1, 3, '+++')).toMatchObject({
      outcome: 'no_quorum',
      note: 'to bear 1 faulty takes 4 voters; 3 can vote, so nothing is decided',
    });
    expect(() => bear(-1, 4, '+')).toThrow(InvalidInputError);
  });
});

describe("a judge's decision", () => {
  const judged = (judges: readonly string[], text: string, eligible = voters): Decision =>
    decide({ rule: 'judge', quorum: 4, subject: 's', eligible, ballots: cast(text), judges }).decision;

  it("is the judge's alone", () => {
    expect(judged(['c'], '++-')).toMatchObject({ outcome: 'rejected', confirms: 2, rejects: 1, note: 'decided by c' });
    expect(judged(['c', 'a'], '++-').outcome).toBe('tie');
    expect(judged(['c', 'a', 'b'], '++-').outcome).toBe('confirmed');
  });

  it('is none where the judge abstains, is silent or may not vote', () => {
    expect(judged(['c'], '++0').outcome).toBe('no_quorum');
    expect(judged(['f'], '++-').outcome).toBe('no_quorum');
    expect(judged(['c'], '++-', ['a', 'b'])).toMatchObject({ outcome: 'no_quorum', note: 'no judge cast a ballot that counts' });
  });
});

const marks = fc.array(fc.constantFrom('+', '-', '0'), { maxLength: 6 }).map((list) => list.join(''));
const rules = fc.constantFrom<DecisionRule>(...DECISION_RULES);
const quorums = fc.integer({ min: 1, max: 4 });

describe('every decision', () => {
  it('does not depend on the order of ballots, nor on later duplicates, strangers and other subjects', () => {
    const scene = marks.chain((m) => {
      const ballots = cast(m);
      const noise = [
        ...ballots.map((b) => ({ ...b, vote: 'reject' as const })),
        ballot('z', 'confirm'),
        ballot('a', 'reject', 'x'),
      ];
      return fc.record({
        ballots: fc.constant(ballots),
        shuffled: fc.shuffledSubarray(ballots, { minLength: ballots.length }),
        noise: fc.shuffledSubarray(noise),
      });
    });
    fc.assert(
      fc.property(rules, quorums, scene, (rule, quorum, { ballots, shuffled, noise }) => {
        const more = {
          weights: new Map([
            ['a', 0.1],
            ['b', 0.2],
            ['c', 0.3],
          ]),
          judges: ['a', 'b'],
        } as const;
        const plain = { rule, quorum, subject: 's', eligible: voters, ...more } as const;
        const { decision } = decide({ ...plain, ballots });
        const noisy = decide({ ...plain, ballots: [...shuffled, ...noise] });
        expect(noisy.decision).toEqual(decision);
        expect(noisy.refused.length).toBe(noise.length);
      }),
      { seed: 7, numRuns: 300 },
    );
  });

  it('turns around when every vote does, and abstentions change nothing', () => {
    const turned = { confirmed: 'rejected', rejected: 'confirmed', tie: 'tie', no_quorum: 'no_quorum' } as const;
    const flip = { '+': '-', '-': '+', '0': '0' } as const;
    fc.assert(
      fc.property(rules, quorums, fc.array(fc.constantFrom('+', '-', '0'), { maxLength: 6 }), (rule, quorum, list) => {
        const outcome = poll(rule, quorum, cast(list.join(''))).decision.outcome;
        expect(poll(rule, quorum, cast(list.map((m) => flip[m]).join(''))).decision.outcome).toBe(turned[outcome]);
        const spoken = cast(list.join('')).filter((b) => b.vote !== 'abstain');
        expect(poll(rule, quorum, spoken).decision.outcome).toBe(outcome);
      }),
      { seed: 8, numRuns: 300 },
    );
  });
});
