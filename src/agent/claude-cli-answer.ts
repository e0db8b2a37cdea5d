import * as z from 'zod';
import type { Usage } from './usage.ts';

const COUNT = z.number().nonnegative().catch(0);

const TOKENS = z.object({
  input_tokens: COUNT,
  output_tokens: COUNT,
  cache_read_input_tokens: COUNT,
  cache_creation_input_tokens: COUNT,
});

const MODEL_TOKENS = z.object({
  inputTokens: COUNT,
  outputTokens: COUNT,
  cacheReadInputTokens: COUNT,
  cacheCreationInputTokens: COUNT,
});

/** What `claude --print --output-format json` prints at its end; tried with 2.1.329. */
const RESULT = z.object({
  type: z.literal('result'),
  subtype: z.string(),
  is_error: z.boolean(),
  result: z.string().optional(),
  structured_output: z.unknown().optional(),
  /** Of all calls of the session, resumed ones included. */
  total_cost_usd: z.number().nonnegative().optional(),
  num_turns: COUNT.optional(),
  /** Of this call; zeros where it ended early. */
  usage: TOKENS.optional(),
  /** Of all calls of the session, by model. */
  modelUsage: z.record(z.string(), MODEL_TOKENS).optional(),
  api_error_status: z.number().nullish(),
  errors: z.array(z.string()).optional(),
  permission_denials: z.array(z.object({ tool_name: z.string(), tool_input: z.unknown() })).optional(),
});
export type ClaudeResult = z.output<typeof RESULT>;

/** The result in what the program printed, or `null` where there is none: cut off, or something else. */
export function readClaudeResult(stdout: string): ClaudeResult | null {
  let value: unknown;
  try {
    value = JSON.parse(stdout);
  } catch {
    return null; // whoever asked says what was printed instead
  }
  const parsed = RESULT.safeParse(Array.isArray(value) ? value.at(-1) : value);
  return parsed.success ? parsed.data : null;
}

/**
 * What a call used. The program counts a session from its start: of a resumed one, tokens are taken of this call
 * where it says them, and the cost is what was added to `earlierUsd`, what is on record of the session. What an attempt
 * spent of which nothing is on record, as its process died, is so counted with the one that goes on.
 */
export function claudeUsage(result: ClaudeResult, resumed: boolean, earlierUsd: number): Usage {
  const models = Object.entries(result.modelUsage ?? {});
  const sum = (read: (tokens: z.output<typeof MODEL_TOKENS>) => number): number =>
    models.reduce((total, [, tokens]) => total + read(tokens), 0);
  const own = result.usage;
  const useOwn = own !== undefined && own.input_tokens + own.output_tokens > 0 && (resumed || models.length === 0);
  const [main] = models.toSorted(([, a], [, b]) => b.outputTokens - a.outputTokens);
  return {
    model: main?.[0] ?? 'unknown',
    inputTokens: useOwn ? own.input_tokens : sum((tokens) => tokens.inputTokens),
    outputTokens: useOwn ? own.output_tokens : sum((tokens) => tokens.outputTokens),
    cacheReadTokens: useOwn ? own.cache_read_input_tokens : sum((tokens) => tokens.cacheReadInputTokens),
    cacheWriteTokens: useOwn ? own.cache_creation_input_tokens : sum((tokens) => tokens.cacheCreationInputTokens),
    requests: result.num_turns ?? 1,
    costUsd: result.total_cost_usd === undefined ? null : Math.max(0, result.total_cost_usd - earlierUsd),
  };
}

/** Why a call failed, in the words of the provider contract. */
export interface ClaudeFailure {
  readonly code: string;
  readonly reason: string;
  readonly retryable: boolean;
  readonly retryAfterMs?: number;
}

const BY_TEXT: readonly { readonly pattern: RegExp; readonly code: string; readonly retryable: boolean }[] = [
  { pattern: /unknown option|unknown argument/iu, code: 'unavailable', retryable: false },
  { pattern: /credit balance/iu, code: 'billing', retryable: false },
  { pattern: /not logged in|run \/login|invalid api key|authenticat/iu, code: 'auth', retryable: false },
  { pattern: /usage limit|hit your .*limit|limit reached|rate.?limit|\b429\b/iu, code: 'rate_limited', retryable: true },
  { pattern: /overloaded|\b529\b/iu, code: 'overloaded', retryable: true },
];

const BY_SUBTYPE: Readonly<Record<string, { readonly code: string; readonly retryable: boolean }>> = {
  error_max_budget_usd: { code: 'budget', retryable: false },
  error_max_structured_output_retries: { code: 'bad_output', retryable: true },
  // Another attempt goes on where this one was ended.
  error_max_turns: { code: 'bad_output', retryable: true },
};

function byStatus(status: number): { readonly code: string; readonly retryable: boolean } | undefined {
  if (status === 401 || status === 403) return { code: 'auth', retryable: false };
  if (status === 402) return { code: 'billing', retryable: false };
  if (status === 413) return { code: 'too_large', retryable: false };
  if (status === 429) return { code: 'rate_limited', retryable: true };
  if (status === 503 || status === 529) return { code: 'overloaded', retryable: true };
  if (status >= 500 || status === 408) return { code: 'unavailable', retryable: true };
  return undefined; // another 4xx: the text may say more
}

/** `…limit reached|1736280000`: the second, since the epoch, in which the limit ends. */
function untilReset(text: string, nowMs: number): number | undefined {
  const second = /limit reached\|(?<second>\d{9,11})\b/u.exec(text)?.groups?.['second'];
  return second === undefined ? undefined : Math.max(0, Number(second) * 1000 - nowMs);
}

/** What is meant by a text of the program (a message, its stderr), with what its result says beside it. */
export function claudeFailure(text: string, nowMs: number, result?: ClaudeResult): ClaudeFailure {
  const status = result?.api_error_status ?? 0;
  const known =
    BY_SUBTYPE[result?.subtype ?? ''] ??
    byStatus(status) ??
    BY_TEXT.find(({ pattern }) => pattern.test(text)) ??
    (status >= 400 ? { code: 'bad_request', retryable: false } : { code: 'unavailable', retryable: true });
  const retryAfterMs = untilReset(text, nowMs);
  const { code, retryable } = known;
  return { code, retryable, reason: text, ...(retryAfterMs === undefined ? {} : { retryAfterMs }) };
}
