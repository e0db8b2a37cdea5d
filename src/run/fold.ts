import type { RunEvent } from '../events.ts';
import type { Finding } from '../finding.ts';
import { copyDraft, copyParts, createDraft, createParts } from './fold-parts.ts';
import type { Draft, Parts } from './fold-parts.ts';
import { spend } from './fold-spending.ts';
import { addCost, addSteps, answerCame, applyStep, isStepEvent } from './fold-steps.ts';
import type { FoldedRun } from './folded-run.ts';

export type { FoldedRun, FoldedStep, Used } from './folded-run.ts';

/** A fold that goes on: events are applied in the order of their places. */
export interface Fold {
  readonly state: FoldedRun;
  apply(events: readonly RunEvent[]): void;
  /** The same run so far, which goes on by itself. */
  copy(): Fold;
}

/** What a run is to do, and what was agreed on. */
function applyPlan(state: Draft, parts: Parts, event: RunEvent): void {
  if (event.type === 'run_started') {
    state.started = event;
    state.lastStepAt = event.at;
    addSteps(parts, event.steps);
  } else if (event.type === 'plan_grown') addSteps(parts, event.steps);
  else if (event.type === 'growth_stopped') state.growthEnd = event.reason;
  else if (event.type === 'spending_announced') state.announced = true;
  else if (event.type === 'decision_made') {
    // Two processes that end a run at once both decide; the first stands.
    if (parts.decisions.every(({ subject }) => subject !== event.decision.subject)) parts.decisions.push(event.decision);
  }
}

/** What a run waits for. */
function applyWait(state: Draft, { approvals }: Parts, event: RunEvent): void {
  if (event.type === 'run_waiting') state.waiting = 'host';
  else if (event.type === 'run_paused') Object.assign(state, { waiting: 'budget', paused: event.budget });
  else if (event.type === 'approval_asked') {
    const { gate, question } = event;
    // Who asks again may not have heard of the answer yet.
    const isAnswered = (approvals.get(gate)?.approved ?? null) !== null;
    Object.assign(state, { waiting: 'approval', asked: isAnswered ? null : { gate, question } });
    if (!isAnswered) approvals.set(gate, { question, approved: null, note: null });
  } else if (event.type === 'approval_given') {
    const { gate, approved, note } = event;
    const asked = approvals.get(gate);
    // Two people may answer at once; the first answer stands. One to what is not asked any more counts for nothing else.
    if (asked?.approved === null) approvals.set(gate, { ...asked, approved, note });
    if (state.asked?.gate === gate) state.asked = null;
  } else if (event.type === 'cancel_asked') state.cancelAsked = event.reason;
}

const END_STATUS = { run_completed: 'completed', run_failed: 'failed', run_cancelled: 'cancelled' } as const;

/** The end of a run, and its going on. */
function applyTurn(state: Draft, parts: Parts, event: RunEvent): void {
  if (event.type === 'run_resumed') {
    Object.assign(state, { waiting: null, paused: null, asked: null });
    if (state.status === 'running') return; // also when another process drives it: what was asked and decided stands
    // A run that had ended goes on when a step of it is to be repeated; who agreed before did not agree to that.
    Object.assign(state, { status: 'running', endedAt: null, reason: null, cancelAsked: null });
    state.activeBeforeMs = state.activeMs;
    parts.decisions.length = 0;
    parts.approvals.clear();
  } else if (event.type === 'run_completed' || event.type === 'run_failed' || event.type === 'run_cancelled') {
    state.status = END_STATUS[event.type];
    state.waiting = null;
    state.asked = null;
    state.endedAt = event.at;
    state.hasCompleted ||= event.type === 'run_completed';
    state.reason = event.type === 'run_completed' ? null : event.reason;
  }
}

function listOf<T>(map: Map<string, T[]>, key: string): T[] {
  const known = map.get(key);
  if (known !== undefined) return known;
  const made: T[] = [];
  map.set(key, made);
  return made;
}

function applyReports(parts: Parts, event: RunEvent): void {
  if (event.type === 'finding_reported') {
    const own = parts.findings.get(event.stepId) ?? new Map<string, Finding>();
    parts.findings.set(event.stepId, own.set(event.finding.id, event.finding));
  } else if (event.type === 'note_added') {
    if (event.stepId !== null) listOf(parts.notes, event.stepId).push(event.note);
    else if (event.agentId === null) parts.runNotes.push(event.note);
  } else if (event.type === 'ballot_cast') listOf(parts.ballots, event.stepId).push(event.ballot);
  else if (event.type === 'usage_recorded') {
    spend(parts, event.stepId, event.agentId, event.usage);
    addCost(parts, event.stepId, event.epoch, event.usage.costUsd);
    answerCame(parts, event);
  }
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

function foldOn(parts: Parts, state: Draft): Fold {
  return {
    state,
    copy: () => {
      const own = copyParts(parts);
      return foldOn(own, copyDraft(state, own));
    },
    apply: (events) => {
      for (const event of events) {
        if (event.seq <= state.seq) continue;
        if (isStepEvent(event)) applyStep(state, parts, event);
        applyReports(parts, event);
        applyPlan(state, parts, event);
        applyWait(state, parts, event);
        applyTurn(state, parts, event);
        applyTime(state, parts, event);
      }
    },
  };
}

/** A run before its first event. */
export function createFold(): Fold {
  const parts = createParts();
  return foldOn(parts, createDraft(parts));
}

/** The state that events make, from the first on. */
export function fold(events: readonly RunEvent[]): FoldedRun {
  const folded = createFold();
  folded.apply(events);
  return folded.state;
}
