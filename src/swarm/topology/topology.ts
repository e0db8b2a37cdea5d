import type { PlanAgent, PlanStep, StepKind } from '../plan.ts';

/** At least one agent. */
export type Members = readonly [PlanAgent, ...PlanAgent[]];

/** What a topology needs to know beside its members. */
export interface Lead {
  /** One of the members: the hub of a star, the root of a hierarchy. */
  readonly lead: PlanAgent;
  /** How many agents report to one; matters to a hierarchy only. */
  readonly span: number;
}

/** Decides who works in which round and sees whose output. Pure; the steps come back in a valid execution order. */
export type ArrangeSteps = (agents: Members, by: Lead) => readonly PlanStep[];

/** A step whose id follows from its round, kind and agent. */
export function planStep(round: number, kind: StepKind, agent: PlanAgent, seen: readonly PlanStep[] = []): PlanStep {
  return { id: `${round}-${kind}-${agent.id}`, agentId: agent.id, kind, round, sees: seen.map((step) => step.id) };
}
