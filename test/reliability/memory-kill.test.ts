import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createRuntime } from '../../src/runtime.ts';
import { migrateTo } from '../../src/store/migration.ts';
import { openDatabase } from '../../src/store/open-database.ts';
import { testRuntime, useScratch } from '../store/scratch.ts';
import { readLedgers } from './ledger.ts';
import type { BundledProgram } from '../helpers/bundle-program.ts';
import { bundle, startWorker } from './processes.ts';
import { createRandom } from './random.ts';
import { ledgerFaults, soundnessFaults } from './soundness.ts';
import type { Task } from './worker-messages.ts';
import { MIXED, type Mix } from './writer.ts';

const SEED = Number(process.env['RELIABILITY_SEED'] ?? 20_261_121);
const ROUNDS = 50;
/** Rounds on one database, which each finds as the kill before left it. */
const ROUNDS_PER_DATABASE = 10;
const FOREVER = 1_000_000;

const scratch = useScratch();
let worker: BundledProgram;
let verifier: BundledProgram;
beforeAll(async () => {
  [worker, verifier] = await Promise.all([bundle('memory-worker.ts'), bundle('verify-worker.ts')]);
});
afterAll(() => Promise.all([worker.remove(), verifier.remove()]));

const MIXES: readonly [Mix, ...Mix[]] = [
  { store: 3, update: 2 },
  { storeMany: 1 },
  MIXED,
  { storeMany: 1, delete: 1, supersede: 1, share: 1 },
];

const wait = (ms: number): Promise<void> => new Promise((resolve) => void setTimeout(resolve, ms));

/** What a process sees that comes after all of them. */
async function lateFaults(path: string, ledgers: string): Promise<unknown> {
  const { code, stdout, stderr } = await createRuntime('silent').exec(process.execPath, [verifier.path, path, ledgers], {
    cwd: process.cwd(),
  });
  if (code !== 0) throw new Error(`the verifier ended with ${code}: ${stderr}`);
  const faults: unknown = JSON.parse(stdout.toString('utf8'));
  return faults;
}

describe(`kill -9 (seed ${SEED}; RELIABILITY_SEED repeats another)`, () => {
  for (let group = 0; group < ROUNDS / ROUNDS_PER_DATABASE; group += 1) {
    test(`${ROUNDS_PER_DATABASE} random moments, database ${group + 1}`, async () => {
      const random = createRandom(SEED + group);
      const folder = await scratch.folder();
      const ledgers = join(folder, 'ledgers');
      mkdirSync(ledgers);
      const path = join(folder, '.skillflow', 'skillflow.db');
      const task = (name: string, calls: number, mix: Mix): Task => ({
        path,
        ledger: join(ledgers, `${name}.ledger`),
        name,
        seed: random.below(2 ** 31),
        calls,
        mix,
        waits: false,
        tellEvery: 0,
        reopenEvery: 0,
      });
      for (let round = 0; round < ROUNDS_PER_DATABASE; round += 1) {
        const at = `seed ${SEED}, database ${group + 1}, round ${round + 1}`;
        const survivor = round % 3 === 2 ? startWorker(worker.path, task(`s${round}`, 120, MIXED)) : undefined;
        const victim = startWorker(worker.path, task(`v${round}`, FOREVER, random.pick(MIXES)));
        const early = random.below(5) === 0; // while it starts, opens the file and makes its tables
        if (!early) await victim.ready;
        await wait(early ? 50 + random.below(200) : random.next() ** 2 * 250);
        victim.child.kill('SIGKILL');
        const { signal, stderr } = await victim.ended;
        expect({ signal, stderr }, at).toEqual({ signal: 'SIGKILL', stderr: '' });
        const other = await survivor?.ended;
        if (other !== undefined) {
          expect({ code: other.code, stderr: other.stderr, errors: other.report?.errors }, at).toEqual({
            code: 0,
            stderr: '',
            errors: [],
          });
        }
        await (await openDatabase(path, { runtime: testRuntime() })).close(); // makes the tables, if it was killed before
        expect(await soundnessFaults(path), at).toEqual([]);
        expect((await ledgerFaults(path, readLedgers(ledgers))).slice(0, 10), at).toEqual([]);
      }
      expect(await lateFaults(path, ledgers), `seed ${SEED}, database ${group + 1}`).toEqual([]);
      const calls = [...readLedgers(ledgers).values()].flat();
      expect(calls.filter(({ outcome }) => outcome === 'acknowledged').length).toBeGreaterThan(200);
    });
  }

  test('while the tables of an older version are brought up to date: it is the old or the new one, with all that was in it', async () => {
    const random = createRandom(SEED);
    const ENTRIES = 400;
    for (let round = 0; round < 8; round += 1) {
      const path = join(await scratch.folder(), 'skillflow.db');
      await using db = await openDatabase(path, { runtime: testRuntime() });
      await migrateTo(db, 1);
      await db.write(async (queries) => {
        for (let n = 0; n < ENTRIES; n += 1) {
          await queries.run(
            `INSERT INTO memory_entry (namespace, key, value, format, created_at, updated_at) VALUES ('old', ?, ?, 'text', 1, 1)`,
            [`key-${n}`, `old${n}z ${'word '.repeat(200)}`],
          );
        }
      });
      await db.close();
      const victim = startWorker(worker.path, {
        path,
        ledger: null,
        name: 'v',
        seed: round,
        calls: FOREVER,
        mix: { store: 1 },
        waits: true,
        tellEvery: 0,
        reopenEvery: 0,
      });
      await Promise.race([victim.ready, wait(100 + random.below(250))]);
      victim.child.kill('SIGKILL');
      await victim.ended;
      await using after = await openDatabase(path, { runtime: testRuntime() });
      const rows = await after.get(
        `SELECT count(*) AS n, count(DISTINCT value) AS values_ FROM memory_entry WHERE namespace = 'old'`,
      );
      expect(rows, `seed ${SEED}, round ${round}`).toEqual({ n: ENTRIES, values_: ENTRIES });
      await after.close();
      expect(await soundnessFaults(path), `seed ${SEED}, round ${round}`).toEqual([]);
    }
  });
});
