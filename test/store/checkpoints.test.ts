import { spawnSync } from 'node:child_process';
import { readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { StorageError } from '../../src/errors.ts';
import type { Database } from '../../src/store/database.ts';
import { openDatabase } from '../../src/store/open-database.ts';
import { testRuntime, useScratch } from './scratch.ts';

const scratch = useScratch();
const KEY = 'a key of more than sixteen bytes';
const BODY = 'x'.repeat(3000);
/** A process is busy after so many transactions. */
const BUSY_COMMITS = 400;

async function open(path: string, key?: string): Promise<{ readonly db: Database; readonly said: readonly string[] }> {
  const said: string[] = [];
  // Slow time, so that it is a busy process on a slow machine too.
  const runtime = testRuntime({ log: (_level, message) => void said.push(message), ticks: () => performance.now() / 100 });
  const db = await openDatabase(path, { runtime, key });
  scratch.onCleanUp(() => db.close());
  return { db, said };
}

const newPath = async (): Promise<string> => join(await scratch.folder(), 'skillflow.db');
const pagesOf = async (db: Database): Promise<unknown> => (await db.get('PRAGMA wal_autocheckpoint'))?.['wal_autocheckpoint'];
const store = (db: Database, n: number): Promise<unknown> =>
  db.run('INSERT INTO message (place, sender, address, body, created_at) VALUES (?, ?, ?, ?, ?)', ['p', 's', 'all', BODY, n]);

/** Stores so much, with turns of the event loop in between, that the process counts as busy. */
async function work(db: Database, count = BUSY_COMMITS + 50): Promise<void> {
  for (let n = 0; n < count; n += 1) {
    await store(db, n);
    if (n % 10 === 0) await new Promise((resolve) => void setImmediate(resolve));
  }
}

/** Waits until a condition holds, while more is stored now and then. */
async function until(condition: () => boolean | Promise<boolean>, during: () => Promise<unknown>): Promise<void> {
  for (let tries = 0; tries < 500; tries += 1) {
    if (await condition()) return;
    await during();
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  throw new Error('it did not come to that');
}

describe('checkpoints beside transactions', () => {
  it('a process that writes little has none', async () => {
    const { db } = await open(await newPath());
    await work(db, BUSY_COMMITS - 100);
    expect(await pagesOf(db)).toBe(8000);
  });

  it.each([
    ['a plain database', undefined],
    ['an encrypted one', KEY],
  ])('move the log of %s into the file, and the log begins anew; nothing is lost', async (_name, key) => {
    const path = await newPath();
    const { db, said } = await open(path, key);
    await work(db);
    const log = statSync(`${path}-wal`).size;
    // Pages of the log are in the file long before SQLite itself would move them.
    await until(
      () => statSync(path).size > 1_000_000,
      () => store(db, 0),
    );
    await work(db, 30);
    expect(await pagesOf(db)).toBe(64_000);
    expect(statSync(`${path}-wal`).size).toBeLessThan(log * 1.5);
    expect(await db.integrity()).toBe('ok');
    const count = await db.get('SELECT count(*) AS n FROM message');
    await db.close();
    expect(said).toEqual([]);
    const { db: again } = await open(path, key);
    expect(await again.get('SELECT count(*) AS n FROM message')).toEqual(count);
    expect(await again.get('SELECT count(*) AS n FROM message WHERE length(body) = 3000')).toEqual(count);
  });

  it('a database in memory has none', async () => {
    const { createLocalDatabase } = await import('../../src/store/local-database.ts');
    const { connect } = await import('../../src/store/connection.ts');
    const db = createLocalDatabase(await connect(':memory:', 'write'), testRuntime(), false);
    await db.run('CREATE TABLE note (n INTEGER)');
    const before = await pagesOf(db);
    for (let n = 0; n < BUSY_COMMITS * 2; n += 1) await db.run('INSERT INTO note VALUES (?)', [n]);
    expect(await pagesOf(db)).toBe(before);
    await db.close();
  });

  it('closing at any moment waits for what is under way, and the file is whole', async () => {
    for (const more of [0, 1, 3, 20]) {
      const path = await newPath();
      const { db } = await open(path);
      await work(db, BUSY_COMMITS);
      for (let turns = 0; turns < more; turns += 1) await new Promise((resolve) => setTimeout(resolve, 1));
      const writing = store(db, 1);
      await Promise.all([writing, db.close()]);
      expect(statSync(`${path}-wal`, { throwIfNoEntry: false })?.size ?? 0).toBe(0);
      const { db: again } = await open(path);
      expect(await again.get('SELECT count(*) AS n FROM message')).toEqual({ n: BUSY_COMMITS + 1 });
      expect(await again.integrity()).toBe('ok');
    }
  });

  it.skipIf(process.platform !== 'linux')('leave no thread behind', async () => {
    const threads = (): number => readdirSync('/proc/self/task').length;
    const round = async (): Promise<void> => {
      const { db } = await open(await newPath());
      await work(db, BUSY_COMMITS);
      await db.close();
    };
    await round(); // the driver starts its threads once
    const before = threads();
    for (let n = 0; n < 4; n += 1) await round();
    expect(threads()).toBeLessThanOrEqual(before);
  });

  it('two connections, both busy, each see what both stored', async () => {
    const path = await newPath();
    const [one, two] = [(await open(path)).db, (await open(path)).db];
    await Promise.all([work(one, 900), work(two, 900)]);
    for (const db of [one, two]) expect(await db.get('SELECT count(*) AS n FROM message')).toEqual({ n: 1800 });
    expect(await one.integrity()).toBe('ok');
  });

  const canMount =
    process.platform === 'linux' &&
    process.getuid?.() === 0 &&
    spawnSync('unshare', ['--mount', 'mount', '-t', 'tmpfs', 'tmpfs', '/mnt'], { stdio: 'ignore' }).status === 0;

  it.skipIf(!canMount)('on a full disk writes fail as such, reads go on, and with space all goes on', async () => {
    const folder = await scratch.folder();
    expect(spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=8m', 'tmpfs', folder]).status).toBe(0);
    scratch.onCleanUp(async () => void spawnSync('umount', ['--lazy', folder]));
    const { db } = await open(join(folder, 'skillflow.db'));
    writeFileSync(join(folder, 'filler'), Buffer.alloc(2_500_000));
    let stored = 0;
    const fill = async (): Promise<never> => {
      for (;;) {
        await store(db, stored);
        stored += 1;
        if (stored % 10 === 0) await new Promise((resolve) => void setImmediate(resolve));
      }
    };
    await expect(fill()).rejects.toThrow(StorageError);
    expect(stored).toBeGreaterThanOrEqual(BUSY_COMMITS); // the log is being moved, or was
    expect(await db.get('SELECT count(*) AS n FROM message')).toEqual({ n: stored });
    writeFileSync(join(folder, 'filler'), '');
    await until(
      async () =>
        store(db, 0).then(
          () => true,
          () => false,
        ),
      () => Promise.resolve(),
    );
    expect(await db.get('SELECT count(*) AS n FROM message')).toEqual({ n: stored + 1 });
    expect(await db.integrity()).toBe('ok');
    expect(readFileSync(join(folder, 'filler'))).toHaveLength(0);
  });
});
