import { mkdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { ConflictError, DatabaseDamagedError, ForbiddenError, InvalidInputError, NotFoundError } from '../../../src/errors.ts';
import { createCare } from '../../../src/memory/care/create-care.ts';
import { connect } from '../../../src/store/connection.ts';
import { migrateTo, SCHEMA_VERSION } from '../../../src/store/migration.ts';
import { openDatabase } from '../../../src/store/open-database.ts';
import { openEmptyDatabase } from '../../../src/store/project-database.ts';
import { testRuntime, useScratch } from '../../store/scratch.ts';
import { everything, faults, filesBelow, link, noReport, NOW, openPlace, say, type Place } from './place.ts';

const scratch = useScratch();
let place: Place;

beforeEach(async () => {
  place = await openPlace(scratch);
});

/** Some of everything: versions, links, deleted, expiring, odd text. */
async function fill(to: Place): Promise<void> {
  const a = await say(to, 'a', 'one', { at: NOW - 9000, tags: ['x', 'ü'], agent: 'reviewer', importance: 0.1 + 0.2 });
  await say(to, 'a', { two: [-0, 'b\0c', '\ud800'] }, { at: NOW - 8000, kind: 'fact', validFrom: 5, validTo: NOW });
  await say(to, 'a', 'three', { at: NOW - 7000, expiresAt: NOW + 1000 });
  const b = await say(to, '日本', '値\u2028', { namespace: 'ns' });
  await say(to, 'gone', 'deleted');
  await to.db.run('UPDATE memory_entry SET deleted_at = ? WHERE key = ?', [NOW - 10, 'gone']);
  await link(to, b, a, 'supersedes', 'because');
  await link(to, a, b, 'about');
}

describe('a backup', () => {
  test('is a checked copy with a manifest', async () => {
    await fill(place);
    const backup = await place.care.backup('copy.db');
    const manifest: unknown = JSON.parse(readFileSync(backup.manifestPath, 'utf8'));
    expect(backup).toMatchObject({
      path: join(place.root, 'copy.db'),
      entries: 2,
      versions: 2,
      schemaVersion: SCHEMA_VERSION,
      createdAt: NOW,
    });
    expect(backup.bytes).toBe(statSync(backup.path).size);
    expect(manifest).toMatchObject({
      format: 'skillflow-backup',
      version: 1,
      sha256: backup.sha256,
      bytes: backup.bytes,
      encrypted: false,
    });
    expect(filesBelow(place.root)).toEqual(['copy.db', 'copy.db.json']);
    const copy = await openDatabase(backup.path, { runtime: testRuntime(), readOnly: true });
    scratch.onCleanUp(() => copy.close());
    expect(await everything(copy)).toEqual(await everything(place.db));
  });

  test('goes to .skillflow/backups by itself, twice in the same millisecond too', async () => {
    const [first, second] = [await place.care.backup(), await place.care.backup()];
    expect(first.path).toBe(join(place.root, '.skillflow/backups/2023-11-14T22-13-20-000Z.db'));
    expect(second.path).toBe(join(place.root, '.skillflow/backups/2023-11-14T22-13-20-000Z-2.db'));
  });

  test('overwrites nothing', async () => {
    writeFileSync(join(place.root, 'a.db'), 'mine');
    writeFileSync(join(place.root, 'b.db.json'), 'mine');
    symlinkSync('nowhere', join(place.root, 'c.db'));
    for (const path of [
      'a.db',
      'b.db',
      '.skillflow/skillflow.db',
      '.skillflow/skillflow.db-wal',
      '.skillflow/skillflow.db-journal',
    ]) {
      await expect(place.care.backup(path), path).rejects.toThrow(ConflictError);
    }
    expect((await place.care.backup('c.db')).path).toBe(join(place.root, 'nowhere')); // a link inside of the project is followed
    expect(readFileSync(join(place.root, 'a.db'), 'utf8')).toBe('mine');
    expect(readFileSync(join(place.root, 'b.db.json'), 'utf8')).toBe('mine');
  });

  test('stays in the project, as does everything that is named by path', async () => {
    const outside = await scratch.folder();
    await (await openPlace(scratch, { root: outside })).care.backup('other.db');
    symlinkSync(outside, join(place.root, 'out'));
    symlinkSync(join(outside, 'new.db'), join(place.root, 'new.db'));
    symlinkSync(join(outside, 'other.db'), join(place.root, 'other.db'));
    const { care } = place;
    for (const path of ['../x.db', '/etc/passwd', 'out/x.db', 'out/deep/x.db', 'other.db', 'new.db', `${outside}/other.db`]) {
      for (const call of [care.backup, care.restore, care.export, care.import, care.merge]) {
        await expect(call(path), path).rejects.toThrow(ForbiddenError);
      }
    }
    for (const path of ['', 'a\0b']) await expect(care.backup(path)).rejects.toThrow(InvalidInputError);
    expect(filesBelow(outside)).toEqual(['other.db', 'other.db.json']);
  });

  test('of a project without a database is refused', async () => {
    const db = await openEmptyDatabase(testRuntime());
    scratch.onCleanUp(() => db.close());
    const root = await scratch.folder();
    const care = createCare({
      open: async () => db,
      runtime: testRuntime(),
      projectRoot: root,
      databasePath: join(root, 'x.db'),
    });
    await expect(care.backup()).rejects.toThrow(NotFoundError);
    expect(filesBelow(root)).toEqual([]);
  });

  test('while others write: a state that was, and nothing lost', async () => {
    const other = await openPlace(scratch, { root: place.root });
    let written = 0;
    const writing = (async () => {
      for (; written < 300; written += 1) {
        await other.db.write(async (queries) => {
          await queries.run(
            `INSERT INTO memory_entry (namespace, key, value, format, hash, created_at, updated_at) VALUES ('w', ?, ?, 'text', x'', 1, 1)`,
            [`k${written}`, 'x'.repeat(2000)],
          );
        });
        if (written % 20 === 0) await new Promise((resolve) => setTimeout(resolve, 1));
      }
    })();
    const counts: number[] = [];
    for (let n = 0; n < 4; n += 1) counts.push((await place.care.backup(`b${n}.db`)).entries);
    await writing;
    expect(counts).toEqual([...counts].sort((a, b) => a - b));
    expect((await place.care.backup()).entries).toBe(300);
    expect(await faults(place.db)).toEqual([]);
  });

  test('of a database that is damaged inside fails and leaves nothing', async () => {
    await place.db.write(async (queries) => {
      for (let n = 0; n < 200; n += 1)
        await queries.run(`INSERT INTO call (at, tool, surface, ok, duration_ms) VALUES (1, ?, 's', 1, 1)`, ['x'.repeat(3000)]);
    });
    const connection = await connect(place.path, 'write');
    connection.exec('PRAGMA writable_schema = ON');
    connection.exec(`UPDATE sqlite_schema SET rootpage = 99999 WHERE name = 'call'`);
    connection.close();
    await expect(place.care.backup('copy.db')).rejects.toThrow(DatabaseDamagedError);
    expect(filesBelow(place.root)).toEqual([]);
  });
});

describe('restoring', () => {
  test('makes the memory what it was: entries, versions, links, deletions; not runs', async () => {
    await fill(place);
    const before = await everything(place.db);
    await place.care.backup('copy.db');
    await place.db.run(
      `INSERT INTO run (id, skill, task, status, provider, created_at) VALUES ('r', 's', 't', 'running', 'local', 1)`,
    );
    await say(place, 'a', 'four', { at: NOW });
    await say(place, 'new', 'n');
    await place.db.run(`DELETE FROM memory_entry WHERE key = 'gone'`);
    await place.db.run('DELETE FROM memory_link');
    await place.db.run(`UPDATE memory_entry SET tags = '["other"]' WHERE namespace = 'ns'`);
    const changed = await everything(place.db);
    const { report, safety, manifest } = await place.care.restore('copy.db');
    expect(report).toEqual(noReport({ added: 1, updated: 2, deleted: 1, removed: 1, versions: 2, links: 2 }));
    expect(manifest).toBe(true);
    expect(await everything(place.db)).toEqual(before);
    expect(await faults(place.db)).toEqual([]);
    expect(await place.db.get('SELECT count(*) AS n FROM run')).toEqual({ n: 1 });
    const again = await place.care.restore('copy.db');
    expect(again.report).toEqual(noReport({ unchanged: 3, deleted: 1, links: 2 }));
    const undone = await place.care.restore(safety);
    expect(undone.report).toMatchObject({ added: 1, updated: 2, removed: 1 });
    expect(await everything(place.db)).toEqual(changed);
    expect(filesBelow(place.root).filter((name) => name.includes('tmp'))).toEqual([]);
  });

  test('never uses an id again', async () => {
    await place.care.backup('empty.db');
    const first = await say(place, 'k', 'v');
    await place.care.restore('empty.db');
    expect(await say(place, 'k', 'v')).toBeGreaterThan(first);
  });

  test('fills a new database, also from a file without a manifest', async () => {
    await fill(place);
    await place.care.backup('copy.db');
    const other = await openPlace(scratch);
    writeFileSync(join(other.root, 'b.db'), readFileSync(join(place.root, 'copy.db')));
    const { report, manifest } = await other.care.restore('b.db');
    expect(report).toEqual(noReport({ added: 3, deleted: 1, versions: 2, links: 2 }));
    expect(manifest).toBe(false);
    expect(await everything(other.db)).toEqual(await everything(place.db));
    expect(await faults(other.db)).toEqual([]);
  });

  test('a backup of an older schema is brought up to date in a copy', async () => {
    const old = join(place.root, 'old.db');
    const db = await openDatabase(old, { runtime: testRuntime() });
    await migrateTo(db, 1);
    await db.run(
      `INSERT INTO memory_entry (namespace, key, value, format, created_at, updated_at) VALUES ('n', 'k', 'old', 'text', 1, 2)`,
    );
    await db.run('PRAGMA wal_checkpoint(TRUNCATE)').catch(() => undefined);
    await db.close();
    const bytes = readFileSync(old);
    for (const call of [place.care.restore, place.care.merge]) {
      await call('old.db');
      expect((await everything(place.db)).entries).toMatchObject([
        { namespace: 'n', key: 'k', value: 'old', version: 1, updated_at: 2 },
      ]);
    }
    expect(readFileSync(old).equals(bytes)).toBe(true);
    expect((await place.care.doctor()).ok).toBe(true);
  });

  test('what is wrong with a backup is said, and nothing changes', async () => {
    await fill(place);
    const { path } = await place.care.backup('good.db');
    const before = await everything(place.db);
    const good = readFileSync(path);
    const make = (name: string, bytes: Uint8Array | string, manifest?: string): void => {
      writeFileSync(join(place.root, name), bytes);
      if (manifest !== undefined) writeFileSync(join(place.root, `${name}.json`), manifest);
    };
    const garbled = Buffer.from(good);
    garbled.fill(0xa5, 20_000, 24_000);
    make('cut.db', good.subarray(0, good.length - 4096));
    make('short.db', good.subarray(0, 50));
    make('garbled.db', garbled);
    make('changed.db', garbled, readFileSync(`${path}.json`, 'utf8'));
    make('longer.db', Buffer.concat([good, Buffer.alloc(4096)]), readFileSync(`${path}.json`, 'utf8'));
    make('manifest.db', good, '{"format": 1}');
    make('text.db', 'no database at all, but some text that is long enough to have a header of one hundred bytes, more or less');
    for (const name of ['cut.db', 'short.db', 'garbled.db', 'changed.db', 'longer.db', 'manifest.db', 'text.db']) {
      for (const call of [place.care.restore, place.care.merge]) {
        await expect(call(name), name).rejects.toThrow(DatabaseDamagedError);
      }
    }
    await expect(place.care.restore('absent.db')).rejects.toThrow(NotFoundError);
    await expect(place.care.restore('.skillflow/skillflow.db')).rejects.toThrow(InvalidInputError);
    mkdirSync(join(place.root, 'folder'));
    await expect(place.care.restore('folder')).rejects.toThrow(InvalidInputError);
    expect(await everything(place.db)).toEqual(before);
    expect(filesBelow(place.root).filter((name) => /before-|tmp/.test(name))).toEqual([]);
  });

  test('over a damaged database is refused with the way out', async () => {
    await fill(place);
    await place.care.backup('copy.db');
    const root = place.root;
    const damagedPath = join(root, '.skillflow', 'damaged.db');
    writeFileSync(damagedPath, 'garbage! '.repeat(500));
    const runtime = testRuntime();
    const care = createCare({
      open: () => openDatabase(damagedPath, { runtime }),
      runtime,
      projectRoot: root,
      databasePath: damagedPath,
    });
    await expect(care.restore('copy.db')).rejects.toMatchObject({
      code: 'database_damaged',
      hint: expect.stringMatching(/^Move .*damaged\.db aside/),
    });
    expect(readFileSync(damagedPath, 'utf8')).toMatch(/^garbage! garbage/);
  });
});
