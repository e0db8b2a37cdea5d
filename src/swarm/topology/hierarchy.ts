import type { PlanStep } from '../plan.ts';
import { planStep } from './topology.ts';
import type { ArrangeSteps } from './topology.ts';

/**
 * A tree filled level by level, `span` children to an agent, whoever leads at its root. Leaves work in round 1; every
 * other agent merges its children's outputs in the round after the latest of them, the root last. Messages: n − 1.
 */
export const hierarchy: ArrangeSteps = (members, { lead, span }) => {
  const agents = [lead, ...members.filter((agent) => agent !== lead)];
  const steps: PlanStep[] = [];
  // Children stand behind their parent, so going backwards meets them first; each is put in front to keep the order.
  for (const [i, agent] of [...agents.entries()].reverse()) {
    const children = new Set(agents.slice(i * span + 1, (i + 1) * span + 1).map((child) => child.id));
    const seen = steps.filter((step) => children.has(step.agentId));
    const round = 1 + Math.max(0, ...seen.map((step) => step.round));
    steps.unshift(planStep(round, seen.length === 0 ? 'work' : 'merge', agent, seen));
  }
  return steps.sort((a, b) => a.round - b.round);
};
