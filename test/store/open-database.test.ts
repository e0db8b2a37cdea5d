import { execFileSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import * as fc from 'fast-check';
import { beforeEach, describe, expect, test } from 'vitest';
import { ConflictError, DatabaseDamagedError, NotFoundError, SkillflowError, StorageError } from '../../src/errors.ts';
import { connect } from '../../src/store/connection.ts';
import type { Database } from '../../src/store/database.ts';
import { SCHEMA_VERSION } from '../../src/store/migration.ts';
import { openDatabase } from '../../src/store/open-database.ts';
import { contents, testRuntime, useScratch } from './scratch.ts';

const scratch = useScratch();
let folder: string;
let path: string;

beforeEach(async () => {
  folder = await scratch.folder();
  path = join(folder, 'skillflow.db');
});

async function open(file = path, readOnly = false): Promise<Database> {
  const db = await openDatabase(file, { runtime: testRuntime(), readOnly });
  scratch.onCleanUp(() => db.close());
  return db;
}

const CALL = 'INSERT INTO call (at, tool, surface, ok, duration_ms) VALUES (1, ?, ?, 1, 1)';

/** A database with some pages, closed, without side files. */
async function makeDatabase(rows = 200): Promise<void> {
  const made = join(folder, 'made.db');
  const db = await open(made);
  await db.write(async (q) => {
    for (let i = 0; i < rows; i += 1) await q.run(CALL, [`tool-${i}`, 'x'.repeat(200)]);
  });
  await db.close();
  writeFileSync(path, readFileSync(made)); // the first one's side files stay behind
  folder = dirname(path);
}

/** How opening fails: the error's code, and whether all is as before, the message names the file and a hint says what to do. */
async function refusal(readOnly = false): Promise<unknown> {
  const before = contents(folder);
  const failure: unknown = await open(path, readOnly).catch((error: unknown) => error);
  if (!(failure instanceof SkillflowError)) throw new Error('it was opened');
  expect(contents(folder)).toEqual(before);
  expect(failure.message).toContain(path);
  expect(failure.hint).toMatch(/\w/);
  return failure.code;
}

/** Runs statements on a raw connection to the file. */
async function sql(...statements: string[]): Promise<void> {
  const connection = await connect(path, 'write');
  for (const statement of statements) connection.exec(statement);
  connection.close();
}

describe('a new database', () => {
  test('is made with its folders, in WAL mode, marked as ours', async () => {
    path = join(folder, 'a', 'ü b', '50%#?.db');
    const db = await open();
    expect(await db.get('PRAGMA journal_mode')).toEqual({ journal_mode: 'wal' });
    expect(await db.get('PRAGMA synchronous')).toEqual({ synchronous: 1 });
    expect(await db.get('PRAGMA foreign_keys')).toEqual({ foreign_keys: 1 });
    expect(await db.get('PRAGMA user_version')).toEqual({ user_version: SCHEMA_VERSION });
    await db.run(CALL, ['t', 's']);
    await db.close();
    expect(readFileSync(path).toString('latin1', 68, 72)).toBe('SKFL');
    const reader = await open(path, true);
    expect(await reader.all('SELECT tool FROM call')).toEqual([{ tool: 't' }]);
  });

  test('has its name when it is whole; nothing else is left in the folder', async () => {
    await open();
    expect(readdirSync(folder).sort()).toEqual(['skillflow.db', 'skillflow.db-shm', 'skillflow.db-wal']);
    expect(await (await open(path, true)).get('PRAGMA user_version')).toEqual({ user_version: SCHEMA_VERSION });
  });

  test('is made once when several open it at the same time, and all see each other', async () => {
    const dbs = await Promise.all(Array.from({ length: 6 }, () => open()));
    for (const [n, db] of dbs.entries()) await db.run(CALL, [`from ${n}`, '']);
    for (const db of dbs) expect(await db.get('SELECT count(*) AS n FROM call')).toEqual({ n: 6 });
    expect(readdirSync(folder).filter((name) => name.endsWith('.tmp'))).toEqual([]);
  });

  test('what a killed creator left behind is removed', async () => {
    const { host } = testRuntime();
    const left = join(folder, `.skillflow-${host.replaceAll(/[^\w.]/g, '_')}-999999999-t_1.tmp`);
    for (const ending of ['', '-journal', '-wal']) writeFileSync(`${left}${ending}`, 'half');
    await open();
    expect(readdirSync(folder).filter((name) => name.includes('.tmp'))).toEqual([]);
  });

  test('after close the one file is whole: a copy has everything', async () => {
    await makeDatabase();
    expect(await (await open()).get('SELECT count(*) AS n FROM call')).toEqual({ n: 200 });
  });

  test.skipIf(process.platform === 'win32')('through a link is the file that the link names', async () => {
    await makeDatabase(1);
    mkdirSync(join(folder, 'links'));
    symlinkSync(path, join(folder, 'links', 'link.db'));
    const db = await open(join(folder, 'links', 'link.db'));
    await db.run(CALL, ['via link', '']);
    expect(await (await open()).get('SELECT count(*) AS n FROM call')).toEqual({ n: 2 });
  });
});

describe('a damaged file is left as it is', () => {
  test.each([
    ['garbage', 'garbage! '.repeat(2000)],
    ['a few bytes', 'x'],
    ['text', '{"runs": []}\n'],
    ['zeros', '\0'.repeat(8192)],
    ['a header alone', 'SQLite format 3\0'],
  ])('%s', async (_, content) => {
    writeFileSync(path, content);
    expect(await refusal()).toBe('database_damaged');
    expect(await refusal(true)).toBe('database_damaged');
  });

  test.each([false, true])('cut to nothing, or without its tables: no new database (read only: %s)', async (readOnly) => {
    writeFileSync(path, '');
    expect(await refusal(readOnly)).toBe('database_damaged');
    writeFileSync(`${path}-wal`, 'a log');
    expect(await refusal(readOnly)).toBe('database_damaged');
    rmSync(path);
    expect(await refusal(readOnly)).toBe('database_damaged');
    rmSync(`${path}-wal`);
    await sql('PRAGMA journal_mode = WAL', 'CREATE TABLE t (a)', 'DROP TABLE t');
    expect(await refusal(readOnly)).toBe('database_damaged');
  });

  test.each([0, 1, SCHEMA_VERSION - 1])('whose header names schema version %i, which its tables are not of', async (version) => {
    await makeDatabase();
    await sql(`PRAGMA user_version = ${version}`);
    const before = readFileSync(path);
    await expect(open()).rejects.toThrow(DatabaseDamagedError);
    expect(readFileSync(path).equals(before)).toBe(true);
    await expect(open(path, true)).rejects.toThrow(version === 0 ? DatabaseDamagedError : ConflictError);
    await sql(`PRAGMA user_version = ${SCHEMA_VERSION}`);
    expect(await (await open()).get('SELECT count(*) AS n FROM call')).toEqual({ n: 200 });
  });

  test('cut off anywhere', async () => {
    await makeDatabase();
    const whole = readFileSync(path);
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: whole.length - 1 }), async (length) => {
        writeFileSync(path, whole);
        truncateSync(path, length);
        expect(await refusal()).toBe('database_damaged');
      }),
      { seed: 11, numRuns: 25 },
    );
  });

  test('a page overwritten with zeros', async () => {
    await makeDatabase();
    const whole = readFileSync(path);
    const used = [0, 1, Math.floor(whole.length / 4096) - 1];
    for (const page of used) {
      const broken = Buffer.from(whole);
      broken.fill(0, page * 4096, (page + 1) * 4096);
      writeFileSync(path, broken);
      expect(await refusal()).toBe('database_damaged');
    }
  });

  test('bytes overwritten at random: refused and untouched, or opened without a crash', async () => {
    await makeDatabase();
    const whole = readFileSync(path);
    await fc.assert(
      fc.asyncProperty(fc.nat(whole.length - 64), fc.uint8Array({ minLength: 16, maxLength: 64 }), async (offset, bytes) => {
        const broken = Buffer.from(whole);
        broken.set(bytes, offset);
        writeFileSync(path, broken);
        const code = await openDatabase(path, { runtime: testRuntime(), readOnly: true }).then(
          async (db) => {
            await db.close();
            return 'opened';
          },
          (error: unknown) => (error instanceof SkillflowError ? error.code : error),
        );
        expect(['opened', 'database_damaged', 'conflict', 'schema_too_new']).toContain(code);
        expect(readFileSync(path).equals(broken)).toBe(true);
      }),
      { seed: 12, numRuns: 40 },
    );
  });

  test('one that others have open, with side files', async () => {
    await makeDatabase();
    const other = await open();
    await other.run(CALL, ['in the log', '']);
    const pages = readFileSync(path);
    writeFileSync(path, Buffer.concat([Buffer.from('overwritten by mistake'), pages.subarray(22)]));
    expect(await refusal()).toBe('database_damaged');
  });

  test('a large one is refused at the query that meets the damage', async () => {
    await makeDatabase(8000);
    const size = statSync(path).size;
    expect(size).toBeGreaterThan(1024 * 1024);
    const broken = readFileSync(path);
    for (let page = 100; page < size / 4096; page += 1) broken.fill(0xff, page * 4096, page * 4096 + 200);
    writeFileSync(path, broken);
    const db = await open(path, true);
    await expect(db.all('SELECT * FROM call ORDER BY surface')).rejects.toThrow(DatabaseDamagedError);
    expect(await db.integrity()).not.toBe('ok');
  });
});

describe('a database that is not ours to change', () => {
  test.each([
    ['has tables and no owner', ['CREATE TABLE bookmarks (a)']],
    ['has another application id', ['PRAGMA application_id = 252006675', 'CREATE TABLE t (a)']],
    ['is empty but owned', ['PRAGMA application_id = 1']],
    ['has a version only', ['PRAGMA user_version = 1']],
    ['is in WAL mode', ['PRAGMA journal_mode = WAL', 'CREATE TABLE t (a)']],
  ])('another program’s that %s: conflict, untouched', async (_, statements) => {
    await sql(...statements);
    expect(await refusal()).toBe('conflict');
    expect(await refusal(true)).toBe('conflict');
  });

  test('a newer Skillflow’s: too new, untouched', async () => {
    await makeDatabase();
    await sql(`PRAGMA user_version = ${SCHEMA_VERSION + 1}`);
    expect(await refusal()).toBe('schema_too_new');
    expect(await refusal(true)).toBe('schema_too_new');
  });
});

describe('read-only', () => {
  test('absent is not found, and makes nothing', async () => {
    await expect(open(path, true)).rejects.toThrow(NotFoundError);
    expect(existsSync(path)).toBe(false);
    await expect(open(join(folder, 'none', 'x.db'), true)).rejects.toThrow(NotFoundError);
  });

  test('sees what others commit', async () => {
    const db = await open();
    const reader = await open(path, true);
    await db.run(CALL, ['t', '']);
    expect(await reader.all('SELECT tool FROM call')).toEqual([{ tool: 't' }]);
    expect(reader.readOnly).toBe(true);
  });
});

describe('a disk that refuses', () => {
  test('a folder as the file, a file as the folder, a place where nothing can be made', async () => {
    mkdirSync(path);
    await expect(open()).rejects.toThrow(StorageError);
    await expect(open(path, true)).rejects.toThrow(StorageError);
    writeFileSync(join(folder, 'file'), 'x');
    const under = await open(join(folder, 'file', 'sub', 'x.db')).catch((error: unknown) => error);
    expect(under).toBeInstanceOf(StorageError);
    expect(under).toMatchObject({ hint: expect.stringContaining('is a file') });
    expect(readFileSync(join(folder, 'file'), 'utf8')).toBe('x');
  });

  test.skipIf(!existsSync('/proc/self'))('/proc', async () => {
    const failure = await open('/proc/skillflow/x.db').catch((error: unknown) => error);
    expect(failure).toMatchObject({ code: 'storage', hint: expect.stringMatching(/\w/), details: { path: '/proc/skillflow' } });
  });
});

/** Whether this user may mount; root in most containers may not. */
function canMount(): boolean {
  try {
    if (process.platform !== 'linux') return false;
    const probe = execFileSync('mktemp', ['-d']).toString().trim();
    try {
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', probe], { stdio: 'ignore' });
      execFileSync('umount', [probe], { stdio: 'ignore' });
      return true;
    } finally {
      execFileSync('rmdir', [probe]);
    }
  } catch {
    return false;
  }
}

describe.skipIf(!canMount())('on a file system of our own (needs the right to mount)', () => {
  async function mount(kilobytes: number): Promise<string> {
    const point = join(folder, 'disk');
    mkdirSync(point);
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${kilobytes}k`, 'tmpfs', point]);
    scratch.onCleanUp(async () => execFileSync('umount', ['--lazy', point]));
    return point;
  }

  test('full from the start: a StorageError; nothing is left, and with space it is made', async () => {
    const disk = await mount(256);
    path = join(disk, 'skillflow.db');
    writeFileSync(join(disk, 'filler'), Buffer.alloc(250 * 1024));
    const failure = await open().catch((error: unknown) => error);
    expect(failure).toMatchObject({ code: 'storage', hint: expect.stringContaining('full'), details: { path } });
    expect(readdirSync(disk)).toEqual(['filler']);
    execFileSync('mount', ['-o', 'remount,size=4m', disk]);
    expect(await (await open()).integrity()).toBe('ok');
  });

  test('full during writes: a StorageError, what was acknowledged stays, nothing is half written', async () => {
    const disk = await mount(1024);
    path = join(disk, 'skillflow.db');
    const db = await open();
    let acknowledged = 0;
    const fill = async (): Promise<void> => {
      for (;;) {
        await db.write(async (q) => {
          await q.run(CALL, ['one', 'x'.repeat(5000)]);
          await q.run(CALL, ['two', 'x'.repeat(5000)]);
        });
        acknowledged += 1;
      }
    };
    await expect(fill()).rejects.toThrow(StorageError);
    expect(acknowledged).toBeGreaterThan(3);
    const counts = 'SELECT count(*) AS n, sum(tool = ?) AS one FROM call';
    expect(await db.get(counts, ['one'])).toEqual({ n: acknowledged * 2, one: acknowledged });
    await db.close();
    execFileSync('mount', ['-o', 'remount,size=4m', disk]);
    const again = await open();
    expect(await again.integrity()).toBe('ok');
    expect(await again.get(counts, ['one'])).toEqual({ n: acknowledged * 2, one: acknowledged });
  });

  test('read-only: writing is refused with what to do, reading works, nothing is changed', async () => {
    const disk = await mount(4096);
    await makeDatabase();
    const copy = join(disk, basename(path));
    writeFileSync(copy, readFileSync(path));
    execFileSync('mount', ['-o', 'remount,ro', disk]);
    const before = contents(disk);
    const failure = await open(copy).catch((error: unknown) => error);
    expect(failure).toMatchObject({ code: 'storage', hint: expect.stringMatching(/read-only|permissions/) });
    await expect(open(join(disk, 'new', 'x.db'))).rejects.toMatchObject({
      code: 'storage',
      hint: expect.stringMatching(/read-only/),
    });
    const reader = await open(copy, true);
    expect(await reader.get('SELECT count(*) AS n FROM call')).toEqual({ n: 200 });
    expect(contents(disk)).toEqual(before);
    await reader.close();
  });
});
