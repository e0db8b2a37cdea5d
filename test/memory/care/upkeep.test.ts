import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { ConflictError, InvalidInputError, NotFoundError } from '../../../src/errors.ts';
import { contentHash } from '../../../src/store/content-hash.ts';
import { connect, endReading } from '../../../src/store/connection.ts';
import { onServer } from '../../helpers/databases.ts';
import { createMemory } from '../../../src/memory/memory.ts';
import { testRuntime, useScratch } from '../../store/scratch.ts';
import { everything, faults, link, NOW, openPlace, say, type Place } from './place.ts';

const scratch = useScratch();
const DAY = 24 * 3600 * 1000;
let place: Place;

beforeEach(async () => {
  place = await openPlace(scratch);
});

async function keys(): Promise<readonly unknown[]> {
  return (await place.db.all('SELECT key FROM memory_entry WHERE deleted_at IS NULL ORDER BY key')).map((row) => row['key']);
}

describe('compacting', () => {
  test('removes what is expired, long deleted, old or unused, and gives the space back', async () => {
    await say(place, 'a', 'now', { expiresAt: NOW });
    await say(place, 'b', 'later', { expiresAt: NOW + 1 });
    for (const [key, days] of [
      ['old', 31],
      ['young', 29],
    ] as const) {
      await say(place, key, key);
      await place.db.run('UPDATE memory_entry SET deleted_at = ? WHERE key = ?', [NOW - days * DAY, key]);
    }
    for (let n = 0; n < 8; n += 1) await say(place, 'v', `${n}${'x'.repeat(50_000)}`);
    await place.db.run(`INSERT INTO embedding_space (uid, provider, model, dimensions, created_at) VALUES ('u', 'p', 'm', 2, 1)`);
    for (const value of ['later', 'nobody says this']) {
      await place.db.run('INSERT INTO embedding (space_id, hash, vector) VALUES (1, ?, ?)', [
        contentHash(value),
        new Uint8Array(8),
      ]);
    }
    const report = await place.care.compact({ keepVersions: 2 });
    expect(report).toMatchObject({ expired: 1, purged: 1, versions: 5, duplicates: 0, vectors: 1 });
    const { bytesBefore, bytesAfter } = report; // a server tells no size
    const isRight = onServer() ? bytesBefore === null && bytesAfter === null : (bytesAfter ?? 0) < (bytesBefore ?? 0);
    expect(isRight, `${bytesBefore} ${bytesAfter}`).toBe(true);
    expect(await keys()).toEqual(['b', 'v']);
    expect((await everything(place.db)).versions).toMatchObject([{ version: 6 }, { version: 7 }]);
    expect(await faults(place.db)).toEqual([]);
    expect(await place.care.compact({ keepVersions: 2 })).toMatchObject({ expired: 0, purged: 0, versions: 0, vectors: 0 });
  });

  test('removes the vectors of a model that is named, and never another one', async () => {
    await say(place, 'a', 'x');
    for (const [id, model] of [
      [1, 'old'],
      [2, 'new'],
    ] as const) {
      const columns = '(uid, provider, model, dimensions, created_at)';
      await place.db.run(`INSERT INTO embedding_space ${columns} VALUES (?, 'p', ?, 2, 1)`, [`u${id}`, model]);
      await place.db.run('INSERT INTO embedding (space_id, hash, vector) SELECT ?, hash, ? FROM memory_entry', [
        id,
        new Uint8Array(8),
      ]);
    }
    const one = { provider: 'p', dimensions: 2, vectors: 1, bytes: 8 };
    expect((await place.care.stats()).vectors).toEqual([
      { ...one, model: 'old' },
      { ...one, model: 'new' },
    ]);
    const findings = async () => (await place.care.doctor()).findings.find(({ check }) => check === 'vectors')?.detail;
    expect(await findings()).toMatch(/p old \(2 dimensions\): 1, 8 bytes, p new .*--drop-model/);
    expect(await place.care.compact()).toMatchObject({ vectors: 0 });
    await expect(place.care.compact({ dropModel: 'odl' })).rejects.toMatchObject({
      code: 'not_found',
      hint: expect.stringMatching(/old/),
    });
    expect(await place.care.compact({ dropModel: 'old' })).toMatchObject({ vectors: 1 });
    expect((await place.care.stats()).vectors).toEqual([{ ...one, model: 'new' }]);
    expect(await findings()).not.toMatch(/drop-model/);
  });

  test('deletes repeated values but the newest, where that is asked for, within a namespace', async () => {
    await say(place, 'one', 'same', { at: 1 });
    await say(place, 'two', 'same', { at: 2 });
    await say(place, 'three', 'same', { at: 2 });
    await say(place, 'json', { same: 1 }, { at: 3 });
    await say(place, 'far', 'same', { namespace: 'other' });
    await say(place, 'far 2', 'same', { namespace: 'other' });
    expect(await place.care.compact()).toMatchObject({ duplicates: 0 });
    expect(await place.care.compact({ dedupe: true, namespace: 'default' })).toMatchObject({ duplicates: 2 });
    expect(await keys()).toEqual(['far', 'far 2', 'json', 'three']);
    expect(await place.care.stats()).toMatchObject({ deleted: 2 });
  });

  describe('of entries that repeat a value', () => {
    const dedupe = async () => (await place.care.compact({ dedupe: true })).repeated;
    const inDefault = (key: string, kept: string) => ({ namespace: 'default', key, kept });

    test('keeps the one that holds now and the longest, and says which went', async () => {
      await say(place, 'lasting', 'papaya', { at: 1 });
      await say(place, 'brief', 'papaya', { at: 2, expiresAt: NOW + 10 });
      await say(place, 'holds', 'mango', { at: 1 });
      await say(place, 'held', 'mango', { at: 2, validTo: NOW });
      await say(place, 'now', 'fig', { at: 1 });
      await say(place, 'future', 'fig', { at: 2, validFrom: NOW + 1000 });
      await say(place, 'longer', 'plum', { at: 1, expiresAt: NOW + 20, validTo: NOW + 5000 });
      await say(place, 'shorter', 'plum', { at: 2, expiresAt: NOW + 10, validTo: NOW + 4000 });
      expect(await dedupe()).toEqual([
        inDefault('brief', 'lasting'),
        inDefault('held', 'holds'),
        inDefault('future', 'now'),
        inDefault('shorter', 'longer'),
      ]);
      expect(await keys()).toEqual(['holds', 'lasting', 'longer', 'now']);
      expect(await dedupe()).toEqual([]);
    });

    test('keeps all where none makes another needless, and what is cached', async () => {
      await say(place, 'brief', 'papaya', { expiresAt: NOW + 10 });
      await say(place, 'until', 'papaya', { validTo: NOW + 1000 });
      await say(place, 'held', 'mango', { validTo: NOW - 1 });
      await say(place, 'future', 'mango', { validFrom: NOW + 1 });
      for (const key of ['c1', 'c2']) await say(place, key, 'same', { namespace: 'cache', kind: 'cache' });
      expect(await dedupe()).toEqual([]);
      expect(await keys()).toEqual(['brief', 'c1', 'c2', 'future', 'held', 'until']);
    });

    test('names no more than 20', async () => {
      for (let n = 0; n < 30; n += 1) await say(place, `k${n}`, 'same', { at: n });
      const { duplicates, repeated } = await place.care.compact({ dedupe: true });
      expect([duplicates, repeated.length, repeated[0]]).toEqual([29, 20, inDefault('k0', 'k29')]);
    });

    test('what one of them superseded stays so until the kept one goes too', async () => {
      const memory = createMemory({ open: async () => place.db, runtime: testRuntime({ now: () => NOW }) });
      const [d0, d1, d2] = [{ key: 'd0' }, { key: 'd1' }, { key: 'd2' }] as const;
      await memory.store({ ...d0, value: 'olive zero' });
      await memory.store({ ...d1, value: 'olive one' });
      await memory.supersede(d0, d1, 'why');
      await memory.store({ ...d2, value: 'olive one' });
      expect(await dedupe()).toEqual([inDefault('d1', 'd2')]);
      expect((await memory.get(d0))?.validTo).toBe(NOW);
      expect(await memory.links(d0)).toMatchObject([{ key: 'd2', kind: 'supersedes', reason: 'why' }]);
      await memory.delete(d2);
      expect((await memory.get(d0))?.validTo).toBeNull();
    });

    test('one that superseded what is kept lets that go', async () => {
      const memory = createMemory({ open: async () => place.db, runtime: testRuntime({ now: () => NOW }) });
      const [old, by] = [{ key: 'old' }, { key: 'by' }] as const;
      for (const name of [by, old]) await memory.store({ ...name, value: 'olive' });
      await memory.supersede(old, by);
      await memory.store({ ...old, value: 'olive', tags: ['again'] }); // holds again
      expect(await dedupe()).toEqual([inDefault('by', 'old')]);
      expect(await memory.get(old)).toMatchObject({ validTo: null });
      expect(await faults(place.db)).toEqual([]);
    });
  });

  test('what bridges others leaves them linked', async () => {
    const [a, b, c] = [await say(place, 'a', 'a'), await say(place, 'b', 'b'), await say(place, 'c', 'c')];
    await link(place, b, a, 'supersedes', 'why');
    await link(place, c, b, 'supersedes');
    await place.db.run(`UPDATE memory_entry SET deleted_at = ? WHERE key = 'b'`, [NOW - 1]);
    expect(await place.care.compact({ deletedDays: 0 })).toMatchObject({ purged: 1 });
    expect((await everything(place.db)).links).toMatchObject([{ fk: 'c', tk: 'a', kind: 'supersedes', reason: 'why' }]);
  });

  test('touches one namespace alone', async () => {
    for (const namespace of ['a', 'b']) {
      await say(place, `e${namespace}`, 'x', { namespace, expiresAt: 5 });
      for (let n = 0; n < 3; n += 1) await say(place, `v${namespace}`, `${n}`, { namespace });
    }
    expect(await place.care.compact({ namespace: 'a', keepVersions: 0 })).toMatchObject({ expired: 1, versions: 2 });
    expect(await keys()).toEqual(['eb', 'va', 'vb']);
  });

  test.each([{ deletedDays: -1 }, { deletedDays: NaN }, { keepVersions: 1.5 }, { namespace: '' }])(
    '%o is refused',
    async (options) => {
      await expect(place.care.compact(options)).rejects.toThrow(InvalidInputError);
    },
  );
});

describe('stats', () => {
  test('count what is there', async () => {
    const a = await say(place, 'a', 'ü', { at: NOW - 2 * DAY });
    await say(place, 'a', 'üü', { at: NOW - 1000 });
    const b = await say(place, 'b', 'x'.repeat(100), { namespace: 'n', kind: 'fact', at: NOW - 3 * DAY });
    await say(place, 'c', 'c', { at: NOW - 10 * DAY });
    await say(place, 'd', 'd', { at: NOW - 100 * DAY });
    await say(place, 'gone', 'g');
    await place.db.run(`UPDATE memory_entry SET deleted_at = 5 WHERE key = 'gone'`);
    await say(place, 'expired', 'e', { expiresAt: 5 });
    await link(place, a, b, 'about');
    const stats = await place.care.stats();
    expect(stats).toMatchObject({
      entries: 4,
      namespaces: 2,
      versions: 1,
      links: 1,
      deleted: 1,
      expired: 1,
      valueBytes: 106,
      byNamespace: [
        { namespace: 'default', entries: 3, bytes: 6 },
        { namespace: 'n', entries: 1, bytes: 100 },
      ],
      byKind: [
        { kind: 'note', entries: 3 },
        { kind: 'fact', entries: 1 },
      ],
      byAge: { day: 1, week: 1, month: 1, older: 1 },
      oldestAt: NOW - 100 * DAY,
      newestAt: NOW - 1000,
    });
    expect(stats.largest[0]).toEqual({ namespace: 'n', key: 'b', bytes: 100 });
    expect(stats.fileBytes ?? 0).toBeGreaterThan(onServer() ? -1 : 4096); // a server tells no size
    expect(await place.care.stats('n')).toMatchObject({ entries: 1, versions: 0, links: 0, deleted: 0, byAge: { week: 1 } });
    expect(await place.care.stats('none')).toMatchObject({ entries: 0, valueBytes: 0, oldestAt: null, largest: [] });
  });
});

// The log is a file.
describe.skipIf(onServer())('persisting', () => {
  test('moves the log into the file', async () => {
    for (let n = 0; n < 20; n += 1) await say(place, `k${n}`, 'x'.repeat(5000));
    expect(statSync(`${place.path}-wal`).size).toBeGreaterThan(0);
    expect(await place.care.persist()).toMatchObject({ entries: 20, framesLeft: 0 });
    expect(statSync(`${place.path}-wal`).size).toBe(0);
  });

  test('says what a reader keeps in the log', async () => {
    await say(place, 'a', 'x');
    const reader = await connect(place.path, 'read');
    reader.exec('BEGIN');
    reader.all('SELECT * FROM memory_entry');
    await say(place, 'b', 'x');
    const { framesLeft } = await place.care.persist();
    expect(framesLeft).toBeGreaterThan(0);
    endReading(reader);
    expect((await place.care.persist()).framesLeft).toBe(0);
  });
});

// Snapshots are copies of the file.
describe.skipIf(onServer())('snapshots', () => {
  const SWARM = `INSERT INTO swarm (id, topology, strategy, max_agents, status, created_at, updated_at) VALUES (?, 'star', 's', 3, 'active', 1, 1)`;
  const AGENT = `INSERT INTO agent (id, swarm_id, type, status, created_at, updated_at) VALUES (?, ?, 't', 'idle', 1, 1)`;
  const TASK = `INSERT INTO task (id, swarm_id, description, strategy, priority, status, created_at, updated_at) VALUES (?, ?, 'd', 's', 'p', 'open', 1, 1)`;

  test('bring back memory, swarms, agents and tasks', async () => {
    const { db, care } = place;
    await say(place, 'a', 'one', { at: 1 });
    await db.run(SWARM, ['s1']);
    await db.run(AGENT, ['a1', 's1']);
    await db.run(TASK, ['t1', 's1']);
    expect(await care.snapshot('first')).toMatchObject({ name: 'first', entries: 1, createdAt: NOW });
    await say(place, 'a', 'two', { at: 2 });
    await say(place, 'b', 'new');
    await db.run(`DELETE FROM swarm WHERE id = 's1'`); // its agent goes with it
    await db.run(SWARM, ['s2']);
    await db.run(AGENT, ['a2', 's2']);
    await db.run(`UPDATE task SET status = 'done'`);
    await db.run(`INSERT INTO run (id, skill, task, status, provider, created_at) VALUES ('r', 's', 't', 'running', 'local', 1)`);
    const { differences, safety } = await care.restoreSnapshot('first');
    expect(differences).toEqual([
      { what: 'memory', added: 0, changed: 1, removed: 1 },
      { what: 'swarms', added: 1, changed: 0, removed: 1 },
      { what: 'agents', added: 1, changed: 0, removed: 1 },
      { what: 'tasks', added: 0, changed: 1, removed: 0 },
    ]);
    expect(await db.all('SELECT id, swarm_id, status FROM task')).toEqual([{ id: 't1', swarm_id: 's1', status: 'open' }]);
    expect(await db.all('SELECT id, swarm_id FROM agent')).toEqual([{ id: 'a1', swarm_id: 's1' }]);
    expect((await everything(db)).entries).toMatchObject([{ value: 'one', version: 1 }]);
    expect(await db.all('SELECT id FROM run')).toHaveLength(1);
    expect(existsSync(safety)).toBe(true);
    expect(await faults(db)).toEqual([]);
    const again = await care.restoreSnapshot('first');
    expect(again.differences.map(({ added, changed, removed }) => added + changed + removed)).toEqual([0, 0, 0, 0]);
  });

  test('are listed, newest first, and named by time when they have no name', async () => {
    let now = NOW;
    const { care } = await openPlace(scratch, { root: place.root, now: () => (now += 1000) });
    const names = [(await care.snapshot('b')).name, (await care.snapshot()).name, (await care.snapshot('a.1_-')).name];
    expect((await care.snapshots()).map(({ name }) => name)).toEqual(names.toReversed());
    expect(names[1]).toMatch(/^2023-11-14T22-13-\d\d-000Z$/);
    expect(await (await openPlace(scratch)).care.snapshots()).toEqual([]);
  });

  test('have one name each', async () => {
    await place.care.snapshot('Release-1');
    await expect(place.care.snapshot('Release-1')).rejects.toThrow(ConflictError);
    for (const name of ['', '../x', 'a/b', 'ü', 'x'.repeat(65), 'a b']) {
      await expect(place.care.snapshot(name), name).rejects.toThrow(InvalidInputError);
      await expect(place.care.restoreSnapshot(name), name).rejects.toThrow(InvalidInputError);
    }
    await expect(place.care.restoreSnapshot('release-2')).rejects.toMatchObject({
      code: 'not_found',
      hint: 'Did you mean Release-1?',
    });
    await expect(place.care.restoreSnapshot('zzz')).rejects.toThrow(NotFoundError);
    expect(readdirSync(join(place.root, '.skillflow', 'snapshots'))).toEqual(['Release-1.db', 'Release-1.db.json']);
  });
});
