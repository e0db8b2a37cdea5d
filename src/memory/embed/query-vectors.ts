import type { Runtime } from '../../runtime.ts';
import { abortable } from './abortable.ts';
import type { Embedder } from './embedder.ts';
import { cutText } from './embedded-text.ts';
import { linkedSignal } from './linked-signal.ts';

export type QueryAnswer =
  | { readonly ok: true; readonly vector: Float32Array }
  /** `failure`: the embedder was asked, and failed; not when the caller gave up. */
  | { readonly ok: false; readonly reason: string; readonly failure: boolean };

/** Queries as vectors, quickly or not at all. */
export interface QueryVectors {
  vectorOf(text: string, signal: AbortSignal): Promise<QueryAnswer>;
  /** The embedder has just failed: queries do without it for some seconds. */
  rest(reason: string): void;
  /** The embedder has just worked. */
  resume(): void;
}

/** Milliseconds that a search waits for the vector of its query. */
const PATIENCE_MS = 1_000;
/** Milliseconds for which an embedder that failed is not asked, so that searches stay quick while it is down. */
const REST_MS = 5_000;
const MOST_KEPT = 128;

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

export function createQueryVectors(runtime: Runtime, embedder: Embedder, stop: AbortSignal): QueryVectors {
  const kept = new Map<string, Float32Array>();
  let resting: { readonly until: number; readonly reason: string } | undefined;

  const keep = (text: string, vector: Float32Array): Float32Array => {
    kept.delete(text);
    kept.set(text, vector);
    const oldest = kept.keys().next();
    if (kept.size > MOST_KEPT && oldest.done !== true) kept.delete(oldest.value);
    return vector;
  };
  const rest = (reason: string): void => {
    resting = { until: runtime.ticks() + REST_MS, reason };
  };
  const ask = async (text: string, signal: AbortSignal): Promise<QueryAnswer> => {
    const over = linkedSignal([signal, stop], PATIENCE_MS);
    try {
      const asked = embedder
        .embed([text], 'query', over.signal)
        .then(([vector]) => (vector === undefined ? undefined : keep(text, vector)));
      const vector = await abortable(asked, over.signal);
      if (vector !== undefined) {
        resting = undefined;
        return { ok: true, vector };
      }
      return { ok: false, reason: 'the embedder gave no vector', failure: true };
    } catch (error) {
      if (signal.aborted || stop.aborted) return { ok: false, reason: 'cancelled', failure: false };
      const reason = over.timedOut() ? `no vector of the query within ${PATIENCE_MS} ms` : messageOf(error);
      rest(reason);
      return { ok: false, reason, failure: true };
    } finally {
      over.release();
    }
  };
  return {
    vectorOf: async (full, signal) => {
      const text = cutText(full);
      if (text.trim() === '') return { ok: false, reason: 'the query is empty', failure: false };
      const known = kept.get(text);
      if (known !== undefined) return { ok: true, vector: keep(text, known) };
      const left = resting === undefined ? 0 : resting.until - runtime.ticks();
      if (resting !== undefined && left > 0) {
        return { ok: false, reason: `${resting.reason} (tried again in ${Math.ceil(left / 1000)} s)`, failure: false };
      }
      return ask(text, signal);
    },
    rest,
    resume: () => {
      resting = undefined;
    },
  };
}
