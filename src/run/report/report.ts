import type { Ballot, Decision, DecisionRule, Outcome, Vote } from '../../ballot.ts';
import type { SkipReason } from '../../changes.ts';
import type { EventScope } from '../../events.ts';
import type { Finding, Note, Severity } from '../../finding.ts';
import type { RunState } from '../runs.ts';

/** The facts of a run. */
export interface ReportRun {
  readonly id: string;
  readonly skill: string;
  readonly skillVersion: string | null;
  readonly task: string;
  readonly provider: string;
  readonly topology: string;
  readonly status: RunState;
  /** Why it failed or was cancelled. */
  readonly reason?: string;
  /** Why topology and strategy were chosen, where there was a choice. */
  readonly planReason?: string;
  /** Why a growing strategy added no further layer. */
  readonly growthEnd?: string;
  /** Why its files were not written, where that was refused; the journal keeps all of it. */
  readonly notWritten?: string;
  /** Milliseconds since the epoch. */
  readonly startedAt: number;
  /** Until its last step ended. */
  readonly durationMs: number;
}

/** What one agent did. `skipped`: nobody could do its thinking. */
export interface ReportAgent {
  readonly id: string;
  /** Of agents of a swarm. */
  readonly name?: string;
  readonly type: string;
  readonly capabilities: readonly string[];
  readonly status: 'completed' | 'skipped' | 'failed';
  /** Why it was skipped or failed. */
  readonly reason?: string;
  readonly durationMs: number;
  /** How many findings it reported. */
  readonly findings: number;
  /** How many ballots it cast. */
  readonly ballots: number;
  /** Who did its thinking, where anyone did. */
  readonly provider?: string;
}

/** What an agent answered in words. */
export interface ReportAnswer {
  readonly agentId: string;
  readonly stepId: string;
  /** Markdown. */
  readonly text: string;
  /** How sure the agent says it is, 0–1. */
  readonly confidence?: number;
}

/** What was spent on models. */
export interface ReportSpending {
  readonly tokens: number;
  readonly requests: number;
  /** Of what has a known price. */
  readonly costUsd: number;
  /** Models without a known price. */
  readonly unpriced: readonly string[];
  /** Attempts that were cut off, and whose call may have been paid for a second time. */
  readonly possiblyBilledTwice: number;
}

/** What the run looked at. No absolute paths: a report may be published. */
export interface Scope {
  readonly mode: EventScope['mode'];
  /** The revision compared with, full hash. */
  readonly base: string | null;
  readonly git: EventScope['git'];
  /** In the change set's order; `changedLines` is `null` where the whole file was under review. */
  readonly files: EventScope['files'];
  /** Sum over the files of which only a part was under review. */
  readonly changedLines: number;
  /** How many files were under review as a whole. */
  readonly wholeFiles: number;
  /** How many files were asked for and not looked at. */
  readonly skipped: number;
}

/** What was not looked at, or not with full depth, and why. Every list is empty when there was nothing. */
export interface Omissions {
  /** Agents that did not come to their end. */
  readonly agents: readonly {
    readonly id: string;
    readonly status: Exclude<ReportAgent['status'], 'completed'>;
    /** `''` when none was given. */
    readonly reason: string;
  }[];
  /** Skipped files by reason, the largest group first; `examples` are the first five paths in order. */
  readonly files: readonly { readonly reason: SkipReason; readonly count: number; readonly examples: readonly string[] }[];
  /** What limits the change set. */
  readonly changes: readonly { readonly code: string; readonly message: string }[];
  /** Notes of agents and of the run; those that say the same are one, with the ids of all the agents that say so. */
  readonly notes: readonly {
    readonly code: string;
    readonly message: string;
    readonly count?: number;
    /** Sorted; empty for a note of the run. */
    readonly agents: readonly string[];
  }[];
}

export interface ReportVote {
  readonly voter: string;
  readonly vote: Vote;
  readonly reason: string;
}

/** A finding with what came of it. */
export interface ReportFinding extends Finding {
  /** `no_quorum` when nobody decided on it. */
  readonly outcome: Outcome;
  /** Ids of the agents that reported it. */
  readonly reportedBy: readonly string[];
  /** The first ballot of each voter, in the order cast. */
  readonly votes: readonly ReportVote[];
  /** Those of `votes` that lost: rejects of a confirmed finding, confirms of a rejected one. */
  readonly dissent: readonly ReportVote[];
  /** The figures of the decision, `null` when there was none. */
  readonly decision: {
    readonly rule: DecisionRule;
    readonly confirms: number;
    readonly rejects: number;
    readonly abstains: number;
    readonly quorum: number;
    readonly eligible: number;
    readonly note?: string;
  } | null;
}

export type OutcomeCounts = Readonly<Record<Outcome, number>>;

/** All that the renderers show. Plain JSON. */
export interface Report {
  readonly run: ReportRun;
  readonly scope: Scope;
  readonly counts: {
    readonly total: number;
    readonly outcome: OutcomeCounts;
    readonly severity: Readonly<Record<Severity, OutcomeCounts>>;
  };
  /** By severity (worst first), outcome (confirmed first), confidence, then file, line, column, rule, id. */
  readonly findings: readonly ReportFinding[];
  /** What was not looked at and why. */
  readonly omissions: Omissions;
  readonly agents: readonly ReportAgent[];
  /** Absent where nobody answered in words: those of the last round that did, in the plan's order. */
  readonly answers?: readonly ReportAnswer[];
  /** Absent where no model was asked. */
  readonly spending?: ReportSpending;
  /** Where the report is written: paths from the project root; empty when it is only shown. */
  readonly outputs: readonly string[];
}

export interface ReportInput {
  readonly run: ReportRun;
  readonly agents: readonly ReportAgent[];
  readonly changes: EventScope;
  readonly answers?: readonly ReportAnswer[];
  readonly spending?: ReportSpending;
  /** One an id. */
  readonly findings: readonly (Finding & { readonly reportedBy: readonly string[] })[];
  readonly ballots: readonly Ballot[];
  /** Where a subject has several, the last one holds. */
  readonly decisions: readonly Decision[];
  /** `agent` is the id of the agent whose note it is, `null` for one of the run. */
  readonly notes: readonly (Note & { readonly agent: string | null })[];
  readonly outputs?: readonly string[];
}
