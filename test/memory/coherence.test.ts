import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { createEntryCache } from '../../src/memory/entry-cache.ts';
import { nameOf } from '../../src/memory/entry-name.ts';
import { createCachedEntries } from '../../src/memory/get-entry.ts';
import { createMemory } from '../../src/memory/memory.ts';
import { bundleProgram, type BundledProgram } from '../helpers/bundle-program.ts';
import { onServer } from '../helpers/databases.ts';
import { useScratch } from '../store/scratch.ts';
import { openMemory, type OpenMemory } from './open-memory.ts';

const scratch = useScratch();
const k = { key: 'k' };
const ROUNDS = onServer() ? 20 : 100;
let opened: OpenMemory;

beforeEach(async () => {
  opened = await openMemory(scratch);
});

describe('every call sees what was committed before it', () => {
  test('by another connection', async () => {
    const { memory } = opened;
    const { memory: other } = await opened.another();
    const both = async (): Promise<unknown[]> => [(await memory.get(k))?.value, (await other.get(k))?.value];
    expect(await both()).toEqual([undefined, undefined]);
    await memory.store({ ...k, value: 1 });
    expect(await both()).toEqual([1, 1]);
    await other.store({ ...k, value: 2 });
    expect(await both()).toEqual([2, 2]);
    await memory.revert(k, 1);
    expect(await both()).toEqual([1, 1]);
    await other.delete(k);
    expect(await both()).toEqual([undefined, undefined]);
    await memory.undelete(k);
    expect(await both()).toEqual([1, 1]);
    await other.deleteNamespace('default');
    expect(await both()).toEqual([undefined, undefined]);
    await other.undelete(k);
    expect(await both()).toEqual([1, 1]);
    await memory.purge(k);
    expect(await both()).toEqual([undefined, undefined]);
    await other.storeMany([
      { ...k, value: 3 },
      { ...k, value: 4 },
    ]);
    expect(await both()).toEqual([4, 4]);
    await memory.store({ ...k, value: 4, ttlSeconds: 1 });
    expect((await other.get(k))?.expiresAt).toBe(opened.now + 1000);
    expect(await both()).toEqual([4, 4]);
    opened.now += 1000;
    expect(await both()).toEqual([undefined, undefined]);
  });

  test('by another part of this process, past the memory', async () => {
    const { memory, db, runtime } = opened;
    const second = createMemory({ open: async () => db, runtime });
    await memory.store({ ...k, value: 'a' });
    expect((await memory.get(k))?.value).toBe('a');
    await second.store({ ...k, value: 'b' });
    expect((await memory.get(k))?.value).toBe('b');
    await db.run("UPDATE memory_entry SET value = 'c'");
    expect((await memory.get(k))?.value).toBe('c');
    await db.run('DELETE FROM memory_entry');
    expect(await memory.get(k)).toBeUndefined();
  });

  test('also when the log was cut past the place of the cache, or begun anew', async () => {
    const { memory } = opened;
    const { memory: other, db } = await opened.another();
    await memory.store({ ...k, value: 'a' });
    await memory.store({ key: 'second', value: 'x' });
    expect((await memory.get(k))?.value).toBe('a');
    await other.store({ ...k, value: 'b' });
    await db.run('DELETE FROM chg WHERE seq < (SELECT max(seq) FROM chg)');
    expect((await memory.get(k))?.value).toBe('b');
    await db.write(async (queries) => {
      await queries.run("UPDATE memory_entry SET value = 'c' WHERE key = 'k'");
      await queries.run('DELETE FROM chg');
      await queries.run("DELETE FROM sqlite_sequence WHERE name = 'chg'");
    });
    expect((await memory.get(k))?.value).toBe('c');
    await other.storeMany(Array.from({ length: 3000 }, (_, at) => ({ key: `many/${at}`, value: at })));
    await other.store({ ...k, value: 'd' });
    expect((await memory.get(k))?.value).toBe('d');
  });

  test('while many calls overlap, no answer is older than the last write', async () => {
    const { memory } = opened;
    const { memory: other } = await opened.another();
    await memory.store({ ...k, value: 0 });
    for (let round = 1; round <= ROUNDS; round += 1) {
      const writer = round % 2 === 0 ? memory : other;
      const before = Array.from({ length: 5 }, () => memory.get(k));
      const write = writer.store({ ...k, value: round });
      const during = Array.from({ length: 5 }, () => memory.get(k));
      await write;
      expect((await memory.get(k))?.value).toBe(round);
      for (const entry of await Promise.all([...before, ...during])) expect([round - 1, round]).toContain(entry?.value);
      expect((await memory.get(k))?.value).toBe(round);
    }
  });

  test('a reader of a database that was replaced by another one', async () => {
    const { db, runtime } = opened;
    const { db: second } = await openMemory(scratch);
    let current = db;
    const memory = createMemory({ open: async () => current, runtime });
    await memory.store({ ...k, value: 'first' });
    expect((await memory.get(k))?.value).toBe('first');
    current = second;
    expect(await memory.get(k)).toBeUndefined();
    await memory.store({ ...k, value: 'second' });
    expect((await memory.get(k))?.value).toBe('second');
    current = db;
    expect((await memory.get(k))?.value).toBe('first');
  });
});

describe('an answer belongs to who got it', () => {
  test('changing it does not change what the next one gets', async () => {
    const { memory } = opened;
    await memory.store({ ...k, value: { list: [1] }, tags: ['t'] });
    for (let round = 0; round < 3; round += 1) {
      const entry = await memory.get(k);
      expect(entry?.value).toEqual({ list: [1] });
      // @ts-expect-error: a caller without types
      entry?.value.list.push(2);
    }
  });
});

describe('the cache', () => {
  test('expires to the millisecond, also what it has read before', async () => {
    const { memory } = opened;
    await memory.store({ ...k, value: 'v', ttlSeconds: 1 });
    for (const [after, there] of [
      [0, true],
      [999, true],
      [1, false],
      [-1, true],
      [2, false],
    ] as const) {
      opened.now += after;
      expect((await memory.get(k)) !== undefined).toBe(there);
    }
  });

  test('stays within its bytes and entries, and keeps what is used', async () => {
    const { memory } = opened;
    const entries = await Promise.all(
      Array.from({ length: 20 }, async (_, at) => {
        await memory.store({ key: `k${at}`, value: 'x'.repeat(1000) });
        return memory.get({ key: `k${at}` });
      }),
    );
    const cache = createEntryCache({ maxBytes: 20_000, maxEntries: 4 });
    for (const entry of entries) {
      if (entry !== undefined) cache.put(entry, 'x'.repeat(1000));
      cache.get(nameOf('default', 'k0'));
      expect(cache.size).toBeLessThanOrEqual(4);
      expect(cache.bytes).toBeLessThanOrEqual(20_000);
    }
    expect(cache.get(nameOf('default', 'k0'))?.key).toBe('k0');
    expect(cache.get(nameOf('default', 'k19'))?.key).toBe('k19');
    expect(cache.get(nameOf('default', 'k10'))).toBeUndefined();
    cache.dropId(1);
    cache.dropId(1);
    expect(cache.get(nameOf('default', 'k0'))).toBeUndefined();
    cache.clear();
    expect([cache.size, cache.bytes]).toEqual([0, 0]);
  });

  test('works with room for next to nothing', async () => {
    const { db, runtime, memory } = opened;
    await memory.storeMany(Array.from({ length: 50 }, (_, at) => ({ key: `k${at}`, value: { at } })));
    const { get } = createCachedEntries(async () => db, runtime, { maxBytes: 5000, maxEntries: 2 });
    for (let at = 0; at < 100; at += 1) expect((await get({ key: `k${at % 50}` }))?.value).toEqual({ at: at % 50 });
  });
});

describe('two processes', () => {
  let program: BundledProgram;
  beforeAll(async () => {
    program = await bundleProgram(fileURLToPath(new URL('memory-process.ts', import.meta.url)));
  });
  afterAll(() => program.remove());

  test('see each other in their next call, many times', async () => {
    const child = spawn(process.execPath, [program.path, opened.location], { stdio: ['pipe', 'pipe', 'inherit'] });
    const ended = new Promise((resolve) => child.on('close', resolve));
    scratch.onCleanUp(async () => {
      child.stdin.end();
      await ended;
    });
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    const there = async (call: object): Promise<unknown> => {
      child.stdin.write(`${JSON.stringify(call)}\n`);
      const line = await lines.next();
      return line.done === true ? undefined : JSON.parse(line.value);
    };
    const { memory } = opened;
    for (let round = 0; round < ROUNDS; round += 1) {
      const key = `k${round % 3}`;
      await memory.store({ key, value: `here ${round}` });
      expect(await there({ do: 'get', key })).toBe(`here ${round}`);
      await there({ do: 'store', input: { key, value: { round } } });
      expect((await memory.get({ key }))?.value).toEqual({ round });
      if (round % 10 !== 0) continue;
      expect(await there({ do: round % 20 === 0 ? 'delete' : 'purge', key })).toBe(true);
      expect(await memory.get({ key })).toBeUndefined();
    }
  });
});
