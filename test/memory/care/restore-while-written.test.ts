import { spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openDatabase } from '../../../src/store/open-database.ts';
import type { Queries } from '../../../src/store/database.ts';
import { bundleProgram, type BundledProgram } from '../../helpers/bundle-program.ts';
import { testRuntime, useScratch } from '../../store/scratch.ts';
import { faults, openPlace, put } from './place.ts';

const scratch = useScratch();
let worker: BundledProgram;
beforeAll(async () => {
  worker = await bundleProgram(fileURLToPath(new URL('worker.ts', import.meta.url)));
});
afterAll(() => worker.remove());

/** Another process that stores one entry after the other until the file `stop` is there. @returns how many were acknowledged */
function writer(root: string): Promise<number> {
  const child = spawn(process.execPath, [worker.path, root, 'write'], { stdio: ['ignore', 'pipe', 'inherit'] });
  scratch.onCleanUp(async () => child.kill('SIGKILL'));
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text));
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', () => {
      const written = /wrote (\d+),/.exec(output)?.[1];
      if (written === undefined) reject(new Error(output));
      else resolve(Number(written));
    });
  });
}

async function written(queries: Queries): Promise<readonly string[]> {
  return (await queries.all(`SELECT key FROM memory_entry WHERE namespace = 'written'`)).map((row) => String(row['key']));
}

test('what another process stores while 10 restores run is in the database or in one of their backups', async () => {
  const { root, db, care } = await openPlace(scratch);
  await db.write(async (queries) => {
    for (let n = 0; n < 800; n += 1) await put(queries, 'n', `key ${n}`, { value: `some words of number ${n}` });
  });
  await care.backup('b.db');
  await care.snapshot('s');
  const acknowledged = writer(root);
  while ((await written(db)).length === 0) await new Promise((wake) => setTimeout(wake, 5));
  const safeties: string[] = [];
  for (let round = 0; round < 10; round += 1) {
    safeties.push((await (round % 2 === 0 ? care.restore('b.db') : care.restoreSnapshot('s'))).safety);
    await new Promise((wake) => setTimeout(wake, 30));
  }
  writeFileSync(join(root, 'stop'), '');
  const count = await acknowledged;
  const found = new Set(await written(db));
  for (const path of safeties) {
    await using copy = await openDatabase(path, { runtime: testRuntime(), readOnly: true });
    for (const key of await written(copy)) found.add(key);
  }
  expect(count).toBeGreaterThan(10);
  expect(Array.from({ length: count }, (_, n) => `key ${n}`).filter((key) => !found.has(key))).toEqual([]);
  expect(await faults(db)).toEqual([]);
}, 120_000);
