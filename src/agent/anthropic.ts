import { CancelledError, DeadlineError, toSkillflowError, UnavailableError } from '../errors.ts';
import type { Note } from '../finding.ts';
import { answerSchema } from './answer-schema.ts';
import type { AnswerDeps } from './answer.ts';
import { converse } from './anthropic-conversation.ts';
import { createLedger, type Ledger } from './anthropic-ledger.ts';
import { type Effort, effortFor } from './anthropic-models.ts';
import { createRequester, type RequestLimits } from './anthropic-request.ts';
import type { RequestFailure } from './anthropic-retry.ts';
import { createPrompt } from './prompt.ts';
import type { AskRequest, AskResult, Provider } from './provider.ts';
import { reportRefusals } from './refusal-findings.ts';
import type { ModelClass } from './role.ts';
import type { AgentToolDeps } from './tools/agent-tool.ts';
import { createToolbox } from './tools/toolbox.ts';

/** Bounds of one attempt. */
export interface AnthropicLimits extends RequestLimits {
  /** Requests of one attempt, without those that were sent again. */
  readonly maxTurns: number;
  /** Tokens of one answer, thinking included. */
  readonly maxOutputTokens: number;
}

export interface AnthropicDeps extends AgentToolDeps, AnswerDeps {
  /** Empty or absent: every question fails with code `auth`, and nothing is sent. */
  readonly apiKey: string | undefined;
  /** Default `https://api.anthropic.com`. */
  readonly baseUrl?: string | undefined;
  readonly models: Readonly<Record<ModelClass, string>>;
  /** Default: by the role's class of models. */
  readonly effort?: Effort | undefined;
  readonly limits?: Partial<AnthropicLimits> | undefined;
}

const DEFAULT_LIMITS: AnthropicLimits = {
  deadlineMs: 15 * 60_000,
  headersMs: 120_000,
  idleMs: 90_000,
  maxBytes: 8 * 1024 * 1024,
  maxSends: 4,
  backoffMs: 1_000,
  maxWaitMs: 60_000,
  maxTurns: 24,
  maxOutputTokens: 32_000,
};

/** Of an answer before which others were cut off. */
const UNKNOWN_COST: Note = {
  code: 'unknown_cost',
  message: 'requests were cut off and sent again: they may have cost more than what is counted',
};

/** A signal that also ends when the time is over, with the reason of whichever was first. */
function createEnd(given: AbortSignal, deps: AnthropicDeps, deadlineMs: number) {
  const ended = new AbortController();
  const stop = new AbortController();
  const onAbort = (): void => ended.abort(new CancelledError('the step was cancelled'));
  if (given.aborted) onAbort();
  given.addEventListener('abort', onAbort, { once: true });
  const late = (): void => ended.abort(new DeadlineError(`there was no answer within ${deadlineMs} ms`));
  deps.runtime.sleep(deadlineMs, stop.signal).then(late, () => undefined);
  return {
    signal: ended.signal,
    [Symbol.dispose]: () => {
      given.removeEventListener('abort', onAbort);
      stop.abort();
    },
  };
}

function failed({ code, reason, retryable, retryAfterMs, billed }: RequestFailure, ledger: Ledger | null): AskResult {
  const usage = ledger?.usage();
  return {
    status: 'failed',
    code,
    reason,
    retryable,
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
    ...(billed ? { possiblyBilled: true } : {}),
    ...(usage === undefined ? {} : { usage }),
  };
}

/** Both modules of the client library; it is large, and most calls never need it. */
async function loadSdk() {
  try {
    const sdk = await import('@anthropic-ai/sdk');
    const { zodOutputFormat } = await import('@anthropic-ai/sdk/helpers/zod');
    return { sdk, zodOutputFormat };
  } catch (error) {
    throw new UnavailableError('the package @anthropic-ai/sdk cannot be loaded', {
      cause: error,
      hint: 'Install it beside skillflow: npm install @anthropic-ai/sdk',
    });
  }
}

/**
 * Agents that think by the Messages API: each `ask` is a stateless conversation with the tools of the agent's role,
 * streamed, bounded in time, turns, bytes and money. Needs the package `@anthropic-ai/sdk`, loaded with the first question.
 */
export function createAnthropicProvider(deps: AnthropicDeps): Provider {
  const limits: AnthropicLimits = { ...DEFAULT_LIMITS, ...deps.limits };
  const apiKey = deps.apiKey?.trim() ?? '';
  const withoutKey = (text: string): string => (apiKey === '' ? text : text.replaceAll(apiKey, '[key]'));
  const redact = (text: string): string => deps.redact(withoutKey(text));
  const closing = new AbortController();
  const underWay = new Set<Promise<AskResult>>();

  const answer = async (request: AskRequest, ledger: Ledger, model: string): Promise<AskResult> => {
    const { sdk, zodOutputFormat } = await loadSdk();
    const toolDeps = { runtime: deps.runtime, redact, git: deps.git, memory: deps.memory, mail: deps.mail };
    const toolbox = createToolbox(request, toolDeps);
    const answerDeps: AnswerDeps = { findingId: deps.findingId, redact };
    const requester = createRequester({
      sdk,
      apiKey,
      baseUrl: deps.baseUrl ?? 'https://api.anthropic.com',
      runtime: deps.runtime,
      limits,
      ledger,
      clean: redact,
      signal: request.signal,
      endTicks: deps.runtime.ticks() + limits.deadlineMs,
      onEvent: (event) => request.onEvent?.(event),
      onCall: async () => request.onCall?.(),
    });
    const { type, schema } = zodOutputFormat(answerSchema(request.kind));
    const effort = effortFor(model, request.agent.role.model, deps.effort);
    const result = await converse({
      send: requester.send,
      request,
      prompt: await createPrompt(request, { redact }),
      toolbox,
      model,
      maxOutputTokens: limits.maxOutputTokens,
      maxTurns: limits.maxTurns,
      outputConfig: { format: { type, schema }, ...(effort === undefined ? {} : { effort }) },
      answerDeps,
    });
    if (!result.ok) {
      return failed({ ...result.failure, billed: result.failure.billed || requester.possiblyBilled() }, ledger);
    }
    const { output } = result;
    const refused = await reportRefusals(request, toolbox.refusals(), answerDeps);
    const usage = ledger.usage();
    return {
      status: 'completed',
      output: {
        ...output,
        findings: [...output.findings, ...refused.findings],
        notes: [...output.notes, ...refused.notes, ...(requester.possiblyBilled() ? [UNKNOWN_COST] : [])],
        stats: { ...output.stats, turns: result.turns, refusedCalls: toolbox.refusals().length },
      },
      ...(usage === undefined ? {} : { usage }),
    };
  };

  const ask = async (request: AskRequest): Promise<AskResult> => {
    if (apiKey === '') {
      const reason = 'there is no key for the Messages API: set ANTHROPIC_API_KEY, or choose another provider';
      return failed({ code: 'auth', reason, retryable: false, billed: false }, null);
    }
    const model = request.agent.model ?? deps.models[request.agent.role.model];
    const ledger = createLedger(model, request.limits);
    using end = createEnd(AbortSignal.any([request.signal, closing.signal]), deps, limits.deadlineMs);
    try {
      return await answer({ ...request, signal: end.signal }, ledger, model);
    } catch (thrown) {
      const error = toSkillflowError(end.signal.aborted ? end.signal.reason : thrown);
      const reason = redact(error.hint === undefined ? error.message : `${error.message}. ${error.hint}`);
      return failed({ code: error.code, reason, retryable: error.retryable, billed: ledger.isInDoubt() }, ledger);
    }
  };

  return {
    name: 'anthropic',
    paid: true,
    ask: async (request) => {
      const asked = ask(request);
      underWay.add(asked);
      try {
        return await asked;
      } finally {
        underWay.delete(asked);
      }
    },
    [Symbol.asyncDispose]: async () => {
      closing.abort();
      await Promise.all(underWay);
    },
  };
}
