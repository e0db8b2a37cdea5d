import type { PlanAgent } from '../plan.ts';
import { planStep } from './topology.ts';
import type { ArrangeSteps, Members } from './topology.ts';

/** Who merges: the first agent of type `coordinator`, else the first agent. */
export function hubOf(agents: Members): PlanAgent {
  return agents.find((agent) => agent.type === 'coordinator') ?? agents[0];
}

/**
 * All but the hub work independently in round 1; the hub merges their outputs in round 2. Messages: n − 1. One agent
 * alone just works.
 */
export const star: ArrangeSteps = (agents) => {
  const hub = hubOf(agents);
  const spokes = agents.filter((agent) => agent !== hub);
  if (spokes.length === 0) return [planStep(1, 'work', hub)];
  const work = spokes.map((agent) => planStep(1, 'work', agent));
  return [...work, planStep(2, 'merge', hub, work)];
};
