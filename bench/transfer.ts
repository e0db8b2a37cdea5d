// Import, merge and restore of a large memory: how long each takes beside plain libsql upserts of as many rows, and how
// long the single writes of another process wait meanwhile. Argument: entries (100,000).
import { fork } from 'node:child_process';
import { copyFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Libsql from 'libsql';
import { createCare } from '../src/memory/care/create-care.ts';
import type { Care } from '../src/memory/care/care.ts';
import { createMemory } from '../src/memory/memory.ts';
import { createRuntime } from '../src/runtime.ts';
import type { Database } from '../src/store/database.ts';
import { openDatabase } from '../src/store/open-database.ts';
import { machine } from './child.ts';

const VALUE = 'memory session agent review token login cache index vector search commit branch deploy '.repeat(3);
const BATCH = 1000;
const runtime = createRuntime('silent');

interface Place {
  readonly root: string;
  readonly db: Database;
  readonly care: Care;
}

async function openPlace(root: string): Promise<Place> {
  const databasePath = join(root, '.skillflow', 'skillflow.db');
  const db = await openDatabase(databasePath, { runtime });
  return { root, db, care: createCare({ open: async () => db, runtime, projectRoot: root, databasePath }) };
}

/** Another process: writes one by one until it is told to stop, then says how long each write took and how many failed. */
async function writeUntilStopped(root: string): Promise<void> {
  const { db } = await openPlace(root);
  const memory = createMemory({ open: async () => db, runtime });
  const tookMs: number[] = [];
  const errors: string[] = [];
  const stop = new AbortController();
  process.once('message', () => stop.abort());
  process.send?.('ready');
  for (let n = 0; !stop.signal.aborted; n += 1) {
    const begun = performance.now();
    await memory
      .store({ namespace: 'written', key: `key ${n}`, value: VALUE })
      .catch((error: unknown) => errors.push(String(error)));
    tookMs.push(performance.now() - begun);
    await runtime.sleep(10);
  }
  await db.close();
  process.send?.({ tookMs, errors }, () => process.disconnect());
}

async function fill({ db }: Place, count: number, round: number): Promise<void> {
  const memory = createMemory({ open: async () => db, runtime });
  for (let from = 0; from < count; from += BATCH) {
    await memory.storeMany(
      Array.from({ length: Math.min(BATCH, count - from) }, (_, at) => ({
        namespace: 'n',
        key: `key ${from + at}`,
        value: `${round} ${from + at} ${VALUE}`,
      })),
    );
  }
}

function plainMs(folder: string, count: number): number {
  const db = new Libsql(join(folder, 'plain.db'));
  db.exec('PRAGMA journal_mode = WAL');
  db.exec('CREATE TABLE plain (id INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, value TEXT NOT NULL) STRICT');
  const upsert = db.prepare(
    'INSERT INTO plain (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value',
  );
  const begun = performance.now();
  db.exec('BEGIN IMMEDIATE');
  for (let n = 0; n < count; n += 1) upsert.run([`key ${n}`, `${n} ${VALUE}`]);
  db.exec('COMMIT');
  const took = performance.now() - begun;
  db.close();
  return took;
}

async function measure(name: string, place: Place, plain: number, call: () => Promise<unknown>): Promise<void> {
  const child = fork(process.argv[1] ?? '', ['writer', place.root]);
  const heard = (): Promise<unknown> => new Promise((resolve) => child.once('message', resolve));
  await heard();
  const begun = performance.now();
  await call();
  const took = performance.now() - begun;
  const result = heard();
  child.send('stop');
  const { tookMs, errors }: { tookMs: number[]; errors: string[] } = JSON.parse(JSON.stringify(await result));
  const sorted = tookMs.toSorted((a, b) => a - b);
  const at = (part: number): string => (sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? NaN).toFixed(0);
  console.log(
    `${name}: ${(took / 1000).toFixed(1)} s, ${(took / plain).toFixed(1)} × plain; another process: ${sorted.length} writes, p50 ${at(0.5)}, p99 ${at(0.99)}, longest ${at(1)} ms, ${errors.length} failed ${errors[0] ?? ''}`,
  );
}

async function main(count: number): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'skillflow-bench-'));
  try {
    const theirs = await openPlace(join(folder, 'theirs'));
    await fill(theirs, count, 2);
    await theirs.care.backup('theirs.db');
    await theirs.care.export('theirs.jsonl');
    console.log(`${machine()}\n${count} entries of ${VALUE.length} characters`);
    const plain = plainMs(folder, count);
    console.log(`plain libsql upserts in one transaction: ${(plain / 1000).toFixed(1)} s`);
    for (const [name, file] of [
      ['import', 'theirs.jsonl'],
      ['merge', 'theirs.db'],
      ['restore', 'theirs.db'],
    ] as const) {
      const ours = await openPlace(join(folder, name));
      for (const one of ['theirs.db', 'theirs.db.json', 'theirs.jsonl'])
        copyFileSync(join(theirs.root, one), join(ours.root, one));
      await measure(`${name} of new ones`, ours, plain, () => ours.care[name](file));
      if (name !== 'restore') await measure(`${name} again`, ours, plain, () => ours.care[name](file));
      await ours.db.close();
    }
    await theirs.db.close();
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const [mode, root = ''] = process.argv.slice(2);
if (mode === 'writer') await writeUntilStopped(root);
else await main(Number(mode ?? 100_000));
