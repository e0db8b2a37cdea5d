import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { InternalError } from '../../../src/errors.ts';
import { extendPlan } from '../extend-plan.ts';
import { makePlan } from '../../../src/swarm/make-plan.ts';
import type { PlanInput } from '../../../src/swarm/make-plan.ts';
import type { Plan, PlanStep } from '../../../src/swarm/plan.ts';
import { growPlan } from '../../../src/swarm/strategy/grow-plan.ts';
import type { EndedStep } from '../../../src/swarm/strategy/layer-score.ts';

const cascade = (topology: PlanInput['topology'], types: readonly string[], judge: string | null = null): Plan => {
  const agents = types.map((type) => ({ type, count: 1, capabilities: [] }));
  return makePlan({ topology, strategy: 'cascade', agents, judge });
};
/** Found findings; and votes `+f1` or `-f1` in the name of the step's own agent. */
const ended = (agentId: string, findings: string, votes = '', confidence?: number): EndedStep => ({
  status: 'completed',
  output: {
    findings: findings
      .split(' ')
      .filter(Boolean)
      .map((id) => ({ id })),
    ballots: votes
      .split(' ')
      .filter(Boolean)
      .map((vote) => ({ subject: vote.slice(1), voter: agentId, vote: vote.startsWith('+') ? 'confirm' : 'reject' })),
    ...(confidence === undefined ? {} : { confidence }),
  },
});
const FAILED: EndedStep = { status: 'failed' };
const outcomesOf = (record: Readonly<Record<string, EndedStep>>): Map<string, EndedStep> => new Map(Object.entries(record));

/** The steps that are added; none where it stops. */
function grown(plan: Plan, outcomes: Map<string, EndedStep>, maxRounds: number): readonly PlanStep[] {
  const growth = growPlan(plan, outcomes, maxRounds);
  return growth?.grows === true ? growth.steps : [];
}
const whyStopped = (plan: Plan, outcomes: Map<string, EndedStep>, maxRounds: number): string | undefined => {
  const growth = growPlan(plan, outcomes, maxRounds);
  return growth?.grows === false ? growth.why : undefined;
};

const FIRST = {
  '1-work-a': ended('a', 'f1'),
  '1-work-b': ended('b', 'f2 f3'),
  '2-judge-a': ended('a', '', '+f2 +f3'),
  '2-judge-b': ended('b', '', '-f1'),
};

describe('growPlan', () => {
  it('appends a layer that builds on the best output and is judged again', () => {
    const plan = cascade('mesh', ['a', 'b']);
    expect(grown(plan, outcomesOf(FIRST), 3).map((step) => `${step.id} < ${step.sees.join(' ')}`)).toEqual([
      '3-work-a < 1-work-b',
      '3-work-b < 1-work-b',
      '4-judge-a < 3-work-b',
      '4-judge-b < 3-work-a',
    ]);
    expect(growPlan(plan, outcomesOf(FIRST), 3)?.reason).toBe('Layer 1 came to 2.00: layer 2 builds on 1-work-b.');
  });

  it('goes on while more is confirmed, and stops where nothing is gained', () => {
    const plan = cascade('mesh', ['a', 'b']);
    const two = extendPlan(plan, grown(plan, outcomesOf(FIRST), 3));
    const more = { ...FIRST, '3-work-a': ended('a', 'f2 f3 f4'), '3-work-b': ended('b', 'f2') };
    const judged = { ...more, '4-judge-a': ended('a', ''), '4-judge-b': ended('b', '', '+f4') };
    expect(growPlan(two, outcomesOf(judged), 3)?.reason).toBe('Layer 2 came to 3.00, up from 2.00: layer 3 builds on 3-work-a.');
    const rejected = { ...more, '4-judge-a': ended('a', ''), '4-judge-b': ended('b', '', '-f4') };
    expect(growPlan(two, outcomesOf(rejected), 3)).toEqual({
      grows: false,
      why: 'no_gain',
      reason: 'Layer 2 came to 2.00, after 2.00: a further layer needs a gain of at least 0.05.',
    });
    expect(growPlan(two, outcomesOf(judged), 1)).toEqual({
      grows: false,
      why: 'bound',
      reason: 'Layer 2 came to 3.00, up from 2.00: max_rounds, which is 1, allows no further layer.',
    });
  });

  it('counts what was passed on as its first finder’s, who has no vote on it', () => {
    const plan = cascade('mesh', ['a', 'b']);
    const two = extendPlan(plan, grown(plan, outcomesOf(FIRST), 3));
    // b confirms its own f2 and f3 once more; a repeats them: neither is news.
    const again = { '3-work-a': ended('a', 'f2 f3'), '3-work-b': ended('b', 'f2 f3') };
    const votes = { '4-judge-a': ended('a', ''), '4-judge-b': ended('b', '', '+f2 +f3') };
    expect(whyStopped(two, outcomesOf({ ...FIRST, ...again, ...votes }), 3)).toBe('no_gain');
  });

  it('measures words by the judges of the step, else by their author’s confidence', () => {
    const plan = cascade('ring', ['a', 'b']);
    const judge = '3-judge-a';
    const by = (confidence: number, votes: string): string | undefined =>
      growPlan(
        plan,
        outcomesOf({
          '1-work-a': ended('a', '', '', 0.4),
          '2-work-b': ended('b', '', '', confidence),
          [judge]: ended('a', '', votes),
        }),
        1,
      )?.reason;
    expect(by(0.5, '')).toBe('Layer 1 came to 0.49: layer 2 builds on 2-work-b.');
    expect(by(0.5, '+2-work-b')).toBe('Layer 1 came to 0.99: layer 2 builds on 2-work-b.');
    expect(by(0.5, '-2-work-b')).toBe('Layer 1 came to 0.40: layer 2 builds on 1-work-a.');
    expect(by(Number.NaN, '')).toBe('Layer 1 came to 0.40: layer 2 builds on 1-work-a.');
    expect(by(1e9, '')).toBe('Layer 1 came to 0.99: layer 2 builds on 2-work-b.');
  });

  it('lets one agent go on as long as it grows surer', () => {
    const one = cascade('star', ['a']);
    const sure = (...values: readonly number[]): Map<string, EndedStep> =>
      new Map(values.map((value, i) => [`${i + 1}-work-a`, ended('a', '', '', value)]));
    const two = extendPlan(one, grown(one, sure(0.5), 3));
    expect(two.steps.map(({ id, sees }) => [id, ...sees])).toEqual([['1-work-a'], ['2-work-a', '1-work-a']]);
    expect(grown(two, sure(0.5, 0.7), 3).map(({ id }) => id)).toEqual(['3-work-a']);
    expect(whyStopped(two, sure(0.5, 0.52), 3)).toBe('no_gain');
    expect(whyStopped(two, sure(0.5, 0.3), 3)).toBe('no_gain');
  });

  it('has the judge judge again, and only it', () => {
    const plan = cascade('mesh', ['a', 'b', 'j'], 'j');
    const outcomes = { '1-work-a': ended('a', 'f1'), '1-work-b': FAILED, '2-judge-j': ended('j', '', '+f1') };
    expect(grown(plan, outcomesOf(outcomes), 3).map(({ id }) => id)).toEqual(['3-work-a', '3-work-b', '4-judge-j']);
  });

  it('does not count ballots cast in the name of others, twice, on unknown things or by those who worked', () => {
    const plan = cascade('mesh', ['a', 'b']);
    const nobody = { ...FIRST, '2-judge-a': ended('b', '', '+f2'), '2-judge-b': ended('b', '', '+f2 +nothing -f1 +f1') };
    expect(whyStopped(plan, outcomesOf(nobody), 3)).toBe('no_gain');
  });

  it('stops without a result, without anything gained, and for every other strategy', () => {
    const plan = cascade('mesh', ['a', 'b']);
    const all = (outcome: EndedStep): Map<string, EndedStep> => new Map(plan.steps.map(({ id }) => [id, outcome]));
    expect(growPlan(plan, all(FAILED), 3)).toMatchObject({
      why: 'no_result',
      reason: expect.stringMatching(/layer 1 has a result/),
    });
    expect(whyStopped(plan, all(ended('a', '')), 3)).toBe('no_gain');
    expect(whyStopped(plan, outcomesOf(FIRST), 0)).toBe('bound');
    expect(growPlan({ ...plan, strategy: 'plan' }, outcomesOf(FIRST), 3)).toBeNull();
  });

  it('is not asked before all have ended', () => {
    expect(() => growPlan(cascade('mesh', ['a', 'b']), new Map([['1-work-a', FAILED]]), 3)).toThrow(InternalError);
  });
});

interface Drawn {
  readonly findings: readonly number[];
  readonly votes: readonly (readonly [number, boolean])[];
  readonly confidence: number | null;
}
const outcome: fc.Arbitrary<Drawn | null> = fc.oneof(
  { weight: 1, arbitrary: fc.constant(null) },
  {
    weight: 6,
    arbitrary: fc.record({
      findings: fc.uniqueArray(fc.integer({ min: 1, max: 40 }), { maxLength: 6 }),
      votes: fc.array(fc.tuple(fc.integer({ min: 1, max: 40 }), fc.boolean()), { maxLength: 20 }),
      confidence: fc.option(fc.double({ min: 0, max: 1, noNaN: true })),
    }),
  },
);

describe('every cascade', () => {
  it('ends within its rounds, stays a valid plan, and grows the same again from the same outcomes', () => {
    fc.assert(
      fc.property(
        fc.constantFrom('star', 'mesh', 'ring', 'hierarchy'),
        fc.integer({ min: 1, max: 7 }),
        fc.integer({ min: 0, max: 5 }),
        fc.infiniteStream(outcome),
        (topology, count, maxRounds, stream) => {
          let plan = makePlan({ topology, strategy: 'cascade', agents: [{ type: 'w', count, capabilities: [] }] });
          const outcomes = new Map<string, EndedStep>();
          for (let rounds = 0; ; rounds += 1) {
            expect(rounds).toBeLessThanOrEqual(maxRounds);
            for (const { id, agentId } of plan.steps.filter((step) => !outcomes.has(step.id))) {
              const value: Drawn | null = stream.next().value;
              const findings = value?.findings.map((n) => `f${n}`).join(' ') ?? '';
              const votes = value?.votes.map(([n, yes]) => `${yes ? '+' : '-'}f${n}`).join(' ') ?? '';
              outcomes.set(id, value === null ? FAILED : ended(agentId, findings, votes, value.confidence ?? undefined));
            }
            const growth = growPlan(plan, outcomes, maxRounds);
            const reordered = new Map([...outcomes].reverse());
            expect(growPlan(structuredClone(plan), structuredClone(reordered), maxRounds)).toEqual(growth);
            expect(growth?.reason).toMatch(/layer \d+.*\.$/iu);
            if (growth === null || !growth.grows) return;
            expect(growth.steps.length).toBeGreaterThan(0);
            // Throws unless ids are unique and all that is seen lies before.
            plan = extendPlan(plan, growth.steps);
          }
        },
      ),
      { seed: 21, numRuns: 150 },
    );
  });
});
