import { UnavailableError, type ErrorOptions } from '../../errors.ts';

export interface EmbedderErrorOptions extends ErrorOptions {
  /** Whether the same call may succeed later; default `false`. */
  readonly retryable?: boolean;
  /** `texts`: other texts may be embedded all the same; default `embedder`: nothing can be for now. */
  readonly fault?: 'embedder' | 'texts';
  /** Milliseconds after which it asked to be called again. */
  readonly retryAfterMs?: number | undefined;
}

/** An embedder that cannot be reached, refuses, or answers what is no set of vectors. */
export class EmbedderError extends UnavailableError {
  override readonly retryable: boolean;
  readonly fault: 'embedder' | 'texts';
  readonly retryAfterMs: number | undefined;

  constructor(message: string, options: EmbedderErrorOptions = {}) {
    super(message, options);
    this.retryable = options.retryable ?? false;
    this.fault = options.fault ?? 'embedder';
    this.retryAfterMs = options.retryAfterMs;
  }
}
