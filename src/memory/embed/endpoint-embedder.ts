import { CancelledError, InvalidInputError } from '../../errors.ts';
import type { Runtime } from '../../runtime.ts';
import type { Embedder } from './embedder.ts';
import { EmbedderError } from './embedder-error.ts';
import { embeddedText } from './embedded-text.ts';
import { vectorsOf } from './endpoint-answer.ts';
import { askEndpoint, wrongServer } from './endpoint-request.ts';
import { endpointUrl } from './endpoint-url.ts';
import { conventionsOf } from './model-conventions.ts';

export interface EndpointOptions {
  /** What comes before `/embeddings`, e.g. `http://localhost:11434/v1`. */
  readonly baseUrl: string;
  readonly model: string;
  /** Asked of the model, and required of its answers; default: what it gives. 1 to 16,384. */
  readonly dimensions?: number | undefined;
  /** Sent as a bearer token; never shown. */
  readonly apiKey?: string | undefined;
  readonly fetch: typeof globalThis.fetch;
  readonly runtime: Runtime;
  /** Milliseconds that one request may take; default 60,000. */
  readonly timeoutMs?: number;
  /** Milliseconds that a whole `embed` may take, with its repetitions; default 180,000. */
  readonly deadlineMs?: number;
}

const MOST_TEXTS = 64;
/** Characters of one request: what a small model on a CPU still manages within the time-out. */
const MOST_CHARACTERS = 64_000;

interface Patience {
  readonly attempts: number;
  readonly firstPauseMs: number;
  readonly longestPauseMs: number;
}
/** A search waits about a second in all; contents may wait. */
const PATIENCE: Readonly<Record<'document' | 'query', Patience>> = {
  document: { attempts: 4, firstPauseMs: 500, longestPauseMs: 20_000 },
  query: { attempts: 2, firstPauseMs: 100, longestPauseMs: 300 },
};

/** Texts in groups of at most 64 texts and 64,000 characters, in order. */
function groups(texts: readonly string[]): readonly (readonly string[])[] {
  const result: string[][] = [];
  let characters = 0;
  for (const text of texts) {
    const last = result.at(-1);
    characters += text.length;
    if (last === undefined || last.length === MOST_TEXTS || characters > MOST_CHARACTERS) {
      result.push([text]);
      characters = text.length;
    } else {
      last.push(text);
    }
  }
  return result;
}

function checkKey(key: string | undefined): string | undefined {
  if (key === undefined || key === '') return undefined;
  if (/^[\x21-\x7e]+$/.test(key)) return key;
  throw new InvalidInputError('the embedding key has characters that no HTTP header can carry', {
    hint: 'Set it again without spaces and line breaks.',
    details: { parameter: 'embeddingKey' },
  });
}

/** Repeats what may succeed later: pauses grow, are jittered, and are at least what the server asked for, up to a limit. */
async function withPatience<T>(
  runtime: Runtime,
  { attempts, firstPauseMs, longestPauseMs }: Patience,
  signal: AbortSignal,
  attempt: () => Promise<T>,
): Promise<T> {
  for (let tried = 1; ; tried += 1) {
    try {
      return await attempt();
    } catch (error) {
      if (!(error instanceof EmbedderError) || !error.retryable || tried >= attempts) throw error;
      const grown = firstPauseMs * 2 ** (tried - 1) * (0.5 + runtime.random());
      await runtime.sleep(Math.min(Math.max(grown, error.retryAfterMs ?? 0), longestPauseMs), signal);
    }
  }
}

/**
 * An embedder over any endpoint that speaks OpenAI's `POST {base}/embeddings`: OpenAI, Voyage, Ollama, LM Studio,
 * llama.cpp, vLLM. Overload, failures of the server and of the network are retried; refusals and answers that are no
 * set of vectors are not. Throws `InvalidInputError` for a URL or key that cannot be used.
 */
export function createEndpointEmbedder(options: EndpointOptions): Embedder {
  const { model, dimensions, fetch, runtime, timeoutMs = 60_000, deadlineMs = 180_000 } = options;
  const url = endpointUrl(options.baseUrl);
  const key = checkKey(options.apiKey);
  const conventions = conventionsOf(model);

  const embedGroup = async (input: readonly string[], expected: number | undefined, signal: AbortSignal) => {
    const body = { model, input, ...(dimensions === undefined ? {} : { dimensions }) };
    const vectors = vectorsOf(await askEndpoint({ url, fetch, key, body, timeoutMs, signal }), input.length, expected);
    if (typeof vectors !== 'string') return vectors;
    throw new EmbedderError(`${url.shown} answers ${vectors}`, wrongServer(url));
  };
  const embed: Embedder['embed'] = async (texts, use, signal) => {
    const deadline = AbortSignal.timeout(deadlineMs);
    const stop = AbortSignal.any([signal, deadline]);
    const inputs = texts.map((text) => conventions[use] + embeddedText(text));
    const vectors: Float32Array[] = [];
    try {
      for (const input of groups(inputs)) {
        const expected = dimensions ?? vectors[0]?.length;
        vectors.push(...(await withPatience(runtime, PATIENCE[use], stop, () => embedGroup(input, expected, stop))));
      }
      return vectors;
    } catch (error) {
      if (signal.aborted) throw new CancelledError('embedding was cancelled', { cause: error });
      if (!deadline.aborted) throw error;
      throw new EmbedderError(`${url.shown} embedded less than ${texts.length} texts within ${deadlineMs} ms`, {
        retryable: true,
        hint: 'Use a faster model or server.',
        cause: error,
      });
    }
  };
  return {
    provider: 'openai',
    model,
    dimensions,
    semantic: true,
    batchSize: MOST_TEXTS,
    embed,
    [Symbol.asyncDispose]: async () => undefined,
  };
}
