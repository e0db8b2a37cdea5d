import { CancelledError } from '../../errors.ts';
import type { Runtime } from '../../runtime.ts';
import { EmbedderError } from './embedder-error.ts';

/** Work that is done when it is needed, one at a time, and again later when it failed. Keeps no process alive. */
export interface BackgroundWork extends AsyncDisposable {
  /** There is something to do. */
  readonly wake: () => void;
}

/** Milliseconds between the first wake and the work: what is written in quick succession is worked on together. */
const GATHER_MS = 100;
const FIRST_PAUSE_MS = 2_000;
const LONGEST_PAUSE_MS = 300_000;

/** Milliseconds until the next try: twice as long each time, at least what the embedder asked for, jittered. */
function pauseAfter(failures: number, error: unknown, random: number): number {
  const hopeless = error instanceof EmbedderError && !error.retryable;
  const grown = hopeless ? LONGEST_PAUSE_MS : Math.min(FIRST_PAUSE_MS * 2 ** (failures - 1), LONGEST_PAUSE_MS);
  const asked = error instanceof EmbedderError ? Math.min(error.retryAfterMs ?? 0, LONGEST_PAUSE_MS) : 0;
  return Math.max(grown, asked) * (0.75 + random / 2);
}

/** @param work must not reject with anything that it has not reported itself. */
export function createBackgroundWork(runtime: Runtime, work: (signal: AbortSignal) => Promise<void>): BackgroundWork {
  const stop = new AbortController();
  let timer: NodeJS.Timeout | undefined;
  let running: Promise<void> | undefined;
  let again = false;
  let failures = 0;

  const schedule = (ms: number): void => {
    if (stop.signal.aborted) return;
    timer = setTimeout(() => {
      timer = undefined;
      running = once();
    }, ms).unref();
  };
  const once = async (): Promise<void> => {
    again = false;
    let pause: number | undefined;
    try {
      await work(stop.signal);
      failures = 0;
    } catch (error) {
      failures += 1;
      pause = pauseAfter(failures, error, runtime.random());
    }
    running = undefined;
    if (pause !== undefined) schedule(pause);
    else if (again) schedule(GATHER_MS);
  };
  return {
    wake: () => {
      if (running !== undefined) again = true;
      else if (timer === undefined) schedule(GATHER_MS);
    },
    [Symbol.asyncDispose]: async () => {
      stop.abort(new CancelledError('the background work is stopped'));
      clearTimeout(timer);
      await running;
    },
  };
}
