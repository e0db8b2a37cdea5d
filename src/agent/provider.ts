import type { Ballot } from '../ballot.ts';
import type { ChangeSet } from '../changes.ts';
import type { Finding, Note } from '../finding.ts';

/** What an agent produced in one step. Plain JSON. */
export interface StepOutput {
  readonly findings: readonly Finding[];
  readonly ballots: readonly Ballot[];
  readonly notes: readonly Note[];
  /** Figures worth showing: files examined, rules applied. */
  readonly stats: Readonly<Record<string, number>>;
}

/** Output of an earlier step that the agent may see. */
export interface SeenOutput {
  readonly stepId: string;
  readonly agentId: string;
  readonly output: StepOutput;
}

/** One question to one agent. */
export interface AskRequest {
  readonly runId: string;
  readonly stepId: string;
  readonly kind: 'work' | 'judge' | 'merge';
  readonly agent: {
    readonly id: string;
    readonly type: string;
    readonly capabilities: readonly string[];
    readonly prompt?: string;
  };
  /** What the run is for, in words. */
  readonly task: string;
  readonly changes: ChangeSet;
  readonly sees: readonly SeenOutput[];
  readonly signal: AbortSignal;
  /** 0–1 and a few words; called at most some times a second. */
  readonly onProgress?: (done: number, what: string) => void;
}

/**
 * What came of it. `skipped`: this provider cannot do any of it (a capability that needs a model), which is no
 * failure. A failure is data: `ask` never rejects.
 */
export type AskResult =
  | { readonly status: 'completed'; readonly output: StepOutput }
  | { readonly status: 'skipped'; readonly reason: string; readonly code: string }
  | { readonly status: 'failed'; readonly reason: string; readonly code: string; readonly retryable: boolean };

/** Who does an agent's thinking. */
export interface Provider extends AsyncDisposable {
  readonly name: string;
  ask(request: AskRequest): Promise<AskResult>;
}
