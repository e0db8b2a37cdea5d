import { join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { ConflictError, InvalidInputError } from '../../src/errors.ts';
import { contentHash } from '../../src/store/content-hash.ts';
import type { Database } from '../../src/store/database.ts';
import { migrateTo, SCHEMA_VERSION } from '../../src/store/migration.ts';
import { MIGRATIONS } from '../../src/store/migrations/index.ts';
import { openDatabase } from '../../src/store/open-database.ts';
import { testRuntime, useScratch } from './scratch.ts';

const scratch = useScratch();
let path: string;
let db: Database;

async function open(): Promise<Database> {
  const opened = await openDatabase(path, { runtime: testRuntime() });
  scratch.onCleanUp(() => opened.close());
  return opened;
}

beforeEach(async () => {
  path = join(await scratch.folder(), 'skillflow.db');
  db = await open();
});

const schema = (): Promise<unknown> =>
  db.all("SELECT type, name, sql FROM sqlite_schema WHERE name <> 'sqlite_sequence' ORDER BY name");
const version = async (): Promise<unknown> => (await db.get('PRAGMA user_version'))?.['user_version'];

const RUN = "INSERT INTO run (id, skill, task, status, provider, created_at) VALUES (?, 's', 't', ?, 'local', 1)";
const EVENT = "INSERT INTO event (run_id, seq, type, at, body) VALUES (?, ?, 'run_started', 1, '{}')";
const ENTRY = `INSERT INTO memory_entry (namespace, key, value, format, words, hash, created_at, updated_at)
  VALUES ('n', ?, ?, 'text', ?, x'00', 1, 1) RETURNING id`;

describe('migrations', () => {
  test('are numbered from 1 without gaps', () => {
    expect(MIGRATIONS.map((migration) => migration.version)).toEqual(MIGRATIONS.map((_, index) => index + 1));
  });

  test('down to nothing and up again, with data in every table, give the same schema', async () => {
    const before = await schema();
    await db.run(RUN, ['r', 'running']);
    await db.run(EVENT, ['r', 1]);
    await db.run("INSERT INTO step (run_id, id, agent_id, kind, status) VALUES ('r', 's', 'a', 'work', 'done')");
    await db.run(ENTRY, ['k', 'v', null]);
    await db.run("INSERT INTO swarm VALUES ('w', 'star', 'auto', 3, 'active', NULL, 1, 1)");
    await db.run("INSERT INTO agent VALUES ('a', 'w', 'coder', NULL, NULL, '[]', 'idle', 1, 1)");
    await migrateTo(db, 0);
    expect(await schema()).toEqual([]);
    expect(await version()).toBe(0);
    await migrateTo(db);
    expect(await schema()).toEqual(before);
    expect(await version()).toBe(SCHEMA_VERSION);
    expect(await db.integrity()).toBe('ok');
  });

  test('to the present version changes nothing', async () => {
    const before = await db.get('PRAGMA schema_version');
    await migrateTo(db);
    expect(await db.get('PRAGMA schema_version')).toEqual(before);
  });

  test('up by two connections at once happens once', async () => {
    const other = await openDatabase(path, { runtime: testRuntime() });
    scratch.onCleanUp(() => other.close());
    await migrateTo(db, 0);
    await Promise.all([migrateTo(db), migrateTo(other), migrateTo(db), migrateTo(other)]);
    expect(await version()).toBe(SCHEMA_VERSION);
    expect(await other.integrity()).toBe('ok');
  });

  test.each([-1, 0.5, SCHEMA_VERSION + 1, NaN])('to version %s is refused', async (wanted) => {
    await expect(migrateTo(db, wanted)).rejects.toThrow(InvalidInputError);
  });

  test('a failing migration leaves nothing behind', async () => {
    await migrateTo(db, 2);
    const tables = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name <> 'spend' ORDER BY name";
    const before = await db.all(tables);
    await db.run('CREATE TABLE spend (in_the_way)');
    await expect(migrateTo(db)).rejects.toThrow(/not those of schema version 2, .*spend already exists/);
    expect(await version()).toBe(2);
    expect(await db.all(tables)).toEqual(before);
  });
});

describe('memory from version 1 to 2 and back', () => {
  const ENTRY_1 = `INSERT INTO memory_entry (namespace, key, value, format, words, tags, created_at, updated_at, expires_at)
    VALUES ('n', ?, ?, ?, ?, ?, 5, 6, ?)`;
  const columns = 'id, namespace, key, value, format, words, tags, created_at, updated_at, expires_at';
  const entries = (): Promise<unknown> => db.all(`SELECT ${columns} FROM memory_entry ORDER BY id`);
  const found = async (word: string): Promise<unknown> =>
    (await db.all('SELECT rowid FROM memory_fts WHERE memory_fts MATCH ?', [word])).map((row) => row['rowid']);

  beforeEach(async () => {
    await migrateTo(db, 1);
    await db.run(ENTRY_1, ['a', 'running café', 'text', null, '["t"]', null]);
    await db.run(ENTRY_1, ['b', '{"x":"line\\nbreak"}', 'json', 'x\nline\nbreak', '[]', 99]);
    await db.run(ENTRY_1, ['c', 'x'.repeat(1_000_000), 'text', null, '[]', null]);
    await db.run(ENTRY_1, ['last', 'gone', 'text', null, '[]', null]);
    await db.run("DELETE FROM memory_entry WHERE key = 'last'"); // its id, 4, must not come again
  });

  test('keeps every entry, its place in the index, and the ids', async () => {
    const before = await entries();
    for (let round = 0; round < 2; round += 1) {
      await migrateTo(db, 2);
      expect(await entries()).toEqual(before);
      expect(await found('run')).toEqual([1]);
      expect(await found('break')).toEqual([2]);
      expect(await found('gone')).toEqual([]);
      const [first] = await db.all('SELECT version, kind, importance, hash, deleted_at, valid_to FROM memory_entry ORDER BY id');
      expect(first).toEqual({
        version: 1,
        kind: 'note',
        importance: 0.5,
        hash: contentHash('running café'),
        deleted_at: null,
        valid_to: null,
      });
      await db.run("INSERT INTO memory_fts (memory_fts, rank) VALUES ('integrity-check', 1)");
      await migrateTo(db, 1);
      expect(await entries()).toEqual(before);
      expect(await found('run')).toEqual([1]);
      await db.run("INSERT INTO memory_fts (memory_fts, rank) VALUES ('integrity-check', 1)");
    }
    await migrateTo(db, 2);
    expect(await db.get(ENTRY, ['d', 'v', null])).toEqual({ id: 5 });
    await migrateTo(db, 1);
    expect(await db.run(ENTRY_1, ['e', 'v', 'text', null, '[]', null])).toMatchObject({ lastId: 6 });
    expect(await db.integrity()).toBe('ok');
    expect(await db.all('PRAGMA foreign_key_check')).toEqual([]);
  });

  test('going back drops what was deleted, earlier versions and links', async () => {
    await migrateTo(db, 2);
    await db.run("UPDATE memory_entry SET deleted_at = 7 WHERE key = 'a'");
    await db.run("UPDATE memory_entry SET value = 'new', version = 2 WHERE key = 'c'");
    await db.run("INSERT INTO memory_link VALUES (2, 3, 'related', NULL, 1)");
    await migrateTo(db, 1);
    expect(await db.all('SELECT id, key FROM memory_entry ORDER BY id')).toEqual([
      { id: 2, key: 'b' },
      { id: 3, key: 'c' },
    ]);
    expect(await found('new')).toEqual([3]);
    await db.run("INSERT INTO memory_fts (memory_fts, rank) VALUES ('integrity-check', 1)");
    await migrateTo(db, 2);
    expect(await db.get('SELECT count(*) AS n FROM memory_version')).toEqual({ n: 0 });
    expect(await db.integrity()).toBe('ok');
  });
});

describe('memory from version 3 to 4 and back', () => {
  const CHECK = "INSERT INTO memory_fts (memory_fts, rank) VALUES ('integrity-check', 1)";
  const DAMAGE = /full-text index .* is damaged, while the entries themselves are intact/;
  const found = async (word: string): Promise<unknown> =>
    (await db.all('SELECT rowid AS id FROM memory_fts WHERE memory_fts MATCH ? ORDER BY rowid', [word])).map((row) => row['id']);
  const mark = async (): Promise<unknown> => (await db.get('SELECT entry_id FROM memory_fts_folded'))?.['entry_id'];
  const add = async (from: number, to: number): Promise<void> => {
    for (let n = from; n <= to; n += 1) await db.run(ENTRY, [`k${n}`, `word${n} all`, null]);
  };

  test('begins with everything in the index, and goes back with everything in it', async () => {
    await migrateTo(db, 3);
    await add(1, 5);
    await db.run("UPDATE memory_entry SET deleted_at = 1 WHERE key = 'k5'");
    await migrateTo(db);
    expect(await mark()).toBe(5);
    await add(6, 8);
    await db.run("UPDATE memory_entry SET deleted_at = 1 WHERE key = 'k7'");
    expect(await found('all')).toEqual([1, 2, 3, 4]);
    await db.run(CHECK);
    await migrateTo(db, 3);
    expect(await found('all')).toEqual([1, 2, 3, 4, 6, 8]);
    await add(9, 9);
    expect(await found('all')).toEqual([1, 2, 3, 4, 6, 8, 9]);
    await db.run(CHECK);
    await migrateTo(db);
    expect(await mark()).toBe(9);
    expect(await db.integrity()).toBe('ok');
  });

  test('the index agrees with the entries up to the mark, whatever is done to those on either side', async () => {
    await add(1, 255);
    expect([await mark(), await found('all')]).toEqual([0, []]);
    await db.run(CHECK);
    await db.run("UPDATE memory_entry SET value = 'changed' WHERE key = 'k1'");
    await db.run("DELETE FROM memory_entry WHERE key = 'k2'");
    await db.run("UPDATE memory_entry SET deleted_at = 1 WHERE key = 'k3'");
    await db.run(CHECK);
    await add(256, 256);
    expect(await mark()).toBe(256);
    expect(await found('changed')).toEqual([1]);
    expect(await found('all')).toEqual(Array.from({ length: 253 }, (_, at) => at + 4));
    await db.run("UPDATE memory_entry SET deleted_at = NULL WHERE key = 'k3'");
    await db.run("UPDATE memory_entry SET value = 'changed too' WHERE key = 'k4'");
    await db.run("UPDATE memory_entry SET deleted_at = 1 WHERE key = 'k5'");
    await db.run("DELETE FROM memory_entry WHERE key = 'k6'");
    expect(await found('all')).toEqual([3, ...Array.from({ length: 250 }, (_, at) => at + 7)]);
    expect(await found('changed')).toEqual([1, 4]);
    await db.run(CHECK);
    await db.run("INSERT INTO memory_fts (memory_fts) VALUES ('rebuild')");
    await db.run(CHECK);
    expect(await found('changed')).toEqual([1, 4]);
  });

  test('an id below the mark, given by hand, is in the index at once', async () => {
    await add(1, 256);
    await db.run("DELETE FROM memory_entry WHERE key = 'k9'");
    await db.run(`INSERT INTO memory_entry (id, namespace, key, value, format, hash, created_at, updated_at)
      VALUES (9, 'n', 'again', 'by hand', 'text', x'00', 1, 1)`);
    expect(await found('hand')).toEqual([9]);
    await db.run(CHECK);
  });

  test.each([
    ['is absent', 'DELETE FROM memory_fts_folded'],
    ['has no table', 'DROP TABLE memory_fts_folded'],
  ])('a mark that %s changes nothing about what is stored, and is named', async (_how, damage) => {
    await add(1, 66);
    const entries = await db.all('SELECT * FROM memory_entry');
    await db.run(damage);
    await expect(add(67, 67)).rejects.toThrow(DAMAGE);
    await expect(db.run("UPDATE memory_entry SET value = 'x' WHERE key = 'k66'")).rejects.toThrow(DAMAGE);
    await expect(db.run("DELETE FROM memory_entry WHERE key = 'k1'")).rejects.toThrow(DAMAGE);
    expect(await db.all('SELECT * FROM memory_entry')).toEqual(entries);
  });
});

test('version 5 lets more entries wait, but none on a server, and going back takes in what waits', async () => {
  const most = async (): Promise<unknown> => (await db.get('SELECT most_pending FROM memory_fts_folded'))?.['most_pending'];
  const pending = async (): Promise<unknown> =>
    (await db.get('SELECT count(*) AS n FROM memory_entry WHERE id > (SELECT entry_id FROM memory_fts_folded)'))?.['n'];
  expect(await most()).toBe(256);
  for (let n = 0; n < 100; n += 1) await db.run(ENTRY, [`k${n}`, `word${n}`, null]);
  expect(await pending()).toBe(100);
  await migrateTo(db, 4);
  expect([await most(), await pending()]).toEqual([64, 0]);
  await db.run('UPDATE memory_fts_folded SET most_pending = 1'); // as on a server
  await migrateTo(db);
  expect(await most()).toBe(1);
  expect(await db.integrity()).toBe('ok');
});

describe('the journal', () => {
  test('cannot be changed, nor deleted from, except with its run', async () => {
    await db.run(RUN, ['r', 'running']);
    await db.run(EVENT, ['r', 1]);
    await expect(db.run('UPDATE event SET at = 2')).rejects.toThrow(/append-only/);
    await expect(db.run('DELETE FROM event')).rejects.toThrow(/append-only/);
    await expect(db.run(`INSERT OR REPLACE ${EVENT.slice('INSERT '.length)}`, ['r', 1])).rejects.toThrow(/append-only/);
    await expect(db.run(EVENT, ['r', 1])).rejects.toThrow(ConflictError);
    expect(await db.all('SELECT seq, at FROM event')).toEqual([{ seq: 1, at: 1 }]);
    await db.run("DELETE FROM run WHERE id = 'r'");
    expect(await db.all('SELECT seq FROM event')).toEqual([]);
  });

  test('a run has one of four states', async () => {
    await expect(db.run(RUN, ['r', 'paused'])).rejects.toThrow(ConflictError);
  });
});

describe('memory', () => {
  const FOLD = 'UPDATE memory_fts_folded SET entry_id = (SELECT max(id) FROM memory_entry)';
  const find = async (word: string): Promise<unknown> =>
    (
      await db.all('SELECT key FROM memory_entry WHERE id IN (SELECT rowid FROM memory_fts WHERE memory_fts MATCH ?)', [word])
    ).map((row) => row['key']);

  test('the index and the change log follow every change; ids are never used again', async () => {
    await db.run(ENTRY, ['a', 'running café', null]);
    await db.run(ENTRY, ['b', '{"x":"line\\nbreak"}', 'line\nbreak']);
    expect(await find('run')).toEqual([]);
    await db.run(FOLD);
    expect(await find('run')).toEqual(['a']); // stemmed
    expect(await find('CAFE')).toEqual(['a']); // without diacritics
    expect(await find('break')).toEqual(['b']);
    await db.run("UPDATE memory_entry SET value = 'walking' WHERE key = 'a'");
    expect(await find('run')).toEqual([]);
    expect(await find('walked')).toEqual(['a']);
    await db.run("DELETE FROM memory_entry WHERE key = 'b'");
    expect(await find('break')).toEqual([]);
    expect(await db.get(ENTRY, ['c', 'v', null])).toEqual({ id: 3 });
    expect((await db.all('SELECT entry_id, op FROM chg ORDER BY seq')).map((row) => Object.values(row).join(' '))).toEqual([
      '1 insert',
      '2 insert',
      '1 update',
      '2 delete',
      '3 insert',
    ]);
    await db.run("INSERT INTO memory_fts (memory_fts, rank) VALUES ('integrity-check', 1)");
  });
});

describe('swarms', () => {
  test('take their agents with them, not their tasks', async () => {
    await db.run("INSERT INTO swarm VALUES ('w', 'star', 'auto', 3, 'active', NULL, 1, 1)");
    await db.run("INSERT INTO agent VALUES ('a', 'w', 'coder', NULL, NULL, '[]', 'idle', 1, 1)");
    await db.run("INSERT INTO task VALUES ('t', 'w', 'd', 'auto', 'high', '[]', 'pending', NULL, NULL, 1, 1)");
    await db.run('DELETE FROM swarm');
    expect(await db.all('SELECT id FROM agent')).toEqual([]);
    expect(await db.all('SELECT id, swarm_id FROM task')).toEqual([{ id: 't', swarm_id: null }]);
  });
});
