import { spawn } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readdirSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openDatabase } from '../../../src/store/open-database.ts';
import { bundleProgram, type BundledProgram } from '../../helpers/bundle-program.ts';
import { seeded } from '../../helpers/seeded.ts';
import { testRuntime, useScratch } from '../../store/scratch.ts';
import { everything, faults, link, openPlace, put, type Place } from './place.ts';

const scratch = useScratch();
const ENTRIES = 600;
const KILLS = 5;
let worker: BundledProgram;
/** A project as it is before the call that is killed, with what that call needs; to be copied. */
let root: string;

beforeAll(async () => {
  worker = await bundleProgram(fileURLToPath(new URL('worker.ts', import.meta.url)));
  root = await prepare();
});
afterAll(async () => {
  await worker.remove();
  rmSync(join(root, '..'), { recursive: true });
});

/** Runs the worker; kills it so many milliseconds after it began. @returns how long it took from there, and whether it ended */
function run(
  args: readonly string[],
  killAfterMs?: number,
): Promise<{ readonly tookMs: number; readonly done: boolean; readonly output: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [worker.path, ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
    let output = '';
    let begun = 0;
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      output += text;
      if (begun !== 0 || !output.startsWith('begin\n')) return;
      begun = performance.now();
      if (killAfterMs !== undefined) setTimeout(() => child.kill('SIGKILL'), killAfterMs);
    });
    child.on('error', reject);
    child.on('close', () => resolve({ tookMs: performance.now() - begun, done: /^done/m.test(output), output }));
  });
}

async function fill(place: Place, round: number, at: number): Promise<void> {
  const ids: number[] = [];
  await place.db.write(async (queries) => {
    for (let n = 0; n < ENTRIES; n += 1) {
      ids.push(await put(queries, 'n', `key ${n + round * 200}`, { value: { round, n, text: 'some words '.repeat(20) }, at }));
    }
  });
  await link(place, ids[0] ?? 0, ids[1] ?? 0, `at-${at}`);
}

async function prepare(): Promise<string> {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'skillflow-crash-')));
  const closing: (() => Promise<unknown>)[] = [];
  const open = (name: string): Promise<Place> => {
    const opened = join(folder, name);
    mkdirSync(opened);
    return openPlace({ folder: async () => opened, onCleanUp: (action) => void closing.push(action) });
  };
  const theirs = await open('theirs');
  await fill(theirs, 1, 2000);
  await theirs.care.backup('theirs.db');
  await theirs.care.export('theirs.jsonl');
  const place = await open('ours');
  await fill(place, 0, 1000);
  await place.care.snapshot('s');
  await fill(place, 0, 1500);
  await fill(place, 0, 1600);
  for (const name of ['theirs.db', 'theirs.db.json', 'theirs.jsonl'])
    copyFileSync(join(theirs.root, name), join(place.root, name));
  for (const close of closing) await close();
  return place.root;
}

async function stateOf(root: string): Promise<{ readonly faults: readonly string[]; readonly all: string }> {
  await using db = await openDatabase(join(root, '.skillflow', 'skillflow.db'), { runtime: testRuntime() });
  const all = await everything(db);
  // How many there are stands for what they say where it cannot be mistaken, and makes a failure readable.
  return { faults: await faults(db), all: JSON.stringify(all).replaceAll(/"deleted_at":\d+/g, '"deleted_at":1') };
}

function copyOf(root: string, to: string): void {
  rmSync(to, { recursive: true, force: true });
  mkdirSync(join(to, '.skillflow', 'snapshots'), { recursive: true });
  for (const name of readdirSync(root, { recursive: true, encoding: 'utf8' })) {
    if (/\.(?:db|json|jsonl|db-wal)$/.test(name) && !name.includes('backups')) copyFileSync(join(root, name), join(to, name));
  }
}

describe('kill -9 at any moment leaves the memory as it was, as it was to become, or so that the same call ends there', () => {
  test.each([
    ['restore', 'theirs.db', 1, false],
    ['import', 'theirs.jsonl', 2, true],
    ['merge', 'theirs.db', 3, true],
    ['snapshot', 's', 4, false],
    ['compact', '', 5, false],
  ])(
    '%s',
    async (what, argument, seed, goesOn) => {
      const work = join(await scratch.folder(), 'work');
      const before = await stateOf(root);
      copyOf(root, work);
      const whole = await run([work, what, argument]);
      expect(whole.output).toMatch(/^begin\ndone/);
      const after = await stateOf(work);
      expect(before.faults).toEqual([]);
      expect(after.faults).toEqual([]);
      expect(after.all === before.all).toBe(false);
      const random = seeded(seed);
      for (let kill = 0; kill < KILLS; kill += 1) {
        copyOf(root, work);
        const { done } = await run([work, what, argument], random() * whole.tookMs);
        const left = await stateOf(work);
        if (!done && goesOn) await run([work, what, argument]);
        const state = done || !goesOn ? left : await stateOf(work);
        expect([...left.faults, ...state.faults]).toEqual([]);
        expect((done || goesOn ? [after.all] : [before.all, after.all]).includes(state.all)).toBe(true);
      }
    },
    120_000,
  );

  test('backup: what has its name is whole, the rest is swept away by the next', async () => {
    const work = join(await scratch.folder(), 'work');
    copyOf(root, work);
    const { all } = await stateOf(root);
    const { tookMs } = await run([work, 'backup', 'whole.db']);
    const random = seeded(6);
    for (let kill = 0; kill < KILLS; kill += 1) {
      const name = `b${kill}.db`;
      await run([work, 'backup', name], random() * tookMs);
      if (!existsSync(join(work, name))) continue;
      await using db = await openDatabase(join(work, name), { runtime: testRuntime(), readOnly: true });
      expect(JSON.stringify(await everything(db)).replaceAll(/"deleted_at":\d+/g, '"deleted_at":1')).toBe(all);
      expect(await db.integrity()).toBe('ok');
    }
    await run([work, 'backup', 'last.db']);
    expect(readdirSync(work).filter((name) => name.endsWith('.tmp'))).toEqual([]);
  }, 60_000);

  test('export: the file is whole or not there', async () => {
    const work = join(await scratch.folder(), 'work');
    copyOf(root, work);
    const { tookMs } = await run([work, 'export', 'whole.jsonl']);
    const random = seeded(7);
    const other = await openPlace(scratch);
    for (let kill = 0; kill < KILLS; kill += 1) {
      await run([work, 'export', 'e.jsonl'], random() * tookMs);
      if (!existsSync(join(work, 'e.jsonl'))) continue;
      copyFileSync(join(work, 'e.jsonl'), join(other.root, 'e.jsonl'));
      expect(await other.care.import('e.jsonl')).toMatchObject({ kept: 0 });
    }
  }, 60_000);
});
