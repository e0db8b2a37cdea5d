import { BusyError } from '../errors.ts';
import type { Runtime } from '../runtime.ts';

/** A lock between the async tasks of this process; first come, first served. */
export interface Lock {
  readonly held: boolean;
  /** Resolves with the function that releases the lock; rejects with `BusyError` after the time allowed. */
  acquire(): Promise<() => void>;
}

interface Waiter {
  /** By `runtime.ticks()`. */
  readonly until: number;
  readonly turn: () => void;
  readonly expire: () => void;
}

/**
 * @param limitMs how long a task waits. The limit turns a task that waits for itself (a query on the database inside
 * its own `write`) into an error instead of a hang.
 */
export function createLock(runtime: Pick<Runtime, 'sleep' | 'ticks'>, limitMs: number): Lock {
  let held = false;
  const waiting: Waiter[] = [];
  /** One timer for all who wait, for the time of the first: one for each would take longer than what most wait for. */
  let timer: AbortController | undefined;
  const stopTimer = (): void => {
    timer?.abort();
    timer = undefined;
  };
  const watch = async (signal: AbortSignal): Promise<void> => {
    for (let first = waiting[0]; first !== undefined && !signal.aborted; first = waiting[0]) {
      await runtime.sleep(Math.max(0, first.until - runtime.ticks()), signal);
      if (waiting[0] !== first) continue;
      waiting.shift();
      first.expire();
    }
    if (!signal.aborted) timer = undefined;
  };
  const startTimer = (): void => {
    timer = new AbortController();
    watch(timer.signal).catch(() => undefined); // nobody waits any more
  };
  const release = (): void => {
    const next = waiting.shift();
    if (waiting.length === 0) stopTimer();
    if (next === undefined) held = false;
    else next.turn(); // the lock passes on without becoming free
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
        const turn = (): void => resolve(releaseOnce());
        const expire = (): void =>
          reject(
            new BusyError(`another task of this process kept the database in a transaction for more than ${limitMs} ms`, {
              hint: 'Inside a transaction, query through its own argument, and await nothing else.',
            }),
          );
        waiting.push({ until: runtime.ticks() + limitMs, turn, expire });
        if (timer === undefined) startTimer();
      });
    },
  };
}
