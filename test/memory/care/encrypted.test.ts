import { copyFileSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, expect, test } from 'vitest';
import { ForbiddenError } from '../../../src/errors.ts';
import { fileKind } from '../../../src/store/inspect-file.ts';
import { migrateTo } from '../../../src/store/migration.ts';
import { openDatabase } from '../../../src/store/open-database.ts';
import { testRuntime, useScratch } from '../../store/scratch.ts';
import { everything, faults, openPlace, say, type Place } from './place.ts';

const scratch = useScratch();
const KEY = 'a key of at least sixteen bytes';
const SECRET = 'what nobody else may read';
let place: Place;

beforeEach(async () => {
  place = await openPlace(scratch, { key: KEY });
  await say(place, 'k', 'first');
  await say(place, 'k', SECRET);
});

test('backups and snapshots of an encrypted memory are encrypted, and restore it', async () => {
  const before = await everything(place.db);
  const backup = await place.care.backup('b.db');
  const snapshot = await place.care.snapshot('s');
  for (const { path } of [backup, snapshot]) {
    expect(fileKind(path)).toBe('encrypted');
    expect(readFileSync(path).includes(SECRET)).toBe(false);
  }
  expect(JSON.parse(readFileSync(backup.manifestPath, 'utf8'))).toMatchObject({ encrypted: true, entries: 1 });
  await say(place, 'k', 'changed');
  const { safety } = await place.care.restore('b.db');
  expect(fileKind(safety)).toBe('encrypted');
  expect(await everything(place.db)).toEqual(before);
  await say(place, 'k', 'changed');
  await place.care.restoreSnapshot('s');
  expect(await everything(place.db)).toEqual(before);
});

test('everything else works as with a plain one', async () => {
  expect(await place.care.compact({ keepVersions: 0 })).toMatchObject({ versions: 1 });
  expect(fileKind(place.path)).toBe('encrypted');
  expect(await place.care.persist()).toMatchObject({ entries: 1, framesLeft: 0 });
  expect(await place.care.doctor({ repair: true })).toMatchObject({ ok: true });
  await place.care.export('e.jsonl');
  expect(await place.care.import('e.jsonl')).toMatchObject({ unchanged: 1 });
  expect(await faults(place.db)).toEqual([]);
});

test('a plain backup fills an encrypted memory: so a memory becomes encrypted', async () => {
  const plain = await openPlace(scratch);
  await say(plain, 'p', SECRET);
  copyFileSync((await plain.care.backup()).path, join(place.root, 'plain.db'));
  await place.care.restore('plain.db');
  expect(await everything(place.db)).toEqual(await everything(plain.db));
  await place.db.close();
  expect(readFileSync(place.path).includes(SECRET)).toBe(false);
});

test('an encrypted backup needs its key', async () => {
  const { path } = await place.care.backup();
  for (const key of [undefined, 'another key, also long enough']) {
    const other = await openPlace(scratch, key === undefined ? {} : { key });
    copyFileSync(path, join(other.root, 'b.db'));
    for (const call of [other.care.restore, other.care.merge]) await expect(call('b.db')).rejects.toThrow(ForbiddenError);
    expect(await everything(other.db)).toMatchObject({ entries: [] });
  }
});

test('an encrypted backup of an older schema is brought up to date in an encrypted copy', async () => {
  const db = await openDatabase(join(place.root, 'old.db'), { runtime: testRuntime(), key: KEY });
  await migrateTo(db, 1);
  await db.run(
    `INSERT INTO memory_entry (namespace, key, value, format, created_at, updated_at) VALUES ('n', 'old', 'v', 'text', 1, 2)`,
  );
  await db.close();
  await place.care.merge('old.db');
  expect((await everything(place.db)).entries.map((row) => row['key'])).toEqual(['k', 'old']);
});
