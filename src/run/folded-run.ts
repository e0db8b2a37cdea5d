import type { ChildMark } from '../agent/child-mark.ts';
import type { StepOutput } from '../agent/provider.ts';
import type { Decision } from '../ballot.ts';
import type { Note } from '../finding.ts';
import type { BudgetReached, EventUsage, RunEvent } from '../events.ts';

/** How a step stands, as the events tell it. */
export interface FoldedStep {
  readonly id: string;
  readonly agentId: string;
  readonly kind: 'work' | 'judge' | 'merge';
  readonly round: number;
  readonly sees: readonly string[];
  readonly status: 'waiting' | 'running' | 'completed' | 'skipped' | 'failed';
  /** 0 before the first. */
  readonly attempt: number;
  readonly epoch: number;
  /** Who claimed it last. */
  readonly owner: string | null;
  /** Whether the attempt under way has sent a call that costs money. */
  readonly called: boolean;
  /** The program that works on it, while it does. */
  readonly child: ChildMark | null;
  /** The epoch in which it was last started over: attempts after it had the same to go by; 0 where it was not. */
  readonly startedOver: number;
  /** What the attempts since then cost, in US dollars, as far as their prices are known. */
  readonly costUsd: number;
  /** Attempts that failed since it was last started over; those that were stopped do not count. */
  readonly failures: number;
  readonly startedAt: number | null;
  readonly endedAt: number | null;
  /** Of the attempt that completed it. */
  readonly durationMs: number;
  readonly provider: string | null;
  readonly code: string | null;
  readonly reason: string | null;
  /** What it put out; `null` unless it completed. */
  readonly output: StepOutput | null;
  /** Attempts whose call was in flight when they were cut off, and of which no answer came later: it may have been paid for. */
  readonly possiblyBilledTwice: number;
}

/** How an approval stands; `approved` is `null` while nobody has answered. */
export interface FoldedApproval {
  readonly question: string;
  readonly approved: boolean | null;
  readonly note: string | null;
}

/** What was used, all attempts together. */
export interface Used {
  readonly tokens: number;
  /** Of attempts whose price is known. */
  readonly costUsd: number;
  /** Attempts whose price is not known. */
  readonly unpriced: number;
  /** Attempts. */
  readonly steps: number;
  /** Milliseconds in which attempts were under way; only for agents. */
  readonly wallMs: number;
}

export type Started = RunEvent & { readonly type: 'run_started' };

/** A run as its events tell it: `state = fold(events)`. */
export interface FoldedRun {
  /** `null` before the first event. */
  readonly started: Started | null;
  readonly status: 'running' | 'completed' | 'failed' | 'cancelled';
  readonly waiting: 'host' | 'budget' | 'approval' | null;
  readonly paused: BudgetReached | null;
  /** Why it failed or was cancelled. */
  readonly reason: string | null;
  /** In the plan's order, layers that were added last. */
  readonly steps: ReadonlyMap<string, FoldedStep>;
  /** Why a growing strategy added no further layer, as it was last said. */
  readonly growthEnd: string | null;
  readonly decisions: readonly Decision[];
  readonly approvals: ReadonlyMap<string, FoldedApproval>;
  /** What a person is asked now; `null` when nothing is, also while a run waits whose question was answered. */
  readonly asked: { readonly gate: string; readonly question: string } | null;
  /** What limits the whole run's answer, beside what its agents say. */
  readonly notes: readonly Note[];
  readonly announced: boolean;
  readonly cancelAsked: string | null;
  readonly usage: readonly (EventUsage & { readonly agentId: string; readonly stepId: string })[];
  readonly used: ReadonlyMap<string, Used>;
  /** When attempts failed and were to be repeated, ms since the epoch, in order. */
  readonly restarts: readonly number[];
  /** The place of the last event. */
  readonly seq: number;
  /** When the last step ended; the beginning while none has. */
  readonly lastStepAt: number;
  /** Milliseconds in which some process worked on it, waiting for people, hosts and other processes left out. */
  readonly activeMs: number;
  /** Those of them before it was opened again after an end; 0 where it was not. */
  readonly activeBeforeMs: number;
  readonly endedAt: number | null;
  /** Whether it has completed once; a run whose steps are repeated may go on. */
  readonly hasCompleted: boolean;
}
