import { SkillflowError } from '../errors.ts';

/** Why a request failed, and what may be done about it. */
export interface RequestFailure {
  readonly code: string;
  readonly reason: string;
  readonly retryable: boolean;
  /** What the server asked to wait. */
  readonly retryAfterMs?: number;
  /** Whether it may have been charged all the same. */
  readonly billed: boolean;
}

/** The part of the client library's errors that is looked at. */
export interface ApiErrors {
  readonly APIError: new (...args: never[]) => Error & {
    readonly status: number | undefined;
    readonly headers: Headers | undefined;
    readonly type: string | null;
    readonly apiMessage: string | null;
  };
  readonly APIConnectionTimeoutError: new (...args: never[]) => Error;
  readonly APIConnectionError: new (...args: never[]) => Error;
}

interface Kind {
  readonly code: string;
  readonly retryable: boolean;
}

const BY_STATUS: ReadonlyMap<number, Kind> = new Map([
  [401, { code: 'auth', retryable: false }],
  [402, { code: 'billing', retryable: false }],
  [403, { code: 'auth', retryable: false }],
  [408, { code: 'unavailable', retryable: true }],
  [413, { code: 'too_large', retryable: false }],
  [429, { code: 'rate_limited', retryable: true }],
  [503, { code: 'overloaded', retryable: true }],
  [529, { code: 'overloaded', retryable: true }],
]);
/** Errors within a stream have a type and no status. */
const BY_TYPE: ReadonlyMap<string, Kind> = new Map([
  ['authentication_error', { code: 'auth', retryable: false }],
  ['permission_error', { code: 'auth', retryable: false }],
  ['billing_error', { code: 'billing', retryable: false }],
  ['invalid_request_error', { code: 'bad_request', retryable: false }],
  ['not_found_error', { code: 'bad_request', retryable: false }],
  ['request_too_large', { code: 'too_large', retryable: false }],
  ['rate_limit_error', { code: 'rate_limited', retryable: true }],
  ['overloaded_error', { code: 'overloaded', retryable: true }],
]);
const UNAVAILABLE: Kind = { code: 'unavailable', retryable: true };

function kindOf(status: number | undefined, type: string | null): Kind {
  if (status === undefined) return BY_TYPE.get(type ?? '') ?? UNAVAILABLE;
  return BY_STATUS.get(status) ?? (status >= 500 ? UNAVAILABLE : { code: 'bad_request', retryable: false });
}

const ADVICE: Readonly<Record<string, string>> = {
  auth: 'Check ANTHROPIC_API_KEY.',
  billing: 'Look at the account’s billing.',
  bad_request: 'Check the names of the models.',
};

/** What a server asks to wait in milliseconds: `retry-after-ms`, else `retry-after` in seconds or as a date (RFC 9110). */
function retryAfterMs(headers: Headers | undefined, nowMs: number): number | undefined {
  const precise = Number(headers?.get('retry-after-ms') ?? Number.NaN);
  if (Number.isFinite(precise) && precise >= 0) return Math.ceil(precise);
  const given = headers?.get('retry-after') ?? null;
  if (given === null) return undefined;
  const seconds = Number(given);
  if (Number.isFinite(seconds)) return seconds >= 0 ? Math.ceil(seconds * 1_000) : undefined;
  const date = Date.parse(given);
  return Number.isNaN(date) ? undefined : Math.max(0, date - nowMs);
}

function isOne(errorClass: new (...args: never[]) => Error, thrown: unknown): boolean {
  return thrown instanceof errorClass;
}

/**
 * @param sawHeaders whether the server had begun to answer
 * @param clean takes the key and secrets out of a text
 */
export function classifyFailure(
  errors: ApiErrors,
  thrown: unknown,
  {
    sawHeaders,
    nowMs,
    clean,
  }: { readonly sawHeaders: boolean; readonly nowMs: number; readonly clean: (text: string) => string },
): RequestFailure {
  // A failed connection is an error of the API to the library as well, one without a status.
  const cutOff = isOne(errors.APIConnectionError, thrown);
  if (thrown instanceof errors.APIConnectionTimeoutError) {
    // It has the request and may be at work on it.
    return { ...UNAVAILABLE, reason: 'the API did not begin to answer in time', billed: true };
  }
  if (thrown instanceof errors.APIConnectionError && !sawHeaders) {
    const cause = thrown.cause instanceof Error ? `: ${clean(thrown.cause.message).slice(0, 200)}` : '';
    return { ...UNAVAILABLE, reason: `the API cannot be reached${cause}`, billed: false };
  }
  if (thrown instanceof errors.APIError && !cutOff) {
    const kind = kindOf(thrown.status, thrown.type);
    const what = clean(thrown.apiMessage ?? 'without a reason').slice(0, 300);
    const where = thrown.status === undefined ? `in its stream (${thrown.type ?? 'no type'})` : `with ${thrown.status}`;
    const advice = ADVICE[kind.code];
    const wait = retryAfterMs(thrown.headers, nowMs);
    return {
      ...kind,
      reason: `the API refused ${where}: ${what}${advice === undefined ? '' : `. ${advice}`}`,
      ...(wait === undefined || !kind.retryable ? {} : { retryAfterMs: wait }),
      billed: thrown.status === undefined,
    };
  }
  if (thrown instanceof SkillflowError) {
    return { code: thrown.code, reason: thrown.message, retryable: thrown.retryable, billed: sawHeaders };
  }
  const what = clean(thrown instanceof Error ? thrown.message : String(thrown)).slice(0, 200);
  if (sawHeaders) return { ...UNAVAILABLE, reason: `the API's answer was cut off: ${what}`, billed: true };
  return { code: 'internal', reason: what, retryable: false, billed: false };
}

/**
 * How long to wait before a request is sent again: what the server asks, else full jitter over an exponential
 * (source: AWS Architecture Blog, Exponential Backoff And Jitter, 2015).
 *
 * @param attempt from 1
 * @param random in [0, 1)
 */
export function retryDelayMs(failure: RequestFailure, attempt: number, baseMs: number, random: number): number {
  const jitter = Math.round(random * Math.min(30_000, baseMs * 2 ** (attempt - 1)));
  return failure.retryAfterMs === undefined ? jitter : failure.retryAfterMs;
}
