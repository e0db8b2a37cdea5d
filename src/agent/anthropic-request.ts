import type * as Sdk from '@anthropic-ai/sdk';
import type Anthropic from '@anthropic-ai/sdk';
import { CancelledError, DeadlineError } from '../errors.ts';
import type { Runtime } from '../runtime.ts';
import { watchFetch } from './anthropic-fetch.ts';
import type { Ledger } from './anthropic-ledger.ts';
import { type ApiErrors, classifyFailure, type RequestFailure, retryDelayMs } from './anthropic-retry.ts';
import { createMessageAssembler, type ReceivedMessage } from './anthropic-stream.ts';
import type { AskEvent } from './provider.ts';
import { untilAborted } from './until-aborted.ts';

/** Bounds of one attempt; times in milliseconds. */
export interface RequestLimits {
  /** Of the whole attempt, its waits included. */
  readonly deadlineMs: number;
  /** Until the server begins to answer. */
  readonly headersMs: number;
  /** Between two bytes of an answer. */
  readonly idleMs: number;
  /** Bytes of one answer's stream. */
  readonly maxBytes: number;
  /** Times that one request is sent, ≥ 1. */
  readonly maxSends: number;
  /** Base of the waits between them. */
  readonly backoffMs: number;
  /** The longest wait that a server may ask for; what asks for more is left to the caller. */
  readonly maxWaitMs: number;
}

export interface RequesterDeps {
  readonly sdk: typeof Sdk;
  readonly apiKey: string;
  readonly baseUrl: string;
  readonly runtime: Runtime;
  readonly limits: RequestLimits;
  readonly ledger: Ledger;
  /** Takes the key and secrets out of a text. */
  readonly clean: (text: string) => string;
  /** Aborts with a {@link CancelledError} or a {@link DeadlineError} as its reason. */
  readonly signal: AbortSignal;
  /** `runtime.ticks()` at which the attempt must be over. */
  readonly endTicks: number;
  readonly onEvent: (event: AskEvent) => void;
  /** Puts on record that a request is about to be sent. */
  readonly onCall: () => Promise<void>;
}

export type MessageParams = Anthropic.MessageCreateParamsNonStreaming;
export type RequestResult =
  /** `maxTokens`: how long the answer could be. */
  | { readonly ok: true; readonly message: ReceivedMessage; readonly maxTokens: number }
  | { readonly ok: false; readonly failure: RequestFailure };

const RETRY_TOO_LATE = 'there is no time left to send it again';

/** What the end of the whole attempt means for the request under way. */
function endedFailure(reason: unknown, sent: boolean): RequestFailure {
  const late = reason instanceof DeadlineError;
  return {
    code: late ? 'deadline' : 'cancelled',
    reason: reason instanceof Error ? reason.message : 'cancelled',
    retryable: late,
    billed: sent,
  };
}

/** Sends one request after the other, and again what may be sent again: the only place that retries. */
export function createRequester(deps: RequesterDeps) {
  const { sdk, runtime, limits, ledger, signal } = deps;
  const errors: ApiErrors = sdk;
  let billed = false;

  const sendOnce = async (params: MessageParams): Promise<RequestResult> => {
    const own = new AbortController();
    const ended = AbortSignal.any([signal, own.signal]);
    const watch = watchFetch({ runtime, idleMs: limits.idleMs, maxBytes: limits.maxBytes, abort: () => own.abort() });
    const client = new sdk.Anthropic({
      apiKey: deps.apiKey,
      authToken: null,
      baseURL: deps.baseUrl,
      maxRetries: 0,
      timeout: limits.headersMs,
      fetch: watch.fetch,
      logLevel: 'off',
      openTelemetry: false,
    });
    const assembler = createMessageAssembler();
    const receive = async (): Promise<void> => {
      const stream = await client.messages.create({ ...params, stream: true }, { signal: ended });
      for await (const event of stream) {
        assembler.take(event);
        if (assembler.stopped()) break;
      }
    };
    try {
      await untilAborted(receive(), ended);
      return { ok: true, message: assembler.message(), maxTokens: params.max_tokens };
    } catch (thrown) {
      if (signal.aborted) return { ok: false, failure: endedFailure(signal.reason, watch.wasSent()) };
      return { ok: false, failure: cutFailure(watch.cut()) ?? failureOf(thrown, watch.sawHeaders()) };
    } finally {
      watch.stop();
      own.abort();
      if (watch.wasSent()) ledger.record(assembler.tokens());
    }
  };

  const cutFailure = (cut: 'idle' | 'flood' | null): RequestFailure | null => {
    if (cut === 'idle') {
      return { code: 'unavailable', reason: `the API fell silent for ${limits.idleMs} ms`, retryable: true, billed: true };
    }
    if (cut === null) return null;
    const reason = `the API's answer has more than ${limits.maxBytes} bytes and was cut off`;
    return { code: 'bad_output', reason, retryable: false, billed: true };
  };

  const failureOf = (thrown: unknown, sawHeaders: boolean): RequestFailure =>
    classifyFailure(errors, thrown, { sawHeaders, nowMs: runtime.now(), clean: deps.clean });

  /** Waits as long as it should before sending again; a failure where it must not be sent again. */
  const waitToRetry = async (failure: RequestFailure, attempt: number): Promise<RequestFailure | null> => {
    const delayMs = retryDelayMs(failure, attempt, limits.backoffMs, runtime.random());
    if (delayMs > limits.maxWaitMs) return failure;
    if (runtime.ticks() + delayMs > deps.endTicks) return { ...failure, reason: `${failure.reason}; ${RETRY_TOO_LATE}` };
    deps.onEvent({ type: 'request_retried', reason: `${failure.code}: ${failure.reason}`, delayMs, billed: failure.billed });
    try {
      await runtime.sleep(delayMs, signal);
    } catch (error) {
      if (!(error instanceof CancelledError) && !signal.aborted) throw error;
      return { ...endedFailure(signal.reason, false), billed: failure.billed };
    }
    return null;
  };

  return {
    /** Whether a request that failed may have been charged. */
    possiblyBilled: (): boolean => billed,
    /**
     * Rejects only before it sends anything: where that cannot be put on record, and with the signal's reason while it
     * waits for that. The answer's length is bounded anew before every sending by what may still be spent.
     *
     * @param inputTokens estimate of the request's input
     */
    send: async (params: MessageParams, inputTokens: number): Promise<RequestResult> => {
      for (let attempt = 1; ; attempt += 1) {
        if (signal.aborted) return { ok: false, failure: endedFailure(signal.reason, billed) };
        const allowance = ledger.allowance(inputTokens, params.max_tokens);
        if (!allowance.ok) {
          return { ok: false, failure: { code: 'budget', reason: allowance.reason, retryable: false, billed } };
        }
        await untilAborted(deps.onCall(), signal);
        const result = await sendOnce({ ...params, max_tokens: allowance.maxTokens });
        if (result.ok) return result;
        billed ||= result.failure.billed;
        // What it was charged for is not known: its input, and as much output as was allowed, are held back.
        if (result.failure.billed) ledger.reserve(inputTokens + allowance.maxTokens);
        const failure = { ...result.failure, billed };
        if (!failure.retryable || attempt >= limits.maxSends || signal.aborted) return { ok: false, failure };
        const stop = await waitToRetry(result.failure, attempt);
        if (stop !== null) return { ok: false, failure: { ...stop, billed } };
      }
    },
  };
}
