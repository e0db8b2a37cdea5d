import type { Ballot, Decision } from './ballot.ts';
import type { ChangeSet, SourceFile } from './changes.ts';
import type { Finding, Note } from './finding.ts';

interface EventBase {
  readonly runId: string;
  /** From 1, without gaps within a run. */
  readonly seq: number;
  /** Milliseconds since the epoch. */
  readonly at: number;
}

/** A step as the plan has it. */
interface EventStep {
  readonly id: string;
  readonly agentId: string;
  readonly kind: 'work' | 'judge' | 'merge';
  readonly round: number;
  readonly sees: readonly string[];
}

/** What a step put out that no event of its own says: figures, words, and which findings it passes on. */
export interface EventOutput {
  readonly findingIds: readonly string[];
  readonly stats: Readonly<Record<string, number>>;
  readonly text?: string;
  readonly confidence?: number;
}

/** What an attempt cost; see `agent/usage.ts`. */
export interface EventUsage {
  readonly provider: string;
  readonly model: string;
  readonly inputTokens: number;
  readonly outputTokens: number;
  readonly cacheReadTokens: number;
  readonly cacheWriteTokens: number;
  readonly requests: number;
  readonly costUsd: number | null;
}

/** What a change set says in public: without texts and absolute paths. */
export interface EventScope {
  readonly mode: ChangeSet['mode'];
  readonly base: string | null;
  readonly git: { readonly head: string | null; readonly branch: string | null; readonly shallow: boolean } | null;
  readonly files: readonly {
    readonly path: string;
    readonly status: SourceFile['status'];
    readonly changedLines: number | null;
  }[];
  readonly skipped: ChangeSet['skipped'];
  readonly notes: ChangeSet['notes'];
}

/** What a budget limits, and whose it is. */
export interface BudgetReached {
  /** `swarm`: what the runs of a swarm may use together. */
  readonly scope: 'run' | 'agent' | 'day' | 'swarm';
  /** Of an agent's budget: its id. */
  readonly agentId?: string;
  /** Of a swarm's budget: its id. */
  readonly swarmId?: string;
  readonly what: 'tokens' | 'costUsd' | 'wallMs' | 'steps';
  readonly limit: number;
  readonly used: number;
}

interface StepRef {
  readonly stepId: string;
  readonly agentId: string;
}

/** What an event says, without its place in the journal. */
export type EventBody =
  | {
      readonly type: 'run_started';
      readonly skill: string;
      readonly skillVersion: string | null;
      readonly version: string;
      readonly task: string;
      readonly provider: string;
      readonly topology: string;
      readonly strategy: string;
      /** Why topology or strategy were chosen, where there was a choice. */
      readonly reason?: string;
      /** `name`: of agents of a swarm. */
      readonly agents: readonly {
        readonly id: string;
        readonly name?: string;
        readonly type: string;
        readonly capabilities: readonly string[];
      }[];
      readonly steps: readonly EventStep[];
      readonly formats: readonly ('markdown' | 'json' | 'sarif')[];
      readonly scope: EventScope;
    }
  /** A growing strategy added a layer. */
  | { readonly type: 'plan_grown'; readonly steps: readonly EventStep[]; readonly reason: string }
  /** A growing strategy adds no layer to what it made so far. */
  | { readonly type: 'growth_stopped'; readonly why: 'no_gain' | 'no_result' | 'bound'; readonly reason: string }
  /** What the paid calls to come may cost, told before the first of them. `costUsd`: `null` where a price is not known. */
  | {
      readonly type: 'spending_announced';
      readonly provider: string;
      readonly costUsd: number | null;
      readonly budgetUsd: number | null;
    }
  | ({
      readonly type: 'step_started';
      readonly attempt: number;
      readonly epoch: number;
      readonly owner: string;
      readonly provider: string;
      /** The attempt before it was cut off when it had sent a paid call, which may be paid for again. */
      readonly possiblyBilledTwice?: true;
      /** What it may use of what its swarm's runs may use together; `null` where there is no limit. */
      readonly pool?: { readonly tokens: number | null; readonly costUsd: number | null };
    } & StepRef)
  | ({
      readonly type: 'step_completed';
      readonly epoch: number;
      readonly durationMs: number;
      readonly findings: number;
      readonly ballots: number;
      readonly output: EventOutput;
      readonly usage?: EventUsage;
    } & StepRef)
  | ({ readonly type: 'step_skipped'; readonly code: string; readonly reason: string } & StepRef)
  | ({
      readonly type: 'step_failed';
      readonly attempt: number;
      readonly code: string;
      readonly reason: string;
      readonly willRetry: boolean;
      readonly usage?: EventUsage;
      readonly possiblyBilled?: true;
    } & StepRef)
  /** An attempt under way was stopped with another one that failed, as the supervision says, or by hand. */
  | ({ readonly type: 'step_reset'; readonly reason: string } & StepRef)
  /**
   * What an attempt cost whose answer came when another process had taken its step: the answer does not count.
   * `possiblyBilled`: it was cut off, and may have cost more.
   */
  | ({
      readonly type: 'usage_recorded';
      readonly epoch: number;
      readonly usage: EventUsage;
      readonly possiblyBilled?: true;
    } & StepRef)
  | ({
      readonly type: 'tool_called';
      readonly tool: string;
      readonly input: string;
      readonly outcome: 'ok' | 'error' | 'refused';
      readonly detail: string;
      readonly durationMs: number;
    } & StepRef)
  /** An attempt is about to send its first call that costs money: should its process die, one may be in flight. */
  | ({ readonly type: 'call_started'; readonly epoch: number } & StepRef)
  /** A program that costs money runs for a step: who takes the step up after this process was killed ends it first. */
  | ({ readonly type: 'child_started'; readonly host: string; readonly pid: number; readonly startTime: string } & StepRef)
  | ({ readonly type: 'request_retried'; readonly reason: string; readonly delayMs: number; readonly billed: boolean } & StepRef)
  | ({ readonly type: 'finding_reported'; readonly finding: Finding } & StepRef)
  | { readonly type: 'note_added'; readonly stepId: string | null; readonly agentId: string | null; readonly note: Note }
  | ({ readonly type: 'ballot_cast'; readonly ballot: Ballot } & StepRef)
  | { readonly type: 'decision_made'; readonly decision: Decision }
  /** `count`: how many steps wait, where `steps` are but the first of them. */
  | { readonly type: 'run_waiting'; readonly for: 'host'; readonly steps: readonly string[]; readonly count?: number }
  | {
      readonly type: 'run_paused';
      readonly budget: BudgetReached;
      readonly done: readonly string[];
      readonly remaining: readonly string[];
    }
  | { readonly type: 'approval_asked'; readonly gate: string; readonly question: string }
  | { readonly type: 'approval_given'; readonly gate: string; readonly approved: boolean; readonly note: string | null }
  | { readonly type: 'budget_raised'; readonly what: string; readonly from: number | null; readonly to: number | null }
  /**
   * A process goes on with the run, or joins those that drive it: `<host>/<pid>/<session>`, without the session where it
   * only woke it.
   */
  | { readonly type: 'run_resumed'; readonly owner: string }
  /** A process works on the run no more, and others do. */
  | { readonly type: 'run_left'; readonly owner: string }
  | { readonly type: 'cancel_asked'; readonly reason: string }
  | {
      readonly type: 'run_completed';
      readonly durationMs: number;
      readonly confirmed: number;
      readonly rejected: number;
      readonly undecided: number;
      /** Paths of the outputs from the project root. */
      readonly outputs: readonly string[];
      /** The place of the last event that the outputs tell of; without it all before this one. */
      readonly asOf?: number;
    }
  | { readonly type: 'run_failed'; readonly code: string; readonly reason: string }
  | { readonly type: 'run_cancelled'; readonly reason: string };

/** One fact in the journal. */
export type RunEvent = EventBase & EventBody;
