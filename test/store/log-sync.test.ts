import { readdirSync, readlinkSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { createLogSync } from '../../src/store/log-sync.ts';
import { openDatabase } from '../../src/store/open-database.ts';
import { testRuntime, useScratch } from './scratch.ts';

const scratch = useScratch();

/** How often this process has a file open. */
function timesOpen(path: string): number {
  const targets = readdirSync('/proc/self/fd').map((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`);
    } catch {
      return ''; // closed meanwhile
    }
  });
  return targets.filter((target) => target === path).length;
}

describe.skipIf(process.platform !== 'linux')('the log of a database', () => {
  test('is held open from the 256th row on, and let go with the database', async () => {
    const path = join(await scratch.folder(), 'a.db');
    const db = await openDatabase(path, { runtime: testRuntime() });
    const add = (): Promise<unknown> => db.run("INSERT INTO chg (entry_id, op) VALUES (1, 'insert')");
    for (let n = 0; n < 255; n += 1) await add();
    const before = timesOpen(`${path}-wal`);
    for (let n = 0; n < 1000; n += 1) await add();
    expect(timesOpen(`${path}-wal`)).toBe(before + 1);
    await db.close();
    expect(timesOpen(`${path}-wal`)).toBe(before);
    const again = await openDatabase(path, { runtime: testRuntime() });
    expect(await again.get('SELECT count(*) AS n FROM chg')).toEqual({ n: 1255 });
    expect(await again.integrity()).toBe('ok');
    await again.close();
  });

  test('closes once all is done, also in the middle of it', async () => {
    const path = join(await scratch.folder(), 'b.db');
    await writeFile(`${path}-wal`, 'x'.repeat(1_000_000));
    const sync = createLogSync(path);
    for (let n = 0; n < 10; n += 1) sync.wrote(256);
    expect(timesOpen(`${path}-wal`)).toBe(1);
    await sync.close();
    expect(timesOpen(`${path}-wal`)).toBe(0);
    sync.wrote(256);
    expect(timesOpen(`${path}-wal`)).toBe(0);
  });
});

test('a database without a log is left alone', async () => {
  const sync = createLogSync(join(await scratch.folder(), 'none.db'));
  sync.wrote(1000);
  await expect(sync.close()).resolves.toBeUndefined();
});
