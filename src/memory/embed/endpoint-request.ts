import { printableProse } from '../../printable.ts';
import { EmbedderError, type EmbedderErrorOptions } from './embedder-error.ts';
import type { EndpointUrl } from './endpoint-url.ts';

export interface EndpointRequest {
  readonly url: EndpointUrl;
  readonly fetch: typeof globalThis.fetch;
  readonly key: string | undefined;
  readonly body: Readonly<Record<string, unknown>>;
  /** Covers connecting and reading the whole answer. */
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

/** More than 64 vectors of 16,384 dimensions need. */
const MAX_ANSWER_BYTES = 32 * 1024 * 1024;
const MAX_REFUSAL_BYTES = 16 * 1024;
const MAX_REFUSAL_CHARACTERS = 200;

/** The statuses by which servers say that the texts are wrong or too long; also what some say to a wrong model. */
const TEXTS_AT_FAULT: ReadonlySet<number> = new Set([400, 413, 422]);
const HINTS: Readonly<Record<number, string>> = {
  401: 'Set the embedding key in the environment, or correct it.',
  403: 'Set the embedding key in the environment, or use a model that the key may use.',
  404: 'Check the embedding URL (its path too) and the model; a local server may have to load the model first.',
};

/** The body up to `maxBytes`; `undefined` when it has more, and then the rest is not read. */
async function readBody(response: Response, maxBytes: number): Promise<string | undefined> {
  if (response.body === null) return '';
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of response.body) {
    bytes += chunk.byteLength;
    if (bytes > maxBytes) return undefined; // leaving the loop cancels the rest
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

/** Milliseconds of a `retry-after` in seconds or as a date; `undefined` without one that can be read. */
function retryAfter(response: Response): number | undefined {
  const value = response.headers.get('retry-after')?.trim() ?? '';
  if (/^\d+(?:\.\d+)?$/.test(value)) return Number(value) * 1000;
  const at = Date.parse(value);
  const sent = Date.parse(response.headers.get('date') ?? '');
  return Number.isNaN(at) || Number.isNaN(sent) ? undefined : Math.max(0, at - sent);
}

/** What a server says about its refusal, in a few words; `''` when that is nothing that people can read. */
function reasonIn(body: string): string {
  const message = /"(?:message|error|detail)"\s*:\s*("(?:[^"\\]|\\.)*")/.exec(body)?.[1];
  const text: unknown = message === undefined ? '' : parseJson(message);
  return typeof text === 'string' ? printableProse(text).slice(0, MAX_REFUSAL_CHARACTERS) : '';
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // what is no JSON has nothing to say
  }
}

async function refusal(response: Response, { url, key }: EndpointRequest): Promise<EmbedderError> {
  const { status } = response;
  const details = { url: url.shown, status };
  if (status >= 300 && status < 400) {
    await response.body?.cancel();
    return new EmbedderError(`${url.shown} answers with a redirect (${status}), which is not followed`, {
      hint: 'Set the embedding URL to where it leads.',
      details,
    });
  }
  const said = reasonIn((await readBody(response, MAX_REFUSAL_BYTES)) ?? '');
  // A server may echo what it was sent: nothing of an answer about the key is shown, and the key nowhere.
  const shown = status === 401 || status === 403 || (key !== undefined && said.includes(key)) ? '' : said;
  const retryable = status === 408 || status === 429 || status >= 500;
  return new EmbedderError(`${url.shown} answers ${status}${shown === '' ? '' : `: ${shown}`}`, {
    retryable,
    fault: TEXTS_AT_FAULT.has(status) ? 'texts' : 'embedder',
    retryAfterMs: retryable ? retryAfter(response) : undefined,
    hint: HINTS[status] ?? (retryable ? 'Try again later.' : 'Check the embedding model and its settings.'),
    details,
  });
}

/** Follows the causes: what `fetch` throws only says that it failed. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (error.cause instanceof Error) return reasonOf(error.cause);
  return error.message === '' && 'code' in error ? String(error.code) : error.message;
}

async function exchange(request: EndpointRequest, signal: AbortSignal): Promise<unknown> {
  const { url, fetch, key, body } = request;
  const response = await fetch(url.href, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      accept: 'application/json',
      ...(key === undefined ? {} : { authorization: `Bearer ${key}` }),
    },
    body: JSON.stringify(body),
    redirect: 'manual', // the texts go where the user said, and nowhere else
    signal,
  });
  if (!response.ok) throw await refusal(response, request);
  const text = await readBody(response, MAX_ANSWER_BYTES);
  if (text === undefined)
    throw new EmbedderError(`${url.shown} answers with more than ${MAX_ANSWER_BYTES} bytes`, wrongServer(url));
  const json = parseJson(text);
  if (json === undefined) {
    throw new EmbedderError(`${url.shown} answers what is no JSON`, { ...wrongServer(url), retryable: true });
  }
  return json;
}

export function wrongServer(url: EndpointUrl): EmbedderErrorOptions {
  return { hint: 'Check that an embedding model is served at this URL.', details: { url: url.shown } };
}

/**
 * Asks once; the JSON that came. Errors: `EmbedderError`, never with the key in it; whatever `signal` was aborted with.
 */
export async function askEndpoint(request: EndpointRequest): Promise<unknown> {
  const { url, timeoutMs, signal } = request;
  const timeout = AbortSignal.timeout(timeoutMs);
  try {
    return await exchange(request, AbortSignal.any([signal, timeout]));
  } catch (error) {
    if (error instanceof EmbedderError) throw error;
    signal.throwIfAborted();
    const reason = timeout.aborted ? `no whole answer within ${timeoutMs} ms` : reasonOf(error);
    throw new EmbedderError(`cannot reach ${url.shown}: ${printableProse(reason)}`, {
      retryable: true,
      hint: 'Start the embedding server, or check the embedding URL.',
      details: { url: url.shown },
      cause: error,
    });
  }
}
