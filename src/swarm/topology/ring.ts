import type { PlanStep } from '../plan.ts';
import { planStep } from './topology.ts';
import type { ArrangeSteps } from './topology.ts';

/**
 * A chain: each agent works in a round of its own and sees what its predecessor made; the last one's output is the
 * result. Messages: n − 1.
 */
export const ring: ArrangeSteps = (agents) => {
  const steps: PlanStep[] = [];
  for (const agent of agents) steps.push(planStep(steps.length + 1, 'work', agent, steps.slice(-1)));
  return steps;
};
