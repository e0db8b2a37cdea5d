import { copyFileSync, existsSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { beforeEach, describe, expect, test } from 'vitest';
import { DatabaseDamagedError } from '../../src/errors.ts';
import { isLogDamage } from '../../src/store/check-log.ts';
import { mendLog } from '../../src/store/mend-log.ts';
import { openDatabase } from '../../src/store/open-database.ts';
import { readLog } from '../../src/store/read-log.ts';
import { numberOf } from '../../src/store/row.ts';
import { contents, testRuntime, useScratch } from './scratch.ts';

const SEED = 20_261_121;
const ROWS = 60;
const KEY = 'a key of more than sixteen bytes';
const CALL = 'INSERT INTO call (at, tool, surface, ok, duration_ms) VALUES (1, ?, ?, 1, 1)';
const scratch = useScratch();
const runtime = testRuntime();

/** A database as a killed process leaves it, with `ROWS` transactions in its log alone; of each its last frame. */
async function crashed(key?: string): Promise<{ readonly folder: string; readonly ends: readonly number[] }> {
  const made = join(await scratch.folder(), 'skillflow.db');
  const folder = await scratch.folder();
  const db = await openDatabase(made, { runtime, key });
  const ends: number[] = [];
  for (let n = 0; n < ROWS; n += 1) {
    await db.run(CALL, [`tool-${n}`, 'x'.repeat(n * 90)]);
    ends.push(readLog(made)?.committed ?? 0);
  }
  for (const ending of ['', '-wal', '-shm']) copyFileSync(`${made}${ending}`, join(folder, `skillflow.db${ending}`));
  await db.close();
  return { folder, ends };
}

let source: Awaited<ReturnType<typeof crashed>>;
let path: string;

async function reset(withIndex = true): Promise<void> {
  const folder = await scratch.folder();
  path = join(folder, 'skillflow.db');
  for (const ending of ['', '-wal', ...(withIndex ? ['-shm'] : [])])
    copyFileSync(join(source.folder, `skillflow.db${ending}`), `${path}${ending}`);
}

async function rows(key?: string): Promise<number> {
  await using db = await openDatabase(path, { runtime, key });
  expect(await db.integrity()).toBe('ok');
  return numberOf((await db.get('SELECT count(*) AS n FROM call')) ?? {}, 'n');
}

/** The number of rows; or that opening fails, and whether all files are as before. */
async function outcome(key?: string): Promise<number | 'refused' | 'refused, and changed'> {
  const folder = join(path, '..');
  const before = JSON.stringify(contents(folder));
  try {
    return await rows(key);
  } catch (error) {
    if (!isLogDamage(error)) throw error;
    return JSON.stringify(contents(folder)) === before ? 'refused' : 'refused, and changed';
  }
}

function change(damage: (log: Buffer) => void): void {
  const log = readFileSync(`${path}-wal`);
  damage(log);
  writeFileSync(`${path}-wal`, log);
}

beforeEach(async () => {
  source = await crashed();
  await reset();
});

describe('a log that a killed process left', () => {
  test('is read to its end, whatever of it was not committed', async () => {
    expect(await outcome()).toBe(ROWS);
    await reset();
    truncateSync(`${path}-wal`, readFileSync(`${path}-wal`).length - 1);
    expect(await outcome()).toBe('refused'); // its index says that it was whole
    const frame = readLog(path)?.frameBytes ?? 0;
    for (const bytes of [1, 24, 25, frame - 1]) {
      await reset();
      const log = readFileSync(`${path}-wal`);
      writeFileSync(`${path}-wal`, Buffer.concat([log, log.subarray(log.length - frame, log.length - frame + bytes)]));
      expect(await outcome(), `${bytes} bytes of a frame that was not written`).toBe(ROWS);
    }
  });

  test('over an older one: what is left of that, and what was begun over it, is no damage', async () => {
    const log = readFileSync(`${path}-wal`);
    const frame = readLog(path)?.frameBytes ?? 0;
    const old = Buffer.from(log.subarray(log.length - 3 * frame));
    for (let at = 0; at < old.length; at += frame) old.writeInt32BE(old.readInt32BE(at + 8) - 1, at + 8);
    writeFileSync(`${path}-wal`, Buffer.concat([log, old]));
    expect(await outcome()).toBe(ROWS);
    await reset();
    // A commit was begun: the header of its last frame was written, its page not; then a shorter transaction was committed.
    const begun = Buffer.from(log.subarray(log.length - 2 * frame));
    for (const at of [0, frame]) begun.writeInt32BE(at === 0 ? 0 : 9, at + 4);
    begun.fill(7, frame + 100);
    writeFileSync(`${path}-wal`, Buffer.concat([log, begun, old]));
    expect(await outcome()).toBe(ROWS);
  });
});

describe('a damaged log is refused, and left as it is', () => {
  test.each<[string, (bytes: Buffer) => void]>([
    ['its header garbled', (log) => void log.fill(0x5a, 0, 32)],
    ['all of it overwritten', (log) => void log.fill(0x33)],
    ['zeros', (log) => void log.fill(0)],
    ['its middle garbled', (log) => void log.fill(0x5a, log.length >> 1, (log.length >> 1) + 9000)],
    ['one bit of its first page', (log) => void log.writeUInt8(log.readUInt8(100) ^ 1, 100)],
    ['one bit of its last page', (log) => void log.writeUInt8(log.readUInt8(log.length - 9) ^ 1, log.length - 9)],
  ])('%s', async (_, damage) => {
    for (const withIndex of [true, false]) {
      await reset(withIndex);
      change(damage);
      expect(await outcome()).toBe('refused');
      await expect(openDatabase(path, { runtime, readOnly: true })).rejects.toThrow(DatabaseDamagedError);
    }
  });

  test.each([0, 1, 10, 31, 33, 3000])('cut to %i bytes', async (bytes) => {
    truncateSync(`${path}-wal`, bytes);
    expect(await outcome()).toBe('refused');
  });

  test('removed, while its index is there', async () => {
    rmSync(`${path}-wal`);
    expect(await outcome()).toBe('refused');
    rmSync(`${path}-shm`);
    expect(await outcome()).toBe(0); // nothing tells any more
  });

  test('of an encrypted database: the same, without its key being needed to see it', async () => {
    source = await crashed(KEY);
    await reset();
    expect(await outcome(KEY)).toBe(ROWS);
    await reset(false);
    change((log) => void log.fill(1, log.length >> 1, (log.length >> 1) + 10));
    expect(await outcome(KEY)).toBe('refused');
  });

  test('anywhere, in any way: refused, or all that was committed is there', async () => {
    const size = readFileSync(`${path}-wal`).length;
    const damage = fc.record({
      at: fc.nat(size - 1),
      bytes: fc.uint8Array({ minLength: 1, maxLength: 5000 }),
      cut: fc.boolean(),
    });
    await fc.assert(
      fc.asyncProperty(damage, async ({ at, bytes, cut }) => {
        await reset();
        if (cut) truncateSync(`${path}-wal`, at);
        else change((log) => log.set(bytes.subarray(0, size - at), at));
        expect([ROWS, 'refused']).toContain(await outcome());
      }),
      { seed: SEED, numRuns: 60 },
    );
  });
});

describe('while others write to it', () => {
  test('is never taken for damaged', async () => {
    const db = await openDatabase(join(source.folder, 'skillflow.db'), { runtime });
    scratch.onCleanUp(() => db.close());
    for (let n = 0; n < 60; n += 1) {
      await db.write(async (queries) => {
        for (let row = 0; row < 20; row += 1) await queries.run(CALL, [`other-${n}-${row}`, 'y'.repeat(900)]);
      });
      if (n % 10 === 9) await db.get('PRAGMA wal_checkpoint(TRUNCATE)');
      await using reader = await openDatabase(db.path, { runtime, readOnly: n % 2 === 0 });
      expect(await reader.get('SELECT count(*) AS n FROM call')).toEqual({ n: ROWS + 20 * (n + 1) });
    }
  });
});

describe('mending', () => {
  test('keeps what was committed before the damage, and copies of all files', async () => {
    change((log) => void log.fill(0x5a, log.length >> 1, (log.length >> 1) + 9000));
    const before = contents(join(path, '..'));
    const found = readLog(path);
    const whole = source.ends.filter((end) => end <= (found?.sound ?? 0)).length;
    const copies = join(path, '..', 'aside', 'files');
    const mended = await mendLog(path, copies, runtime, undefined);
    expect(contents(copies)).toEqual(before);
    expect(mended).toEqual({ kept: source.ends[whole - 1], dropped: (source.ends.at(-1) ?? 0) - (source.ends[whole - 1] ?? 0) });
    expect(whole).toBeGreaterThan(10);
    expect(await rows()).toBe(whole);
    expect(await rows()).toBe(whole);
  });

  test.each<[string, (bytes: Buffer) => Buffer]>([
    ['a header that is none', (log) => log.fill(0x5a, 0, 32)],
    ['a log that is cut', (log) => log.subarray(0, 10)],
    ['an empty log', () => Buffer.alloc(0)],
  ])('%s: goes on with the file', async (_, damage) => {
    writeFileSync(`${path}-wal`, damage(readFileSync(`${path}-wal`)));
    expect(await mendLog(path, join(path, '..', 'aside'), runtime, undefined)).toMatchObject({ kept: 0 });
    expect(await rows()).toBe(0);
  });

  test('refuses what would put back what is newer in the file', async () => {
    const db = await openDatabase(join(source.folder, 'skillflow.db'), { runtime });
    await db.run(CALL, ['one more', '']);
    await db.get('PRAGMA wal_checkpoint(PASSIVE)');
    await reset();
    await db.close();
    truncateSync(`${path}-wal`, readFileSync(`${path}-wal`).length >> 1);
    const before = contents(join(path, '..'));
    expect(await outcome()).toBe('refused');
    await expect(mendLog(path, `${path}-aside`, runtime, undefined)).rejects.toThrow(/newer pages/);
    for (const [name, hash] of Object.entries(before)) expect(contents(`${path}-aside`)[name]).toBe(hash);
    expect(existsSync(`${path}-wal`)).toBe(true);
  });
});
