import { DeadlineError, ForbiddenError, NotFoundError, type SkillflowError, UnavailableError } from '../errors.ts';
import type { Runtime } from '../runtime.ts';
import type { ServerReach } from './server-reach.ts';

export type Fetch = (request: Request) => Promise<Response>;

export interface ServerRequestOptions {
  /** The server's URL, for messages. */
  readonly href: string;
  readonly authToken: string | undefined;
  readonly runtime: Runtime;
  readonly fetch: Fetch;
  /** Milliseconds for one request and its whole answer. */
  readonly timeoutMs: number;
  /**
   * The same while the server has not answered yet, or not the last time; and for a request after which it is asked
   * something small that it does not answer either.
   */
  readonly firstAnswerMs: number;
  readonly reach: ServerReach;
  /** Gives up what is on its way, and sends nothing more. */
  readonly signal: AbortSignal;
}

/** A request that brought no answer of a database server. */
export class RequestFailure extends Error {
  /** The same for callers. */
  readonly error: SkillflowError;
  /** Whether the server may have done what it was asked. */
  readonly reached: 'no' | 'maybe';
  /** Whether the next try may go better. */
  readonly passing: boolean;

  constructor(error: SkillflowError, reached: 'no' | 'maybe', passing: boolean) {
    super(error.message, { cause: error });
    this.name = 'RequestFailure';
    this.error = error;
    this.reached = reached;
    this.passing = passing;
  }
}

/** Codes of Node for connections that were never made (source: nodejs.org/api/errors.html#common-system-errors). */
const NEVER_SENT: readonly string[] = [
  'ECONNREFUSED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'UND_ERR_CONNECT_TIMEOUT',
];
const BAD_CERTIFICATE = /^(?:CERT_|ERR_TLS|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO_(?:GET|VERIFY))/;
/** Server answers that mean that it did not begin: refused, or asked to come back later. */
const NOT_BEGUN: readonly number[] = [400, 401, 403, 404, 405, 413, 429];

/** The chain of causes of an error, from itself; the addresses of a name that were all tried count too. */
function causes(thrown: unknown): readonly unknown[] {
  const found: unknown[] = [];
  const add = (value: unknown): void => {
    if (value === undefined || found.includes(value)) return;
    found.push(value);
    if (value instanceof AggregateError) for (const error of value.errors) add(error);
    if (value instanceof Error) add(value.cause);
  };
  add(thrown);
  return found;
}

function codesOf(thrown: unknown): readonly string[] {
  return causes(thrown).flatMap((cause) =>
    typeof cause === 'object' && cause !== null && 'code' in cause && typeof cause.code === 'string' ? [cause.code] : [],
  );
}

/** The innermost reason: fetch itself only says that it failed. */
function reasonOf(thrown: unknown): string {
  const reasons = causes(thrown).flatMap((cause) => (cause instanceof Error && cause.message !== '' ? [cause.message] : []));
  return reasons.at(-1) ?? codesOf(thrown).at(-1) ?? String(thrown);
}

function notReached(href: string, thrown: unknown): RequestFailure {
  const codes = codesOf(thrown);
  const certificate = codes.some((code) => BAD_CERTIFICATE.test(code));
  const error = new UnavailableError(`the database server ${href} cannot be reached: ${reasonOf(thrown)}`, {
    cause: thrown,
    retryable: !certificate,
    hint: certificate
      ? 'Its certificate is not trusted here: correct it, or name its authority with NODE_EXTRA_CA_CERTS.'
      : 'Check SKILLFLOW_DB_URL, the network, and that the server runs.',
    details: { url: href },
  });
  const never = certificate || codes.some((code) => NEVER_SENT.includes(code));
  return new RequestFailure(error, never ? 'no' : 'maybe', !certificate);
}

function refused({ href, authToken }: ServerRequestOptions, status: number): SkillflowError {
  const details = { url: href, status };
  if (status === 401 || status === 403) {
    return new ForbiddenError(
      `the database server ${href} refuses ${authToken === undefined ? 'access without a token' : 'the token'} (HTTP ${status})`,
      { hint: 'Set SKILLFLOW_DB_TOKEN (or TURSO_AUTH_TOKEN) to a valid token for this database.', details },
    );
  }
  if (status === 404) {
    return new NotFoundError(`there is no database at ${href} (HTTP 404)`, { hint: 'Check SKILLFLOW_DB_URL.', details });
  }
  return new UnavailableError(`the database server ${href} answered HTTP ${status}`, {
    retryable: status >= 500 || status === 429,
    hint:
      status >= 500 || status === 429
        ? 'Try again later; its log says more.'
        : 'Check that SKILLFLOW_DB_URL is the address of a libSQL server.',
    details,
  });
}

/** The error for a request that was given up, or is not sent any more, because the connection is being closed. */
export function givenUp(href: string): UnavailableError {
  return new UnavailableError(`the database server ${href} did not answer before the connection to it was closed`, {
    retryable: true,
    hint: 'Skillflow was told to leave, or its time was over. Check that the server runs.',
    details: { url: href },
  });
}

/** The error for a server that did not answer in time. */
export function tooLate(href: string, limitMs: number): RequestFailure {
  return notReached(href, new DeadlineError(`no answer within ${limitMs} ms`));
}

/** Whether a text is an answer of the protocol, or an error that it describes (source: libsql's docs/HRANA_2_SPEC.md). */
function isProtocol(text: string, ok: boolean): boolean {
  try {
    const body: unknown = JSON.parse(text);
    if (typeof body !== 'object' || body === null) return false;
    return ok ? 'results' in body && Array.isArray(body.results) : 'message' in body && 'code' in body;
  } catch {
    return false; // a page of some proxy, or an answer that was cut off
  }
}

/**
 * Lets a stream go on at another address only where that is as safe as the one that was configured; the token goes
 * along.
 */
function checkAddress(href: string, url: string): void {
  if (!href.startsWith('https:') || url.startsWith('https:')) return;
  throw new RequestFailure(
    new ForbiddenError(`the database server ${href} asks to continue without encryption`, { hint: 'Correct the server.' }),
    'no',
    false,
  );
}

/** Throws when there is no use in sending anything. */
function checkSending({ href, reach, signal }: ServerRequestOptions): void {
  if (signal.aborted) throw new RequestFailure(givenUp(href), 'no', false);
  if (!reach.rests) return;
  const error = new UnavailableError(`the database server ${href} cannot be reached: it left a request without an answer`, {
    retryable: true,
    hint: 'Check the network, and that the server runs; it is asked again in a moment.',
    details: { url: href },
  });
  throw new RequestFailure(error, 'no', false);
}

/** The part of the time for a first answer that is left to the question whether a server answers at all. */
const DOUBT_SHARE = 0.2;

/** Whether the server answers anything; what, does not matter (source: libsql's docs/HRANA_2_SPEC.md, `GET /v2`). */
async function isAlive({ href, fetch }: ServerRequestOptions, signal: AbortSignal): Promise<boolean> {
  try {
    const { body } = await fetch(new Request(`${href}/v2`, { signal, redirect: 'manual' }));
    await body?.cancel();
    return true;
  } catch {
    return false; // the request that is waited for says why
  }
}

/**
 * Resolves when a request has had its time, with the milliseconds: a server that is silent has less than one whose
 * statement takes long. Rejects when the signal aborts.
 */
async function timeIsUp(options: ServerRequestOptions, signal: AbortSignal): Promise<number> {
  const { runtime, reach, timeoutMs, firstAnswerMs } = options;
  const limitMs = reach.answers ? timeoutMs : firstAnswerMs;
  const doubtMs = Math.round(firstAnswerMs * DOUBT_SHARE);
  if (limitMs <= firstAnswerMs) {
    await runtime.sleep(limitMs, signal);
    return limitMs;
  }
  await runtime.sleep(firstAnswerMs - doubtMs, signal);
  const late = runtime.sleep(doubtMs, signal).then(() => false);
  if (!(await Promise.race([isAlive(options, signal), late]))) {
    await late;
    return firstAnswerMs;
  }
  late.catch(() => undefined); // it has answered
  await runtime.sleep(limitMs - firstAnswerMs + doubtMs, signal);
  return limitMs;
}

/** Sends a request and reads its whole answer, in the time that is allowed. */
async function exchange(options: ServerRequestOptions, request: Request): Promise<readonly [Response, string]> {
  const { href, reach, signal } = options;
  let limitMs = 0;
  const stop = new AbortController();
  const onGivenUp = (): void => stop.abort();
  signal.addEventListener('abort', onGivenUp, { once: true });
  const timer = new AbortController();
  const watch = async (): Promise<void> => {
    limitMs = await timeIsUp(options, timer.signal);
    stop.abort();
  };
  watch().catch(() => undefined); // the answer came first
  // Node's fetch follows a signal by a weak reference, and may miss its abort after a collection of garbage.
  const stopped = new Promise<never>((_resolve, reject) => {
    stop.signal.addEventListener('abort', () => reject(new DeadlineError('stopped')), { once: true });
  });
  const receive = async (): Promise<readonly [Response, string]> => {
    const response = await options.fetch(new Request(request, { signal: stop.signal, redirect: 'manual' }));
    return [response, await response.text()];
  };
  try {
    const received = await Promise.race([receive(), stopped]);
    reach.note(true);
    return received;
  } catch (error) {
    if (signal.aborted) throw new RequestFailure(givenUp(href), 'maybe', false);
    if (!stop.signal.aborted) throw notReached(href, error);
    reach.note(false);
    throw tooLate(href, limitMs);
  } finally {
    timer.abort();
    signal.removeEventListener('abort', onGivenUp);
  }
}

/**
 * `fetch` for the database client: each request has a time limit that includes its answer, redirects are not followed,
 * and everything that is no answer of a database server is thrown as a {@link RequestFailure}.
 */
export function createServerFetch(options: ServerRequestOptions): Fetch {
  const { href } = options;
  return async (request) => {
    checkAddress(href, request.url);
    checkSending(options);
    const [{ ok, status }, text] = await exchange(options, request);
    if (isProtocol(text, ok)) return new Response(text, { status, headers: { 'content-type': 'application/json' } });
    if (!ok) {
      const passing = status >= 500 || status === 429;
      throw new RequestFailure(refused(options, status), NOT_BEGUN.includes(status) ? 'no' : 'maybe', passing);
    }
    throw new RequestFailure(
      new UnavailableError(`what answers at ${href} is no database server, or its answer was cut off`, {
        retryable: true,
        hint: 'Check SKILLFLOW_DB_URL, and what lies between (a proxy, a login page).',
        details: { url: href },
      }),
      'maybe',
      true,
    );
  };
}
