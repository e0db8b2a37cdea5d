/** Tokens and money of an attempt, all its requests together. Whole numbers ≥ 0. */
export interface Usage {
  readonly model: string;
  readonly inputTokens: number;
  readonly outputTokens: number;
  readonly cacheReadTokens: number;
  readonly cacheWriteTokens: number;
  readonly requests: number;
  /** `null` where the model's price is not known. */
  readonly costUsd: number | null;
}
