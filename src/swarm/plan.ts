/** What a step asks of its agent: work by itself, judge others' work, or merge it. */
export type StepKind = 'work' | 'judge' | 'merge';

/** A member of a swarm, by its own id. */
export interface PlanAgent {
  /** Its own where it is on record, else `<type>`, or `<type>-<n>` where there are several. */
  readonly id: string;
  readonly name?: string;
  readonly type: string;
  readonly capabilities: readonly string[];
  readonly prompt?: string;
  /** A model's name that the swarm asks for. */
  readonly model?: string;
  /** Put before the role's own style by a strategy that mixes styles. */
  readonly style?: 'convergent' | 'divergent' | 'lateral' | 'systems';
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
  /** One of the fixed ones, also where `adaptive` was asked for. */
  readonly topology: string;
  readonly strategy: string;
  /** Why an adaptive topology or strategy chose what it did, and who a hierarchy's root is; absent where nothing was to choose. */
  readonly reason?: string;
  readonly agents: readonly PlanAgent[];
  readonly steps: readonly PlanStep[];
  /** Outputs passed between different agents: the sum of `sees` that cross agents. */
  readonly messages: number;
}
