import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { rawSql } from '../helpers/raw-sql.ts';
import { start, testRuntime, useScratch } from '../store/scratch.ts';
import { readLedgers } from './ledger.ts';
import { openMemory } from './open-memory.ts';
import type { BundledProgram } from '../helpers/bundle-program.ts';
import { bundle, runTogether } from './processes.ts';
import { ledgerFaults, soundnessFaults } from './soundness.ts';
import type { Task } from './worker-messages.ts';
import { MIXED, type Mix } from './writer.ts';

const SEED = Number(process.env['RELIABILITY_SEED'] ?? 20_261_121);
const PROCESSES = 8;
const CALLS = 300;
const SHORT_CALLS = 60;

const scratch = useScratch();
let worker: BundledProgram;
beforeAll(async () => {
  worker = await bundle('memory-worker.ts');
});
afterAll(() => worker.remove());

async function together(mix: Mix, calls: number, reopenEvery = 0) {
  const folder = await scratch.folder();
  const ledgers = join(folder, 'ledgers');
  mkdirSync(ledgers);
  const path = join(folder, 'a', 'skillflow.db');
  const tasks = Array.from({ length: PROCESSES }, (_task, at): Task => {
    const name = `w${at}`;
    const ledger = join(ledgers, `${name}.ledger`);
    return { path, ledger, name, seed: SEED + at, calls, mix, waits: true, tellEvery: 10, reopenEvery };
  });
  const { ended } = await runTogether(worker.path, tasks);
  return { path, ended, ledgers: readLedgers(ledgers) };
}

describe(`several processes on one memory (seed ${SEED})`, () => {
  test(`${PROCESSES} × ${CALLS} mixed calls: no error, nothing lost, each sees at once what the others were told`, async () => {
    const { path, ended, ledgers } = await together(MIXED, CALLS);
    for (const { report, ...end } of ended) {
      expect(end).toEqual({ code: 0, signal: null, stderr: '' });
      expect(report?.errors).toEqual([]);
      expect(report?.latencies).toHaveLength(CALLS);
      expect(report?.seen).toBeGreaterThan(CALLS / 10); // some of what the others said before this one ended
    }
    expect(ledgers.size).toBe(PROCESSES);
    expect((await ledgerFaults(path, ledgers)).slice(0, 10)).toEqual([]);
    expect(await soundnessFaults(path)).toEqual([]);
  });

  test(`${PROCESSES} × ${SHORT_CALLS} short uses, each with an open and a close: the same`, async () => {
    const { path, ended, ledgers } = await together(MIXED, SHORT_CALLS, 1);
    for (const { report, code, signal, stderr } of ended) {
      expect({ errors: report?.errors, code, signal, stderr }).toEqual({ errors: [], code: 0, signal: null, stderr: '' });
    }
    expect((await ledgerFaults(path, ledgers)).slice(0, 10)).toEqual([]);
    expect(await soundnessFaults(path)).toEqual([]);
  });

  test('a process that has opened the database twice keeps its hold on it, and what it writes, when others come and go', async () => {
    const path = join(await scratch.folder(), 'skillflow.db');
    const first = await openMemory(path, testRuntime());
    scratch.onCleanUp(() => first.db.close());
    await first.memory.store({ key: 'k', value: 'before' });
    const second = await openMemory(path, testRuntime());
    // So many that it opens and closes the log beside the driver.
    await second.memory.storeMany(Array.from({ length: 1000 }, (_, n) => ({ key: `n${n}`, value: `value ${n}` })));
    await second.db.close();
    // A connection that is really closed, and is the last one if ours does not count, takes the log away.
    const visit = "const db = new (require('libsql'))(process.argv[1]); db.exec('BEGIN IMMEDIATE; COMMIT'); db.close();";
    const visitor = await start(process.execPath, ['-e', visit, path]);
    expect(visitor).toMatchObject({ code: 0, stderr: '' });
    await first.memory.store({ key: 'k', value: 'after' });
    expect(await rawSql(path, "SELECT value FROM memory_entry WHERE key = 'k'")).toMatchObject([{ value: 'after' }]);
    await first.db.close();
    expect(await soundnessFaults(path)).toEqual([]);
  });
});
