import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { BusyError, ConflictError, InvalidInputError } from '../../src/errors.ts';
import { createBus, type Gap, type Subscription } from '../../src/mail/bus.ts';

type Message =
  | { readonly type: 'note'; readonly place?: string; readonly n: number }
  | { readonly type: 'end'; readonly place?: string };
const note = (n: number, place = 'run'): Message => ({ type: 'note', place, n });

/** What a subscriber gets, in short: numbers, `end`, `gap <n>`. */
async function all(subscription: Subscription<Message>, limit = Infinity): Promise<(number | string)[]> {
  const got: (number | string)[] = [];
  if (limit === 0) return got;
  for await (const item of subscription) {
    got.push(item.type === 'note' ? item.n : item.type === 'gap' ? `gap ${item.dropped}` : item.type);
    if (got.length >= limit) break;
  }
  return got;
}

/** Whether a promise is settled once everything that waits for nothing has run. */
async function isSettled(promise: Promise<unknown>): Promise<boolean> {
  let settled = false;
  void promise.then(() => (settled = true));
  await new Promise(setImmediate);
  return settled;
}

describe('createBus', () => {
  it('gives each subscriber what it wants, in order, from its subscription on', async () => {
    const bus = createBus<Message>();
    await bus.publish(note(0));
    const everything = bus.subscribe();
    const ends = bus.subscribe({ types: ['end'] });
    const here = bus.subscribe({ place: 'here' });
    const even = bus.subscribe({ where: (message) => message.type === 'note' && message.n % 2 === 0 });
    for (const message of [note(1), note(2, 'here'), note(3), { type: 'end' } as const]) await bus.publish(message);
    bus.close();
    expect(await Promise.all([everything, ends, here, even].map((one) => all(one)))).toEqual([
      [1, 2, 3, 'end'],
      ['end'],
      [2],
      [2],
    ]);
    expect(bus.subscribers).toBe(0);
    await expect(bus.publish(note(4))).rejects.toThrow(ConflictError);
    expect(await all(bus.subscribe())).toEqual([]);
  });

  it('publishers wait for room, each until its own message is within the capacity', async () => {
    const bus = createBus<Message>();
    const slow = bus.subscribe({ capacity: 2 });
    expect(await isSettled(Promise.all([bus.publish(note(1)), bus.publish(note(2))]))).toBe(true);
    const third = bus.publish(note(3));
    const fourth = bus.publish(note(4));
    expect([await isSettled(third), await isSettled(fourth)]).toEqual([false, false]);
    await slow.next();
    expect([await isSettled(third), await isSettled(fourth)]).toEqual([true, false]);
    await slow.next();
    expect(await isSettled(fourth)).toBe(true);
    expect(await all(slow, 2)).toEqual([3, 4]);
  });

  it('refuses what a publisher that never waits would pile up, and gives it to nobody', async () => {
    const bus = createBus<Message>();
    const slow = bus.subscribe({ capacity: 3 });
    const other = bus.subscribe();
    const published = Array.from({ length: 6 }, (_, n) => bus.publish(note(n)));
    await expect(bus.publish(note(6))).rejects.toThrow(BusyError);
    await slow.return();
    await Promise.all(published); // nobody waits for who is gone
    await bus.publish(note(7));
    expect(await all(other, 7)).toEqual([0, 1, 2, 3, 4, 5, 7]);
  });

  it('a subscriber that chose so misses what it has no room for, and is told where and how many', async () => {
    const bus = createBus<Message>();
    const lossy = bus.subscribe({ capacity: 2, whenFull: 'drop' });
    for (let n = 0; n < 5; n += 1) expect(await isSettled(bus.publish(note(n)))).toBe(true);
    await lossy.next();
    await bus.publish(note(5));
    expect(await all(lossy, 3)).toEqual([1, 'gap 3', 5]);
    const last = bus.subscribe({ capacity: 1, whenFull: 'drop' });
    for (let n = 0; n < 3; n += 1) await bus.publish(note(n));
    bus.close();
    expect(await all(last)).toEqual([0, 'gap 2']);
  });

  it('unsubscribes when its loop ends, and when its signal aborts', async () => {
    const bus = createBus<Message>();
    const abort = new AbortController();
    const waiting = all(bus.subscribe({ signal: abort.signal }));
    const first = all(bus.subscribe(), 1);
    expect(bus.subscribers).toBe(2);
    await bus.publish(note(1));
    expect(await first).toEqual([1]);
    expect(bus.subscribers).toBe(1);
    await new Promise(setImmediate);
    abort.abort();
    expect(await waiting).toEqual([1]);
    expect(bus.subscribers).toBe(0);
    expect(await all(bus.subscribe({ signal: abort.signal }))).toEqual([]);
  });

  it('several reads at once are answered in order', async () => {
    const bus = createBus<Message>();
    const subscription = bus.subscribe();
    const reads = [subscription.next(), subscription.next(), subscription.next()];
    await bus.publish(note(1));
    await bus.publish(note(2));
    await subscription.return();
    expect((await Promise.all(reads)).map(({ value, done }) => (done === true ? 'done' : value))).toEqual([
      note(1),
      note(2),
      'done',
    ]);
  });

  it('for any order of publishing and reading: each in order, nothing lost but what a gap counts', async () => {
    const options = fc.record({ capacity: fc.integer({ min: 1, max: 4 }), whenFull: fc.constantFrom('wait', 'drop') });
    await fc.assert(
      fc.asyncProperty(options, fc.array(fc.boolean(), { maxLength: 60 }), async ({ capacity, whenFull }, steps) => {
        const bus = createBus<Message>();
        const subscription = bus.subscribe({ capacity, whenFull });
        const seen: (Message | Gap)[] = [];
        let published = 0;
        for (const isPublish of steps) {
          if (isPublish) {
            const done = bus.publish(note(published));
            published += 1;
            if (!(await isSettled(done))) {
              const { value, done: isOver } = await subscription.next();
              if (isOver !== true) seen.push(value);
              await done;
            }
          } else if (published > seen.reduce((sum, item) => sum + (item.type === 'gap' ? item.dropped : 1), 0)) {
            const { value, done } = await subscription.next();
            if (done !== true) seen.push(value);
          }
        }
        bus.close();
        for await (const item of subscription) seen.push(item);
        let counted = 0;
        const expected = seen.map((item) => {
          const here = item.type === 'gap' ? item : note(counted);
          counted += item.type === 'gap' ? item.dropped : 1;
          return here;
        });
        expect(seen).toEqual(expected);
        expect(counted).toBe(published);
        expect(whenFull === 'drop' || seen.every(({ type }) => type === 'note')).toBe(true);
      }),
      { seed: 7, numRuns: 150 },
    );
  });

  it('refuses a capacity below 1', () => {
    expect(() => createBus<Message>().subscribe({ capacity: 0 })).toThrow(InvalidInputError);
  });
});
