import * as z from 'zod';
import type { EmbeddingStatus } from '../memory/embed/embeddings.ts';
import { UnavailableError } from '../errors.ts';
import { endpointUrl } from '../memory/embed/endpoint-url.ts';
import { READS } from './memory-input.ts';
import { fields } from './table.ts';
import { defineTool } from './tool.ts';
import type { App } from './tool.ts';

/** `openai nomic-embed-text, 768 dimensions`; `off` without an embedder. */
export function embedderName({ provider, model, dimensions, semantic }: EmbeddingStatus): string {
  if (provider === null) return 'off';
  const parts = [`${provider} ${model ?? ''}`.trim(), ...(dimensions === null ? [] : [`${dimensions} dimensions`])];
  return [...parts, semantic ? 'semantic' : 'sees letters, not meanings'].join(', ');
}

/** As long as one request may take. */
const FIRST_ANSWER_MS = 60_000;

/** The embedding server, without secrets. */
const serverOf = ({ embeddingUrl }: App['config']): string =>
  embeddingUrl === null ? 'the embedding server' : endpointUrl(embeddingUrl).shown;

/** Runs work on a server that is given up when it does not answer for the first time soon. Throws `UnavailableError`. */
async function withFirstAnswer<T>(
  { runtime, config }: App,
  signal: AbortSignal,
  work: (until: AbortSignal, answered: () => void) => Promise<T>,
): Promise<T> {
  const late = new AbortController();
  const timer = new AbortController();
  runtime.sleep(FIRST_ANSWER_MS, timer.signal).then(
    () => late.abort(),
    () => undefined, // it answered
  );
  try {
    return await work(AbortSignal.any([signal, late.signal]), () => timer.abort());
  } catch (error) {
    if (!late.signal.aborted || signal.aborted) throw error;
    const url = serverOf(config);
    throw new UnavailableError(`${url} gave no answer within ${FIRST_ANSWER_MS / 1000} s`, {
      retryable: true,
      hint: 'Check that the embedding server at SKILLFLOW_EMBEDDING_URL runs and has loaded its model.',
      details: { url },
      cause: error,
    });
  } finally {
    timer.abort();
  }
}

const memoryEmbed = defineTool({
  name: 'memory_embed',
  description: 'Makes the vectors that entries lack, newest first, with the configured embedder.',
  input: z.strictObject({ maxContents: z.int().min(1).optional().describe('stop after so many; default: all') }),
  output: z.object({ embedded: z.number(), pending: z.number() }),
  annotations: { readOnly: false, destructive: false, idempotent: true },
  listed: false,
  timeoutMs: 0,
  cli: { command: ['memory', 'embed'] },
  handler: async ({ maxContents }, { app, signal, progress }) => {
    const embeddings = await app.embeddings();
    if (!embeddings.enabled) {
      throw new UnavailableError('embeddings are off, so there is nothing to embed with', {
        hint: 'Set SKILLFLOW_EMBEDDING to lexical, openai or transformers; see skillflow config.',
      });
    }
    // Before its first vector a model of this machine may have to be fetched; a server only has to load its own.
    const isServer = app.config.embedding === 'openai';
    progress(0, isServer ? `waiting for the first answer of ${serverOf(app.config)}` : 'loading the embedder');
    const work = (until: AbortSignal, answered: () => void): ReturnType<typeof embeddings.catchUp> =>
      embeddings.catchUp({
        signal: until,
        onProgress: (embedded, total) => {
          answered();
          progress(total === 0 ? 1 : embedded / total, `${embedded} of ${total} embedded`);
        },
        ...(maxContents === undefined ? {} : { maxContents }),
      });
    return isServer ? withFirstAnswer(app, signal, work) : work(signal, () => undefined);
  },
  text: ({ embedded, pending }, style) => fields({ 'embedded now': embedded, 'still to do': pending }, style),
});

const memoryVectors = defineTool({
  name: 'memory_vectors',
  description: 'Shows the embedder, how many contents have vectors, and how they are searched.',
  input: z.strictObject({}),
  output: z.object({
    provider: z.string().nullable(),
    model: z.string().nullable(),
    dimensions: z.number().nullable(),
    /** Whether near vectors mean near meanings. */
    semantic: z.boolean(),
    embedded: z.number(),
    pending: z.number(),
    /** Why the embedder could not be used the last time. */
    problem: z.string().nullable(),
    tier: z.enum(['off', 'exact', 'hnsw', 'int8']),
    vectors: z.number(),
    indexed: z.number(),
    /** Why a better tier is not used. */
    note: z.string().nullable(),
  }),
  annotations: READS,
  listed: false,
  cli: { command: ['memory', 'vectors'] },
  handler: async (_input, { app }) => ({
    ...(await (await app.embeddings()).status()),
    ...(await (await app.vectors()).status()),
  }),
  text: ({ tier, vectors, indexed, note, ...status }, style) =>
    fields(
      {
        embedder: embedderName(status),
        contents: status.provider === null ? null : `${status.embedded} embedded, ${status.pending} to do`,
        problem: status.problem,
        searched: tier,
        vectors: `${vectors}, ${indexed} of them indexed`,
        note,
      },
      style,
    ),
});

/** Vectors of entries. */
export const embeddingTools = [memoryEmbed, memoryVectors] as const;
