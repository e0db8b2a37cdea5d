import type { Runtime } from '../runtime.ts';
import type { ServerFailure } from './server-failure.ts';

const FIRST_PAUSE_MS = 20;
const LONGEST_PAUSE_MS = 1_000;

export type Attempt<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly failure: ServerFailure; readonly again: boolean };

/**
 * Runs `attempt` until it succeeds or fails for good, with growing jittered pauses, for about `patienceMs`. Time is the
 * larger of the clock's and the sum of pauses, so a runtime with a fixed clock ends too.
 */
export async function retryAttempts<T>(runtime: Runtime, patienceMs: number, attempt: () => Promise<Attempt<T>>): Promise<T> {
  const begun = runtime.ticks();
  let paused = 0;
  for (let tries = 0; ; tries += 1) {
    const result = await attempt();
    if (result.ok) return result.value;
    if (!result.again || Math.max(runtime.ticks() - begun, paused) >= patienceMs) throw result.failure.error;
    const pause = Math.min(FIRST_PAUSE_MS * 2 ** tries, LONGEST_PAUSE_MS) * (0.5 + runtime.random());
    paused += pause;
    await runtime.sleep(pause);
  }
}
