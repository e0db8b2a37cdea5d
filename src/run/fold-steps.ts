import type { StepOutput } from '../agent/provider.ts';
import type { RunEvent } from '../events.ts';
import type { Finding } from '../finding.ts';
import type { Gate } from '../skill/skill.ts';
import type { Draft, Parts } from './fold-parts.ts';
import { addUsed, spend } from './fold-spending.ts';
import type { FoldedStep, Started } from './folded-run.ts';

const FRESH = {
  status: 'waiting',
  attempt: 0,
  epoch: 0,
  startedOver: 0,
  costUsd: 0,
  failures: 0,
  owner: null,
  called: false,
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
  'call_started',
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

/** Gates at which a person agrees to what came of a run: once a step of it is done again, that is another result. */
const OF_RESULT = ['low_agreement', 'writing'] as const satisfies readonly Gate[];

/** Events within an attempt. */
const DURING: ReadonlySet<string> = new Set(['call_started', 'child_started']);

/** Counts the attempt under way as one that may have been paid for. */
function cutOff(parts: Parts, { id, epoch, possiblyBilledTwice }: FoldedStep): number {
  const epochs = parts.cutOff.get(id) ?? new Set();
  parts.cutOff.set(id, epochs.add(epoch));
  return possiblyBilledTwice + 1;
}

/** The answer of an attempt came after it had been given up: what it cost is known, and it is not in doubt any more. */
export function answerCame(
  parts: Parts,
  { stepId, epoch, possiblyBilled }: RunEvent & { readonly type: 'usage_recorded' },
): void {
  const step = parts.steps.get(stepId);
  if (step === undefined || possiblyBilled === true || parts.cutOff.get(stepId)?.delete(epoch) !== true) return;
  parts.steps.set(stepId, { ...step, possiblyBilledTwice: step.possiblyBilledTwice - 1 });
}

/** What an event says of a step: the fields that change. */
function stepChange(parts: Parts, event: StepEvent, before: FoldedStep): Partial<FoldedStep> {
  switch (event.type) {
    case 'step_started': {
      const { attempt, epoch, owner, provider, at } = event;
      const twice = event.possiblyBilledTwice === true ? cutOff(parts, before) : before.possiblyBilledTwice;
      const fresh = { startedAt: at, called: false, child: null };
      return { status: 'running', attempt, epoch, owner, provider, ...fresh, possiblyBilledTwice: twice };
    }
    case 'call_started':
      return before.status === 'running' && before.epoch === event.epoch ? { called: true } : {};
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
        called: false,
        child: null,
        code: null,
        reason: null,
      };
    case 'step_skipped':
      return { status: 'skipped', endedAt: event.at, code: event.code, reason: event.reason };
    case 'step_failed': {
      const { code, reason, willRetry, at } = event;
      const twice = event.possiblyBilled === true ? cutOff(parts, before) : before.possiblyBilledTwice;
      return {
        status: willRetry ? 'waiting' : 'failed',
        endedAt: willRetry ? null : at,
        called: false,
        child: null,
        code,
        reason,
        failures: before.failures + (wasStopped(event) ? 0 : 1),
        possiblyBilledTwice: twice,
      };
    }
    case 'step_reset':
    default:
      return { ...FRESH, ...keptOf(before) };
  }
}

/** What stays of a step that is started over. */
function keptOf({ attempt, epoch, possiblyBilledTwice }: FoldedStep): Partial<FoldedStep> {
  return { attempt, epoch, startedOver: epoch, possiblyBilledTwice };
}

/** What an attempt cost is part of its step's sum, unless the step was started over since. */
export function addCost(parts: Parts, stepId: string, epoch: number, costUsd: number | null): void {
  const step = parts.steps.get(stepId);
  if (step === undefined || epoch <= step.startedOver) return;
  parts.steps.set(stepId, { ...step, costUsd: step.costUsd + (costUsd ?? 0) });
}

export function applyStep(state: Draft, parts: Parts, event: StepEvent): void {
  const before = parts.steps.get(event.stepId);
  if (before === undefined) return;
  parts.steps.set(before.id, { ...before, ...stepChange(parts, event, before) });
  if (event.type === 'step_started') addUsed(parts, before.agentId, { steps: 1 });
  else if (!DURING.has(event.type) && before.startedAt !== null && before.status === 'running') {
    addUsed(parts, before.agentId, { wallMs: Math.max(0, event.at - before.startedAt) });
  }
  if (event.type === 'step_completed' || event.type === 'step_failed') {
    spend(parts, event.stepId, before.agentId, event.usage);
    addCost(parts, event.stepId, before.epoch, event.usage?.costUsd ?? null);
  }
  if (event.type === 'step_failed' && event.willRetry && !wasStopped(event)) parts.restarts.push(event.at);
  if (event.type === 'step_reset') {
    forget(parts, event.stepId);
    parts.decisions.length = 0;
    for (const gate of OF_RESULT) parts.approvals.delete(gate);
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
