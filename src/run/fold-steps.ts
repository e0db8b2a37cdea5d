import type { StepOutput } from '../agent/provider.ts';
import type { RunEvent } from '../events.ts';
import type { Finding } from '../finding.ts';
import type { Draft, Parts } from './fold-parts.ts';
import { addUsed, spend } from './fold-spending.ts';
import type { FoldedStep, Started } from './folded-run.ts';

const FRESH = {
  status: 'waiting',
  attempt: 0,
  epoch: 0,
  failures: 0,
  owner: null,
  child: null,
  startedAt: null,
  endedAt: null,
  durationMs: 0,
  provider: null,
  code: null,
  reason: null,
  output: null,
  possiblyBilledTwice: 0,
} as const;

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

type StepEvent = RunEvent & { readonly type: (typeof STEP_EVENTS)[number] };
const STEP_EVENTS = [
  'step_started',
  'child_started',
  'step_completed',
  'step_skipped',
  'step_failed',
  'step_reset',
] as const satisfies readonly RunEvent['type'][];
const STEP_TYPES: ReadonlySet<string> = new Set(STEP_EVENTS);
export const isStepEvent = (event: RunEvent): event is StepEvent => STEP_TYPES.has(event.type);

/** Codes of attempts that did not fail by themselves: they were stopped with others, or there was no money left. */
const STOPPED: ReadonlySet<string> = new Set(['cancelled', 'budget']);
const wasStopped = ({ code, willRetry }: RunEvent & { readonly type: 'step_failed' }): boolean => willRetry && STOPPED.has(code);

/** What an event says of a step: the fields that change. */
function stepChange(parts: Parts, event: StepEvent, before: FoldedStep): Partial<FoldedStep> {
  switch (event.type) {
    case 'step_started': {
      const { attempt, epoch, owner, provider, at } = event;
      const twice = before.possiblyBilledTwice + (event.possiblyBilledTwice === true ? 1 : 0);
      return { status: 'running', attempt, epoch, owner, provider, startedAt: at, child: null, possiblyBilledTwice: twice };
    }
    case 'child_started': {
      const { host, pid, startTime } = event;
      return before.status === 'running' ? { child: { host, pid, startTime } } : {};
    }
    case 'step_completed':
      return {
        status: 'completed',
        durationMs: event.durationMs,
        endedAt: event.at,
        output: outputOf(parts, event),
        child: null,
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
        child: null,
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

export function applyStep(state: Draft, parts: Parts, event: StepEvent): void {
  const before = parts.steps.get(event.stepId);
  if (before === undefined) return;
  parts.steps.set(before.id, { ...before, ...stepChange(parts, event, before) });
  if (event.type === 'step_started') addUsed(parts, before.agentId, { steps: 1 });
  else if (event.type !== 'child_started' && before.startedAt !== null && before.status === 'running') {
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

export function addSteps(parts: Parts, steps: Started['steps']): void {
  for (const { id, agentId, kind, round, sees } of steps) parts.steps.set(id, { id, agentId, kind, round, sees, ...FRESH });
}
