import { closeSync, existsSync, openSync, readdirSync, readFileSync, statSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { fold } from '../../../src/memory/fold.ts';
import { contentHash } from '../../../src/store/content-hash.ts';
import { connect } from '../../../src/store/connection.ts';
import { onServer } from '../../helpers/databases.ts';
import { openDatabase } from '../../../src/store/open-database.ts';
import { openEmptyDatabase } from '../../../src/store/project-database.ts';
import { createCare } from '../../../src/memory/care/create-care.ts';
import { createMemory } from '../../../src/memory/memory.ts';
import { testRuntime, useScratch } from '../../store/scratch.ts';
import { everything, faults, link, NOW, openPlace, say, type Place } from './place.ts';

const scratch = useScratch();
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

  test('names and mends times that are none, of entries, versions and links', async () => {
    const a = await say(place, 'a', 'one', { at: NOW - 9, tags: ['t'] });
    await say(place, 'a', 'two', { at: NOW - 8, tags: ['t'] });
    await say(place, 'a', 'three', { at: NOW - 7, tags: ['t'] });
    const b = await say(place, 'b', 'two', { at: NOW - 6 });
    await say(place, 'c', 'whole', { at: NOW - 5 });
    await link(place, a, b, 'about');
    await tamper(
      `UPDATE memory_entry SET updated_at = 1152921504606846976, expires_at = 9e15, valid_from = -9e15 WHERE key = 'a'`,
      `UPDATE memory_version SET valid_to = 1152921504606846976 WHERE version = 1`,
      `UPDATE memory_entry SET created_at = -1, deleted_at = 9e15 WHERE key = 'b'`,
      `UPDATE memory_link SET created_at = 9e15`,
    );
    const { findings } = await place.care.doctor();
    expect(findings.filter(({ check }) => check === 'values')).toMatchObject([
      {
        status: 'wrong',
        detail: expect.stringMatching(
          /^3 have a time that is none: default\/a version 3, default\/b version 1, default\/a version 1/,
        ),
      },
      { status: 'wrong', detail: expect.stringMatching(/^1 links have a time that is none/) },
    ]);
    expect(await wrong(true)).toMatchObject({ ok: true, findings: ['values repaired', 'values repaired'] });
    const { entries, versions, links } = await everything(place.db);
    const damaged = '["t","skillflow-damaged"]';
    expect(entries).toMatchObject([
      { key: 'a', value: 'three', updated_at: NOW - 8, created_at: NOW - 9, expires_at: null, valid_from: null, tags: damaged },
      { key: 'b', created_at: NOW - 6, deleted_at: NOW - 6, value: 'two', tags: '["skillflow-damaged"]' },
      { key: 'c', tags: '[]' },
    ]);
    expect(versions).toMatchObject([
      { value: 'one', valid_to: null, tags: damaged },
      { value: 'two', tags: '["t"]' },
    ]);
    expect(links).toMatchObject([{ created_at: NOW - 9 }]);
    expect(await faults(place.db)).toEqual([]);
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
