import { judgeRound } from './judge-round.ts';
import { planStep } from './topology.ts';
import type { ArrangeSteps } from './topology.ts';

/**
 * All work independently in round 1; in round 2 each judges what all the others made in round 1. Messages: n(n − 1). One
 * agent alone has nobody to judge and just works.
 */
export const mesh: ArrangeSteps = (agents) => {
  const work = agents.map((agent) => planStep(1, 'work', agent));
  return [...work, ...judgeRound(work, agents)];
};
