import type { Scope } from '../scope.ts';

export interface VectorHit {
  readonly entryId: number;
  /** Cosine, -1 to 1. */
  readonly similarity: number;
}

export interface VectorAnswer {
  /** Best first. */
  readonly hits: readonly VectorHit[];
  /** For people: `off`, `lexical hashed-384, 3,012 of 3,012`, `openai nomic-embed-text: 40 of 900 embedded`, `unavailable: …`. */
  readonly note: string;
  /** Whether near vectors mean near meanings. */
  readonly semantic: boolean;
}

/** How vectors are searched: `exact` compares all, `hnsw` uses hnswlib-node, `int8` scans quantized ones and rescores the best. */
export type VectorTier = 'off' | 'exact' | 'hnsw' | 'int8';

export interface VectorStatus {
  readonly tier: VectorTier;
  /** Vectors in the current space. */
  readonly vectors: number;
  /** Of them in the index; the rest is scanned exactly. */
  readonly indexed: number;
  /** Why a better tier is not used; `null` when there is none. */
  readonly note: string | null;
}

/** The nearest entries by vectors, over whatever tier fits. */
export interface VectorSearch extends AsyncDisposable {
  /**
   * The entries in `scope` nearest to a text; `count` of them whenever so many have a vector. Sees everything that any
   * process has committed before the call. Never rejects on account of the embedder or of a damaged index.
   */
  nearest(text: string, count: number, scope: Scope, signal: AbortSignal): Promise<VectorAnswer>;
  status(): Promise<VectorStatus>;
}
