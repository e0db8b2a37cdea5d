import type { PlanAgent, PlanStep } from '../plan.ts';
import { planStep } from './topology.ts';

/** Steps whose output is a result: no step but a judge's sees it. */
function resultsOf(steps: readonly PlanStep[]): readonly PlanStep[] {
  const made = steps.filter((step) => step.kind !== 'judge');
  const used = new Set(made.flatMap((step) => step.sees));
  return made.filter((step) => !used.has(step.id));
}

/**
 * The round after the last of `steps`, in which each judge sees the results that others made. Who made all of them has
 * nothing to judge and no step; with one agent the round is empty.
 */
export function judgeRound(steps: readonly PlanStep[], judges: readonly PlanAgent[]): readonly PlanStep[] {
  const results = resultsOf(steps);
  const round = 1 + steps.reduce((last, step) => Math.max(last, step.round), 0);
  return judges.flatMap((judge) => {
    const others = results.filter((step) => step.agentId !== judge.id);
    return others.length === 0 ? [] : [planStep(round, 'judge', judge, others)];
  });
}
