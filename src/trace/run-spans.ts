import type { RunEvent } from '../events.ts';
import { NOTHING, addUsage, attemptAttributes, errorAttributes, runAttributes, toolAttributes } from './attributes.ts';
import type { EventOf, Member, Outcome } from './attributes.ts';
import { nameOf, spanIdOf, traceIdOf } from './span.ts';
import type { Span, SpanAttributes } from './span.ts';

/** The spans of one run. */
export interface RunSpans {
  /** Number of the last event that was taken in; 0 before the first. */
  readonly seq: number;
  /** Takes in the next event of the journal, and gives the spans that it ends. */
  take(event: RunEvent): readonly Span[];
}

type RunEnd = EventOf<'run_completed' | 'run_failed' | 'run_cancelled'>;
type StepEnd = EventOf<'step_completed' | 'step_skipped' | 'step_failed' | 'step_reset'>;

function isStepEnd(event: RunEvent): event is StepEnd {
  const { type } = event;
  return type === 'step_completed' || type === 'step_skipped' || type === 'step_failed' || type === 'step_reset';
}

function isRunEnd(event: RunEvent): event is RunEnd {
  const { type } = event;
  return type === 'run_completed' || type === 'run_failed' || type === 'run_cancelled';
}

function outcomeOf(event: StepEnd): Outcome {
  if (event.type === 'step_completed') {
    const more = { 'skillflow.step.findings': event.findings, 'skillflow.step.ballots': event.ballots };
    return { status: 'completed', more, usage: event.usage };
  }
  if (event.type === 'step_failed') {
    const more = { 'skillflow.step.will_retry': event.willRetry };
    return { status: 'failed', more, usage: event.usage, error: event.code };
  }
  return event.type === 'step_skipped'
    ? { status: 'skipped', more: { 'skillflow.step.code': event.code } }
    : { status: 'stopped' };
}

/** How a run ended: its status, the code of its failure, and figures. */
function endOf(event: RunEnd): { readonly status: string; readonly error: string | null; readonly more: SpanAttributes } {
  if (event.type === 'run_failed') return { status: 'failed', error: event.code, more: {} };
  if (event.type === 'run_cancelled') return { status: 'cancelled', error: 'cancelled', more: {} };
  const { confirmed, rejected, undecided } = event;
  const more = {
    'skillflow.run.confirmed': confirmed,
    'skillflow.run.rejected': rejected,
    'skillflow.run.undecided': undecided,
  };
  return { status: 'completed', error: null, more };
}

function spanOf(event: RunEvent, rest: Omit<Span, 'traceId' | 'endMs'>): Span {
  return { ...rest, traceId: traceIdOf(event.runId), endMs: Math.max(event.at, rest.startMs) };
}

function rootId(runId: string, stretch: number): string {
  return spanIdOf(runId, 'run', stretch);
}

/**
 * Makes a run's journal into spans: one for the run, in it one for each attempt of a step, and in those one for each call
 * of a tool by an agent. The same events give the same spans with the same ids in every process. A run that is opened
 * again after its end has a further span in the same trace, below the first.
 */
export function createRunSpans(): RunSpans {
  let seq = 0;
  let started: EventOf<'run_started'> | null = null;
  let stretch = { number: 0, startMs: 0, hasEnded: false };
  let totals = NOTHING;
  const typeOf = new Map<string, string>();
  const stepOf = new Map<string, EventOf<'plan_grown'>['steps'][number]>();
  const open = new Map<string, EventOf<'step_started'>>();

  const memberOf = (id: string): Member => ({ id, type: typeOf.get(id) ?? id });
  const attemptId = ({ runId, stepId, attempt }: EventOf<'step_started'>): string => spanIdOf(runId, 'step', stepId, attempt);

  const endAttempt = (event: RunEvent, stepId: string, outcome: Outcome): readonly Span[] => {
    const attempt = open.get(stepId);
    if (attempt === undefined) return [];
    open.delete(stepId);
    totals = addUsage(totals, outcome.usage);
    const agent = memberOf(attempt.agentId);
    const ended = spanOf(event, {
      spanId: attemptId(attempt),
      parentSpanId: rootId(event.runId, stretch.number),
      name: `invoke_agent ${agent.type}`,
      startMs: attempt.at,
      attributes: attemptAttributes(attempt, agent, stepOf.get(stepId), outcome),
      error: outcome.error ?? null,
    });
    return [ended];
  };

  const callTool = (event: EventOf<'tool_called'>): readonly Span[] => {
    const attempt = open.get(event.stepId);
    const called = spanOf(event, {
      spanId: spanIdOf(event.runId, 'tool', event.seq),
      parentSpanId: attempt === undefined ? rootId(event.runId, stretch.number) : attemptId(attempt),
      name: `execute_tool ${nameOf(event.tool)}`,
      startMs: event.at - event.durationMs,
      attributes: toolAttributes(event, memberOf(event.agentId)),
      error: event.outcome === 'ok' ? null : event.outcome,
    });
    return [called];
  };

  const endRun = (event: RunEnd): readonly Span[] => {
    const { status, error, more } = endOf(event);
    const stopped: Outcome = { status: 'stopped', error: error ?? 'cancelled' };
    const attempts = [...open.keys()].flatMap((id) => endAttempt(event, id, stopped));
    const { number, startMs } = stretch;
    stretch = { ...stretch, hasEnded: true };
    const steps = { 'skillflow.run.status': status, 'skillflow.run.steps': stepOf.size };
    const run = spanOf(event, {
      spanId: rootId(event.runId, number),
      parentSpanId: number === 0 ? null : rootId(event.runId, 0),
      name: 'skillflow.run',
      startMs,
      attributes: { ...runAttributes(started, totals), ...steps, ...more, ...errorAttributes(error) },
      error,
    });
    return [...attempts, run];
  };

  /** What later spans are made of. */
  const remember = (event: RunEvent): void => {
    if (event.type === 'run_started') {
      started = event;
      stretch = { number: 0, startMs: event.at, hasEnded: false };
      for (const { id, type } of event.agents) typeOf.set(id, type);
    }
    if (event.type === 'run_started' || event.type === 'plan_grown') for (const step of event.steps) stepOf.set(step.id, step);
    if (event.type === 'run_resumed' && stretch.hasEnded) {
      stretch = { number: stretch.number + 1, startMs: event.at, hasEnded: false };
    }
    if (event.type === 'step_started') {
      totals = { ...totals, attempts: totals.attempts + 1 };
      open.set(event.stepId, event);
    }
  };

  const ended = (event: RunEvent): readonly Span[] => {
    // The owner of an attempt before it is gone, and nobody else says when that was.
    if (event.type === 'step_started') return endAttempt(event, event.stepId, { status: 'interrupted', error: 'interrupted' });
    if (event.type === 'tool_called') return callTool(event);
    if (isStepEnd(event)) return endAttempt(event, event.stepId, outcomeOf(event));
    return isRunEnd(event) ? endRun(event) : [];
  };

  return {
    get seq() {
      return seq;
    },
    take: (event) => {
      seq = event.seq;
      const spans = ended(event);
      remember(event);
      return spans;
    },
  };
}
