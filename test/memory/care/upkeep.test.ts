import { closeSync, existsSync, openSync, readdirSync, readFileSync, statSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { ConflictError, InvalidInputError, NotFoundError } from '../../../src/errors.ts';
import { fold } from '../../../src/memory/fold.ts';
import { contentHash } from '../../../src/store/content-hash.ts';
import { connect, endReading } from '../../../src/store/connection.ts';
import { onServer } from '../../helpers/databases.ts';
import { openDatabase } from '../../../src/store/open-database.ts';
import { openEmptyDatabase } from '../../../src/store/project-database.ts';
import { createCare } from '../../../src/memory/care/create-care.ts';
import { createMemory } from '../../../src/memory/memory.ts';
import { testRuntime, useScratch } from '../../store/scratch.ts';
import { everything, faults, link, NOW, openPlace, say, type Place } from './place.ts';

const scratch = useScratch();
const DAY = 24 * 3600 * 1000;
let place: Place;

beforeEach(async () => {
  place = await openPlace(scratch);
});

/** Statements behind the back of foreign keys and triggers. */
async function tamper(...statements: string[]): Promise<void> {
  const connection = await connect(place.path, 'write');
  connection.exec('PRAGMA foreign_keys = OFF');
  for (const statement of statements) connection.exec(statement);
  connection.close();
}

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

// Behind the back of foreign keys, and mended after a backup; care/remote.test.ts has what the doctor finds on a server.
describe.skipIf(onServer())('the doctor', () => {
  const wrong = async (repair = false) => {
    const report = await place.care.doctor({ repair });
    return {
      ...report,
      findings: report.findings.filter(({ status }) => status !== 'ok').map(({ check, status }) => `${check} ${status}`),
    };
  };

  test('finds nothing wrong with a sound memory, and makes no backup for it', async () => {
    await say(place, 'a', { x: 1 });
    await say(place, 'a', 'b');
    const report = await place.care.doctor({ repair: true });
    expect(report).toMatchObject({ ok: true, backup: null });
    expect(report.findings.map(({ check, status }) => [check, status])).toEqual(
      ['integrity', 'schema', 'orphans', 'full-text', 'change log', 'vectors', 'values'].map((check) => [check, 'ok']),
    );
    expect(existsSync(join(place.root, '.skillflow', 'backups'))).toBe(false);
  });

  /** As the migrations make it; taken away for what it would have logged, and put back. */
  const DELETE_TRIGGER = `CREATE TRIGGER memory_entry_delete AFTER DELETE ON memory_entry BEGIN
    INSERT INTO chg (entry_id, op) VALUES (old.id, 'delete');
  END`;

  test.each<[string, string, readonly string[]]>([
    [
      'a version of nothing',
      'orphans',
      [
        `INSERT INTO memory_version (entry_id, version, value, format, hash, updated_at) SELECT 999, 1, value, format, hash, 1 FROM memory_entry`,
      ],
    ],
    ['a link to nothing', 'orphans', [`INSERT INTO memory_link VALUES (1, 999, 'x', NULL, 1)`]],
    ['a vector of no space', 'orphans', [`INSERT INTO embedding (space_id, hash, vector) VALUES (9, x'00', x'00')`]],
    [
      'an index that lacks an entry',
      'full-text',
      [`INSERT INTO memory_fts (memory_fts, rowid, key, value, tags) VALUES ('delete', 1, 'a', 'words here', '[]')`],
    ],
    [
      'an index that has one too many',
      'full-text',
      [`INSERT INTO memory_fts (rowid, key, value, tags) VALUES (77, 'ghost', 'ghost', '[]')`],
    ],
    ['an index that is damaged', 'full-text', [`UPDATE memory_fts_data SET block = x'00112233445566778899' WHERE id > 100`]],
    ['changes that are not logged', 'change log', ['DELETE FROM chg']],
    [
      'a deletion that is not logged',
      'change log',
      [
        'DROP TRIGGER memory_entry_delete',
        'DELETE FROM memory_entry',
        `INSERT INTO memory_fts (memory_fts) VALUES ('rebuild')`,
        DELETE_TRIGGER,
      ],
    ],
    [
      'a vector that is too short',
      'vectors',
      [
        `INSERT INTO embedding_space VALUES (1, 'u', 'p', 'm', 2, 1)`,
        `INSERT INTO embedding (space_id, hash, vector) SELECT 1, hash, x'00000000' FROM memory_entry`,
      ],
    ],
    ['a wrong hash', 'values', [`UPDATE memory_entry SET hash = x'00'`]],
  ])('finds and repairs %s', async (_, check, statements) => {
    await say(place, 'a', 'words here');
    await fold(place.db);
    const said = (await everything(place.db)).entries.map((row) => row['value']);
    await tamper(...statements);
    expect(await wrong()).toMatchObject({ ok: false, findings: [`${check} wrong`], backup: null });
    const repaired = await wrong(true);
    expect(repaired).toMatchObject({ ok: true, findings: [`${check} repaired`] });
    expect(statSync(repaired.backup ?? '').size).toBeGreaterThan(4096);
    expect(await wrong()).toEqual({ ok: true, findings: [], backup: null });
    expect((await everything(place.db)).entries.map((row) => row['value'])).toEqual(
      statements[0]?.startsWith('DROP') === true ? [] : said,
    );
  });

  test('names what it cannot repair, and repairs the rest', async () => {
    await say(place, 'a', { x: 1 });
    await tamper(`UPDATE memory_entry SET value = '{"x'`);
    const sick = (await place.care.doctor()).findings.find(({ check }) => check === 'values');
    expect(sick).toMatchObject({
      status: 'wrong',
      detail: expect.stringMatching(/1 values do not have their hash: default\/a version 1; mend it/),
      entries: [{ namespace: 'default', key: 'a', version: 1 }],
    });
    const { ok, findings, backup } = await place.care.doctor({ repair: true });
    expect(ok).toBe(true);
    expect(findings.filter(({ check }) => check === 'values')).toMatchObject([
      {
        status: 'repaired',
        detail: expect.stringMatching(/kept as they are now, with the tag "skillflow-damaged".*default\/a version 1.*backup/),
        entries: [{ key: 'a' }],
      },
    ]);
    expect((await everything(place.db)).entries).toMatchObject([{ value: '{"x', format: 'text', tags: '["skillflow-damaged"]' }]);
    await using copy = await openDatabase(backup ?? '', { runtime: testRuntime(), readOnly: true });
    expect((await everything(copy)).entries).toMatchObject([{ value: '{"x', format: 'json', tags: '[]' }]);
  });

  test('takes a damaged value from where the same text is still whole, with its history and tags', async () => {
    await say(place, 'a', 'the right text', { tags: ['t'] });
    await say(place, 'a', { other: 1 }, { tags: ['t'] });
    await say(place, 'a', 'the right text', { tags: ['t'] });
    await say(place, 'b', 'b one');
    await say(place, 'b', 'b two');
    await say(place, 'c', 'b one');
    const said = await everything(place.db);
    await tamper(
      `UPDATE memory_entry SET value = 'the wrong text' WHERE key = 'a'`,
      `UPDATE memory_version SET value = 'b 1' WHERE value = 'b one'`,
    );
    const { ok, findings } = await place.care.doctor({ repair: true });
    expect(ok).toBe(true);
    expect(findings.find(({ check }) => check === 'values')).toMatchObject({
      status: 'repaired',
      detail: expect.stringMatching(/^2 values do not have their hash: default\/a version 3, default\/b version 1; 2 came back/),
    });
    expect(await everything(place.db)).toEqual(said);
    expect(await faults(place.db)).toEqual([]);
  });

  test('mends tags that are none, which keep nobody from reading the rest meanwhile', async () => {
    await say(place, 'a', 'one', { tags: ['t'] });
    await say(place, 'b', 'two', { tags: ['t'] });
    await tamper(`UPDATE memory_entry SET tags = '["t' WHERE key = 'a'`);
    const memory = createMemory({ open: async () => place.db, runtime: testRuntime({ now: () => NOW }) });
    expect((await memory.list()).entries.map(({ key, tags }) => [key, tags])).toEqual([
      ['a', ['skillflow-damaged']],
      ['b', ['t']],
    ]);
    expect(await memory.list({ tag: 't' })).toMatchObject({ total: 1, entries: [{ key: 'b' }] });
    expect(await memory.get({ key: 'a' })).toMatchObject({ value: 'one', tags: ['skillflow-damaged'] });
    expect((await memory.search({ query: 'one two' })).results).toHaveLength(2);
    expect((await memory.search({ query: 'one two', tags: ['t'] })).results).toMatchObject([{ key: 'b' }]);
    expect(await wrong()).toMatchObject({ findings: ['values wrong'] });
    expect(await wrong(true)).toMatchObject({ ok: true, findings: ['values repaired'] });
    expect(await memory.list({ tag: 'skillflow-damaged' })).toMatchObject({ total: 1, entries: [{ key: 'a', preview: 'one' }] });
    await memory.store({ key: 'a', value: 'one' });
    expect(await memory.get({ key: 'a' })).toMatchObject({ version: 2, tags: [] });
  });

  test('certifies no database that is not there, and makes none', async () => {
    const root = await scratch.folder();
    const runtime = testRuntime();
    const care = createCare({
      open: async () => openEmptyDatabase(runtime),
      runtime,
      projectRoot: root,
      databasePath: join(root, '.skillflow', 'skillflow.db'),
    });
    for (const repair of [false, true]) {
      const { findings } = await care.doctor({ repair });
      expect(findings).toMatchObject([{ status: 'not checked', detail: expect.stringMatching(/there is no database yet/) }]);
    }
    expect(readdirSync(root)).toEqual([]);
  });

  test('leaves alone what SQLite calls damaged', async () => {
    for (let n = 0; n < 300; n += 1) await say(place, `key ${n}`, `${n}`);
    await place.care.persist();
    const bytes = readFileSync(place.path);
    const hash = contentHash('7');
    const pageBytes = bytes.readUInt16BE(16);
    const isIndexLeaf = (at: number): boolean => bytes[at - (at % pageBytes)] === 10;
    let at = bytes.indexOf(hash);
    while (at >= 0 && !isIndexLeaf(at)) at = bytes.indexOf(hash, at + 1);
    expect(at).toBeGreaterThan(0);
    const file = openSync(place.path, 'r+');
    writeSync(file, Buffer.alloc(8, 0xee), 0, 8, at); // the index has another hash than the table
    closeSync(file);
    const again = await openPlace(scratch, { root: place.root });
    const report = await again.care.doctor({ repair: true });
    expect(report).toMatchObject({ ok: false, backup: null });
    expect(report.findings[0]).toMatchObject({
      check: 'integrity',
      status: 'wrong',
      detail: expect.stringMatching(/not repaired.*Restore a backup/),
    });
    await again.care.backup('copy.db'); // it has the rows, and makes the indexes anew
    expect(await again.care.restore('copy.db')).toMatchObject({ report: { unchanged: 300 } });
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
