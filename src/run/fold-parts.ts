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
  /** By step, the epochs of attempts that were cut off with a call in flight. */
  readonly cutOff: Map<string, Set<number>>;
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
    cutOff: new Map(),
    sessionAt: null,
    lastAt: 0,
  };
}

function mapped<T>(map: ReadonlyMap<string, T>, copy: (value: T) => T): Map<string, T> {
  return new Map([...map].map(([key, value]) => [key, copy(value)]));
}

/** Collections of their own: what is in them is never changed in place. */
export function copyParts(parts: Parts): Parts {
  return {
    steps: new Map(parts.steps),
    decisions: [...parts.decisions],
    approvals: new Map(parts.approvals),
    usage: [...parts.usage],
    used: new Map(parts.used),
    restarts: [...parts.restarts],
    runNotes: [...parts.runNotes],
    findings: mapped(parts.findings, (own) => new Map(own)),
    notes: mapped(parts.notes, (own) => [...own]),
    ballots: mapped(parts.ballots, (own) => [...own]),
    cutOff: mapped(parts.cutOff, (own) => new Set(own)),
    sessionAt: parts.sessionAt,
    lastAt: parts.lastAt,
  };
}

/** The collections of a state. */
function shared({ steps, decisions, approvals, usage, used, restarts, runNotes }: Parts) {
  return { steps, decisions, approvals, usage, used, restarts, notes: runNotes };
}

/** A state that goes on with other parts. */
export function copyDraft(state: Draft, parts: Parts): Draft {
  return { ...state, ...shared(parts) };
}

/** A run before its first event. */
export function createDraft(parts: Parts): Draft {
  return {
    started: null,
    status: 'running',
    waiting: null,
    paused: null,
    reason: null,
    asked: null,
    growthEnd: null,
    announced: false,
    cancelAsked: null,
    seq: 0,
    lastStepAt: 0,
    activeMs: 0,
    activeBeforeMs: 0,
    endedAt: null,
    hasCompleted: false,
    ...shared(parts),
  };
}
