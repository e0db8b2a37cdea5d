import type { EventUsage, RunEvent } from '../events.ts';
import { nameOf } from './span.ts';
import type { SpanAttributes } from './span.ts';

// Names that begin with `gen_ai.` are those of the OpenTelemetry conventions for generative AI
// (github.com/open-telemetry/semantic-conventions-genai): agents, tools, workflows.

export type EventOf<T extends RunEvent['type']> = Extract<RunEvent, { readonly type: T }>;

export interface Member {
  readonly id: string;
  readonly type: string;
}

/** How an attempt ended. */
export interface Outcome {
  readonly status: 'completed' | 'skipped' | 'failed' | 'stopped' | 'interrupted';
  /** Codes and figures that only this outcome has. */
  readonly more?: SpanAttributes;
  readonly usage?: EventUsage | undefined;
  readonly error?: string;
}

/** What a run has used so far. */
export interface Totals {
  readonly inputTokens: number;
  readonly outputTokens: number;
  /** `null` as soon as a price was not known. */
  readonly costUsd: number | null;
  readonly attempts: number;
}

export const NOTHING: Totals = { inputTokens: 0, outputTokens: 0, costUsd: 0, attempts: 0 };

/** All tokens that went in. The figure of the API leaves out what a cache gave or took; that of the conventions has it. */
function inputTokensOf({ inputTokens, cacheReadTokens, cacheWriteTokens }: EventUsage): number {
  return inputTokens + cacheReadTokens + cacheWriteTokens;
}

export function addUsage(totals: Totals, usage: EventUsage | undefined): Totals {
  if (usage === undefined) return totals;
  return {
    ...totals,
    inputTokens: totals.inputTokens + inputTokensOf(usage),
    outputTokens: totals.outputTokens + usage.outputTokens,
    costUsd: usage.costUsd === null || totals.costUsd === null ? null : totals.costUsd + usage.costUsd,
  };
}

/** Who makes the models that a provider asks; `gen_ai.system` is what older readers call it. */
function makerAttributes(provider: string): SpanAttributes {
  const maker = provider === 'claude-cli' ? 'anthropic' : provider;
  return { 'gen_ai.provider.name': maker, 'gen_ai.system': maker, 'skillflow.provider': provider };
}

function agentAttributes({ id, type }: Member): SpanAttributes {
  return { 'gen_ai.agent.id': id, 'gen_ai.agent.name': type };
}

function usageAttributes(usage: EventUsage | undefined): SpanAttributes {
  if (usage === undefined) return {};
  const { model, outputTokens, cacheReadTokens, cacheWriteTokens, requests, costUsd } = usage;
  return {
    'gen_ai.request.model': model,
    'gen_ai.usage.input_tokens': inputTokensOf(usage),
    'gen_ai.usage.output_tokens': outputTokens,
    'gen_ai.usage.cache_read.input_tokens': cacheReadTokens,
    'gen_ai.usage.cache_creation.input_tokens': cacheWriteTokens,
    'skillflow.requests': requests,
    ...(costUsd === null ? {} : { 'skillflow.cost_usd': costUsd }),
  };
}

/** @param code `null`: it did not fail */
export function errorAttributes(code: string | null): SpanAttributes {
  return code === null ? {} : { 'error.type': code };
}

export function attemptAttributes(
  { runId, stepId, attempt, epoch, provider }: EventOf<'step_started'>,
  agent: Member,
  step: { readonly kind: string; readonly round: number } | undefined,
  { status, more, usage, error }: Outcome,
): SpanAttributes {
  return {
    'gen_ai.operation.name': 'invoke_agent',
    ...makerAttributes(provider),
    ...agentAttributes(agent),
    'skillflow.run.id': runId,
    'skillflow.step.id': stepId,
    ...(step === undefined ? {} : { 'skillflow.step.kind': step.kind, 'skillflow.step.round': step.round }),
    'skillflow.step.attempt': attempt,
    'skillflow.step.epoch': epoch,
    'skillflow.step.status': status,
    ...more,
    ...usageAttributes(usage),
    ...errorAttributes(error ?? null),
  };
}

export function toolAttributes({ runId, stepId, tool, outcome }: EventOf<'tool_called'>, agent: Member): SpanAttributes {
  return {
    'gen_ai.operation.name': 'execute_tool',
    'gen_ai.tool.name': nameOf(tool),
    'gen_ai.tool.type': 'function',
    ...agentAttributes(agent),
    'skillflow.run.id': runId,
    'skillflow.step.id': stepId,
    'skillflow.tool.outcome': outcome,
    ...errorAttributes(outcome === 'ok' ? null : outcome),
  };
}

/** @param started `null`: a damaged journal without its beginning */
export function runAttributes(started: EventOf<'run_started'> | null, totals: Totals): SpanAttributes {
  const { inputTokens, outputTokens, costUsd, attempts } = totals;
  const beginning: SpanAttributes =
    started === null
      ? {}
      : {
          'gen_ai.workflow.name': started.skill,
          ...makerAttributes(started.provider),
          'skillflow.run.id': started.runId,
          'skillflow.skill': started.skill,
          'skillflow.version': started.version,
          'skillflow.topology': started.topology,
          'skillflow.strategy': started.strategy,
          'skillflow.run.agents': started.agents.length,
          'skillflow.run.files': started.scope.files.length,
        };
  return {
    'gen_ai.operation.name': 'invoke_workflow',
    ...beginning,
    'skillflow.run.attempts': attempts,
    'skillflow.run.input_tokens': inputTokens,
    'skillflow.run.output_tokens': outputTokens,
    ...(costUsd === null ? {} : { 'skillflow.run.cost_usd': costUsd }),
  };
}
