import { z } from 'zod';
import type { EmbeddingStatus } from '../memory/embed/embeddings.ts';
import { UnavailableError } from '../errors.ts';
import { READS } from './memory-input.ts';
import { fields } from './table.ts';
import { defineTool } from './tool.ts';

/** `openai nomic-embed-text, 768 dimensions`; `off` without an embedder. */
export function embedderName({ provider, model, dimensions, semantic }: EmbeddingStatus): string {
  if (provider === null) return 'off';
  const parts = [`${provider} ${model ?? ''}`.trim(), ...(dimensions === null ? [] : [`${dimensions} dimensions`])];
  return [...parts, semantic ? 'semantic' : 'sees letters, not meanings'].join(', ');
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
    return embeddings.catchUp({
      signal,
      onProgress: (embedded, total) => progress(total === 0 ? 1 : embedded / total, `${embedded} of ${total} embedded`),
      ...(maxContents === undefined ? {} : { maxContents }),
    });
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
