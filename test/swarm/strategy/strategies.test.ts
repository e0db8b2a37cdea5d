import { describe, expect, it } from 'vitest';
import { InvalidInputError } from '../../../src/errors.ts';
import { makePlan } from '../../../src/swarm/make-plan.ts';
import type { AgentSpecLike, PlanInput } from '../../../src/swarm/make-plan.ts';
import { chooseStrategy } from '../../../src/swarm/strategy/choose-strategy.ts';

const agent = (type: string, count = 1): AgentSpecLike => ({ type, count, capabilities: [] });
const TEAM = [agent('a'), agent('b'), agent('c')];
const shape = (input: PlanInput): string[] => makePlan(input).steps.map((step) => `${step.id} < ${step.sees.join(' ')}`.trim());

describe('the plan of a strategy', () => {
  it('plan: the topology once, nothing to explain', () => {
    const plan = makePlan({ topology: 'star', strategy: 'plan', agents: TEAM });
    expect(plan).toEqual(makePlan({ topology: 'star', agents: TEAM }));
    expect(plan).toMatchObject({ topology: 'star', strategy: 'plan' });
    expect(plan).not.toHaveProperty('reason');
  });

  it('cascade: the topology, and who did not make the result judges it', () => {
    expect(shape({ topology: 'star', strategy: 'cascade', agents: TEAM })).toEqual([
      '1-work-b <',
      '1-work-c <',
      '2-merge-a < 1-work-b 1-work-c',
      '3-judge-b < 2-merge-a',
      '3-judge-c < 2-merge-a',
    ]);
    expect(shape({ topology: 'mesh', strategy: 'cascade', agents: TEAM })).toEqual(shape({ topology: 'mesh', agents: TEAM }));
  });

  it('fusion: all work, the hub too, which merges everything; the others judge that', () => {
    expect(shape({ topology: 'star', strategy: 'fusion', agents: [agent('a'), agent('coordinator'), agent('c')] })).toEqual([
      '1-work-a <',
      '1-work-coordinator <',
      '1-work-c <',
      '2-merge-coordinator < 1-work-a 1-work-coordinator 1-work-c',
      '3-judge-a < 2-merge-coordinator',
      '3-judge-c < 2-merge-coordinator',
    ]);
    expect(makePlan({ topology: 'ring', strategy: 'fusion', agents: TEAM })).toMatchObject({
      topology: 'star',
      reason: 'Topology star: the strategy fusion is one.',
    });
  });

  it('neuro-divergent: a mesh whose styles take turns', () => {
    const plan = makePlan({ topology: 'mesh', strategy: 'neuro-divergent', agents: [agent('x', 5)] });
    expect(plan.agents.map(({ style }) => style)).toEqual(['convergent', 'divergent', 'lateral', 'systems', 'convergent']);
    expect(plan.steps).toEqual(makePlan({ topology: 'mesh', agents: [agent('x', 5)] }).steps);
    expect(plan).not.toHaveProperty('reason');
  });

  it.each(['plan', 'cascade', 'fusion', 'neuro-divergent'] as const)('%s: one agent alone just works', (strategy) => {
    expect(shape({ topology: 'mesh', strategy, agents: [agent('a')] })).toEqual(['1-work-a <']);
  });

  it.each([
    ['star', ['1-work-b <', '2-merge-a < 1-work-b', '3-judge-j < 2-merge-a']],
    ['mesh', ['1-work-a <', '1-work-b <', '2-judge-j < 1-work-a 1-work-b']],
    ['ring', ['1-work-a <', '2-work-b < 1-work-a', '3-judge-j < 2-work-b']],
    ['hierarchy', ['1-work-b <', '2-merge-a < 1-work-b', '3-judge-j < 2-merge-a']],
  ] as const)('%s with a judge: it does no work, and judges the result alone', (topology, expected) => {
    const agents = [agent('j'), agent('a'), agent('b')];
    expect(shape({ topology, agents, judge: 'j' })).toEqual(expected);
    expect(shape({ topology, agents, judge: 'j', strategy: 'cascade' })).toEqual(expected);
  });

  it('carries a model to the agents that are to use it', () => {
    const plan = makePlan({ topology: 'ring', agents: [{ ...agent('a'), model: 'm-1' }, agent('b')] });
    expect(plan.agents.map((member) => member.model)).toEqual(['m-1', undefined]);
  });

  it('adaptive: says what was chosen and why', () => {
    const input = { topology: 'adaptive', strategy: 'adaptive', agents: TEAM } as const;
    expect(makePlan({ ...input, task: 'Improve the cache' })).toMatchObject({
      topology: 'star',
      strategy: 'cascade',
      reason:
        'Strategy cascade: the task says "improve", so layers follow while they help. ' +
        'Topology star: 3 agents can divide the work, and one of them merges it.',
    });
    expect(makePlan({ ...input, task: 'Brainstorm names' })).toMatchObject({
      topology: 'mesh',
      strategy: 'neuro-divergent',
      reason:
        'Strategy neuro-divergent: the task says "brainstorm", so styles are mixed. ' +
        'Topology mesh: the strategy neuro-divergent is one.',
    });
    expect(makePlan({ ...input, agents: [agent('architect'), agent('coder')] })).toMatchObject({
      topology: 'ring',
      strategy: 'plan',
    });
  });

  it.each([
    [{ agents: [agent('j', 2)], judge: 'j' }, /besides the judge/],
    [{ agents: [agent('a')], judge: 'j' }, /the judge is "j"/],
    [{ agents: TEAM, maxRounds: 17 }, /maxRounds is 17; expected a whole number from 0 to 16/],
    [{ agents: TEAM, maxRounds: -1 }, /maxRounds/],
    [{ agents: [agent('a', 10_000)] }, /at most 512 agents, got 10000/],
    [{ agents: Array.from({ length: 10_000 }, (_, i) => agent(`a${i}`)) }, /at most 512 agents, got 10000/],
    [{ agents: [] }, /at least one agent/],
  ])('refuses what cannot be planned: %#', (input, message) => {
    const make = (): unknown => makePlan({ topology: 'mesh', ...input });
    expect(make).toThrow(InvalidInputError);
    expect(make).toThrow(message);
  });
});

describe('chooseStrategy', () => {
  it.each([
    ['Brainstorm and then summarize', 3, 'neuro-divergent'],
    ['What if we had no database?', 3, 'neuro-divergent'],
    ['Refine the summary', 3, 'cascade'],
    ['Refine the summary', 0, 'fusion'],
    ['Refine the text', 0, 'plan'],
    ['Write one answer', 3, 'fusion'],
    ['Fix the bug', 3, 'plan'],
    ['', 3, 'plan'],
  ])('%s (%i rounds): %s', (task, maxRounds, expected) => {
    expect(chooseStrategy({ types: ['a', 'b'], task, span: 4 }, maxRounds).choice).toBe(expected);
    expect(chooseStrategy({ types: ['a'], task, span: 4 }, maxRounds).choice).toBe('plan');
  });
});
