import { join } from 'node:path';
import * as fc from 'fast-check';
import { beforeEach, describe, expect, test } from 'vitest';
import { foldAfterOpen, foldBeforeClose } from '../../../src/memory/fold.ts';
import { createMemory, type Memory } from '../../../src/memory/memory.ts';
import { connect } from '../../../src/store/connection.ts';
import type { Database } from '../../../src/store/database.ts';
import { locationOf, onServer } from '../../helpers/databases.ts';
import { openLocation } from '../../helpers/open-location.ts';
import { testRuntime, useScratch } from '../../store/scratch.ts';

const scratch = useScratch();
const runtime = testRuntime();
/** A path, or the URL of a server. */
let path: string;
let db: Database;
let memory: Memory;

async function open(readOnly = false): Promise<{ readonly db: Database; readonly memory: Memory }> {
  const opened = await openLocation(path, { runtime, readOnly });
  scratch.onCleanUp(() => opened.close());
  return { db: opened, memory: createMemory({ open: async () => opened, runtime }) };
}

beforeEach(async () => {
  path = await locationOf(join(await scratch.folder(), 'skillflow.db'));
  ({ db, memory } = await open());
});

/** On a server nothing waits, unless its database was a file before. */
const wasFile = async (): Promise<void> => void (await db.run('UPDATE memory_fts_folded SET most_pending = 64'));

const keys = async (from: Memory, query: string): Promise<readonly string[]> =>
  (await from.search({ query, limit: 100 })).results.map(({ key }) => key).toSorted();
const pending = async (from = db): Promise<number> =>
  (await from.all('SELECT id FROM memory_entry WHERE id > (SELECT entry_id FROM memory_fts_folded)')).length;
const store = async (...names: readonly string[]): Promise<void> => {
  for (const key of names) await memory.store({ key, value: `a parser of ${key}` });
};

test.skipIf(!onServer())('on a server nothing waits, since its readers may not be allowed to write', async () => {
  await store('a');
  expect(await pending()).toBe(0);
  await memory.storeMany([{ key: 'b', value: 'a parser of b' }]);
  expect(await pending()).toBe(0);
  const reader = await open(true);
  expect(await keys(reader.memory, 'parser')).toEqual(['a', 'b']);
});

/** What a search finds otherwise than it should. @param there keys, and a word of each */
async function notFound(from: Memory, there: ReadonlyMap<string, string>): Promise<readonly string[]> {
  const [all, expected] = [await keys(from, 'parser'), [...there.keys()].toSorted()];
  const wrong = all.join() === expected.join() ? [] : [`there are ${expected.join()}; found ${all.join()}`];
  for (const [key, word] of there) if (!(await keys(from, word)).includes(key)) wrong.push(`${word} does not find ${key}`);
  return wrong;
}

describe('what was stored lately', () => {
  beforeEach(wasFile);

  test('waits for its place in the index, and the next search finds it', async () => {
    await store('a', 'b');
    expect(await pending()).toBe(2);
    expect(await keys(memory, 'parser')).toEqual(['a', 'b']);
    expect(await pending()).toBe(0);
    await store('c');
    expect(await keys(memory, 'parser')).toEqual(['a', 'b', 'c']);
    expect((await memory.search({ query: '', phrase: 'parser of c' })).results).toHaveLength(1);
  });

  test('is found by a phrase too, and never waits with more than 63 others', async () => {
    await store('a');
    expect((await memory.search({ query: '', phrase: 'parser of a' })).results).toHaveLength(1);
    for (let n = 0; n < 200; n += 1) {
      await store(`k${n}`);
      expect(await pending()).toBeLessThan(64);
    }
    await memory.storeMany(Array.from({ length: 1000 }, (_, n) => ({ key: `many${n}`, value: `lexer ${n}` })));
    expect(await pending()).toBeLessThan(64);
    expect((await memory.search({ query: 'lexer' })).total).toBe(1000);
  });

  test('is found whoever of two stored it, in any order of storing, changing, deleting and searching', async () => {
    const step = fc.record({
      who: fc.integer({ min: 0, max: 1 }),
      what: fc.constantFrom('store', 'store', 'store', 'change', 'delete', 'purge', 'undelete', 'many', 'search'),
      key: fc.integer({ min: 0, max: 12 }).map((n) => `k${n}`),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
        path = await locationOf(join(await scratch.folder(), 'skillflow.db'));
        const both = [await open(), await open()];
        await both[0]?.db.run('UPDATE memory_fts_folded SET most_pending = 64');
        const there = new Map<string, string>();
        const deleted = new Map<string, string>();
        const wrong: string[] = [];
        for (const [at, { who, what, key }] of steps.entries()) {
          const its = both[who]?.memory ?? memory;
          const word = `word${at}`;
          if (what === 'store' || what === 'change') {
            await its.store({ key, value: `parser ${word}` });
            there.set(key, word);
            deleted.delete(key);
          } else if (what === 'many') {
            await its.storeMany(Array.from({ length: 40 }, (_, n) => ({ key: `${key}-${n}`, value: `many ${word}` })));
          } else if (what === 'delete' && there.has(key)) {
            await its.delete({ key });
            deleted.set(key, there.get(key) ?? '');
            there.delete(key);
          } else if (what === 'undelete' && deleted.has(key)) {
            await its.undelete({ key });
            there.set(key, deleted.get(key) ?? '');
            deleted.delete(key);
          } else if (what === 'purge') {
            await its.purge({ key });
            there.delete(key);
            deleted.delete(key);
          } else if (what === 'search') {
            wrong.push(...(await notFound(its, there)));
          }
        }
        expect(wrong).toEqual([]);
        for (const each of both) {
          expect(await keys(each.memory, 'parser')).toEqual([...there.keys()].toSorted());
          await each.db.run("INSERT INTO memory_fts (memory_fts, rank) VALUES ('integrity-check', 1)");
          await each.db.close();
        }
      }),
      { seed: 11, numRuns: onServer() ? 2 : 25 },
    );
  }, 60_000);
});

describe('a search that cannot write', () => {
  beforeEach(wasFile);

  test('of a database that is open read-only says how many entries it leaves out, and finds the others', async () => {
    await store('a');
    await keys(memory, 'parser');
    await store('b', 'c');
    await memory.delete({ key: 'c' });
    const reader = await open(true);
    const one = await reader.memory.search({ query: 'parser' });
    expect(one.results.map(({ key }) => key)).toEqual(['a']);
    expect(one.vectors).toMatch(/^off; 1 entry stored lately is not searched by words yet: the database .* is open read-only$/);
    await store('d');
    const two = await reader.memory.search({ query: '', phrase: 'parser of a', maxTokens: 400 });
    expect(two.results).toHaveLength(1);
    expect(two.vectors).toMatch(/^off; 2 entries stored lately are not searched by words yet/);
    await keys(memory, 'parser');
    expect((await reader.memory.search({ query: 'parser' })).vectors).toBe('off');
    expect(await keys(reader.memory, 'parser')).toEqual(['a', 'b', 'd']);
  });

  test.skipIf(onServer())(
    'while another process keeps the lock answers in time, and finds all once it is free',
    async () => {
      await store('a');
      await keys(memory, 'parser');
      await store('b');
      const other = await connect(path, 'write');
      other.exec('BEGIN IMMEDIATE');
      const [one, two] = await Promise.all([memory.search({ query: 'parser' }), memory.search({ query: 'parser' })]);
      expect(one.results.map(({ key }) => key)).toEqual(['a']);
      expect(one.vectors).toMatch(/^off; 1 entry stored lately is not searched by words yet: .*locked/);
      expect(two.vectors).toBe(one.vectors);
      other.exec('ROLLBACK');
      other.close();
      // What was kept of the searches before must not hide it: nothing has changed since but the index.
      expect(await keys(memory, 'parser')).toEqual(['a', 'b']);
    },
    30_000,
  );

  test('says that nothing is left out when what waits was deleted', async () => {
    await store('a');
    await memory.delete({ key: 'a' });
    const reader = await open(true);
    expect((await reader.memory.search({ query: 'parser' })).vectors).toBe('off');
  });
});

describe.skipIf(onServer())('before a database is closed', () => {
  test('what was stored is taken into the index, for those who only read', async () => {
    await store('a');
    await foldBeforeClose(db, runtime);
    expect(await pending()).toBe(0);
    const reader = await open(true);
    expect(await keys(reader.memory, 'parser')).toEqual(['a']);
    await foldBeforeClose(reader.db, runtime); // does nothing
  });

  test('that it cannot be done hides nothing and loses nothing', async () => {
    await store('a');
    const other = await connect(path, 'write');
    other.exec('BEGIN IMMEDIATE');
    await foldBeforeClose(db, runtime);
    await db.close();
    other.exec('ROLLBACK');
    other.close();
    await db.close();
    await foldBeforeClose(db, runtime);
    expect(await keys((await open()).memory, 'parser')).toEqual(['a']);
  }, 30_000);
});

describe.skipIf(onServer())('when a database is opened', () => {
  test('what a killed process left is taken into the index; a reader and a database in use are left alone', async () => {
    await store('a');
    const reader = await open(true);
    await foldAfterOpen(reader.db, runtime);
    const other = await connect(path, 'write');
    other.exec('BEGIN IMMEDIATE');
    const next = await open();
    await foldAfterOpen(next.db, runtime);
    expect(await pending()).toBe(1);
    other.exec('ROLLBACK');
    other.close();
    await foldAfterOpen(next.db, runtime);
    expect(await pending()).toBe(0);
    expect(await keys(reader.memory, 'parser')).toEqual(['a']);
  }, 30_000);

  test('that nobody knows what is indexed is no reason not to open it', async () => {
    await store('a');
    await db.run('DELETE FROM memory_fts_folded');
    await foldAfterOpen(db, runtime);
    expect((await memory.get({ key: 'a' }))?.key).toBe('a');
  });
});

test('a database on which nobody knows what is indexed is searched by nobody, and read by all', async () => {
  await store('a');
  await db.run('DELETE FROM memory_fts_folded');
  await expect(memory.search({ query: 'parser' })).rejects.toThrow(/full-text index .* is damaged/);
  expect((await memory.get({ key: 'a' }))?.value).toBe('a parser of a');
});
