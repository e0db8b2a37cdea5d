import { BusyError } from '../errors.ts';
import type { Runtime } from '../runtime.ts';

/** A lock between the async tasks of this process; first come, first served. */
export interface Lock {
  readonly held: boolean;
  /** Resolves with the function that releases the lock; rejects with `BusyError` after the time allowed. */
  acquire(): Promise<() => void>;
}

/**
 * @param limitMs how long a task waits. The limit turns a task that waits for itself (a query on the database inside
 * its own `write`) into an error instead of a hang.
 */
export function createLock(runtime: Runtime, limitMs: number): Lock {
  let held = false;
  const waiting: (() => void)[] = [];
  const release = (): void => {
    const next = waiting.shift();
    if (next === undefined) held = false;
    else next(); // the lock passes on without becoming free
  };
  const releaseOnce = (): (() => void) => {
    let done = false;
    return () => {
      if (done) return;
      done = true;
      release();
    };
  };
  return {
    get held() {
      return held;
    },
    async acquire() {
      if (!held) {
        held = true;
        return releaseOnce();
      }
      return new Promise<() => void>((resolve, reject) => {
        const timer = new AbortController();
        const turn = (): void => {
          timer.abort();
          resolve(releaseOnce());
        };
        const expire = async (): Promise<void> => {
          await runtime.sleep(limitMs, timer.signal);
          waiting.splice(waiting.indexOf(turn), 1);
          throw new BusyError(`another task of this process kept the database in a transaction for more than ${limitMs} ms`, {
            hint: 'Inside a transaction, query through its own argument, and await nothing else.',
          });
        };
        waiting.push(turn);
        expire().catch(reject); // once it is our turn the promise is settled, and the timer's cancellation changes nothing
      });
    },
  };
}
