/** What a step asks of its agent: work by itself, judge others' work, or merge it. */
export type StepKind = 'work' | 'judge' | 'merge';

/** A member of a swarm, by its own id. */
export interface PlanAgent {
  /** `<type>` or `<type>-<n>` where there are several. */
  readonly id: string;
  readonly type: string;
  readonly capabilities: readonly string[];
  readonly prompt?: string;
}

/** One unit of work for one agent. */
export interface PlanStep {
  /** Deterministic: `<round>-<kind>-<agentId>`. */
  readonly id: string;
  readonly agentId: string;
  readonly kind: StepKind;
  /** From 1. */
  readonly round: number;
  /** Ids of the steps whose output this one sees; all of them lie before it in `steps`. */
  readonly sees: readonly string[];
}

/** The graph of steps that a topology makes of agents; pure data. `steps` is in a valid execution order. */
export interface Plan {
  readonly topology: string;
  readonly agents: readonly PlanAgent[];
  readonly steps: readonly PlanStep[];
  /** Outputs passed between different agents: the sum of `sees` that cross agents. */
  readonly messages: number;
}
