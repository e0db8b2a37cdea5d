/** What vectors of one kind have in common; vectors of different spaces are never compared. */
export interface EmbeddingSpace {
  /** `lexical`, `openai` (any endpoint that speaks its protocol) or `transformers`. */
  readonly provider: string;
  readonly model: string;
  readonly dimensions: number;
}

/** Turns texts into vectors. */
export interface Embedder extends AsyncDisposable {
  readonly provider: string;
  readonly model: string;
  /** Of its vectors, where that is known before the first one has come. */
  readonly dimensions?: number | undefined;
  /** Whether near vectors mean near meanings; `false` for the built-in one, which only sees letters. */
  readonly semantic: boolean;
  /** Most texts of one {@link embed}. */
  readonly batchSize: number;
  /**
   * One vector of length 1 for each text, in order, all of the same dimensions. No text may be blank; one longer than
   * `MAX_TEXT_CHARACTERS` is cut. An empty list gives an empty list.
   * Errors: `EmbedderError` (an `UnavailableError`, retryable or not) when it cannot be reached, refuses, or answers what
   * is no set of vectors; `CancelledError` when the signal aborts.
   */
  embed(texts: readonly string[], use: 'document' | 'query', signal: AbortSignal): Promise<readonly Float32Array[]>;
}
