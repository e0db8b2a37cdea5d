import type { EmbeddingSpace } from './embedder.ts';

export interface EmbeddingStatus {
  /** `null`: embeddings are off. */
  readonly provider: string | null;
  readonly model: string | null;
  /** `null` until the first vector has come. */
  readonly dimensions: number | null;
  readonly semantic: boolean;
  /**
   * Different contents of entries that are there: those that have a vector in the current space, and those that lack
   * one. Above 5,000 contents some seconds old while they change.
   */
  readonly embedded: number;
  readonly pending: number;
  /** Why the embedder could not be used the last time, or what text it refused; `null`: it could, or was not tried. */
  readonly problem: string | null;
}

/** A query as a vector, or why there is none. */
export type QueryVector =
  | {
      readonly ok: true;
      readonly spaceId: number;
      readonly space: EmbeddingSpace;
      readonly semantic: boolean;
      readonly vector: Float32Array;
    }
  | { readonly ok: false; readonly reason: string };

/** The vectors of a project's memory: keeps the contents of entries embedded in the configured space. */
export interface Embeddings extends AsyncDisposable {
  readonly enabled: boolean;
  status(): Promise<EmbeddingStatus>;
  /** Never rejects: without embedder, or when it fails or takes longer than about a second, it says why. */
  embedQuery(text: string, signal: AbortSignal): Promise<QueryVector>;
  /**
   * Embeds contents that lack a vector, newest first, in batches that are each committed, until none is left or
   * `maxContents` are done. Several processes may do so at once. Errors: `EmbedderError` when the embedder cannot be
   * used, `CancelledError`, those of the database; what was committed stays.
   */
  catchUp(options: {
    readonly maxContents?: number;
    readonly signal: AbortSignal;
    readonly onProgress?: (embedded: number, total: number) => void;
  }): Promise<{ readonly embedded: number; readonly pending: number }>;
  /** Starts {@link catchUp} in the background unless it runs already; failures are logged, kept in the status and retried later. */
  wake(): void;
}
