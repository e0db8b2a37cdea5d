import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { InvalidInputError } from '../../src/errors.ts';
import { makePlan } from '../../src/swarm/make-plan.ts';
import type { AgentSpecLike, PlanInput } from '../../src/swarm/make-plan.ts';
import type { PlanStep } from '../../src/swarm/plan.ts';
import { validatePlan } from '../../src/swarm/validate-plan.ts';

const agent = (type: string, count = 1): AgentSpecLike => ({ type, count, capabilities: [] });
const shape = (input: PlanInput): string[] => makePlan(input).steps.map((step) => `${step.id} < ${step.sees.join(' ')}`.trim());

describe('makePlan', () => {
  it('star: the first agent is the hub and merges what the others made', () => {
    expect(shape({ topology: 'star', agents: [agent('a'), agent('b'), agent('c')] })).toEqual([
      '1-work-b <',
      '1-work-c <',
      '2-merge-a < 1-work-b 1-work-c',
    ]);
  });

  it('star: an agent of type coordinator is the hub wherever it stands', () => {
    expect(shape({ topology: 'star', agents: [agent('a'), agent('coordinator', 2)] })).toEqual([
      '1-work-a <',
      '1-work-coordinator-2 <',
      '2-merge-coordinator-1 < 1-work-a 1-work-coordinator-2',
    ]);
  });

  it('ring: each sees its predecessor', () => {
    expect(shape({ topology: 'ring', agents: [agent('a'), agent('b', 2)] })).toEqual([
      '1-work-a <',
      '2-work-b-1 < 1-work-a',
      '3-work-b-2 < 2-work-b-1',
    ]);
  });

  it('mesh: a round of work, then each judges the others', () => {
    expect(shape({ topology: 'mesh', agents: [agent('a'), agent('b'), agent('c')] })).toEqual([
      '1-work-a <',
      '1-work-b <',
      '1-work-c <',
      '2-judge-a < 1-work-b 1-work-c',
      '2-judge-b < 1-work-a 1-work-c',
      '2-judge-c < 1-work-a 1-work-b',
    ]);
  });

  it('hierarchy: leaves work, inner agents merge, the root comes last', () => {
    expect(shape({ topology: 'hierarchy', span: 2, agents: [agent('root'), agent('lead', 2), agent('leaf', 3)] })).toEqual([
      '1-work-leaf-1 <',
      '1-work-leaf-2 <',
      '1-work-leaf-3 <',
      '2-merge-lead-1 < 1-work-leaf-1 1-work-leaf-2',
      '2-merge-lead-2 < 1-work-leaf-3',
      '3-merge-root < 2-merge-lead-1 2-merge-lead-2',
    ]);
  });

  it('hierarchy: a coordinator is the root wherever it stands, and that is said', () => {
    const input: PlanInput = { topology: 'hierarchy', span: 2, agents: [agent('coder', 2), agent('boss'), agent('coordinator')] };
    expect(shape(input)).toEqual([
      '1-work-coder-2 <',
      '1-work-boss <',
      '2-merge-coder-1 < 1-work-boss',
      '3-merge-coordinator < 2-merge-coder-1 1-work-coder-2',
    ]);
    expect(makePlan(input).reason).toBe('Root coordinator: the first with the role coordinator.');
    const named = makePlan({ ...input, roleOf: (type) => (type === 'boss' ? 'coordinator' : type) });
    expect([named.steps.at(-1)?.agentId, named.reason]).toEqual(['boss', 'Root boss: the first with the role coordinator.']);
    const adaptive = makePlan({ ...input, topology: 'adaptive', task: 'x' });
    expect(adaptive.reason).toMatch(/^Topology hierarchy: .*\. Root coordinator: the first with the role coordinator\.$/);
    expect(makePlan({ ...input, agents: [agent('coder', 3)] }).reason).toBeUndefined();
    expect(makePlan({ ...input, agents: [agent('coordinator')] }).reason).toBeUndefined();
  });

  it.each(['star', 'mesh', 'ring', 'hierarchy'] as const)('%s: one agent alone just works', (topology) => {
    expect(shape({ topology, agents: [agent('a')] })).toEqual(['1-work-a <']);
  });

  it('gives unique ids to several specs of one type and passes over ids of other types', () => {
    const ids = makePlan({ topology: 'ring', agents: [agent('t'), agent('t-1'), agent('t', 2)] }).agents.map((a) => a.id);
    expect(ids).toEqual(['t-2', 't-1', 't-3', 't-4']);
  });

  it('carries capabilities and prompt to every agent, and no prompt where there is none', () => {
    const spec = { type: 'x', count: 2, capabilities: ['secrets'], prompt: 'Look.' };
    const { agents } = makePlan({ topology: 'star', agents: [spec, agent('y')] });
    expect(agents[1]).toEqual({ id: 'x-2', type: 'x', capabilities: ['secrets'], prompt: 'Look.' });
    expect(agents[2]).toEqual({ id: 'y', type: 'y', capabilities: [] });
  });

  it.each([
    ['no agents', []],
    ['too many', [agent('a', 512), agent('b')]],
    ['a count of 0', [agent('a', 0), agent('b')]],
    ['a negative count', [agent('a', -1), agent('b', 5)]],
    ['a fraction', [agent('a', 1.5)]],
    ['NaN', [agent('a', Number.NaN)]],
    ['infinity', [agent('a', Number.POSITIVE_INFINITY)]],
  ])('refuses %s', (_, agents) => {
    expect(() => makePlan({ topology: 'mesh', agents })).toThrow(InvalidInputError);
  });

  it('refuses a span outside 1–64', () => {
    for (const span of [0, 65, 1.5]) {
      expect(() => makePlan({ topology: 'hierarchy', agents: [agent('a')], span })).toThrow(InvalidInputError);
    }
  });

  it('holds at the limit of 512 agents', () => {
    expect(makePlan({ topology: 'mesh', agents: [agent('a', 512)] }).messages).toBe(512 * 511);
  });
});

const specs = fc.array(
  fc.record({
    type: fc.constantFrom('tester', 'tester-1', 'coordinator', 'reviewer', 'reviewer-2', 'a'),
    count: fc.integer({ min: 1, max: 6 }),
    capabilities: fc.constant([]),
  }),
  { minLength: 1, maxLength: 8 },
);
const inputs = fc.record({
  topology: fc.constantFrom('star', 'mesh', 'ring', 'hierarchy'),
  agents: specs,
  span: fc.integer({ min: 1, max: 6 }),
});

describe('every plan of every strategy', () => {
  it('is valid, the same for the same input, says which topology it has, and uses every agent', () => {
    const all = fc.record({
      topology: fc.constantFrom('star', 'mesh', 'ring', 'hierarchy', 'adaptive'),
      strategy: fc.constantFrom('plan', 'cascade', 'fusion', 'neuro-divergent', 'adaptive'),
      agents: specs,
      task: fc.constantFrom('', 'review it', 'step by step', 'improve', 'brainstorm', 'summarize this'),
      span: fc.integer({ min: 1, max: 6 }),
      maxRounds: fc.integer({ min: 0, max: 16 }),
      judge: fc.constantFrom(null, 'coordinator', 'a'),
    });
    fc.assert(
      fc.property(all, (input) => {
        const types = new Set(input.agents.map(({ type }) => type));
        fc.pre(input.judge === null || (types.has(input.judge) && types.size > 1));
        const plan = makePlan(input);
        expect(makePlan(structuredClone(input))).toEqual(plan);
        expect(() => validatePlan(plan)).not.toThrow();
        expect(['star', 'mesh', 'ring', 'hierarchy']).toContain(plan.topology);
        expect(['plan', 'cascade', 'fusion', 'neuro-divergent']).toContain(plan.strategy);
        const hadChoice = input.strategy === 'adaptive' || input.topology !== plan.topology;
        const workers = plan.agents.filter(({ type }) => type !== input.judge);
        const hasRoot = workers.length > 1 && workers.some(({ type }) => type === 'coordinator');
        expect(plan.reason !== undefined).toBe(hadChoice || (plan.topology === 'hierarchy' && hasRoot));
        expect(plan.reason?.includes('Root coordinator') ?? false).toBe(plan.topology === 'hierarchy' && hasRoot);
        expect(new Set(plan.steps.map((step) => step.agentId))).toEqual(new Set(plan.agents.map(({ id }) => id)));
        const round = new Map(plan.steps.map((step) => [step.id, step.round]));
        const late = plan.steps.filter((step) => step.sees.some((id) => (round.get(id) ?? 0) >= step.round));
        expect(late).toEqual([]);
        const typeOf = new Map(plan.agents.map(({ id, type }) => [id, type]));
        const judges = plan.steps.filter((step) => typeOf.get(step.agentId) === input.judge);
        const judging = plan.steps.filter((step) => step.kind === 'judge');
        expect(input.judge === null ? [] : judging).toEqual(judges);
      }),
      { seed: 45, numRuns: 400 },
    );
  });
});

describe('every plan', () => {
  it('has unique ids, no cycles, uses every agent, and passes as many messages as its topology predicts', () => {
    fc.assert(
      fc.property(inputs, (input) => {
        const plan = makePlan(input);
        const n = input.agents.reduce((sum, spec) => sum + spec.count, 0);
        expect(new Set(plan.agents.map((a) => a.id)).size).toBe(n);
        expect(new Set(plan.steps.map((s) => s.id)).size).toBe(plan.steps.length);
        expect(new Set(plan.steps.map((s) => s.agentId))).toEqual(new Set(plan.agents.map((a) => a.id)));
        const done = new Map<string, number>();
        const wrong: PlanStep[] = [];
        for (const step of plan.steps) {
          const isEarlier = step.sees.every((seen) => (done.get(seen) ?? Number.POSITIVE_INFINITY) < step.round);
          const isNamed = step.id === `${step.round}-${step.kind}-${step.agentId}`;
          const seesOnce = new Set(step.sees).size === step.sees.length;
          const hasReason = step.sees.length > 0 || step.kind === 'work';
          if (!(isEarlier && isNamed && seesOnce && hasReason)) wrong.push(step);
          done.set(step.id, step.round);
        }
        expect(wrong).toEqual([]);
        expect(plan.messages).toBe(input.topology === 'mesh' ? n * (n - 1) : n - 1);
        expect(plan.messages).toBe(plan.steps.reduce((sum, step) => sum + step.sees.length, 0));
      }),
      { seed: 42, numRuns: 200 },
    );
  });

  it('is the same for the same input', () => {
    fc.assert(
      fc.property(inputs, (input) => {
        expect(makePlan(structuredClone(input))).toEqual(makePlan(input));
      }),
      { seed: 43, numRuns: 100 },
    );
  });

  it('ends in one result for star, ring and hierarchy: the last step sees, by way of others, every agent', () => {
    fc.assert(
      fc.property(inputs, (input) => {
        if (input.topology === 'mesh') return;
        const plan = makePlan(input);
        const reached = new Set<string>();
        const visit = (id: string | undefined): void => {
          const step = plan.steps.find((s) => s.id === id);
          if (step === undefined || reached.has(step.agentId)) return;
          reached.add(step.agentId);
          step.sees.forEach(visit);
        };
        visit(plan.steps.at(-1)?.id);
        expect(reached.size).toBe(plan.agents.length);
      }),
      { seed: 44, numRuns: 100 },
    );
  });
});
