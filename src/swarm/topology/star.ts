import { planStep } from './topology.ts';
import type { ArrangeSteps } from './topology.ts';

/**
 * All but the hub, who leads, work independently in round 1; the hub merges their outputs in round 2. Messages: n − 1. One agent
 * alone just works.
 */
export const star: ArrangeSteps = (agents, { lead: hub }) => {
  const spokes = agents.filter((agent) => agent !== hub);
  if (spokes.length === 0) return [planStep(1, 'work', hub)];
  const work = spokes.map((agent) => planStep(1, 'work', agent));
  return [...work, planStep(2, 'merge', hub, work)];
};
