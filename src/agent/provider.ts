import type { Ballot } from '../ballot.ts';
import type { ChangeSet } from '../changes.ts';
import type { Finding, Note } from '../finding.ts';
import type { ChildMark } from './child-mark.ts';
import type { Role } from './role.ts';
import type { Usage } from './usage.ts';

/** What an agent produced in one step. Plain JSON. */
export interface StepOutput {
  readonly findings: readonly Finding[];
  readonly ballots: readonly Ballot[];
  readonly notes: readonly Note[];
  /** Figures worth showing: files examined, rules applied. */
  readonly stats: Readonly<Record<string, number>>;
  /** What it answers in words, markdown; absent where the findings say it all. */
  readonly text?: string;
  /** How sure the agent says it is of its text, 0–1. */
  readonly confidence?: number;
}

/** Output of an earlier step that the agent may see. */
export interface SeenOutput {
  readonly stepId: string;
  readonly agentId: string;
  readonly output: StepOutput;
}

/** A message in the agent's mailbox. Its text is data of other agents, never an instruction of the user. */
export interface SeenMessage {
  readonly from: string;
  readonly body: string;
}

/** What may still be spent on this attempt; `null` where there is no limit. */
export interface AskLimits {
  /** Input and output together. */
  readonly maxTokens: number | null;
  readonly maxCostUsd: number | null;
}

/** One question to one agent. */
export interface AskRequest {
  readonly runId: string;
  readonly stepId: string;
  /** From 1; a higher one repeats a call whose answer was lost or refused. */
  readonly attempt: number;
  readonly kind: 'work' | 'judge' | 'merge';
  readonly agent: {
    readonly id: string;
    readonly name?: string;
    readonly type: string;
    readonly capabilities: readonly string[];
    readonly prompt?: string;
    /** A model's name that the swarm asks for; default: by the role's class. */
    readonly model?: string;
    /** What the type stands for: its prompt, tools, style. */
    readonly role: Role;
  };
  /** What the run is for, in words. */
  readonly task: string;
  readonly changes: ChangeSet;
  readonly sees: readonly SeenOutput[];
  readonly mail: readonly SeenMessage[];
  readonly limits: AskLimits;
  /**
   * A UUID, the same in every attempt that has the same to go by: a session of a program that can resume it. A step that is
   * started over gets another, as what it sees may be another.
   */
  readonly sessionId: string;
  /** What earlier attempts of that session are on record to have cost, in US dollars; `null`: this one begins it. */
  readonly sessionUsd: number | null;
  readonly signal: AbortSignal;
  /** 0–1 and a few words; called at most some times a second. */
  readonly onProgress?: (done: number, what: string) => void;
  /** Facts for the journal while the attempt is under way. */
  readonly onEvent?: (event: AskEvent) => void;
  /**
   * Whoever costs money waits for this before a call is sent, so that it is on record that one may be in flight should the
   * process die. May be called again; where it rejects nothing may be sent.
   */
  readonly onCall?: () => Promise<void>;
}

/** What happens within an attempt that the journal should know. Texts are redacted by whoever writes them down. */
export type AskEvent =
  | {
      readonly type: 'tool_called';
      readonly tool: string;
      /** The arguments, shortened. */
      readonly input: string;
      /** `refused`: the agent may not do that; what it tried is a fact worth a finding. */
      readonly outcome: 'ok' | 'error' | 'refused';
      readonly detail: string;
      readonly durationMs: number;
    }
  /** A program that costs money runs; see `child-mark.ts`. */
  | ({ readonly type: 'child_started' } & ChildMark)
  /** A request that was sent again; `billed`: the one before may have been paid for. */
  | { readonly type: 'request_retried'; readonly reason: string; readonly delayMs: number; readonly billed: boolean };

/**
 * What came of it. `skipped`: this provider cannot do any of it (a capability that needs a model), which is no
 * failure. A failure is data: `ask` never rejects. `usage` is what was spent, also on an attempt that failed.
 */
export type AskResult =
  | { readonly status: 'completed'; readonly output: StepOutput; readonly usage?: Usage }
  | { readonly status: 'skipped'; readonly reason: string; readonly code: string }
  | {
      readonly status: 'failed';
      readonly reason: string;
      /** `rate_limited`, `overloaded`, `auth`, `budget`, `bad_output`, `deadline`, `cancelled`, `unavailable`, … */
      readonly code: string;
      readonly retryable: boolean;
      /** Milliseconds that the provider asks to wait before another attempt. */
      readonly retryAfterMs?: number;
      /** The provider may have charged for an answer that did not arrive. */
      readonly possiblyBilled?: boolean;
      readonly usage?: Usage;
    };

/** Who thinks. `auto`: host for a call through MCP, else local. */
export type ProviderName = 'local' | 'anthropic' | 'claude-cli' | 'host';
export const PROVIDER_NAMES = ['local', 'anthropic', 'claude-cli', 'host'] as const satisfies readonly ProviderName[];

/** How the reason begins where no attempt was made since nobody knows what it would cost. */
export const UNKNOWN_PRICE = 'the price of';

/** Who does an agent's thinking. */
export interface Provider extends AsyncDisposable {
  readonly name: ProviderName;
  /** Whether its calls cost money: they are announced, budgeted and never made unasked. */
  readonly paid: boolean;
  ask(request: AskRequest): Promise<AskResult>;
}
