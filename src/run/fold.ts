import type { StepOutput } from '../agent/provider.ts';
import type { Ballot, Decision } from '../ballot.ts';
import type { BudgetReached, EventUsage, RunEvent } from '../events.ts';
import type { Finding, Note } from '../finding.ts';

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
  /** Attempts whose call may have been paid for without an answer. */
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

type Started = RunEvent & { readonly type: 'run_started' };

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
  readonly decisions: readonly Decision[];
  readonly approvals: ReadonlyMap<string, FoldedApproval>;
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
  readonly endedAt: number | null;
  /** Whether it has completed once; a run whose steps are repeated may go on. */
  readonly hasCompleted: boolean;
}

type Draft = { -readonly [K in keyof FoldedRun]: FoldedRun[K] };
interface Parts {
  readonly steps: Map<string, FoldedStep>;
  readonly decisions: Decision[];
  readonly approvals: Map<string, FoldedApproval>;
  readonly usage: (EventUsage & { readonly agentId: string; readonly stepId: string })[];
  readonly used: Map<string, Used>;
  readonly restarts: number[];
  /** By step. */
  readonly findings: Map<string, Map<string, Finding>>;
  readonly notes: Map<string, Note[]>;
  readonly ballots: Map<string, Ballot[]>;
  /** When the session of work that goes on began; `null` while the run waits. */
  sessionAt: number | null;
  lastAt: number;
}

const UNUSED: Used = { tokens: 0, costUsd: 0, unpriced: 0, steps: 0, wallMs: 0 };
const FRESH = {
  status: 'waiting',
  attempt: 0,
  epoch: 0,
  failures: 0,
  owner: null,
  startedAt: null,
  endedAt: null,
  durationMs: 0,
  provider: null,
  code: null,
  reason: null,
  output: null,
  possiblyBilledTwice: 0,
} as const;

function listOf<T>(map: Map<string, T[]>, key: string): T[] {
  const known = map.get(key);
  if (known !== undefined) return known;
  const made: T[] = [];
  map.set(key, made);
  return made;
}

/** The step's output, put together from the events that came before its end. */
function outputOf(parts: Parts, { stepId, output }: RunEvent & { readonly type: 'step_completed' }): StepOutput {
  const own = parts.findings.get(stepId) ?? new Map<string, Finding>();
  const find = (id: string): Finding | undefined => {
    const mine = own.get(id);
    if (mine !== undefined) return mine;
    for (const others of parts.findings.values()) {
      const found = others.get(id);
      if (found !== undefined) return found;
    }
    return undefined;
  };
  return {
    findings: output.findingIds.flatMap((id) => find(id) ?? []),
    ballots: parts.ballots.get(stepId) ?? [],
    notes: parts.notes.get(stepId) ?? [],
    stats: output.stats,
    ...(output.text === undefined ? {} : { text: output.text }),
    ...(output.confidence === undefined ? {} : { confidence: output.confidence }),
  };
}

function addUsed(parts: Parts, agentId: string, more: Partial<Used>): void {
  for (const key of ['', agentId]) {
    const { tokens, costUsd, unpriced, steps, wallMs } = parts.used.get(key) ?? UNUSED;
    parts.used.set(key, {
      tokens: tokens + (more.tokens ?? 0),
      costUsd: costUsd + (more.costUsd ?? 0),
      unpriced: unpriced + (more.unpriced ?? 0),
      steps: steps + (more.steps ?? 0),
      wallMs: wallMs + (more.wallMs ?? 0),
    });
  }
}

function spend(parts: Parts, stepId: string, agentId: string, usage: EventUsage | undefined): void {
  if (usage === undefined) return;
  parts.usage.push({ ...usage, stepId, agentId });
  const tokens = usage.inputTokens + usage.outputTokens + usage.cacheReadTokens + usage.cacheWriteTokens;
  addUsed(parts, agentId, { tokens, costUsd: usage.costUsd ?? 0, unpriced: usage.costUsd === null ? 1 : 0 });
}

type StepEvent = RunEvent & {
  readonly type: 'step_started' | 'step_completed' | 'step_skipped' | 'step_failed' | 'step_reset';
};
const STEP_EVENTS: ReadonlySet<string> = new Set(['step_started', 'step_completed', 'step_skipped', 'step_failed', 'step_reset']);
const isStepEvent = (event: RunEvent): event is StepEvent => STEP_EVENTS.has(event.type);

/** Codes of attempts that did not fail by themselves: they were stopped with others, or there was no money left. */
const STOPPED: ReadonlySet<string> = new Set(['cancelled', 'budget']);
const wasStopped = ({ code, willRetry }: RunEvent & { readonly type: 'step_failed' }): boolean => willRetry && STOPPED.has(code);

/** What an event says of a step: the fields that change. */
function stepChange(parts: Parts, event: StepEvent, before: FoldedStep): Partial<FoldedStep> {
  switch (event.type) {
    case 'step_started': {
      const { attempt, epoch, owner, provider, at } = event;
      const twice = before.possiblyBilledTwice + (event.possiblyBilledTwice === true ? 1 : 0);
      return { status: 'running', attempt, epoch, owner, provider, startedAt: at, possiblyBilledTwice: twice };
    }
    case 'step_completed':
      return {
        status: 'completed',
        durationMs: event.durationMs,
        endedAt: event.at,
        output: outputOf(parts, event),
        code: null,
        reason: null,
      };
    case 'step_skipped':
      return { status: 'skipped', endedAt: event.at, code: event.code, reason: event.reason };
    case 'step_failed': {
      const { code, reason, willRetry, at } = event;
      const twice = before.possiblyBilledTwice + (event.possiblyBilled === true ? 1 : 0);
      return {
        status: willRetry ? 'waiting' : 'failed',
        endedAt: willRetry ? null : at,
        code,
        reason,
        failures: before.failures + (wasStopped(event) ? 0 : 1),
        possiblyBilledTwice: twice,
      };
    }
    case 'step_reset':
    default:
      return { ...FRESH, attempt: before.attempt, epoch: before.epoch, possiblyBilledTwice: before.possiblyBilledTwice };
  }
}

/** A fold that goes on: events are applied in the order of their places. */
export interface Fold {
  readonly state: FoldedRun;
  apply(events: readonly RunEvent[]): void;
}

function applyStep(state: Draft, parts: Parts, event: StepEvent): void {
  const before = parts.steps.get(event.stepId);
  if (before === undefined) return;
  parts.steps.set(before.id, { ...before, ...stepChange(parts, event, before) });
  if (event.type === 'step_started') addUsed(parts, before.agentId, { steps: 1 });
  else if (before.startedAt !== null && before.status === 'running') {
    addUsed(parts, before.agentId, { wallMs: Math.max(0, event.at - before.startedAt) });
  }
  if (event.type === 'step_completed' || event.type === 'step_failed') spend(parts, event.stepId, before.agentId, event.usage);
  if (event.type === 'step_failed' && event.willRetry && !wasStopped(event)) parts.restarts.push(event.at);
  if (event.type === 'step_reset') {
    forget(parts, event.stepId);
    parts.decisions.length = 0;
  }
  if (event.type === 'step_completed' || event.type === 'step_skipped' || event.type === 'step_failed')
    state.lastStepAt = event.at;
}

/** What an earlier attempt reported no longer counts. */
function forget(parts: Parts, stepId: string): void {
  parts.findings.delete(stepId);
  parts.notes.delete(stepId);
  parts.ballots.delete(stepId);
}

function addSteps(parts: Parts, steps: Started['steps']): void {
  for (const { id, agentId, kind, round, sees } of steps) parts.steps.set(id, { id, agentId, kind, round, sees, ...FRESH });
}

function applyRun(state: Draft, parts: Parts, event: RunEvent): void {
  switch (event.type) {
    case 'run_started':
      state.started = event;
      state.lastStepAt = event.at;
      addSteps(parts, event.steps);
      return;
    case 'plan_grown':
      addSteps(parts, event.steps);
      return;
    case 'spending_announced':
      state.announced = true;
      return;
    case 'decision_made':
      // Two processes that end a run at once both decide; the first stands.
      if (parts.decisions.every(({ subject }) => subject !== event.decision.subject)) parts.decisions.push(event.decision);
      return;
    case 'run_waiting':
      state.waiting = 'host';
      return;
    case 'run_paused':
      state.waiting = 'budget';
      state.paused = event.budget;
      return;
    case 'approval_asked':
      state.waiting = 'approval';
      parts.approvals.set(event.gate, { question: event.question, approved: null, note: null });
      return;
    case 'approval_given': {
      const question = parts.approvals.get(event.gate)?.question ?? '';
      parts.approvals.set(event.gate, { question, approved: event.approved, note: event.note });
      return;
    }
    case 'cancel_asked':
      state.cancelAsked = event.reason;
      return;
    case 'run_resumed':
      Object.assign(state, { waiting: null, paused: null });
      if (state.status === 'running') return; // also when another process drives it: what was asked and decided stands
      // A run that had ended goes on when a step of it is to be repeated; who agreed before did not agree to that.
      Object.assign(state, { status: 'running', endedAt: null, reason: null, cancelAsked: null });
      parts.decisions.length = 0;
      parts.approvals.clear();
      return;
    case 'run_completed':
    case 'run_failed':
    case 'run_cancelled':
      state.status = event.type === 'run_completed' ? 'completed' : event.type === 'run_failed' ? 'failed' : 'cancelled';
      state.waiting = null;
      state.endedAt = event.at;
      state.hasCompleted ||= event.type === 'run_completed';
      state.reason = event.type === 'run_completed' ? null : event.reason;
      return;
    case 'budget_raised':
    case 'step_started':
    case 'step_completed':
    case 'step_skipped':
    case 'step_failed':
    case 'step_reset':
    case 'tool_called':
    case 'request_retried':
    case 'finding_reported':
    case 'note_added':
    case 'ballot_cast':
  }
}

function applyReports(parts: Parts, event: RunEvent): void {
  if (event.type === 'finding_reported') {
    const own = parts.findings.get(event.stepId) ?? new Map<string, Finding>();
    parts.findings.set(event.stepId, own.set(event.finding.id, event.finding));
  } else if (event.type === 'note_added' && event.stepId !== null) listOf(parts.notes, event.stepId).push(event.note);
  else if (event.type === 'ballot_cast') listOf(parts.ballots, event.stepId).push(event.ballot);
}

/** Time counts from the beginning or the resumption to the last event before the next resumption. */
function applyTime(state: Draft, parts: Parts, event: RunEvent): void {
  if (event.type === 'run_resumed' || event.type === 'run_started') parts.sessionAt = event.at;
  else if (parts.sessionAt !== null) {
    // Until an answer comes, a person was waited for.
    if (event.type !== 'approval_given') state.activeMs += Math.max(0, event.at - Math.max(parts.sessionAt, parts.lastAt));
    if (state.waiting !== null) parts.sessionAt = null;
  }
  parts.lastAt = event.at;
  state.seq = event.seq;
}

/** A run before its first event. */
export function createFold(): Fold {
  const parts: Parts = {
    steps: new Map(),
    decisions: [],
    approvals: new Map(),
    usage: [],
    used: new Map(),
    restarts: [],
    findings: new Map(),
    notes: new Map(),
    ballots: new Map(),
    sessionAt: null,
    lastAt: 0,
  };
  const { steps, decisions, approvals, usage, used, restarts } = parts;
  const state: Draft = {
    started: null,
    status: 'running',
    waiting: null,
    paused: null,
    reason: null,
    steps,
    decisions,
    approvals,
    announced: false,
    cancelAsked: null,
    usage,
    used,
    restarts,
    seq: 0,
    lastStepAt: 0,
    activeMs: 0,
    endedAt: null,
    hasCompleted: false,
  };
  return {
    state,
    apply: (events) => {
      for (const event of events) {
        if (event.seq <= state.seq) continue;
        if (isStepEvent(event)) applyStep(state, parts, event);
        applyReports(parts, event);
        applyRun(state, parts, event);
        applyTime(state, parts, event);
      }
    },
  };
}

/** The state that events make, from the first on. */
export function fold(events: readonly RunEvent[]): FoldedRun {
  const folded = createFold();
  folded.apply(events);
  return folded.state;
}
