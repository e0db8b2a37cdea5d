import type { Runtime } from '../runtime.ts';
import type { ServerFailure } from './server-failure.ts';
import { tooLate } from './server-request.ts';

const FIRST_PAUSE_MS = 20;
const LONGEST_PAUSE_MS = 1_000;

export type Attempt<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly failure: ServerFailure; readonly again: boolean };

export interface Patience {
  readonly runtime: Runtime;
  /** Milliseconds of trying. */
  readonly patienceMs: number;
  /** No try follows once it has aborted. */
  readonly signal: AbortSignal;
}

/**
 * Runs `attempt` until it succeeds or fails for good, with growing jittered pauses, for about `patienceMs`. Time is the
 * larger of the clock's and the sum of pauses, so a runtime with a fixed clock ends too.
 */
export async function retryAttempts<T>(
  { runtime, patienceMs, signal }: Patience,
  attempt: () => Promise<Attempt<T>>,
): Promise<T> {
  const begun = runtime.ticks();
  let paused = 0;
  for (let tries = 0; ; tries += 1) {
    const result = await attempt();
    if (result.ok) return result.value;
    const { error } = result.failure;
    if (!result.again || signal.aborted || Math.max(runtime.ticks() - begun, paused) >= patienceMs) throw error;
    const pause = Math.min(FIRST_PAUSE_MS * 2 ** tries, LONGEST_PAUSE_MS) * (0.5 + runtime.random());
    paused += pause;
    await runtime.sleep(pause, signal).catch(() => {
      throw error; // it is over before the next try
    });
  }
}

/** What `work` resolves with, unless that takes longer than `limitMs`: then throws what {@link tooLate} makes. */
export async function inTime<T>(runtime: Runtime, href: string, limitMs: number, work: Promise<T>): Promise<T> {
  const timer = new AbortController();
  const late = runtime.sleep(limitMs, timer.signal).then((): never => {
    throw tooLate(href, limitMs);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    late.catch(() => undefined); // the work was faster, or its failure is thrown
    timer.abort();
  }
}
