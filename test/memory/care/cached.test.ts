import { copyFileSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, expect, test } from 'vitest';
import { onServer } from '../../helpers/databases.ts';
import { rawSql } from '../../helpers/raw-sql.ts';
import { useScratch } from '../../store/scratch.ts';
import { everything, faults, noReport, openPlace, put, say, type Place } from './place.ts';

const scratch = useScratch();
const SECRET = 'a cached value that nobody else is to see';
let place: Place;

const cache = ({ db }: Place, key: string, value: string): Promise<number> =>
  db.write((queries) => put(queries, 'cache', key, { value, kind: 'cache' }));
const keys = async ({ db }: Place): Promise<readonly unknown[]> => (await everything(db)).entries.map((row) => row['key']);

beforeEach(async () => {
  place = await openPlace(scratch);
  await say(place, 'kept', 'v');
  await cache(place, 'cached', SECRET);
  // Each has one of the two marks of a cached value, and is remembered.
  await say(place, 'a kind of cache', 'v', { kind: 'cache' });
  await say(place, 'in a namespace of that name', 'v', { namespace: 'cache' });
});

test('an export leaves cached values out unless their namespace is asked for', async () => {
  expect(await place.care.export('e.jsonl')).toMatchObject({ entries: 3 });
  expect(readFileSync(join(place.root, 'e.jsonl'), 'utf8')).not.toContain(SECRET);
  expect(await place.care.export('c.jsonl', { namespace: 'cache' })).toMatchObject({ entries: 2 });
  expect(await place.care.stats()).toMatchObject({ entries: 4 });
});

// Snapshots and backups are copies of the file: a server's database has neither.
test.skipIf(onServer())('a snapshot does not hold them, and restoring it leaves them alone', async () => {
  const { path, entries } = await place.care.snapshot('s');
  expect(entries).toBe(3);
  expect(readFileSync(path).includes(SECRET)).toBe(false);
  expect(await rawSql(path, 'SELECT count(*) AS n FROM memory_entry')).toEqual([{ n: 3 }]);
  await cache(place, 'cached', 'newer');
  await cache(place, 'cached later', 'v');
  await say(place, 'kept', 'changed');
  await say(place, 'made later', 'v');
  const { differences } = await place.care.restoreSnapshot('s');
  expect(differences[0]).toEqual({ what: 'memory', added: 0, changed: 1, removed: 1 });
  expect(await keys(place)).toEqual(['cached', 'cached later', 'in a namespace of that name', 'a kind of cache', 'kept']);
  expect((await everything(place.db)).entries[0]).toMatchObject({ value: 'newer' });
  expect(await faults(place.db)).toEqual([]);
});

test.skipIf(onServer())('restoring a backup, which holds them, leaves ours alone; merging does not bring in theirs', async () => {
  const { path, entries } = await place.care.backup();
  expect(entries).toBe(4);
  const other = await openPlace(scratch);
  await cache(other, 'ours', 'v');
  copyFileSync(path, join(other.root, 'b.db'));
  expect(await other.care.merge('b.db')).toEqual(noReport({ added: 3 }));
  expect((await other.care.restore('b.db')).report).toEqual(noReport({ unchanged: 3 }));
  expect(await keys(other)).toEqual(['in a namespace of that name', 'ours', 'a kind of cache', 'kept']);
});
