import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { DatabaseDamagedError } from '../../../src/errors.ts';
import { createCare } from '../../../src/memory/care/create-care.ts';
import { createMemory } from '../../../src/memory/memory.ts';
import { createSearch } from '../../../src/memory/search/search.ts';
import { connect } from '../../../src/store/connection.ts';
import type { Database } from '../../../src/store/database.ts';
import { openDatabase } from '../../../src/store/open-database.ts';
import { bundleProgram, type BundledProgram } from '../../helpers/bundle-program.ts';
import { start, testRuntime, useScratch } from '../../store/scratch.ts';
import { everything, faults, link, NOW, openPlace, say, type Place } from './place.ts';

const scratch = useScratch();

const WRITABLE_SCHEMA = 'PRAGMA writable_schema = ON';
/** Ways in which the index breaks while the entries stay whole. */
const INDEX_BREAKS: readonly (readonly [string, readonly string[]])[] = [
  ['its rows are deleted', ['DELETE FROM memory_fts_data']],
  ['its averages are deleted', ['DELETE FROM memory_fts_data WHERE id = 1']],
  ['its structure is deleted', ['DELETE FROM memory_fts_data WHERE id = 10']],
  ['its leaves are deleted', ['DELETE FROM memory_fts_data WHERE id > 10']],
  ['its rows are garbled', [`UPDATE memory_fts_data SET block = x'ffffffffffffffffff'`]],
  ['its leaves are garbled', ['UPDATE memory_fts_data SET block = randomblob(length(block)) WHERE id > 10']],
  ['its structure is garbled', [`UPDATE memory_fts_data SET block = x'00112233445566778899' WHERE id = 10`]],
  ['its rows are nothing', ['UPDATE memory_fts_data SET block = NULL']],
  ['its rows are text', [`UPDATE memory_fts_data SET block = 'text'`]],
  ['its words lead nowhere', ['DELETE FROM memory_fts_idx']],
  ['its words lead elsewhere', ['UPDATE memory_fts_idx SET pgno = pgno + 1000']],
  ['its lengths are deleted', ['DELETE FROM memory_fts_docsize']],
  ['its lengths are garbled', [`UPDATE memory_fts_docsize SET sz = x'ff'`]],
  ['its settings are deleted', ['DELETE FROM memory_fts_config']],
  ['its mark is deleted', ['DELETE FROM memory_fts_folded']],
  ['its mark is dropped', ['DROP TABLE memory_fts_folded']],
  [
    'its mark is a view',
    ['DROP TABLE memory_fts_folded', 'CREATE VIEW memory_fts_folded AS SELECT 1 AS id, 9 AS entry_id, 64 AS most_pending'],
  ],
  ['its mark is too low', ['UPDATE memory_fts_folded SET entry_id = 10']],
  ['its mark moves alone', ['DROP TRIGGER memory_fts_fold']],
  ['its format is unknown', [`UPDATE memory_fts_config SET v = 99 WHERE k = 'version'`]],
  ['it is dropped', ['DROP TABLE memory_fts']],
  ['a table of it is dropped: data', ['DROP TABLE memory_fts_data']],
  ['a table of it is dropped: idx', ['DROP TABLE memory_fts_idx']],
  ['a table of it is dropped: docsize', ['DROP TABLE memory_fts_docsize']],
  ['a table of it is dropped: config', ['DROP TABLE memory_fts_config']],
  ['all tables of it are dropped', ['data', 'idx', 'docsize', 'config'].map((part) => `DROP TABLE memory_fts_${part}`)],
  ['a table of it is another', ['DROP TABLE memory_fts_data', 'CREATE TABLE memory_fts_data (x)']],
  ['a view has the name of its table', ['DROP TABLE memory_fts_data', 'CREATE VIEW memory_fts_data AS SELECT 1 AS x']],
  ['its name is gone', [WRITABLE_SCHEMA, `DELETE FROM sqlite_schema WHERE name = 'memory_fts'`]],
  [
    'its module is gone',
    [WRITABLE_SCHEMA, `UPDATE sqlite_schema SET sql = replace(sql, 'fts5', 'none') WHERE name = 'memory_fts'`],
  ],
  ['it is a plain table', ['DROP TABLE memory_fts', 'CREATE TABLE memory_fts (key, value, tags)']],
  ['it is a view', ['DROP TABLE memory_fts', 'CREATE VIEW memory_fts AS SELECT 1 AS x']],
  ['it has other columns', ['DROP TABLE memory_fts', 'CREATE VIRTUAL TABLE memory_fts USING fts5 (a)']],
  ['what it is made from is dropped', ['DROP VIEW memory_text']],
  ['what it is made from is another', ['DROP VIEW memory_text', 'CREATE VIEW memory_text AS SELECT 1 AS id']],
  ['what it is made from is a table', ['DROP VIEW memory_text', 'CREATE TABLE memory_text (id, key, value, tags)']],
];

/** Ways in which the rest of what follows from the entries breaks. */
const OTHER_BREAKS: readonly (readonly [string, readonly string[]])[] = [
  ...['insert', 'update', 'delete', 'reindex', 'keep_version', 'fold', 'unindex'].map(
    (name) => [`the trigger ${name} is dropped`, [`DROP TRIGGER memory_entry_${name}`]] as const,
  ),
  [
    'a trigger does nothing',
    ['DROP TRIGGER memory_entry_update', 'CREATE TRIGGER memory_entry_update AFTER UPDATE ON memory_entry BEGIN SELECT 1; END'],
  ],
  ['an index is dropped', ['DROP INDEX memory_entry_hash']],
  ['an index is of another column', ['DROP INDEX memory_entry_hash', 'CREATE INDEX memory_entry_hash ON memory_entry (key)']],
  ['the journal can be changed', ['DROP TRIGGER event_no_update', 'DROP TRIGGER event_no_delete']],
  ['the log of changes is dropped', ['DROP TABLE chg']],
  ['the vectors are dropped', ['DROP TABLE embedding']],
  ['the spaces of vectors are dropped', ['DROP TABLE embedding_space']],
  ['vectors and spaces are dropped', ['DROP TABLE embedding', 'DROP TABLE embedding_space']],
  [
    'all of it at once',
    [
      `UPDATE memory_entry SET hash = x'00' WHERE key = 'k3'`,
      'DROP TABLE chg',
      'DROP TABLE embedding',
      'DROP TRIGGER memory_entry_insert',
      'DROP INDEX memory_link_to_id',
      'DELETE FROM memory_fts_config',
    ],
  ],
];

/** By a connection of its own, without our tables' rules. */
async function damage(path: string, statements: readonly string[]): Promise<void> {
  const connection = await connect(path, 'write');
  connection.exec('PRAGMA foreign_keys = OFF');
  for (const statement of statements) connection.exec(statement);
  connection.close();
}

async function filled(): Promise<Place> {
  const place = await openPlace(scratch);
  for (let n = 0; n < 30; n += 1) await say(place, `k${n}`, `the parser of number ${n} is word${n}`);
  for (let n = 0; n < 5; n += 1) await say(place, `k${n}`, `the parser changed to version two of word${n}`);
  await place.db.run(`UPDATE memory_entry SET deleted_at = 5 WHERE key = 'k29'`);
  await link(place, 1, 2, 'about');
  await place.db.run(`INSERT INTO embedding_space (uid, provider, model, dimensions, created_at) VALUES ('u', 'p', 'm', 2, 1)`);
  await place.db.run(
    `INSERT INTO embedding (space_id, hash, vector) SELECT 1, hash, x'0000000000000000' FROM memory_entry GROUP BY hash`,
  );
  return place;
}

const memoryOf = (db: Database) =>
  createMemory({
    open: async () => db,
    runtime: testRuntime({ now: () => NOW }),
    search: createSearch({ open: async () => db, runtime: testRuntime({ now: () => NOW }) }).search,
  });

async function found(db: Database, query: string): Promise<readonly string[]> {
  return (await memoryOf(db).search({ query, limit: 50 })).results.map(({ key }) => key).toSorted();
}

const MEND = /skillflow memory doctor --repair/;

/** What is wrong with an error that a call met; `null` when it says what is damaged, and what helps. */
function complaintAbout(error: unknown): string | null {
  const isRight =
    error instanceof DatabaseDamagedError &&
    /full-text index .*is damaged.*intact|perhaps in its full-text index/.test(error.message);
  return isRight && MEND.test(error.hint ?? '') ? null : String(error);
}

test.each(INDEX_BREAKS)('the full-text index is found and mended when %s', async (_way, statements) => {
  const before = await filled();
  const [said, all] = [await everything(before.db), await found(before.db, 'parser')];
  expect(all).toHaveLength(29);
  await before.db.close();
  await damage(before.path, statements);

  const { db, care, path } = await openPlace(scratch, { root: before.root });
  expect((await memoryOf(db).get({ key: 'k7' }))?.value).toContain('word7');
  expect((await memoryOf(db).list({})).total).toBe(29);
  for (const call of [
    () => found(db, 'parser'),
    () => memoryOf(db).store({ key: 'k7', value: 'the parser of number 7 is word7' }),
  ]) {
    // Whether a call meets the damage depends on what it reads; when it does, it says what helps.
    expect(await call().then(() => null, complaintAbout)).toBeNull();
  }
  const sick = await care.doctor();
  expect(sick).toMatchObject({ ok: false, backup: null });
  expect(sick.findings.filter(({ status }) => status !== 'ok')).toEqual([
    { check: 'full-text', status: 'wrong', detail: expect.stringMatching(/the entries are intact.*memory doctor --repair/) },
  ]);

  const mended = await care.doctor({ repair: true });
  expect(mended.findings.filter(({ status }) => status !== 'ok')).toMatchObject([{ check: 'full-text', status: 'repaired' }]);
  expect(mended.ok).toBe(true);
  expect(await found(db, 'parser')).toEqual(all);
  expect(await found(db, 'word7')).toContain('k7');
  expect(await everything(db)).toEqual(said);
  expect(await faults(db)).toEqual([]);
  expect(await care.doctor({ repair: true })).toMatchObject({ ok: true, backup: null });
  expect((await memoryOf(db).store({ key: 'new', value: 'another parser' })).created).toBe(true);
  expect(await found(db, 'another')).toContain('new');

  const other = await openDatabase(path, { runtime: testRuntime() });
  expect(await found(other, 'another')).toContain('new');
  await other.close();
  const backup = await openDatabase(mended.backup ?? '', { runtime: testRuntime() });
  expect(await everything(backup)).toEqual(said);
  await backup.close();
});

test.each(OTHER_BREAKS)('the schema is found and mended when %s', async (_way, statements) => {
  const before = await filled();
  const said = await everything(before.db);
  const last = Number((await before.db.get('SELECT max(seq) AS seq FROM chg'))?.['seq']);
  await before.db.close();
  await damage(before.path, statements);
  const { db, care } = await openPlace(scratch, { root: before.root });
  const sick = await care.doctor();
  expect(sick.ok).toBe(false);
  expect(sick.findings).toContainEqual({ check: 'schema', status: 'wrong', detail: expect.stringMatching(MEND) });
  const mended = await care.doctor({ repair: true });
  expect(mended.findings.filter(({ status }) => status === 'wrong' || status === 'not checked')).toEqual([]);
  expect(mended.findings.find(({ check }) => check === 'schema')).toMatchObject({ status: 'repaired' });
  expect(mended.ok).toBe(true);
  const { entries, ...rest } = await everything(db);
  // What has lost its hash is marked, since nobody knows any more whether it is what was stored.
  const isMarked = statements.some((statement) => statement.includes('SET hash'));
  expect(entries.filter(({ tags }) => tags === '["skillflow-damaged"]').map(({ key }) => key)).toEqual(isMarked ? ['k3'] : []);
  expect({ ...rest, entries: entries.map((row) => ({ ...row, tags: '[]' })) }).toEqual(said);
  expect(await faults(db)).toEqual([]);
  expect(await care.doctor()).toMatchObject({ ok: true });
  await say({ ...before, db }, 'k1', 'said after the repair');
  expect(Number((await db.get('SELECT max(seq) AS seq FROM chg'))?.['seq'])).toBeGreaterThan(last);
  expect(await db.all('PRAGMA foreign_key_check')).toEqual([]);
  expect(await found(db, 'repair')).toContain('k1');
});

test('tables whose content is nowhere else are named, and not made empty', async () => {
  const before = await filled();
  await before.db.close();
  await damage(before.path, ['DROP TABLE memory_version', 'DROP TABLE memory_link', 'DROP INDEX memory_entry_hash']);
  const { db, care } = await openPlace(scratch, { root: before.root });
  const { ok, findings } = await care.doctor({ repair: true });
  expect(ok).toBe(false);
  expect(findings.filter(({ check }) => check === 'schema')).toMatchObject([
    // What is left is mended, and its backup is there.
    { status: 'repaired', detail: expect.stringContaining('memory_entry_hash is missing') },
    { status: 'wrong', detail: expect.stringMatching(/memory_version is missing.*restore a backup/) },
  ]);
  expect(await db.all(`SELECT name FROM sqlite_schema WHERE name IN ('memory_version', 'memory_link')`)).toEqual([]);
});

test('a schema that went down and up again is as it should be', async () => {
  const { db, care } = await filled();
  const { migrateTo, SCHEMA_VERSION } = await import('../../../src/store/migration.ts');
  for (const version of [1, 2, 0, SCHEMA_VERSION]) await migrateTo(db, version);
  expect(await care.doctor()).toMatchObject({ ok: true });
});

test('an encrypted memory is mended too, and so is its backup encrypted', async () => {
  const key = 'correct horse battery staple';
  const place = await openPlace(scratch, { key });
  await say(place, 'a', 'words here');
  await place.db.run('DELETE FROM memory_fts_config');
  await place.db.run('DELETE FROM memory_fts_data');
  const { backup } = await place.care.doctor({ repair: true });
  expect(await found(place.db, 'words')).toEqual(['a']);
  await expect(openDatabase(backup ?? '', { runtime: testRuntime() })).rejects.toThrow(/encrypted/);
});

describe('a repair that is killed', () => {
  let worker: BundledProgram;
  beforeAll(async () => {
    worker = await bundleProgram(fileURLToPath(new URL('worker.ts', import.meta.url)));
  });
  afterAll(() => worker.remove());

  test('leaves what can be repaired again', { timeout: 120_000 }, async () => {
    const place = await openPlace(scratch);
    await place.db.write(async (queries) => {
      for (let n = 0; n < 1500; n += 1) {
        await queries.run(
          `INSERT INTO memory_entry (namespace, key, created_at, value, format, hash, updated_at) VALUES ('n', ?, 1, ?, 'text', x'00', 1)`,
          [`k${n}`, `parser ${n} ${'some more words of it '.repeat(20)}`],
        );
      }
    });
    const { contentHash } = await import('../../../src/store/content-hash.ts');
    await place.db.write(async (queries) => {
      for (const { id, value } of await queries.all('SELECT id, value FROM memory_entry')) {
        await queries.run('UPDATE memory_entry SET hash = ? WHERE id = ?', [contentHash(String(value)), id ?? null]);
      }
    });
    const said = await everything(place.db);
    await place.db.close();
    const backups = join(place.root, '.skillflow', 'backups');
    const count = (): number => {
      try {
        return readdirSync(backups).filter((name) => name.endsWith('.db.json')).length;
      } catch {
        return 0;
      }
    };
    // From the moment that the backup is there the transaction begins; later kills fall into it, or after it.
    for (const afterMs of [0, 30, 100, 200]) {
      await damage(place.path, ['DELETE FROM memory_fts_config', 'DROP TABLE IF EXISTS memory_fts_data']);
      const had = count();
      let watch: ReturnType<typeof setInterval> | undefined;
      await start(process.execPath, [worker.path, place.root, 'repair'], (_lines, kill) => {
        watch ??= setInterval(() => {
          if (count() === had) return;
          clearInterval(watch);
          setTimeout(kill, afterMs);
        }, 2);
      });
      clearInterval(watch);
      const db = await openDatabase(place.path, { runtime: testRuntime() });
      const care = createCare({
        open: async () => db,
        runtime: testRuntime(),
        projectRoot: place.root,
        databasePath: place.path,
      });
      expect(await care.doctor({ repair: true })).toMatchObject({ ok: true });
      expect(await everything(db)).toEqual(said);
      expect(await faults(db)).toEqual([]);
      await db.close();
    }
  });
});
