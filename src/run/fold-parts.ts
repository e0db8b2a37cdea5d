import type { Ballot, Decision } from '../ballot.ts';
import type { EventUsage } from '../events.ts';
import type { Finding, Note } from '../finding.ts';
import type { FoldedApproval, FoldedRun, FoldedStep, Used } from './folded-run.ts';

/** The state while events are applied to it. */
export type Draft = { -readonly [K in keyof FoldedRun]: FoldedRun[K] };

/** The collections of a state, and what must be remembered of earlier events until a later one needs it. */
export interface Parts {
  readonly steps: Map<string, FoldedStep>;
  readonly decisions: Decision[];
  readonly approvals: Map<string, FoldedApproval>;
  readonly usage: (EventUsage & { readonly agentId: string; readonly stepId: string })[];
  readonly used: Map<string, Used>;
  readonly restarts: number[];
  readonly runNotes: Note[];
  /** By step. */
  readonly findings: Map<string, Map<string, Finding>>;
  readonly notes: Map<string, Note[]>;
  readonly ballots: Map<string, Ballot[]>;
  /** When the session of work that goes on began; `null` while the run waits. */
  sessionAt: number | null;
  lastAt: number;
}

/** Nothing yet. */
export function createParts(): Parts {
  return {
    steps: new Map(),
    decisions: [],
    approvals: new Map(),
    usage: [],
    used: new Map(),
    restarts: [],
    runNotes: [],
    findings: new Map(),
    notes: new Map(),
    ballots: new Map(),
    sessionAt: null,
    lastAt: 0,
  };
}

/** A run before its first event. */
export function createDraft({ steps, decisions, approvals, usage, used, restarts, runNotes }: Parts): Draft {
  return {
    started: null,
    status: 'running',
    waiting: null,
    paused: null,
    reason: null,
    steps,
    growthEnd: null,
    decisions,
    approvals,
    notes: runNotes,
    announced: false,
    cancelAsked: null,
    usage,
    used,
    restarts,
    seq: 0,
    lastStepAt: 0,
    activeMs: 0,
    activeBeforeMs: 0,
    endedAt: null,
    hasCompleted: false,
  };
}
