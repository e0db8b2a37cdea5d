import { copyFileSync, existsSync, mkdirSync, readFileSync, readdirSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { beforeEach, describe, expect, test } from 'vitest';
import { SkillflowError } from '../../src/errors.ts';
import type { Database } from '../../src/store/database.ts';
import { encryptionKey } from '../../src/store/encryption-key.ts';
import { fileKind } from '../../src/store/inspect-file.ts';
import { openDatabase } from '../../src/store/open-database.ts';
import { runApart } from '../../src/store/run-apart.ts';
import { contents, testRuntime, useScratch } from './scratch.ts';

const scratch = useScratch();
const KEY = 'correct horse battery staple';
const SECRET = 'what nobody else may read';
const CALL = `INSERT INTO call (at, tool, surface, ok, duration_ms) VALUES (1, ?, 's', 1, 1)`;
let folder: string;
let path: string;

beforeEach(async () => {
  folder = await scratch.folder();
  path = join(folder, 'skillflow.db');
});

async function open(key: string | undefined, options: { file?: string; readOnly?: boolean } = {}): Promise<Database> {
  const { file = path, readOnly = false } = options;
  const db = await openDatabase(file, { runtime: testRuntime(), readOnly, key });
  scratch.onCleanUp(() => db.close());
  return db;
}

async function fill(key: string | undefined, rows = 50): Promise<void> {
  const db = await open(key);
  await db.write(async (queries) => {
    for (let n = 0; n < rows; n += 1) await queries.run(CALL, [`${SECRET} ${n} ${'x'.repeat(200)}`]);
  });
  await db.close();
}

/** How opening fails, with everything in the folder as it was. */
async function refusal(key: string | undefined, readOnly = false): Promise<unknown> {
  const before = contents(folder);
  const failure: unknown = await open(key, { readOnly }).catch((error: unknown) => error);
  if (!(failure instanceof SkillflowError)) throw new Error('it was opened');
  expect(contents(folder)).toEqual(before);
  expect(failure.message).toContain(path);
  expect(failure.message + (failure.hint ?? '')).not.toContain(KEY);
  expect(failure.hint).toMatch(/\w/);
  return failure.code;
}

describe('an encrypted database', () => {
  test('shows nothing of what it holds, in no file, while it is open and after', async () => {
    const db = await open(KEY);
    await db.run(CALL, [SECRET]);
    const texts = (): readonly string[] =>
      readdirSync(folder).filter((name) => {
        const bytes = readFileSync(join(folder, name));
        return bytes.includes(SECRET) || bytes.includes('CREATE TABLE') || bytes.includes('SQLite format');
      });
    expect(readdirSync(folder)).toContain('skillflow.db-wal');
    expect(texts()).toEqual([]);
    await db.close();
    expect(texts()).toEqual([]);
    expect(fileKind(path)).toBe('encrypted');
    expect(await (await open(KEY, { readOnly: true })).all('SELECT tool FROM call')).toEqual([{ tool: SECRET }]);
  });

  test('is shared by connections, as a plain one is', async () => {
    const [one, two] = [await open(KEY), await open(KEY)];
    await one.run(CALL, ['from one']);
    await two.run(CALL, ['from two']);
    expect(await one.all('SELECT tool FROM call ORDER BY id')).toEqual([{ tool: 'from one' }, { tool: 'from two' }]);
    expect(await one.integrity()).toBe('ok');
  });

  test('is copied encrypted, with the same key', async () => {
    await fill(KEY);
    const copy = join(folder, 'copy.db');
    await runApart({ path, mode: 'read', key: KEY }, 'VACUUM INTO ?', [copy]);
    expect(fileKind(copy)).toBe('encrypted');
    expect(readFileSync(copy).includes(SECRET)).toBe(false);
    copyFileSync(copy, path);
    expect(await (await open(KEY, { file: copy })).get('SELECT count(*) AS n FROM call')).toEqual({ n: 50 });
  });

  test('is refused without its key and with another one, and left as it is', async () => {
    await fill(KEY);
    for (const key of [undefined, `${KEY}!`, KEY.toUpperCase()]) {
      for (const readOnly of [false, true]) expect(await refusal(key, readOnly)).toBe('forbidden');
    }
  });

  test('is refused without its key also while another process has it open', async () => {
    const db = await open(KEY);
    await db.run(CALL, ['x']);
    const before = { ...contents(folder), 'skillflow.db-shm': '' }; // readers leave their marks in it
    for (const key of [undefined, 'another key, a wrong one'])
      await expect(open(key)).rejects.toMatchObject({ code: 'forbidden' });
    expect({ ...contents(folder), 'skillflow.db-shm': '' }).toEqual(before);
  });

  test('all of a long key counts', async () => {
    await fill('k'.repeat(200) + 1);
    expect(await refusal('k'.repeat(200) + 2)).toBe('forbidden');
    expect(encryptionKey('k'.repeat(200))).toHaveLength(32);
  });

  test('cut off anywhere is damaged, or cannot be told from one with another key', async () => {
    await fill(KEY);
    const whole = readFileSync(path);
    [folder, path] = [join(folder, 'cut'), join(folder, 'cut', 'skillflow.db')]; // the first one's side files stay behind
    mkdirSync(folder);
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: whole.length - 1 }), async (length) => {
        writeFileSync(path, whole);
        truncateSync(path, length);
        expect(['database_damaged', 'forbidden']).toContain(await refusal(KEY));
      }),
      { seed: 6, numRuns: 40 },
    );
  });

  test('garbled anywhere is refused or read, and left as it is; garbled at its start it is refused', async () => {
    await fill(KEY);
    const whole = readFileSync(path);
    [folder, path] = [join(folder, 'garbled'), join(folder, 'garbled', 'skillflow.db')];
    mkdirSync(folder);
    await fc.assert(
      // The cipher does not authenticate: what is garbled inside a page may still be something.
      fc.asyncProperty(fc.oneof(fc.nat(90), fc.nat(whole.length - 64)), async (at) => {
        const bytes = Buffer.from(whole);
        for (let n = at; n < at + 64; n += 1) bytes[n] = (bytes[n] ?? 0) ^ 0x5a;
        writeFileSync(path, bytes);
        const outcome = await openDatabase(path, { runtime: testRuntime(), readOnly: true, key: KEY }).then(
          async (db) => db.close().then(() => 'read'),
          (error: unknown) => (error instanceof SkillflowError ? error.code : String(error)),
        );
        expect(['read', 'database_damaged', 'forbidden', 'internal', 'conflict', 'schema_too_new']).toContain(outcome);
        expect(outcome === 'read' && at < 100).toBe(false);
        expect(readFileSync(path).equals(bytes)).toBe(true);
      }),
      { seed: 7, numRuns: 80 },
    );
  });
});

describe('a key', () => {
  test('for a plain database is refused, and the file left as it is', async () => {
    await fill(undefined);
    for (const readOnly of [false, true]) expect(await refusal(KEY, readOnly)).toBe('conflict');
  });

  test.each(['', 'short', 'fifteen bytes..'])('%j is too short', async (key) => {
    await expect(open(key)).rejects.toMatchObject({ code: 'invalid_input' });
    expect(existsSync(path)).toBe(false);
  });

  test.each(['sixteen bytes ok', 'schlüssel mit ümläuten €', 'with a NUL \0 inside it', '🔑🔑🔑🔑'])('%j works', async (key) => {
    await fill(key);
    expect(await (await open(key)).get('SELECT count(*) AS n FROM call')).toEqual({ n: 50 });
  });

  test('does not make garbage a database', async () => {
    for (const content of ['garbage! '.repeat(2000), '\0'.repeat(8192), 'x']) {
      writeFileSync(path, content);
      expect(await refusal(KEY)).toBe('database_damaged');
    }
  });
});
