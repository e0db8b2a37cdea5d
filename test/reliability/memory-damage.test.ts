import { copyFileSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { contents, start, testRuntime, useScratch } from '../store/scratch.ts';
import {
  appended,
  blockAt,
  cutAt,
  damagesOf,
  flipAt,
  keyOf,
  removed,
  valueOf,
  type Damage,
  type DamageCase,
  type DamageOutcome,
} from './damage-cases.ts';
import { openMemory } from './open-memory.ts';
import type { BundledProgram } from '../helpers/bundle-program.ts';
import { bundle } from './processes.ts';
import { createRandom } from './random.ts';

const SEED = Number(process.env['RELIABILITY_SEED'] ?? 20_261_121);
const SMALL = 60;
const LARGE = 2500;

const scratch = useScratch();
let worker: BundledProgram;
let originals: string;
beforeAll(async () => {
  worker = await bundle('damage-worker.ts');
  originals = await mkdtemp(join(tmpdir(), 'skillflow-damage-'));
  await createOriginal('small', SMALL);
  await createOriginal('large', LARGE);
});
afterAll(async () => {
  await worker.remove();
  await rm(originals, { recursive: true });
});

/** A database with entries; beside it, as `<name>-logged`, one whose last writes are only in its log, as a crash leaves it. */
async function createOriginal(name: string, entries: number): Promise<void> {
  const folder = join(originals, name);
  const logged = join(originals, `${name}-logged`);
  mkdirSync(folder);
  mkdirSync(logged);
  const path = join(folder, 'skillflow.db');
  const { memory, db } = await openMemory(path, testRuntime());
  for (let n = 0; n < entries; n += 1)
    await memory.store({ namespace: 'kept', key: keyOf(n), value: valueOf(n), tags: [`t${n % 5}`] });
  for (const file of ['', '-wal', '-shm']) copyFileSync(`${path}${file}`, join(logged, `skillflow.db${file}`));
  await db.close();
}

interface Damaged {
  readonly name: string;
  readonly folder: string;
  readonly outcome: DamageOutcome;
  /** Names and hashes of the files, before and after. */
  readonly before: Readonly<Record<string, string>>;
  readonly after: Readonly<Record<string, string>>;
}

/** Copies an original for each damage, and lets one process use all the copies. */
async function useDamaged(
  original: string,
  file: string,
  entries: number,
  damages: readonly Damage[],
  readOnly = false,
): Promise<readonly Damaged[]> {
  const folder = await scratch.folder();
  const prepared = damages.map((damage, at) => {
    const place = join(folder, String(at));
    mkdirSync(place);
    for (const name of ['skillflow.db', 'skillflow.db-wal', 'skillflow.db-shm'])
      if (existsSync(join(originals, original, name))) copyFileSync(join(originals, original, name), join(place, name));
    const target = join(place, file);
    const bytes = damage.apply(readFileSync(target));
    if (bytes === null) rmSync(target);
    else writeFileSync(target, bytes);
    return { place, before: contents(place) };
  });
  const cases = prepared.map(({ place }): DamageCase => ({ path: join(place, 'skillflow.db'), entries, readOnly }));
  const { code, lines, stderr } = await start(process.execPath, [worker.path, JSON.stringify(cases)]);
  const told = lines.map((line): { readonly begins?: number; readonly ends?: number; readonly outcome?: DamageOutcome } =>
    JSON.parse(line),
  );
  const last = damages[told.at(-1)?.begins ?? -1]?.name ?? 'the end';
  expect({ code, stderr }, `seed ${SEED}: the process ended in ${original}/${file}, ${last}`).toEqual({ code: 0, stderr: '' });
  return prepared.map(({ place, before }, at) => {
    const outcome = told.find(({ ends }) => ends === at)?.outcome;
    if (outcome === undefined) throw new Error(`no outcome of ${damages[at]?.name}`);
    return { name: `seed ${SEED}, ${file}: ${damages[at]?.name}`, folder: place, outcome, before, after: contents(place) };
  });
}

/** Errors that say what is wrong with the file; anything else would be a defect of ours, or blame the caller. */
// A changed magic number reads as an encrypted file: `forbidden`.
const TYPED = ['database_damaged', 'storage', 'conflict', 'schema_too_new', 'forbidden'];

/** What holds whatever was done to the file. */
function faultsOf({ name, outcome, before, after }: Damaged, entries: number): readonly string[] {
  const { refused, errors, wrong, untold, missing, listed, right } = outcome;
  const faults: string[] = [];
  if (untold.length > 0) faults.push(`wrong, and their hashes agree: ${untold.join()}`);
  for (const error of refused === null ? errors : [refused])
    if (!TYPED.includes(error.code)) faults.push(`${error.code}: ${error.message}`);
  if (refused !== null) {
    for (const file of ['skillflow.db', 'skillflow.db-wal'])
      if (before[file] !== after[file]) faults.push(`${file} was changed, though it was refused (${refused.message})`);
    const extra = Object.keys(after).filter((file) => before[file] === undefined && !file.endsWith('-shm'));
    if (extra.length > 0) faults.push(`refused, but there is ${extra.join()}`);
  } else if (errors.length === 0) {
    if (listed === 0 || right === 0) faults.push(`it passes for empty: ${JSON.stringify({ listed, right })}`);
    if (missing.length + wrong.length > entries / 2)
      faults.push(`much is gone without an error: ${missing.length + wrong.length} of ${entries}`);
  }
  return faults.map((fault) => `${name}: ${fault}`);
}

describe(`a damaged database file (seed ${SEED})`, () => {
  test.each([
    ['small', SMALL, 40, 150],
    ['large', LARGE, 10, 45],
  ] as const)(
    '%s: refused and left alone, or used as far as it is whole; never emptied, never a crash',
    async (original, entries, headers, count) => {
      const random = createRandom(SEED);
      const size = readFileSync(join(originals, original, 'skillflow.db')).length;
      const header = Array.from({ length: headers }, () => flipAt(random.below(100), random.below(8)));
      const ends = [0, 1, 15, 16, 99, 100, 511, 512, 4095, 4096, 4097, size - 4096, size - 1].map(cutAt);
      const used = await useDamaged(original, 'skillflow.db', entries, [...ends, ...header, ...damagesOf(size, count, random)]);
      expect(used.flatMap((damaged) => faultsOf(damaged, entries))).toEqual([]);
      for (const { name, outcome } of used.slice(0, ends.length)) expect(outcome.refused?.code, name).toBe('database_damaged');
    },
  );

  test('read only: the same, and nothing is ever written', async () => {
    const random = createRandom(SEED + 1);
    const size = readFileSync(join(originals, 'small', 'skillflow.db')).length;
    const used = await useDamaged('small', 'skillflow.db', SMALL, damagesOf(size, 60, random), true);
    expect(used.flatMap((damaged) => faultsOf(damaged, SMALL))).toEqual([]);
    for (const { name, before, after } of used) expect(after['skillflow.db'], name).toBe(before['skillflow.db']);
  });
});

describe(`a damaged log (seed ${SEED})`, () => {
  test.each([
    ['small', SMALL, 80],
    ['large', LARGE, 16],
  ] as const)('%s: it is refused and left alone, or all that was committed is there', async (original, entries, count) => {
    const random = createRandom(SEED + 2);
    const size = readFileSync(join(originals, `${original}-logged`, 'skillflow.db-wal')).length;
    const ends = [0, 1, 31, 32, 33, 55, 56, size - 1].map(cutAt);
    const header = Array.from({ length: 12 }, () => flipAt(random.below(32), random.below(8)));
    const more = [appended(5000, random), blockAt(0, size, 'garbage', () => random.below(256)), removed];
    const used = await useDamaged(`${original}-logged`, 'skillflow.db-wal', entries, [
      ...ends,
      ...header,
      ...more,
      ...damagesOf(size, count, random),
    ]);
    for (const { name, outcome } of used) {
      const { refused, errors, wrong, missing, right, integrity } = outcome;
      if (refused !== null) {
        expect(refused.code, name).toBe('database_damaged');
        continue;
      }
      expect({ errors, wrong, missing, right, integrity }, name).toEqual({
        errors: [],
        wrong: [],
        missing: [],
        right: entries,
        integrity: 'ok',
      });
    }
    expect(used.flatMap((damaged) => faultsOf(damaged, entries))).toEqual([]);
  });

  test.each([false, true])('read only: %s; one whose file is empty or gone is not a new database', async (readOnly) => {
    const used = await useDamaged('small-logged', 'skillflow.db', SMALL, [cutAt(0), removed], readOnly);
    expect(used.map(({ outcome }) => outcome.refused?.code)).toEqual(['database_damaged', 'database_damaged']);
    for (const { before, after } of used) expect(after).toEqual(before);
  });
});

describe(`a damaged index of the log (seed ${SEED})`, () => {
  test.each([false, true])('is made anew, and nothing is lost (read only: %s)', async (readOnly) => {
    const random = createRandom(SEED + 3);
    const size = readFileSync(join(originals, 'small-logged', 'skillflow.db-shm')).length;
    const garbage = (): number => random.below(256);
    const damages = [
      removed,
      cutAt(0),
      cutAt(1),
      cutAt(135),
      cutAt(size - 1),
      blockAt(0, size, 'garbage', garbage),
      blockAt(0, size, 'zeros', () => 0),
    ];
    const flips = Array.from({ length: 20 }, () => flipAt(random.below(136), random.below(8)));
    const used = await useDamaged('small-logged', 'skillflow.db-shm', SMALL, [...damages, ...flips], readOnly);
    for (const { name, outcome } of used) {
      expect({ ...outcome, listed: 0 }, name).toEqual({
        refused: null,
        right: SMALL,
        wrong: [],
        untold: [],
        missing: [],
        listed: 0,
        integrity: 'ok',
        errors: [],
      });
    }
  });
});
