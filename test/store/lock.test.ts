import { describe, expect, test } from 'vitest';
import { BusyError, CancelledError } from '../../src/errors.ts';
import { createRuntime } from '../../src/runtime.ts';
import { createLock } from '../../src/store/lock.ts';

describe('the lock between tasks', () => {
  test('is given to those who wait in their order, each release once', async () => {
    const lock = createLock(createRuntime('warn'), 10_000);
    const order: number[] = [];
    const first = await lock.acquire();
    const others = [1, 2, 3].map(async (n) => {
      const release = await lock.acquire();
      order.push(n);
      release();
      release();
    });
    first();
    await Promise.all(others);
    expect(order).toEqual([1, 2, 3]);
    expect(lock.held).toBe(false);
  });

  test('is given up by each who waits too long, and goes on', async () => {
    const lock = createLock(createRuntime('warn'), 30);
    const release = await lock.acquire();
    const waiting = [lock.acquire(), lock.acquire()];
    for (const one of await Promise.allSettled(waiting)) {
      expect(one).toMatchObject({ status: 'rejected', reason: expect.any(BusyError) });
    }
    const late = lock.acquire();
    release();
    (await late)();
    expect(lock.held).toBe(false);
  });

  test('keeps one timer for all who wait, and none once nobody does', async () => {
    let timers = 0;
    const sleep = (_ms: number, signal?: AbortSignal): Promise<void> =>
      new Promise((_resolve, reject) => {
        timers += 1;
        signal?.addEventListener('abort', () => {
          timers -= 1;
          reject(new CancelledError('cancelled'));
        });
      });
    const lock = createLock({ sleep, ticks: () => 0 }, 1000);
    for (let round = 0; round < 3; round += 1) {
      const release = await lock.acquire();
      const waiting = [lock.acquire(), lock.acquire()];
      expect(timers).toBe(1);
      release();
      for (const one of waiting) (await one)();
      expect(timers).toBe(0);
    }
  });
});
