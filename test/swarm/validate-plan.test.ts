import { describe, expect, it } from 'vitest';
import { InvalidInputError } from '../../src/errors.ts';
import { extendPlan } from './extend-plan.ts';
import { makePlan } from '../../src/swarm/make-plan.ts';
import type { Plan, PlanStep } from '../../src/swarm/plan.ts';
import { validatePlan } from '../../src/swarm/validate-plan.ts';

const step = (id: string, sees: readonly string[] = [], more: Partial<PlanStep> = {}): PlanStep => ({
  id,
  agentId: 'a',
  kind: 'work',
  round: 1,
  sees,
  ...more,
});
const plan = (steps: readonly PlanStep[], agents: readonly string[] = ['a']): Plan => ({
  topology: 'star',
  strategy: 'plan',
  agents: agents.map((id) => ({ id, type: id, capabilities: [] })),
  steps,
  messages: 0,
});
const chain = (length: number): PlanStep[] => Array.from({ length }, (_, i) => step(`s${i}`, [`s${(i + 1) % length}`]));

describe('validatePlan', () => {
  it('accepts steps with dependencies in order', () => {
    expect(() => validatePlan(plan([step('x'), step('y', ['x']), step('z', ['x', 'y'])]))).not.toThrow();
  });

  it.each([
    ['no steps', plan([]), 'the plan has no steps'],
    ['a step twice', plan([step('x'), step('x')]), 'the plan has two steps "x"'],
    ['an agent twice', plan([step('x')], ['a', 'b', 'a']), 'the plan has two agents "a"'],
    ['a missing agent', plan([step('x')], ['b']), 'step "x" is for agent "a", which the plan does not have'],
    ['no agents', plan([step('x')], []), 'step "x" is for agent "a", which the plan does not have'],
    ['an unknown step', plan([step('x', ['nowhere'])]), 'step "x" sees "nowhere", which is no step of the plan'],
    ['a step that sees itself', plan([step('x', ['x'])]), 'the plan has a cycle: x → x'],
    ['a cycle of two', plan([step('x', ['y']), step('y', ['x'])]), 'the plan has a cycle: x → y → x'],
    [
      'a cycle behind good steps, seen by another',
      plan([step('o'), step('w', ['o', 'x']), step('x', ['z']), step('y', ['x']), step('z', ['y'])]),
      'the plan has a cycle: x → z → y → x',
    ],
    ['the wrong order', plan([step('y', ['x']), step('x')]), 'step "y" sees "x", which comes after it'],
    ['a round of 0', plan([step('x', [], { round: 0 })]), 'step "x" is in round 0; expected a whole number ≥ 1'],
    [
      '10,000 agents',
      plan(
        [step('x')],
        Array.from({ length: 10_000 }, (_, i) => `a${i}`),
      ),
      'a plan takes at most 512 agents, got 10000',
    ],
  ])('refuses %s', (_, bad, message) => {
    expect(() => validatePlan(bad)).toThrow(InvalidInputError);
    expect(() => validatePlan(bad)).toThrow(message);
  });

  it('finds a cycle of 20,000 steps without recursion, and shortens it', () => {
    expect(() => validatePlan(plan(chain(20_000)))).toThrow(/^the plan has a cycle: s0 → s1 → .* → s9 → … → s0$/);
  });

  it('stays the judge of what is appended', () => {
    const made = makePlan({ topology: 'star', agents: [{ type: 'a', count: 2, capabilities: [] }] });
    const more = step('3-work-a-1', ['1-work-a-2'], { agentId: 'a-1', round: 3 });
    expect(() => extendPlan(made, [more])).not.toThrow();
    expect(() => extendPlan(made, [step('1-work-a-2', [], { agentId: 'a-1' })])).toThrow(InvalidInputError);
  });
});
