import { InvalidInputError } from '../errors.ts';

const MAX_DELAY_MS = 30_000;

export interface RetryDelayInput {
  readonly backoff: 'fixed' | 'linear' | 'exponential';
  /** The delay after the first failed attempt, ≥ 0. */
  readonly delayMs: number;
  /** The attempt that just failed, from 1. */
  readonly attempt: number;
  /** Uniform in [0, 1). Given: full jitter, any whole delay from 0 up to the computed one. Absent: exactly that one. */
  readonly random?: () => number;
}

/**
 * Milliseconds to wait before the next attempt, whole, 0–30,000: `delayMs` (fixed), `delayMs · attempt` (linear) or
 * `delayMs · 2^(attempt − 1)` (exponential), capped, then jittered on request (full jitter:
 * aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter).
 *
 * @throws InvalidInputError an attempt that is no whole number ≥ 1, a delay that is negative or not finite
 */
export function retryDelayMs({ backoff, delayMs, attempt, random }: RetryDelayInput): number {
  if (!Number.isInteger(attempt) || attempt < 1) {
    throw new InvalidInputError(`attempt is ${attempt}; expected a whole number ≥ 1`, { hint: 'Count attempts from 1.' });
  }
  if (!Number.isFinite(delayMs) || delayMs < 0) {
    throw new InvalidInputError(`delayMs is ${delayMs}; expected milliseconds ≥ 0`, { hint: 'Give a delay of 0 ms or more.' });
  }
  const factors = { fixed: 1, linear: attempt, exponential: 2 ** Math.min(attempt - 1, 64) } as const;
  const delay = Math.min(MAX_DELAY_MS, Math.round(delayMs * factors[backoff]));
  return random === undefined ? delay : Math.floor(random() * (delay + 1));
}
