import { readFileSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { DatabaseDamagedError } from '../../src/errors.ts';
import { inspectFile } from '../../src/store/inspect-file.ts';
import { SCHEMA_VERSION } from '../../src/store/migration.ts';
import { openDatabase } from '../../src/store/open-database.ts';
import { testRuntime, useScratch } from './scratch.ts';

const scratch = useScratch();
const MOST_TURNS = 1_000;

/**
 * Looks at a file that is at rest and has a garbled page, as one has that another process is writing; after some turns of
 * this process the other one has written all, and is gone.
 */
async function look(path: string, whole: Buffer, turns: number): Promise<{ readonly found: unknown; readonly after: number }> {
  writeFileSync(path, Buffer.from(whole).fill(0x5a, 2 * 2048, 3 * 2048));
  utimesSync(path, 1, 1); // a clock may be too coarse to tell two writes of one test apart
  const at = { turn: 0, end: -1 };
  const looked = inspectFile(path, testRuntime()).catch((error: unknown) => error);
  void looked.then(() => (at.end = at.turn));
  for (; at.turn < MOST_TURNS && at.end < 0; at.turn += 1) {
    if (at.turn === turns) writeFileSync(path, whole);
    await Promise.resolve();
  }
  return { found: await looked, after: at.end };
}

test('what others change, and leave, while it is looked at is not taken for damage', async () => {
  const folder = await scratch.folder();
  const made = join(folder, 'made.db');
  await (await openDatabase(made, { runtime: testRuntime() })).close();
  const whole = readFileSync(made);
  const left = await look(join(folder, 'left.db'), whole, Infinity);
  expect(left.found).toBeInstanceOf(DatabaseDamagedError);
  expect(left.after).toBeGreaterThan(3);
  for (let turns = 0; turns < left.after - 2; turns += 1) {
    const path = join(folder, `${turns}.db`);
    expect((await look(path, whole, turns)).found, `after ${turns} of ${left.after} turns`).toMatchObject({
      version: SCHEMA_VERSION,
    });
    expect(statSync(path).size).toBe(whole.length);
  }
});
