import type { Plan, PlanStep } from '../../src/swarm/plan.ts';
import { validatePlan } from '../../src/swarm/validate-plan.ts';

/** A plan with steps that were grown; throws unless it is valid. */
export function extendPlan(plan: Plan, steps: readonly PlanStep[]): Plan {
  const extended = { ...plan, steps: [...plan.steps, ...steps] };
  validatePlan(extended);
  return extended;
}
