import { beforeEach, describe, expect, test } from 'vitest';
import { ConflictError, InvalidInputError } from '../../src/errors.ts';
import type { StoreInput } from '../../src/memory/memory.ts';
import { useScratch } from '../store/scratch.ts';
import { checkIndex, openMemory, type OpenMemory } from './open-memory.ts';

const scratch = useScratch();
let opened: OpenMemory;

beforeEach(async () => {
  opened = await openMemory(scratch);
});

describe('storeMany', () => {
  test('does what as many calls of store would do, in order', async () => {
    const { memory, db } = opened;
    const one = await openMemory(scratch);
    const inputs: StoreInput[] = Array.from({ length: 300 }, (_, at) => ({
      namespace: at % 7 === 0 ? 'seven' : undefined,
      key: `k${at % 90}`,
      value: at % 3 === 0 ? { at: at % 100 } : `text ${at % 100}`,
      tags: at % 5 === 0 ? ['five'] : at % 5 === 1 ? [] : undefined,
      kind: at % 13 === 0 ? 'fact' : undefined,
      importance: at % 17 === 0 ? 0.9 : undefined,
      ttlSeconds: at % 11 === 0 ? 5 : undefined,
    }));
    await memory.store({ key: 'k5', value: 'before' });
    await one.memory.store({ key: 'k5', value: 'before' });
    const together = await memory.storeMany(inputs);
    for (const [at, input] of inputs.entries()) {
      const { duplicates: _duplicates, ...single } = await one.memory.store(input);
      expect(together[at]).toMatchObject({ ...single, id: together[at]?.id });
    }
    const all = async ({ memory: from }: OpenMemory): Promise<unknown> =>
      (await from.list({ limit: 1000 })).entries.map(({ id: _id, ...entry }) => entry);
    expect(await all(opened)).toEqual(await all(one));
    for (const { key, namespace } of inputs.slice(0, 90)) {
      expect((await memory.history({ key, namespace })).map(({ id: _id, ...version }) => version)).toEqual(
        (await one.memory.history({ key, namespace })).map(({ id: _id, ...version }) => version),
      );
    }
    await checkIndex(db);
    expect(await db.get('SELECT count(*) AS n, count(DISTINCT id) AS ids FROM memory_entry')).toEqual({ n: 133, ids: 133 });
  });

  test('a wrong one is named by its place, and nothing is stored', async () => {
    const { memory } = opened;
    const good = Array.from({ length: 3 }, (_, at) => ({ key: `k${at}`, value: at }));
    for (const [wrong, message] of [
      [{ key: '', value: 1 }, /^\[3\]\.key is empty/],
      [{ key: 'k', value: undefined }, /^\[3\]\.value is undefined/],
      [{ key: 'k', value: 1, tags: ['a', ''] }, /^\[3\]\.tags\[1\] is empty/],
      [{ key: 'k', value: 1, ttlSeconds: -1 }, /^\[3\]\.ttlSeconds is -1/],
    ] as const) {
      // @ts-expect-error: a caller without types
      const stored = memory.storeMany([...good, wrong]);
      await expect(stored).rejects.toThrow(InvalidInputError);
      await expect(stored).rejects.toThrow(message);
    }
    const conflict = memory.storeMany([...good, { key: 'k0', value: 2, ifVersion: 7 }]);
    await expect(conflict).rejects.toThrow(ConflictError);
    await expect(conflict).rejects.toThrow(/^\[3\]: the entry "k0" in "default" has version 1, not version 7/);
    expect((await memory.list()).total).toBe(0);
    // @ts-expect-error: a caller without types
    await expect(memory.storeMany('abc')).rejects.toThrow(/^inputs is not a list/);
    // @ts-expect-error: a caller without types
    await expect(memory.storeMany([null])).rejects.toThrow(/^\[0\] is null/);
    await expect(memory.storeMany(Array.from({ length: 10_001 }, () => ({ key: 'k', value: 1 })))).rejects.toThrow(
      /10001 entries; at most 10000/,
    );
    expect(await memory.storeMany([])).toEqual([]);
  });

  test('duplicates are named among themselves too', async () => {
    const { memory } = opened;
    await memory.store({ key: 'old', value: 'same' });
    const results = await memory.storeMany(['a', 'b', 'c'].map((key) => ({ key, value: key === 'c' ? 'other' : 'same' })));
    expect(results.map(({ duplicates }) => duplicates)).toEqual([['old', 'b'], ['old', 'a'], []]);
  });
});

describe('upkeep', () => {
  test('the change log keeps the last 100,000', async () => {
    const { memory, db } = await openMemory(scratch, { random: () => 0 });
    await db.run("INSERT INTO chg (seq, entry_id, op) VALUES (5, 1, 'insert'), (200000, 1, 'update')");
    await memory.store({ key: 'k', value: 'v' });
    expect(await db.all('SELECT seq FROM chg')).toEqual([{ seq: 200_000 }, { seq: 200_001 }]);
  });

  test('expired entries go in small bites, with their versions, by whatever write comes', async () => {
    const { memory, db } = opened;
    await memory.storeMany(Array.from({ length: 500 }, (_, at) => ({ key: `k${at}`, value: at, ttlSeconds: 1 })));
    await memory.storeMany(Array.from({ length: 500 }, (_, at) => ({ key: `k${at}`, value: -at - 1, ttlSeconds: 1 })));
    await memory.store({ key: 'stays', value: 'v' });
    opened.now += 1000;
    const left = async (): Promise<unknown> => (await db.get('SELECT count(*) AS n FROM memory_entry'))?.['n'];
    const counts: unknown[] = [];
    for (let round = 0; round < 4; round += 1) {
      await memory.delete({ key: 'none' });
      counts.push(await left());
    }
    expect(counts).toEqual([301, 101, 1, 1]);
    expect(await db.get('SELECT count(*) AS n FROM memory_version')).toEqual({ n: 0 });
    await checkIndex(db);
  });

  test('a clock that is set back does not put it off', async () => {
    const { memory, db } = opened;
    opened.now += 1e9;
    await memory.store({ key: 'a', value: 1 });
    opened.now -= 1e9;
    await memory.store({ key: 'b', value: 1, ttlSeconds: 0.001 });
    opened.now += 1000;
    await memory.store({ key: 'c', value: 1 });
    expect(await db.all('SELECT key FROM memory_entry ORDER BY key')).toEqual([{ key: 'a' }, { key: 'c' }]);
  });
});
