import type { PlanAgent, PlanStep, StepKind } from '../plan.ts';

/** At least one agent. */
export type Members = readonly [PlanAgent, ...PlanAgent[]];

/**
 * Decides who works in which round and sees whose output. Pure; the steps come back in a valid execution order.
 * `span` (how many agents report to one) matters to a hierarchy only.
 */
export type ArrangeSteps = (agents: Members, span: number) => readonly PlanStep[];

/** A step whose id follows from its round, kind and agent. */
export function planStep(round: number, kind: StepKind, agent: PlanAgent, seen: readonly PlanStep[] = []): PlanStep {
  return { id: `${round}-${kind}-${agent.id}`, agentId: agent.id, kind, round, sees: seen.map((step) => step.id) };
}
