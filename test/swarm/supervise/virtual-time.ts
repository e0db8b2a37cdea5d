import { CancelledError } from '../../../src/errors.ts';
import type { Runtime } from '../../../src/runtime.ts';
import { testRuntime } from '../../store/scratch.ts';

export interface VirtualTime {
  readonly runtime: Runtime;
  /** Lets milliseconds pass; what sleeps wakes in order. */
  pass(ms: number): Promise<void>;
  /** Sleeps that nobody has ended. */
  readonly sleeping: number;
}

interface Timer {
  readonly at: number;
  readonly wake: () => void;
}

/** Lets everything run that waits for nothing. */
const settle = (): Promise<void> => new Promise((resolve) => void setImmediate(() => setImmediate(resolve)));

/** A clock that stands still until it is told to go on. */
export function createVirtualTime(): VirtualTime {
  let now = 0;
  const timers = new Set<Timer>();
  const sleep: Runtime['sleep'] = (ms, signal) =>
    new Promise((resolve, reject) => {
      const cancel = (): void => {
        timers.delete(timer);
        reject(new CancelledError('cancelled'));
      };
      const timer: Timer = {
        at: now + ms,
        wake: () => {
          signal?.removeEventListener('abort', cancel);
          resolve();
        },
      };
      timers.add(timer);
      signal?.addEventListener('abort', cancel, { once: true });
      if (signal?.aborted === true) cancel();
    });
  return {
    runtime: testRuntime({ now: () => now, ticks: () => now, sleep, random: () => 0.5 }),
    pass: async (ms) => {
      const end = now + ms;
      for (;;) {
        await settle();
        const [next] = [...timers].sort((a, b) => a.at - b.at);
        if (next === undefined || next.at > end) break;
        now = Math.max(now, next.at);
        timers.delete(next);
        next.wake();
      }
      now = end;
    },
    get sleeping() {
      return timers.size;
    },
  };
}
