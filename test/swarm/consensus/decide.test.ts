import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Ballot, DecisionRule, Vote } from '../../../src/ballot.ts';
import { InvalidInputError } from '../../../src/errors.ts';
import { decide } from '../../../src/swarm/consensus/decide.ts';

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

const marks = fc.array(fc.constantFrom('+', '-', '0'), { maxLength: 6 }).map((list) => list.join(''));
const rules = fc.constantFrom<DecisionRule>('majority', 'quorum');
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
        const { decision } = poll(rule, quorum, ballots);
        const noisy = poll(rule, quorum, [...shuffled, ...noise]);
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
