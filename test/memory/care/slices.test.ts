import { spawn, type ChildProcess } from 'node:child_process';
import { copyFileSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { CancelledError } from '../../../src/errors.ts';
import { bundleProgram, type BundledProgram } from '../../helpers/bundle-program.ts';
import { useScratch } from '../../store/scratch.ts';
import { fileURLToPath } from 'node:url';
import { everything, faults, filesBelow, link, noReport, openPlace, put, type Place } from './place.ts';

const scratch = useScratch();
let worker: BundledProgram;
beforeAll(async () => {
  worker = await bundleProgram(fileURLToPath(new URL('worker.ts', import.meta.url)));
});
afterAll(() => worker.remove());

interface Running {
  readonly process: ChildProcess;
  readonly ended: Promise<string>;
}

/** Runs the worker; `ended` resolves with what it printed. */
function start(...args: readonly string[]): Running {
  const child = spawn(process.execPath, [worker.path, ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text));
  const ended = new Promise<string>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', () => resolve(output));
  });
  scratch.onCleanUp(async () => child.kill('SIGKILL'));
  return { process: child, ended };
}

async function fill({ db }: Place, count: number, said: { at: number; round: number }): Promise<readonly number[]> {
  const ids: number[] = [];
  await db.write(async (queries) => {
    for (let n = 0; n < count; n += 1)
      ids.push(await put(queries, 'n', `key ${n}`, { value: { ...said, n, text: 'some words' }, at: said.at }));
  });
  return ids;
}

function copyTo(ours: Place, theirs: Place): void {
  for (const name of ['theirs.db', 'theirs.db.json', 'theirs.jsonl'])
    copyFileSync(join(theirs.root, name), join(ours.root, name));
}

/** A memory with so many entries, exported and backed up where ours can be filled from it. */
async function theirsFor(ours: Place, count: number): Promise<Place> {
  const theirs = await openPlace(scratch);
  const ids = await fill(theirs, count, { at: 2000, round: 2 });
  await fill(theirs, Math.ceil(count / 10), { at: 3000, round: 3 });
  await link(theirs, ids[0] ?? 0, ids.at(-1) ?? 0, 'about');
  await theirs.care.backup('theirs.db');
  await theirs.care.export('theirs.jsonl');
  for (const name of ['theirs.db', 'theirs.db.json', 'theirs.jsonl'])
    copyFileSync(join(theirs.root, name), join(ours.root, name));
  return theirs;
}

/** All but what the writer wrote, as text: compared as objects it would take longer than all the rest. */
async function remembered({ db }: Place): Promise<string> {
  expect(await faults(db)).toEqual([]);
  const { entries, versions, links } = await everything(db);
  return JSON.stringify({ entries: entries.filter((row) => row['namespace'] !== 'written'), versions, links });
}

/** Enough for some pauses at the usual pace, and at a hurried one. */
const MANY = 8000;
const SOME = 1000;
const HURRY = 100;
/** Entries that an import has at most read before it brings the first in. */
const READ_AHEAD = 64 * 64;

// Merging has the same way of writing, and the tests of crashes kill it too.
test('many entries are imported while another process writes; killed in the middle, the same call again goes on', async () => {
  const undisturbed = await openPlace(scratch);
  const theirs = await theirsFor(undisturbed, MANY);
  await fill(undisturbed, 500, { at: 2500, round: 1 });
  await undisturbed.care.import('theirs.jsonl');
  const whole = await remembered(undisturbed);
  const ours = await openPlace(scratch);
  await fill(ours, 500, { at: 2500, round: 1 });
  copyTo(ours, theirs);
  const count = async (namespace: string): Promise<number> =>
    Number((await ours.db.get('SELECT count(*) AS n FROM memory_entry WHERE namespace = ?', [namespace]))?.['n']);
  const writer = start(ours.root, 'write');
  const killed = start(ours.root, 'import', 'theirs.jsonl');
  while ((await count('n')) === 500 && killed.process.exitCode === null) await new Promise((wake) => setTimeout(wake, 5));
  killed.process.kill('SIGKILL');
  expect(await killed.ended).toBe('begin\n');
  const half = await count('n');
  expect(half).toBeGreaterThan(500);
  expect(half).toBeLessThan(MANY);

  expect(await start(ours.root, 'import', 'theirs.jsonl').ended).toMatch(/^begin\ndone/);
  writeFileSync(join(ours.root, 'stop'), '');
  const written = await writer.ended;
  expect(written).toMatch(/^begin\nwrote \d+, longest \d+ ms\ndone/);
  expect(written).toContain(`wrote ${await count('written')},`);
  expect((await remembered(ours)) === whole).toBe(true);
}, 240_000);

describe('cancelled', () => {
  let ours: Place;
  beforeEach(async () => {
    ours = await openPlace(scratch, { hurry: HURRY });
  });

  test.each([
    ['import', 'theirs.jsonl'],
    ['merge', 'theirs.db'],
  ] as const)(
    '%s ends between two entries and says what was brought in; again it does the rest',
    async (what, file) => {
      const theirs = await theirsFor(ours, SOME);
      const stop = new AbortController();
      const told: number[] = [];
      const onProgress = (done: number): void => {
        told.push(done);
        if (done > 0.1) stop.abort();
      };
      const error: unknown = await ours.care[what](file, { signal: stop.signal, onProgress }).catch((thrown: unknown) => thrown);
      if (!(error instanceof CancelledError)) throw new Error(`expected CancelledError, got ${String(error)}`);
      const { entries } = await everything(ours.db);
      expect(entries.length).toBeGreaterThan(0);
      expect(entries.length).toBeLessThan(SOME);
      expect(error.message).toMatch(`dealt with ${entries.length} of ${SOME} entries`);
      expect(error.hint).toMatch(/same call again/);
      expect(error.details).toMatchObject({ applied: { added: entries.length } });
      expect(told).toEqual(told.toSorted((a, b) => a - b));
      expect(await faults(ours.db)).toEqual([]);
      expect(await ours.care[what](file)).toMatchObject({ unchanged: entries.length, added: SOME - entries.length });
      expect(await everything(ours.db)).toEqual(await everything(theirs.db));
    },
    60_000,
  );

  test('before it began, every call leaves all as it was', async () => {
    await theirsFor(ours, 10);
    await ours.care.snapshot('s');
    const files = filesBelow(ours.root);
    const signal = AbortSignal.abort();
    for (const call of [
      () => ours.care.import('theirs.jsonl', { signal }),
      () => ours.care.merge('theirs.db', { signal }),
      () => ours.care.restore('theirs.db', { signal }),
      () => ours.care.restoreSnapshot('s', { signal }),
      () => ours.care.export('e.jsonl', { signal }),
    ])
      await expect(call()).rejects.toMatchObject({ code: 'cancelled', hint: expect.stringMatching(/Nothing was changed/) });
    expect((await everything(ours.db)).entries).toEqual([]);
    expect(filesBelow(ours.root)).toEqual(files);
  });

  test.each([
    ['restore', (signal: AbortSignal, onProgress: () => void) => ours.care.restore('theirs.db', { signal, onProgress })],
    ['export', (signal: AbortSignal, onProgress: () => void) => ours.care.export('e.jsonl', { signal, onProgress })],
  ])(
    '%s on its way changes nothing',
    async (what, call) => {
      await theirsFor(ours, SOME);
      if (what === 'export') await ours.care.import('theirs.jsonl');
      await fill(ours, 5, { at: 1, round: 0 });
      const before = await everything(ours.db);
      const stop = new AbortController();
      await expect(call(stop.signal, () => stop.abort())).rejects.toThrow(CancelledError);
      expect(await everything(ours.db)).toEqual(before);
      expect(filesBelow(ours.root).filter((name) => name.startsWith('e.jsonl') || name.endsWith('.tmp'))).toEqual([]);
    },
    60_000,
  );
});

test('an export that changes between its two readings is told, with what was brought in', async () => {
  const ours = await openPlace(scratch);
  await theirsFor(ours, READ_AHEAD * 2);
  const file = join(ours.root, 'theirs.jsonl');
  const text = readFileSync(file, 'utf8');
  const onProgress = (done: number): void => {
    if (done > 0.1) writeFileSync(file, `${text.slice(0, -200)}broken`);
  };
  const error: unknown = await ours.care.import('theirs.jsonl', { onProgress }).catch((thrown: unknown) => thrown);
  expect(error).toMatchObject({ code: 'invalid_input', details: { applied: { updated: 0 } } });
  writeFileSync(file, text);
  expect(await ours.care.import('theirs.jsonl')).toMatchObject({ updated: 0, kept: 0, links: 1 });
  expect(await ours.care.import('theirs.jsonl')).toEqual(noReport({ unchanged: READ_AHEAD * 2 }));
  rmSync(file);
}, 60_000);
