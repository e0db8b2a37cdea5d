import type { EventUsage, RunEvent } from '../events.ts';
import { dollars, pausedWords, raisedWords } from '../run/amount-words.ts';
import { spendingWords } from '../run/spending-words.ts';

/** What happened in a run, for people. */
export interface EventWords {
  /** A few words; parts of them come from data. */
  readonly text: string;
  /** Whether it may be left out where there is much to say. */
  readonly isMinor: boolean;
}

/** `1 finding`, `2 findings`. */
function some(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}

function costOf(usage: EventUsage | undefined): string {
  if (usage === undefined) return '';
  return usage.costUsd === null ? ', at a price that is not known' : `, ${dollars(usage.costUsd)}`;
}

type Of<T extends RunEvent['type']> = RunEvent & { readonly type: T };

function completed({ agentId, findings, ballots, usage }: Of<'step_completed'>): string {
  const parts = [findings > 0 ? some(findings, 'finding') : '', ballots > 0 ? some(ballots, 'vote') : ''].filter(
    (part) => part !== '',
  );
  return `${agentId}: done${parts.length === 0 ? '' : `, ${parts.join(', ')}`}${costOf(usage)}`;
}

type StepEvent = Extract<RunEvent, { readonly stepId: string }>;

/** `null`: told with the step's end. */
function stepWords(event: StepEvent): string | null {
  const { agentId } = event;
  switch (event.type) {
    case 'step_started':
      return `${agentId}: ${event.stepId}${event.attempt > 1 ? `, attempt ${event.attempt}` : ''}`;
    case 'step_completed':
      return completed(event);
    case 'step_skipped':
      return `${agentId}: skipped, ${event.reason}`;
    case 'step_failed':
      return `${agentId}: failed${event.willRetry ? ', to be tried again' : ''}: ${event.reason}${costOf(event.usage)}`;
    case 'step_reset':
      return `${agentId}: ${event.reason}`;
    case 'usage_recorded':
      return `${agentId}: an answer came too late${costOf(event.usage)}`;
    case 'tool_called':
      return `${agentId}: ${event.tool} (${event.outcome})`;
    case 'request_retried':
      return `${agentId}: asks again, ${event.reason}`;
    case 'call_started':
    case 'child_started':
    case 'finding_reported':
    case 'ballot_cast':
  }
  return null;
}

/** `null`: told elsewhere. */
function runWords(event: Exclude<RunEvent, StepEvent>): string | null {
  switch (event.type) {
    case 'run_started':
      return `${event.runId}: ${event.skill} began, ${some(event.agents.length, 'agent')}, ${some(event.steps.length, 'step')}`;
    case 'plan_grown':
      return `${some(event.steps.length, 'step')} more: ${event.reason}`;
    case 'growth_stopped':
      return `no further layer: ${event.reason}`;
    case 'spending_announced':
      return spendingWords(event);
    case 'run_waiting':
      return `waits for the host: ${some(event.count ?? event.steps.length, 'step')}`;
    case 'run_paused':
      return pausedWords(event.budget);
    case 'approval_asked':
      return `waits for the approval "${event.gate}": ${event.question}`;
    case 'approval_given':
      return `approval "${event.gate}": ${event.approved ? 'given' : 'refused'}`;
    case 'budget_raised':
      return raisedWords(event.what, event.to);
    case 'run_resumed':
      return `${event.runId} goes on`;
    case 'run_left':
      return `a process left ${event.runId}; another goes on with it`;
    case 'cancel_asked':
      return `to be cancelled: ${event.reason}`;
    case 'run_completed':
      return `completed: ${event.confirmed} confirmed, ${event.rejected} rejected, ${event.undecided} undecided`;
    case 'run_failed':
      return `failed: ${event.reason}`;
    case 'run_cancelled':
      return `cancelled: ${event.reason}`;
    case 'note_added':
      return event.stepId === null && event.agentId === null ? event.note.message : null;
    case 'decision_made':
  }
  return null;
}

function words(event: RunEvent): string | null {
  return 'stepId' in event && event.type !== 'note_added' ? stepWords(event) : runWords(event);
}

const MINOR: ReadonlySet<string> = new Set(['tool_called', 'request_retried']);

/** Decisions come all at once: they are told together. */
function decided(events: readonly RunEvent[]): EventWords[] {
  const counts = new Map<string, number>();
  for (const event of events) {
    if (event.type !== 'decision_made') continue;
    const { outcome } = event.decision;
    counts.set(outcome, (counts.get(outcome) ?? 0) + 1);
  }
  if (counts.size === 0) return [];
  const said = [...counts].map(([outcome, count]) => `${count} ${outcome === 'no_quorum' ? 'without a quorum' : outcome}`);
  return [{ text: `the vote: ${said.join(', ')}`, isMinor: false }];
}

/** What a batch of events says to people who follow the run, in order; findings and votes are told with their step's end. */
export function eventWords(events: readonly RunEvent[]): readonly EventWords[] {
  const lastDecision = events.findLastIndex(({ type }) => type === 'decision_made');
  return events.flatMap((event, at) => {
    if (at === lastDecision) return decided(events);
    const text = words(event);
    return text === null ? [] : [{ text, isMinor: MINOR.has(event.type) }];
  });
}
