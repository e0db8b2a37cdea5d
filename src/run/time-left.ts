import { DeadlineError } from '../errors.ts';
import type { Runtime } from '../runtime.ts';

/** The time that the skill allows a run. */
export interface TimeLeft {
  /** Aborts with a `DeadlineError` when it is over. */
  readonly signal: AbortSignal;
  /** Milliseconds. */
  left(): number;
  stop(): void;
  /** Time that passes while a person is waited for does not count. */
  standStill<T>(wait: () => Promise<T>): Promise<T>;
}

/** @param usedMs milliseconds in which the run was worked on already */
export function startTime(runtime: Runtime, timeoutMs: number, usedMs: number): TimeLeft {
  const over = new AbortController();
  const end = (): void => over.abort(new DeadlineError(`the run took longer than the ${timeoutMs} ms that the skill allows`));
  let leftMs = Math.max(0, timeoutMs - usedMs);
  let startedTicks = runtime.ticks();
  let timer: NodeJS.Timeout | undefined = setTimeout(end, leftMs);
  if (leftMs === 0) end(); // nothing may begin
  const halt = (): void => {
    clearTimeout(timer);
    timer = undefined;
  };
  const left = (): number => (timer === undefined ? leftMs : Math.max(0, leftMs - (runtime.ticks() - startedTicks)));
  return {
    signal: over.signal,
    left,
    stop: halt,
    standStill: async (wait) => {
      leftMs = left();
      halt();
      try {
        return await wait();
      } finally {
        startedTicks = runtime.ticks();
        timer = setTimeout(end, leftMs);
      }
    },
  };
}
