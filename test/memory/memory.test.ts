import { join } from 'node:path';
import * as fc from 'fast-check';
import { beforeEach, describe, expect, test } from 'vitest';
import { ConflictError, InvalidInputError } from '../../src/errors.ts';
import { createMemory, type Memory } from '../../src/memory/memory.ts';
import type { JsonValue } from '../../src/memory/value.ts';
import type { Database } from '../../src/store/database.ts';
import { onServer, openTestDatabase } from '../helpers/databases.ts';
import { testRuntime, useScratch } from '../store/scratch.ts';

const scratch = useScratch();
let clock: number;
let db: Database;
let memory: Memory;

beforeEach(async () => {
  clock = 1_000_000;
  const runtime = testRuntime({ now: () => clock });
  db = await openTestDatabase(join(await scratch.folder(), 'skillflow.db'), { runtime });
  scratch.onCleanUp(() => db.close());
  memory = createMemory({ open: async () => db, runtime });
});

describe('a value comes back exactly', () => {
  const roundTrip = async (value: JsonValue): Promise<unknown> => {
    await memory.store({ key: 'k', value });
    return (await memory.get({ key: 'k' }))?.value;
  };

  test.each<[JsonValue]>([
    ['{"a": 1}'],
    ['"quoted"'],
    ['null'],
    ['12'],
    [''],
    ['a\0b'],
    ['\ud800 lone \udc00'],
    ['\uFEFFmark'],
    ['line\r\nline\u2028'],
    [null],
    [true],
    [-0],
    [1e308],
    [5e-324],
    [[]],
    [{}],
    [{ '': [null, { 'a\0': '\ud800' }] }],
    [{ length: 1, toString: 'x', constructor: 2 }],
  ])('%j', async (value) => {
    expect(await roundTrip(value)).toStrictEqual(value);
  });

  test('any JSON', async () => {
    await fc.assert(
      fc.asyncProperty(fc.jsonValue({ maxDepth: 4 }), async (generated) => {
        const value: JsonValue = JSON.parse(JSON.stringify(generated));
        expect(await roundTrip(value)).toStrictEqual(value);
      }),
      { seed: 1, numRuns: onServer() ? 15 : 60 },
    );
  });

  test('any text, also of broken UTF-16, under any allowed name', async () => {
    const name = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 30 }).filter((text) => !text.includes('\0'));
    await fc.assert(
      fc.asyncProperty(
        fc.string({ unit: 'binary' }),
        name,
        name,
        fc.array(name, { maxLength: 4 }),
        async (value, namespace, key, tags) => {
          await memory.store({ namespace, key, value, tags });
          const entry = await memory.get({ namespace, key });
          expect(entry).toMatchObject({ namespace, key, value, tags: [...new Set(tags)] });
          expect((await memory.list({ namespace, prefix: key })).entries.map((listed) => listed.key)).toContain(key);
        },
      ),
      { seed: 2, numRuns: onServer() ? 15 : 60 },
    );
    expect(await db.integrity()).toBe('ok');
    await db.run("INSERT INTO memory_fts (memory_fts, rank) VALUES ('integrity-check', 1)");
  });

  test('a key named __proto__, a list a thousand levels deep', async () => {
    const strange: JsonValue = JSON.parse('{"__proto__": {"a": 1}, "b": 2}');
    expect(JSON.stringify(await roundTrip(strange))).toBe('{"__proto__":{"a":1},"b":2}');
    const deep: JsonValue = JSON.parse(`${'['.repeat(1000)}${']'.repeat(1000)}`);
    expect(JSON.stringify(await roundTrip(deep))).toBe(JSON.stringify(deep));
  });

  test('the largest allowed, and hostile text', async () => {
    const hostile = [
      "'); DROP TABLE memory_entry; --",
      'x'.repeat(1024 * 1024),
      '\u0301'.repeat(1000),
      '👩‍👩‍👧‍👦'.repeat(1000),
      '[['.repeat(5000),
    ];
    for (const value of hostile) expect(await roundTrip(value)).toBe(value);
  });
});

// Before the database is asked, whatever it is.
describe.skipIf(onServer())('what cannot be kept exactly is refused, naming the parameter', () => {
  test.each([
    [undefined, /^value is undefined/],
    [NaN, /^value is NaN/],
    [{ a: [1, { b: undefined }] }, /^value\.a\[1\]\.b is undefined/],
    [[-Infinity], /^value\[0\] is -Infinity/],
    [new Date(0), /^value is no plain object/],
    [new Map(), /^value is no plain object/],
    [1n, /^value is bigint/],
    [() => 1, /^value is function/],
    [JSON.parse(`${'['.repeat(1002)}${']'.repeat(1002)}`), /more than 1000 levels/],
    ['x'.repeat(1024 * 1024 + 1), /^value has more than 1048576 bytes/],
    ['ü'.repeat(600_000), /^value has 1200000 bytes; at most 1048576/],
  ])('value %#', async (value: unknown, message) => {
    // @ts-expect-error: a caller without types
    const stored = memory.store({ key: 'k', value });
    await expect(stored).rejects.toThrow(InvalidInputError);
    await expect(stored).rejects.toThrow(message);
    expect(await memory.get({ key: 'k' })).toBeUndefined();
  });

  test.each([
    [{ key: '' }, /^key is empty/],
    [{ key: 'a\0' }, /^key has a NUL/],
    [{ key: '\udfff' }, /^key has a NUL or a lone surrogate/],
    [{ key: 'ü'.repeat(257) }, /^key has 514 bytes; at most 512/],
    [{ key: 7 }, /^key is a number/],
    [{ key: null }, /^key is null/],
    [{ key: 'k', namespace: '' }, /^namespace is empty/],
    [{ key: 'k', namespace: 'x'.repeat(513) }, /^namespace has more than 512/],
    [{ key: 'k', ttlSeconds: 0 }, /^ttlSeconds is 0/],
    [{ key: 'k', ttlSeconds: -1 }, /^ttlSeconds is -1/],
    [{ key: 'k', ttlSeconds: NaN }, /^ttlSeconds is NaN/],
    [{ key: 'k', ttlSeconds: Infinity }, /^ttlSeconds is Infinity/],
    [{ key: 'k', ttlSeconds: '5' }, /^ttlSeconds is "5"/],
    [{ key: 'k', tags: 'a' }, /^tags is not a list/],
    [{ key: 'k', tags: ['a', ''] }, /^tags\[1\] is empty/],
    [{ key: 'k', tags: Array.from({ length: 65 }, String) }, /^tags has 65 tags; at most 64/],
    [{ key: 'k', kind: '' }, /^kind is empty/],
    [{ key: 'k', kind: 'two words' }, /^kind is text t…\(9 characters\), not one word/],
    [{ key: 'k', kind: 'x'.repeat(65) }, /^kind has more than 64 bytes/],
    [{ key: 'k', importance: 1.01 }, /^importance is 1.01; expected 0 to 1/],
    [{ key: 'k', importance: NaN }, /^importance is NaN/],
    [{ key: 'k', agent: '' }, /^agent is empty/],
    [{ key: 'k', session: 'a\0' }, /^session has a NUL/],
    [{ key: 'k', run: 7 }, /^run is a number/],
    [{ key: 'k', validFrom: 1.5 }, /^validFrom is 1.5; expected milliseconds/],
    [{ key: 'k', validTo: Infinity }, /^validTo is Infinity/],
    [{ key: 'k', validFrom: 5, validTo: 5 }, /^validTo is 1970-01-01T00:00:00\.005Z, not after validFrom, which is 1970-/],
    [{ key: 'k', validTo: 8.64e15 + 1 }, /^validTo is a long number; expected milliseconds/],
    [{ key: 'k', validFrom: -9e15 }, /^validFrom is a long number; expected milliseconds/],
    [{ key: 'k', ifVersion: -1 }, /^ifVersion is -1/],
    [{ key: 'k', ifVersion: 1e300 }, /^ifVersion is 1e\+300/],
  ])('%j', async (input: object, message) => {
    // @ts-expect-error: a caller without types
    const stored = memory.store({ value: 'v', ...input });
    await expect(stored).rejects.toThrow(InvalidInputError);
    await expect(stored).rejects.toThrow(message);
  });

  test('also in get, delete and list', async () => {
    await expect(memory.get({ key: '' })).rejects.toThrow(/^key is empty/);
    await expect(memory.delete({ key: 'k', namespace: 'a\0' })).rejects.toThrow(/^namespace/);
    await expect(memory.list({ limit: 0 })).rejects.toThrow(/^limit is 0; expected a whole number from 1 to 1000/);
    await expect(memory.list({ limit: 1001 })).rejects.toThrow(InvalidInputError);
    for (const limit of [-1, 1e9, NaN, 1.5, Infinity]) await expect(memory.list({ limit })).rejects.toThrow(/^limit is/);
    await expect(memory.list({ offset: -1 })).rejects.toThrow(/^offset/);
    await expect(memory.list({ kind: 'a b' })).rejects.toThrow(/^kind is text …\(3 characters\), not one word/);
    await expect(memory.list({ tag: '' })).rejects.toThrow(/^tag is empty/);
    await expect(memory.deleteNamespace('')).rejects.toThrow(/^namespace is empty/);
    await expect(memory.purge({ key: '\ud800' })).rejects.toThrow(/^key has a NUL or a lone surrogate/);
    await expect(memory.list({ prefix: '\ud800' })).rejects.toThrow(/^prefix/);
  });
});

describe('store', () => {
  test('says what it did, and replaces the whole entry', async () => {
    const first = await memory.store({ key: 'k', value: 'hé', tags: ['a'], ttlSeconds: 5 });
    expect(first).toEqual({
      namespace: 'default',
      key: 'k',
      id: 1,
      version: 1,
      created: true,
      duplicates: [],
      bytes: 3,
      updatedAt: clock,
      expiresAt: clock + 5000,
    });
    clock += 10;
    const second = await memory.store({ key: 'k', value: { a: 1 } });
    expect(second).toEqual({
      namespace: 'default',
      key: 'k',
      id: 1,
      version: 2,
      created: false,
      duplicates: [],
      bytes: 7,
      updatedAt: clock,
      expiresAt: null,
    });
    expect(await memory.get({ key: 'k' })).toEqual({
      namespace: 'default',
      key: 'k',
      id: 1,
      version: 2,
      kind: 'note',
      importance: 0.5,
      format: 'json',
      bytes: 7,
      tags: ['a'],
      agent: null,
      session: null,
      run: null,
      validFrom: null,
      validTo: null,
      createdAt: clock - 10,
      updatedAt: clock,
      expiresAt: null,
      value: { a: 1 },
    });
  });

  test('names are exact: case, spaces, accents and namespaces differ', async () => {
    const names = ['a', 'A', ' a', 'a ', 'á', 'a\u0301', 'a%', 'a_'];
    for (const key of names) await memory.store({ key, value: key });
    await memory.store({ namespace: 'other', key: 'a', value: 'other' });
    for (const key of names) expect((await memory.get({ key }))?.value).toBe(key);
    expect((await memory.list({ namespace: 'default' })).total).toBe(names.length);
  });

  test('only a new name takes an id: another value, or the same again, leaves no gap after it', async () => {
    const ids: number[] = [];
    for (const [key, value] of [
      ['a', 'one'],
      ['a', 'two'],
      ['a', 'two'],
      ['b', 'two'],
      ['b', 'three'],
      ['c', 'one'],
    ] as const)
      ids.push((await memory.store({ key, value })).id);
    expect(ids.map((id) => id - (ids[0] ?? 0))).toEqual([0, 0, 0, 1, 1, 2]);
  });

  test('the same content again changes nothing but the time to live', async () => {
    const input = { key: 'k', value: { a: [1] }, tags: ['x'], kind: 'fact', importance: 1, agent: 'me', ttlSeconds: 5 };
    const first = await memory.store(input);
    clock += 10;
    const again = await memory.store(input);
    expect(again).toEqual({ ...first, created: false, expiresAt: clock + 5000 });
    expect((await memory.get({ key: 'k' }))?.expiresAt).toBe(clock + 5000);
    expect(await memory.store({ ...input, ttlSeconds: undefined })).toMatchObject({ version: 1, expiresAt: null });
    expect((await memory.get({ key: 'k' }))?.expiresAt).toBeNull();
    expect(await memory.history({ key: 'k' })).toHaveLength(1);
    for (const change of [{ value: '{"a":[1]}' }, { tags: [] }, { kind: 'note' }, { importance: 0 }, { agent: undefined }]) {
      const before = (await memory.store(input)).version;
      expect(await memory.store({ ...input, ...change })).toMatchObject({ version: before + 1, created: false });
    }
  });

  test('a new value keeps tags, kind and importance unless others are given; all else is of the write', async () => {
    const described = { tags: ['x', 'y'], kind: 'fact', importance: 0.9 };
    const of = { agent: 'me', session: 's', run: 'r', validFrom: 1, validTo: 2, ttlSeconds: 60 };
    await memory.store({ key: 'k', value: 1, ...described, ...of });
    await memory.store({ key: 'k', value: 2 });
    const bare = { agent: null, session: null, run: null, validFrom: null, validTo: null, expiresAt: null };
    expect(await memory.get({ key: 'k' })).toMatchObject({ ...described, ...bare, value: 2, version: 2 });
    expect(await memory.store({ key: 'k', value: 2 })).toMatchObject({ version: 2 });
    await memory.storeMany([
      { key: 'other', value: 1 },
      { key: 'k', value: 3, tags: [] },
      { key: 'k', value: 4, importance: 0 },
    ]);
    expect(await memory.get({ key: 'k' })).toMatchObject({ tags: [], kind: 'fact', importance: 0, value: 4, version: 4 });
  });

  test('what is gone describes nothing that is stored under its name', async () => {
    const plain = { tags: [], kind: 'note', importance: 0.5 };
    const described = { value: 1, tags: ['x'], kind: 'fact', importance: 0.9 };
    await memory.store({ key: 'deleted', ...described });
    await memory.store({ key: 'expired', ...described, ttlSeconds: 1 });
    await memory.delete({ key: 'deleted' });
    clock += 1000;
    for (const key of ['deleted', 'expired']) {
      await memory.store({ key, value: 2 });
      expect(await memory.get({ key })).toMatchObject(plain);
    }
  });

  test('entries with the same value are named, of the same namespace, at most 10, unless they are gone', async () => {
    for (let at = 0; at < 12; at += 1)
      await memory.store({ key: `same/${at}`, value: 'same', ...(at === 0 ? { ttlSeconds: 1 } : {}) });
    await memory.store({ namespace: 'other', key: 'elsewhere', value: 'same' });
    await memory.store({ key: 'differs', value: 'other' });
    const { duplicates } = await memory.store({ key: 'new', value: 'same' });
    expect(duplicates).toEqual(Array.from({ length: 10 }, (_, at) => `same/${at}`));
    clock += 1000;
    for (let at = 1; at < 10; at += 1) await memory.delete({ key: `same/${at}` });
    expect((await memory.store({ key: 'new', value: 'same' })).duplicates).toEqual(['same/10', 'same/11']);
    expect((await memory.store({ key: 'new', value: 'unique' })).duplicates).toEqual([]);
  });

  test('ifVersion: only if nobody was faster', async () => {
    await expect(memory.store({ key: 'k', value: 1, ifVersion: 1 })).rejects.toThrow(ConflictError);
    await memory.store({ key: 'k', value: 1, ifVersion: 0 });
    await expect(memory.store({ key: 'k', value: 2, ifVersion: 0 })).rejects.toThrow(
      /has version 1, not version 0; nothing was stored/,
    );
    expect(await memory.store({ key: 'k', value: 2, ifVersion: 1 })).toMatchObject({ version: 2 });
    await memory.delete({ key: 'k' });
    await expect(memory.store({ key: 'k', value: 3, ifVersion: 2 })).rejects.toThrow(/does not exist/);
    expect(await memory.store({ key: 'k', value: 3, ifVersion: 0 })).toMatchObject({ version: 3, created: true });
  });

  test('many at once', async () => {
    await Promise.all(Array.from({ length: 50 }, (_, i) => memory.store({ key: `k${i % 10}`, value: i })));
    expect((await memory.list()).total).toBe(10);
  });
});

describe('expiry is exact to the millisecond', () => {
  test('an expired entry is in no answer, and its name is free', async () => {
    await memory.store({ key: 'k', value: 'short lived', ttlSeconds: 1.5 });
    clock += 1499;
    expect(await memory.get({ key: 'k' })).toBeDefined();
    clock += 1;
    expect(await memory.get({ key: 'k' })).toBeUndefined();
    expect(await memory.list()).toEqual({ entries: [], total: 0 });
    expect(await memory.namespaces()).toEqual([]);
    expect(await memory.delete({ key: 'k' })).toBe(false);
    expect(await memory.store({ key: 'k', value: 'again' })).toMatchObject({ created: true, id: 2 });
    expect((await memory.get({ key: 'k' }))?.createdAt).toBe(clock);
  });

  test('what has expired is in no history: its name begins anew', async () => {
    const secret = { key: 'k', value: 'short lived', ttlSeconds: 1 };
    await memory.store({ key: 'other', value: 'o' });
    for (const many of [false, true]) {
      await memory.store({ ...secret, value: 'the first' });
      await memory.store(secret);
      await memory.link({ key: 'k' }, { key: 'other' }, 'see');
      if (many) await memory.delete({ key: 'k' });
      clock += 1000;
      const inputs = [
        { key: 'k', value: 'anew', ifVersion: 0 },
        { key: `k${clock}`, value: 'x' },
      ];
      const [stored] = many ? await memory.storeMany(inputs) : [await memory.store({ key: 'k', value: 'anew', ifVersion: 0 })];
      expect(stored).toMatchObject({ created: true, version: 1 });
      expect(await memory.get({ key: 'k' })).toMatchObject({ value: 'anew', createdAt: clock });
      expect(await memory.history({ key: 'k' })).toHaveLength(1);
      expect(await memory.getVersion({ key: 'k' }, 2)).toBeUndefined();
      expect(await memory.links({ key: 'k' })).toEqual([]);
      expect(await db.all('SELECT 1 FROM memory_version')).toEqual([]);
    }
  });

  test('writes remove what has expired', async () => {
    for (let i = 0; i < 300; i += 1) await memory.store({ key: `k${i}`, value: 'v', ttlSeconds: 1 });
    clock += 1000;
    await memory.store({ key: 'new', value: 'v' });
    await memory.store({ key: 'new', value: 'w' });
    expect(await db.get('SELECT count(*) AS n FROM memory_entry')).toEqual({ n: 1 });
  });
});

describe('list, delete, namespaces', () => {
  beforeEach(async () => {
    for (const key of ['b/2', 'b/1', 'a', 'b%', 'B/3']) await memory.store({ namespace: 'x', key, value: { key } });
    await memory.store({ namespace: 'w', key: 'b/0', value: 'v'.repeat(500) });
  });

  test('by namespace and key, in pages, with the total', async () => {
    const all = await memory.list();
    expect(all.entries.map((entry) => `${entry.namespace}:${entry.key}`)).toEqual([
      'w:b/0',
      'x:B/3',
      'x:a',
      'x:b%',
      'x:b/1',
      'x:b/2',
    ]);
    const page = await memory.list({ limit: 2, offset: 4 });
    expect(page).toEqual({ entries: all.entries.slice(4), total: 6 });
    expect(await memory.list({ offset: 99 })).toEqual({ entries: [], total: 6 });
  });

  test('by prefix, in which no character is special', async () => {
    const keys = async (prefix: string): Promise<string[]> =>
      (await memory.list({ namespace: 'x', prefix })).entries.map((e) => e.key);
    expect(await keys('b/')).toEqual(['b/1', 'b/2']);
    expect(await keys('b%')).toEqual(['b%']);
    expect(await keys('_')).toEqual([]);
    expect(await keys('')).toHaveLength(5);
  });

  test('shows the start of a value, never the whole of a long one', async () => {
    expect((await memory.list({ namespace: 'w' })).entries).toEqual([
      expect.objectContaining({ bytes: 500, format: 'text', preview: 'v'.repeat(200) }),
    ]);
    expect(Object.keys((await memory.list()).entries[0] ?? {})).not.toContain('value');
  });

  test('by kind, by tag, and what was deleted', async () => {
    await memory.store({ namespace: 'y', key: 'f', value: 1, kind: 'fact', tags: ['a', 'b%'] });
    await memory.store({ namespace: 'y', key: 'g', value: 2, tags: ['ab'], ttlSeconds: 1 });
    const keys = async (input: Parameters<Memory['list']>[0]): Promise<string[]> =>
      (await memory.list({ namespace: 'y', ...input })).entries.map((entry) => entry.key);
    expect(await keys({ kind: 'fact' })).toEqual(['f']);
    expect(await keys({ tag: 'a' })).toEqual(['f']);
    expect(await keys({ tag: 'b%' })).toEqual(['f']);
    expect(await keys({ tag: '%' })).toEqual([]);
    expect(await keys({ kind: 'note', tag: 'ab', prefix: 'g' })).toEqual(['g']);
    await memory.delete({ namespace: 'y', key: 'f' });
    await memory.delete({ namespace: 'y', key: 'g' });
    expect(await keys({})).toEqual([]);
    expect(await keys({ deleted: true })).toEqual(['f', 'g']);
    clock += 1000;
    expect(await keys({ deleted: true })).toEqual(['f']);
  });

  test('delete tells whether there was one', async () => {
    expect(await memory.delete({ namespace: 'x', key: 'a' })).toBe(true);
    expect(await memory.delete({ namespace: 'x', key: 'a' })).toBe(false);
    expect(await memory.delete({ key: 'b%' })).toBe(false); // another namespace
  });

  test('namespaces with their sizes', async () => {
    expect(await memory.namespaces()).toEqual([
      { namespace: 'w', entries: 1, bytes: 500, updatedAt: clock },
      { namespace: 'x', entries: 5, bytes: 62, updatedAt: clock },
    ]);
  });
});
