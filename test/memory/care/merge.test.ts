import { copyFileSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { beforeEach, describe, expect, test } from 'vitest';
import { ConflictError, InvalidInputError, NotFoundError, SchemaTooNewError } from '../../../src/errors.ts';
import { createMemory } from '../../../src/memory/memory.ts';
import { connect } from '../../../src/store/connection.ts';
import { onServer } from '../../helpers/databases.ts';
import { testRuntime, useScratch } from '../../store/scratch.ts';
import { everything, faults, link, noReport, NOW, openPlace, put, say, type Place } from './place.ts';

const scratch = useScratch();
const RUNS = onServer() ? 8 : 40;
let ours: Place;
let theirs: Place;

beforeEach(async () => {
  [ours, theirs] = [await openPlace(scratch), await openPlace(scratch, { isFile: true })];
});

/** Merges their memory into ours, twice: the second time nothing changes. */
async function merge(): ReturnType<Place['care']['merge']> {
  const { path } = await theirs.care.backup();
  copyFileSync(path, join(ours.root, 'theirs.db'));
  const report = await ours.care.merge('theirs.db');
  const merged = await everything(ours.db);
  const again = await ours.care.merge('theirs.db');
  expect(again).toEqual(
    noReport({ unchanged: again.unchanged, expired: again.expired, deleted: again.deleted, linksLeftOut: again.linksLeftOut }),
  );
  expect(await everything(ours.db)).toEqual(merged);
  return report;
}

async function versions(): Promise<readonly (readonly unknown[])[]> {
  const all = await everything(ours.db);
  return [...all.versions, ...all.entries].map(({ version, value }) => [version, value]);
}

test('what one has and the other has not is brought in with its versions and links', async () => {
  await say(ours, 'ours', 'o');
  const a = await say(theirs, 'a', 'one', { at: 1 });
  await say(theirs, 'a', 'two', { at: 2 });
  const b = await say(theirs, 'b', 'x', { agent: 'reviewer' });
  await link(theirs, a, b, 'about', 'why');
  expect(await merge()).toEqual(noReport({ added: 2, versions: 1, links: 1 }));
  expect((await everything(ours.db)).entries).toHaveLength(3);
  expect(await faults(ours.db)).toEqual([]);
});

describe('of two that differ', () => {
  test.each([
    ['theirs', 10, 20, { updated: 1 }],
    ['ours', 20, 10, { kept: 1 }],
  ] as const)('the newer holds, and the other becomes a version: %s', async (kept, ourAt, theirAt, count) => {
    await say(ours, 'k', 'ours', { at: ourAt });
    await say(theirs, 'k', 'theirs', { at: theirAt, tags: ['t'] });
    const conflicts = [{ namespace: 'default', key: 'k', kept }];
    expect(await merge()).toEqual(noReport({ ...count, versions: 1, conflicts }));
    expect(await versions()).toEqual([
      [1, kept === 'ours' ? 'theirs' : 'ours'],
      [2, kept],
    ]);
  });

  test('ours holds when they are as old', async () => {
    await say(ours, 'k', 'ours', { at: 10 });
    await say(theirs, 'k', 'theirs', { at: 10 });
    expect(await merge()).toMatchObject({ kept: 1, conflicts: [{ kept: 'ours' }] });
  });

  test('and equal ones are left alone', async () => {
    await say(ours, 'k', 'same', { at: 10 });
    await say(theirs, 'k', 'same', { at: 10 });
    expect(await merge()).toEqual(noReport({ unchanged: 1 }));
  });

  test.each([
    ['later', 10, 20],
    ['earlier', 20, 10],
  ])(
    'and what says the same is unchanged, though it was said %s and by another; the later time counts',
    async (_, ourAt, theirAt) => {
      await say(ours, 'k', 'same', { at: ourAt, agent: 'a', tags: ['t'] });
      await say(theirs, 'k', 'same', { at: theirAt, agent: 'b', tags: ['t'] });
      expect(await merge()).toEqual(noReport({ unchanged: 1 }));
      expect(await everything(ours.db)).toMatchObject({
        entries: [{ value: 'same', version: 1, updated_at: 20, agent: ourAt === 20 ? 'a' : 'b' }],
        versions: [],
      });
      expect(await faults(ours.db)).toEqual([]);
    },
  );

  test('and what differs in more than its time and its source is no equal', async () => {
    await say(ours, 'a', 'same', { at: 10 });
    await say(theirs, 'a', 'same', { at: 20, tags: ['t'] });
    await say(ours, 'b', 'same', { at: 10 });
    await say(theirs, 'b', 'same', { at: 20, expiresAt: NOW + 1 });
    expect(await merge()).toMatchObject({ updated: 2, unchanged: 0, versions: 2 });
  });

  test('and of equal ones with different pasts nothing is lost', async () => {
    await say(ours, 'k', 'one', { at: 1 });
    await say(ours, 'k', 'same', { at: 10 });
    await say(theirs, 'k', 'two', { at: 2 });
    await say(theirs, 'k', 'same', { at: 20 });
    expect(await merge()).toMatchObject({ unchanged: 1, updated: 0, conflicts: [] });
    const values = (await versions()).map(([, value]) => value);
    expect(values).toEqual(expect.arrayContaining(['one', 'two']));
    expect(values.at(-1)).toBe('same');
  });

  test('a deletion of what is equal is a change', async () => {
    await say(ours, 'k', 'same', { at: 10 });
    await say(theirs, 'k', 'same', { at: 20 });
    await theirs.db.run('UPDATE memory_entry SET deleted_at = 30');
    expect(await merge()).toEqual(noReport({ updated: 1, deleted: 1 }));
    expect((await everything(ours.db)).entries).toMatchObject([{ deleted_at: 30 }]);
  });

  // What went on from a backup of ours, which a server's database has none of.
  test.skipIf(onServer())('a copy that went on is followed without conflict, with its own numbers', async () => {
    await say(ours, 'k', 'one', { at: 1 });
    await ours.care.backup('start.db');
    copyFileSync(join(ours.root, 'start.db'), join(theirs.root, 'start.db'));
    await theirs.care.restore('start.db');
    for (const [at, value] of [
      [2, 'two'],
      [3, 'three'],
    ] as const)
      await say(theirs, 'k', value, { at });
    expect(await merge()).toEqual(noReport({ updated: 1, versions: 2 }));
    expect(await everything(ours.db)).toEqual(await everything(theirs.db));
  });

  test.skipIf(onServer())('a copy that went on in the same millisecond is followed too', async () => {
    await say(ours, 'k', 'one', { at: 1 });
    await ours.care.backup('start.db');
    copyFileSync(join(ours.root, 'start.db'), join(theirs.root, 'start.db'));
    await theirs.care.restore('start.db');
    await say(theirs, 'k', 'two', { at: 1 });
    expect(await merge()).toEqual(noReport({ updated: 1, versions: 1 }));
  });

  test.skipIf(onServer())('what both had before is kept once', async () => {
    await say(ours, 'k', 'base', { at: 1 });
    await ours.care.backup('start.db');
    copyFileSync(join(ours.root, 'start.db'), join(theirs.root, 'start.db'));
    await theirs.care.restore('start.db');
    await say(ours, 'k', 'ours', { at: 5 });
    await say(theirs, 'k', 'theirs 4', { at: 4 });
    await say(theirs, 'k', 'theirs 6', { at: 6 });
    expect(await merge()).toMatchObject({ updated: 1, conflicts: [{ kept: 'theirs' }] });
    expect(await versions()).toEqual([
      [1, 'base'],
      [2, 'ours'],
      [3, 'theirs 4'],
      [4, 'theirs 6'],
    ]);
  });

  test('no more than 100 versions are kept', async () => {
    for (let n = 1; n <= 80; n += 1) {
      await say(ours, 'k', `o${n}`, { at: n * 2 });
      await say(theirs, 'k', `t${n}`, { at: n * 2 + 1 });
    }
    await merge();
    const { entries, versions: kept } = await everything(ours.db);
    expect(kept).toHaveLength(100);
    expect(entries).toMatchObject([{ value: 't80' }]);
  });
});

describe('a deletion', () => {
  const remove = (place: Place, at: number) => place.db.run('UPDATE memory_entry SET deleted_at = ? WHERE key = ?', [at, 'k']);
  const deletedAt = async () => (await everything(ours.db)).entries[0]?.['deleted_at'];

  test.each([
    ['after both were written holds', 10, 5, 20, 20],
    ['before ours was written does not', 30, 5, 20, null],
    ['of the same holds', 5, 5, 20, 20],
  ])('of theirs %s', async (_, ourAt, theirAt, deleted, expected) => {
    await say(ours, 'k', ourAt === theirAt ? 'same' : 'ours', { at: ourAt });
    await say(theirs, 'k', ourAt === theirAt ? 'same' : 'theirs', { at: theirAt });
    await remove(theirs, deleted);
    await merge();
    expect(await deletedAt()).toBe(expected);
    expect(await faults(ours.db)).toEqual([]);
  });

  test('of ours gives way to what was written later', async () => {
    await say(ours, 'k', 'ours', { at: 5 });
    await remove(ours, 10);
    await say(theirs, 'k', 'theirs', { at: 20 });
    await merge();
    expect(await deletedAt()).toBe(null);
  });
});

describe('what was brought back', () => {
  const name = { key: 'k' };
  const at = { now: 0 };
  const memoryOf = ({ db }: Place) => createMemory({ open: async () => db, runtime: testRuntime({ now: () => at.now }) });

  /** Both have the entry, and have deleted it. */
  async function deletedOnBoth() {
    const [here, there] = [memoryOf(ours), memoryOf(theirs)];
    at.now = 10;
    for (const memory of [here, there]) await memory.store({ ...name, value: 'v' });
    at.now = 20;
    for (const memory of [here, there]) await memory.delete(name);
    return { here, there };
  }

  test('is not deleted again by a copy of before, in whatever way that comes', async () => {
    const { here } = await deletedOnBoth();
    for (const now of [20, 30]) {
      at.now = now; // also in the same millisecond
      await here.undelete(name);
      expect(await merge()).toEqual(noReport({ unchanged: 1, deleted: 1 }));
      await theirs.care.export('e.jsonl', { overwrite: true });
      copyFileSync(join(theirs.root, 'e.jsonl'), join(ours.root, 'e.jsonl'));
      expect(await ours.care.import('e.jsonl')).toEqual(noReport({ unchanged: 1, deleted: 1 }));
      expect((await here.get(name))?.value).toBe('v');
      at.now += 1;
      await here.delete(name);
    }
  });

  test('or stored anew in the millisecond of its deletion stays', async () => {
    const { here } = await deletedOnBoth();
    await here.store({ ...name, value: 'w' });
    expect(await merge()).toEqual(noReport({ unchanged: 1, deleted: 1 }));
    expect((await here.get(name))?.value).toBe('w');
  });

  test('comes back in a copy of before, with its history, and a later deletion holds again', async () => {
    const { here, there } = await deletedOnBoth();
    at.now = 30;
    await there.undelete(name);
    expect(await merge()).toEqual(noReport({ updated: 1, versions: 1 }));
    expect(await here.get(name)).toMatchObject({ value: 'v', version: 2, updatedAt: 30 });
    const same = async () => expect(await everything(ours.db)).toEqual(await everything(theirs.db));
    await same();
    at.now = 40;
    await there.delete(name);
    expect(await merge()).toEqual(noReport({ updated: 1, deleted: 1 }));
    expect(await here.get(name)).toBeUndefined();
    await same();
  });

  test('on both sides, and changed on one, is no conflict of the deletion', async () => {
    const { here, there } = await deletedOnBoth();
    at.now = 30;
    await here.undelete(name);
    at.now = 35;
    await there.undelete(name);
    expect(await merge()).toEqual(noReport({ unchanged: 1 }));
    expect(await here.get(name)).toMatchObject({ updatedAt: 35 });
    at.now = 50;
    await here.store({ ...name, value: 'w' });
    expect(await merge()).toEqual(noReport({ unchanged: 1 }));
    expect(await here.get(name)).toMatchObject({ value: 'w' });
  });
});

describe('a link that was removed here', () => {
  const at = { now: 0 };
  const memoryOf = ({ db }: Place) => createMemory({ open: async () => db, runtime: testRuntime({ now: () => at.now }) });
  const [old, late] = [{ key: 'old' }, { key: 'late' }];

  beforeEach(async () => {
    for (const place of [ours, theirs]) {
      const memory = memoryOf(place);
      at.now = 10;
      await memory.store({ ...old, value: 'o' });
      await memory.store({ ...late, value: 'l' });
      at.now = 20;
      await memory.supersede(old, late);
    }
    at.now = 30;
  });

  test('does not say again that an entry was superseded which holds by what was written since', async () => {
    const memory = memoryOf(ours);
    await memory.unlink(late, old, 'supersedes');
    expect(await merge()).toEqual(noReport({ unchanged: 2, linksLeftOut: 1 }));
    expect(await memory.links(old)).toEqual([]);
    expect((await memory.get(old))?.validTo).toBeNull();
    // Where it was superseded anew, that is known.
    at.now = 40;
    await memory.supersede(old, late, 'again');
    expect(await merge()).toMatchObject({ unchanged: 2, links: 0 });
    expect(await memory.links(old)).toMatchObject([{ reason: 'again' }]);
  });

  test('says so where nothing was written since', async () => {
    await ours.db.run('DELETE FROM memory_link');
    expect(await merge()).toEqual(noReport({ unchanged: 2, links: 1 }));
  });

  test('of another kind comes back: its removal has no time', async () => {
    await memoryOf(theirs).link(old, late, 'about');
    expect(await merge()).toEqual(noReport({ unchanged: 2, links: 1 }));
  });

  test('an entry that was superseded, deleted and brought back holds again when the other goes', async () => {
    const memory = memoryOf(ours);
    await memory.delete(old);
    at.now = 40;
    await memory.undelete(old);
    expect(await memory.history(old)).toMatchObject([{ supersededBy: late }, { supersededBy: late }, { supersededBy: null }]);
    at.now = 50;
    await memory.delete(late);
    expect((await memory.get(old))?.validTo).toBeNull();
    at.now = 60;
    await memory.undelete(late);
    expect((await memory.get(old))?.validTo).toBe(60);
  });
});

test('what has expired is left out, and ours that has expired is nothing', async () => {
  await say(ours, 'a', 'ours', { at: 100, expiresAt: NOW });
  await say(theirs, 'a', 'theirs', { at: 10 });
  await say(theirs, 'b', 'x', { expiresAt: NOW - 1 });
  expect(await merge()).toEqual(noReport({ added: 1, expired: 1 }));
  expect(await versions()).toEqual([[1, 'theirs']]);
});

test('any two memories: the newest of each holds, nothing is lost, a second time changes nothing, order does not matter', async () => {
  const step = fc.record({ mine: fc.boolean(), key: fc.constantFrom('a', 'b', 'c'), at: fc.integer({ min: 1, max: 40 }) });
  await fc.assert(
    fc.asyncProperty(fc.uniqueArray(step, { maxLength: 14, selector: ({ key, at }) => `${key}${at}` }), async (steps) => {
      for (const { db } of [ours, theirs]) await db.run('DELETE FROM memory_entry');
      const ordered = steps.toSorted((x, y) => x.at - y.at);
      for (const { mine, key, at } of ordered) {
        await (mine ? ours : theirs).db.write((queries) => put(queries, 'n', key, { value: `${key}${at}${String(mine)}`, at }));
      }
      await merge();
      const { entries, versions: history } = await everything(ours.db);
      for (const key of new Set(ordered.map((one) => one.key))) {
        const said = ordered.filter((one) => one.key === key).map(({ at, mine }) => `${key}${at}${String(mine)}`);
        const kept = [...history, ...entries].filter((row) => row['key'] === key);
        expect(kept.map((row) => row['value']).toSorted()).toEqual(said.toSorted());
        expect(kept.at(-1)?.['value']).toBe(said.at(-1));
        expect(new Set(kept.map((row) => row['version'])).size).toBe(kept.length);
      }
    }),
    { seed: 5, numRuns: RUNS },
  );
  expect(await faults(ours.db)).toEqual([]);
});

test('any two memories of few values: the newest of each holds, and a second time changes nothing', async () => {
  const step = fc.record({
    mine: fc.boolean(),
    key: fc.constantFrom('a', 'b'),
    value: fc.constantFrom('x', 'y'),
    at: fc.integer({ min: 1, max: 40 }),
  });
  await fc.assert(
    fc.asyncProperty(fc.uniqueArray(step, { maxLength: 12, selector: ({ key, at }) => `${key}${at}` }), async (steps) => {
      for (const { db } of [ours, theirs]) await db.run('DELETE FROM memory_entry');
      const ordered = steps.toSorted((x, y) => x.at - y.at);
      for (const { mine, key, value, at } of ordered)
        await (mine ? ours : theirs).db.write((queries) => put(queries, 'n', key, { value, at }));
      await merge();
      for (const entry of (await everything(ours.db)).entries) {
        const last = ordered.findLast(({ key }) => key === entry['key']);
        expect([entry['value'], entry['updated_at']]).toEqual([last?.value, last?.at]);
      }
    }),
    { seed: 6, numRuns: RUNS },
  );
  expect(await faults(ours.db)).toEqual([]);
});

test('the other database is only read, also while its owner has it open', async () => {
  const root = join(ours.root, 'inner');
  const inner = await openPlace(scratch, { root, isFile: true });
  await say(inner, 'k', 'v');
  const before = readFileSync(inner.path);
  expect(await ours.care.merge('inner/.skillflow/skillflow.db')).toMatchObject({ added: 1 });
  expect(readFileSync(inner.path).equals(before)).toBe(true);
});

test('what is no database of ours is refused', async () => {
  const make = async (name: string, ...statements: string[]): Promise<void> => {
    const connection = await connect(join(ours.root, name), 'write');
    for (const statement of statements) connection.exec(statement);
    connection.close();
  };
  await make('foreign.db', 'CREATE TABLE t (a)');
  await make('empty.db', 'CREATE TABLE t (a)', 'DROP TABLE t');
  const { path } = await theirs.care.backup();
  copyFileSync(path, join(ours.root, 'new.db'));
  await make('new.db', 'PRAGMA user_version = 999');
  await expect(ours.care.merge('foreign.db')).rejects.toThrow(ConflictError);
  await expect(ours.care.merge('empty.db')).rejects.toThrow(NotFoundError);
  await expect(ours.care.merge('new.db')).rejects.toThrow(SchemaTooNewError);
  const itself = onServer() ? NotFoundError : InvalidInputError; // which is no file there
  await expect(ours.care.merge('.skillflow/skillflow.db')).rejects.toThrow(itself);
});
