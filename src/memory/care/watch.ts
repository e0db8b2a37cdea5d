import { CancelledError } from '../../errors.ts';
import type { Runtime } from '../../runtime.ts';
import type { Watch } from './care.ts';

/** Milliseconds of work after which other tasks of this process, and the news of a cancellation, get through. */
const BREATH_MS = 100;

/** Throws `CancelledError` once the call is cancelled. */
export function stopWhenCancelled({ signal }: Watch, what: string): void {
  if (signal?.aborted !== true) return;
  throw new CancelledError(`${what} was cancelled`, {
    cause: signal.reason,
    hint: 'Nothing was changed. Call it again when you want it.',
  });
}

/** Entries that are done, of how many, from one share of the whole to another (0–1). */
export function tell({ onProgress }: Watch, done: number, of: number, [from, to]: readonly [number, number] = [0, 1]): void {
  const part = of === 0 ? 1 : Math.min(1, done / of);
  onProgress?.(from + (to - from) * part, `${Math.min(done, of)} of ${of} entries`);
}

/**
 * For work that would keep this process from everything else: call it often. Every 100 ms it tells how far the work is,
 * lets others run, and throws `CancelledError` when the call was cancelled.
 */
export function createBreath(runtime: Runtime, watch: Watch, what: string): (say: () => void) => Promise<void> {
  let last = runtime.ticks();
  return async (say) => {
    if (runtime.ticks() - last < BREATH_MS) return;
    say();
    await runtime.sleep(0);
    stopWhenCancelled(watch, what);
    last = runtime.ticks();
  };
}
