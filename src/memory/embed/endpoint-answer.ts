import * as z from 'zod';
import { unitVector } from './unit-vector.ts';

/** Of https://platform.openai.com/docs/api-reference/embeddings. Servers that drop zeros leave out the index 0. */
const answer = z.object({
  data: z.array(z.object({ index: z.number().int().nonnegative().default(0), embedding: z.array(z.unknown()) })),
});

/**
 * The vectors of an answer in the order of the texts, of length 1, or what is wrong with it. Which vector belongs to
 * which text is told by its index alone: every text must have exactly one.
 */
export function vectorsOf(body: unknown, count: number, dimensions: number | undefined): readonly Float32Array[] | string {
  const parsed = answer.safeParse(body);
  if (!parsed.success) return 'no list of embeddings with an index each';
  const { data } = parsed.data;
  if (data.length !== count) return `${data.length} embeddings for ${count} texts`;
  const vectors = new Map<number, Float32Array>();
  for (const { index, embedding } of data) {
    if (index >= count) return `an embedding of text ${index} of ${count}`;
    if (vectors.has(index)) return `two embeddings of text ${index}`;
    const vector = unitVector(embedding);
    if (typeof vector === 'string') return `an embedding with ${vector}`;
    const expected = dimensions ?? vectors.values().next().value?.length ?? vector.length;
    if (vector.length !== expected) return `an embedding of ${vector.length} dimensions instead of ${expected}`;
    vectors.set(index, vector);
  }
  return [...vectors].sort(([a], [b]) => a - b).map(([, vector]) => vector);
}
