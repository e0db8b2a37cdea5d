import * as fc from 'fast-check';
import { beforeEach, describe, expect, test } from 'vitest';
import { InvalidInputError, NotFoundError } from '../../src/errors.ts';
import { lineDiff } from '../../src/memory/line-diff.ts';
import { useScratch } from '../store/scratch.ts';
import { checkIndex, openMemory, type OpenMemory } from './open-memory.ts';

const scratch = useScratch();
const k = { key: 'k' };
let opened: OpenMemory;

beforeEach(async () => {
  opened = await openMemory(scratch);
});

describe('versions', () => {
  test('all of what an entry said is kept, and comes back exactly', async () => {
    const { memory } = opened;
    await memory.store({
      ...k,
      value: { a: '\ud800\0' },
      tags: ['t'],
      kind: 'fact',
      importance: 0.25,
      agent: 'a',
      session: 's',
      run: 'r',
      validFrom: 1,
      validTo: 2,
    });
    opened.now += 5;
    await memory.store({ ...k, value: 'text' });
    expect(await memory.getVersion(k, 1)).toEqual({
      namespace: 'default',
      key: 'k',
      id: 1,
      version: 1,
      kind: 'fact',
      importance: 0.25,
      format: 'json',
      bytes: 20,
      tags: ['t'],
      agent: 'a',
      session: 's',
      run: 'r',
      createdAt: 1_000_000,
      updatedAt: 1_000_000,
      expiresAt: null,
      validFrom: 1,
      validTo: 2,
      value: { a: '\ud800\0' },
    });
    expect(await memory.getVersion(k, 2)).toEqual(await memory.get(k));
    expect(await memory.getVersion(k, 3)).toBeUndefined();
    expect(await memory.getVersion({ key: 'none' }, 1)).toBeUndefined();
    await expect(memory.getVersion(k, 0)).rejects.toThrow(/^version is 0/);
  });

  test('the history has the newest first, with the current one', async () => {
    const { memory } = opened;
    for (const value of ['one', { two: 2 }, 'three']) await memory.store({ ...k, value });
    const versions = await memory.history(k);
    expect(versions.map(({ version, preview, current, bytes }) => [version, preview, current, bytes])).toEqual([
      [3, 'three', true, 5],
      [2, '{"two":2}', false, 9],
      [1, 'one', false, 3],
    ]);
    expect(Object.keys(versions[0] ?? {})).not.toContain('createdAt');
    await expect(memory.history({ key: 'none' })).rejects.toThrow(NotFoundError);
    await memory.delete(k);
    await expect(memory.history(k)).rejects.toThrow(/there is no entry "k" in the namespace "default"/);
  });

  test('at most 100 earlier ones are kept', async () => {
    const { memory, db } = opened;
    await memory.storeMany(Array.from({ length: 150 }, (_, at) => ({ ...k, value: at })));
    const versions = await memory.history(k);
    expect(versions.map(({ version }) => version)).toEqual(Array.from({ length: 101 }, (_, at) => 150 - at));
    expect(await memory.getVersion(k, 49)).toBeUndefined();
    expect((await memory.getVersion(k, 50))?.value).toBe(49);
    expect(await db.get('SELECT count(*) AS n FROM memory_version')).toEqual({ n: 100 });
  });

  test('revert makes a new version that says what the old one said, and keeps the time to live', async () => {
    const { memory, db } = opened;
    await memory.store({ ...k, value: 'apples', tags: ['t'], agent: 'a', ttlSeconds: 1 });
    await memory.store({ ...k, value: 'pears', ttlSeconds: 9 });
    opened.now += 2000;
    const back = await memory.revert(k, 1);
    expect(back).toEqual({
      namespace: 'default',
      key: 'k',
      id: 1,
      version: 3,
      created: false,
      bytes: 6,
      updatedAt: opened.now,
      expiresAt: 1_009_000,
      duplicates: [],
    });
    expect(await memory.get(k)).toMatchObject({ value: 'apples', tags: ['t'], agent: 'a', version: 3, expiresAt: 1_009_000 });
    expect(await memory.revert(k, 3)).toEqual(back); // it says that already
    expect(await memory.revert(k, 1)).toEqual(back);
    await expect(memory.revert(k, 4)).rejects.toThrow(/has no version 4/);
    await expect(memory.revert({ key: 'none' }, 1)).rejects.toThrow(NotFoundError);
    await expect(memory.revert(k, 1.5)).rejects.toThrow(InvalidInputError);
    await checkIndex(db);
  });

  test('diff names the fields and shows the lines', async () => {
    const { memory } = opened;
    await memory.store({ ...k, value: { list: [1, 2, 3], same: true }, tags: ['a'] });
    await memory.store({ ...k, value: { list: [1, 3], same: true }, tags: ['b'], importance: 1 });
    await memory.store({ ...k, value: '{"list":[1,3],"same":true}', tags: ['b'], importance: 1 });
    expect(await memory.diff(k, 1, 2)).toEqual({
      from: 1,
      to: 2,
      changed: ['value', 'importance', 'tags'],
      value: ['@@ -1,7 +1,6 @@', ' {', '   "list": [', '     1,', '-    2,', '     3', '   ],', '   "same": true'].join('\n'),
    });
    expect((await memory.diff(k, 2, 2)).changed).toEqual([]);
    expect(await memory.diff(k, 2, 3)).toMatchObject({ changed: ['format'], value: '' });
    await expect(memory.diff(k, 1, 9)).rejects.toThrow(/has no version 9/);
    await expect(memory.diff(k, 0, 1)).rejects.toThrow(/^from is 0/);
  });

  test('a diff of a deep and long value does not fill the memory with spaces', async () => {
    const { memory } = opened;
    const deep = (tail: number): unknown =>
      JSON.parse(`${'['.repeat(900)}${Array.from({ length: 200_000 }, () => 1).join(',')},${tail}${']'.repeat(900)}`);
    // @ts-expect-error: JSON.parse has no type
    for (const tail of [1, 2]) await memory.store({ ...k, value: deep(tail) });
    const { changed, value } = await memory.diff(k, 1, 2);
    expect(changed).toEqual(['value']);
    expect(value.length).toBeLessThan(2_000_000);
  });
});

describe('lineDiff', () => {
  /** What the diff makes of the old text. */
  function applied(from: string, diff: string): string {
    if (diff === '') return from;
    const old = from.split('\n');
    const made: string[] = [];
    let at = 0;
    for (const line of diff.split('\n')) {
      const start = /^@@ -(\d+)(,0)?/.exec(line);
      if (start !== null && line.startsWith('@@ ')) {
        const until = start[2] === undefined ? Number(start[1]) - 1 : Number(start[1]);
        made.push(...old.slice(at, until));
        at = until;
      } else if (line.startsWith('+')) made.push(line.slice(1));
      else {
        if (old[at] !== line.slice(1))
          throw new Error(`line ${at + 1} is ${JSON.stringify(old[at])}, not ${JSON.stringify(line)}`);
        if (line.startsWith(' ')) made.push(line.slice(1));
        at += 1;
      }
    }
    return [...made, ...old.slice(at)].join('\n');
  }

  test('turns one text into the other, and says no more than it must', () => {
    const lines = fc
      .array(fc.constantFrom('a', 'b', 'c', '', '+', '-', '@@', ' '), { maxLength: 30 })
      .map((list) => list.join('\n'));
    fc.assert(
      fc.property(lines, lines, (from, to) => {
        const diff = lineDiff(from, to);
        expect(applied(from, diff)).toBe(to);
        expect(diff === '').toBe(from === to);
      }),
      { seed: 3, numRuns: 500 },
    );
    expect(lineDiff('a\nb\nc', 'a\nx\nc')).toBe('@@ -1,3 +1,3 @@\n a\n-b\n+x\n c');
  });

  test('of texts that share nothing, however long', () => {
    const from = Array.from({ length: 20_000 }, (_, at) => `a${at}`).join('\n');
    const to = Array.from({ length: 20_000 }, (_, at) => `b${at}`).join('\n');
    expect(applied(from, lineDiff(from, to))).toBe(to);
  });
});
