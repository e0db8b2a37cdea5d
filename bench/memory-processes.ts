// Several processes on one memory: throughput, latencies and what was lost, beside as many plain libsql writes by as many
// processes. Arguments: processes (8), calls of each (5,000), seed.
import { fork } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'libsql';
import { readLedgers } from '../test/reliability/ledger.ts';
import { bundle, runTogether } from '../test/reliability/processes.ts';
import { ledgerFaults, soundnessFaults } from '../test/reliability/soundness.ts';
import type { Task } from '../test/reliability/worker-messages.ts';
import { MIXED, type Kind, type Mix } from '../test/reliability/writer.ts';
import { machine } from './child.ts';

const VALUE = 'memory session agent review token login cache index vector search commit branch deploy '.repeat(3);

/** One of the processes that write without Skillflow: a table with a unique key, a transaction a write. */
async function plainWorker(path: string, name: string, count: number): Promise<void> {
  const db = new Database(path, { timeout: 20_000 });
  db.exec('PRAGMA journal_mode = WAL');
  db.exec('PRAGMA synchronous = NORMAL');
  const insert = db.prepare('INSERT INTO plain (key, value) VALUES (?, ?)');
  await new Promise<void>((resolve) => {
    process.once('message', () => resolve());
    process.send?.('ready');
  });
  const latencies: number[] = [];
  for (let n = 0; n < count; n += 1) {
    const before = performance.now();
    db.exec('BEGIN IMMEDIATE');
    insert.run([`${name}-${n}`, `${VALUE}${n}`]);
    db.exec('COMMIT');
    latencies.push(performance.now() - before);
  }
  db.close();
  process.send?.(latencies, () => process.disconnect());
}

interface Measured {
  readonly wallMs: number;
  readonly latencies: readonly number[];
}

async function measurePlain(folder: string, processes: number, count: number): Promise<Measured> {
  const path = join(folder, 'plain.db');
  const db = new Database(path);
  db.exec('PRAGMA journal_mode = WAL');
  db.exec('CREATE TABLE plain (id INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, value TEXT NOT NULL) STRICT');
  const script = process.argv[1] ?? '';
  const children = Array.from({ length: processes }, (_child, at) => fork(script, ['plain', path, `p${at}`, String(count)]));
  const messages = children.map((child) => {
    const heard: ((message: unknown) => void)[] = [];
    const next = (): Promise<unknown> => new Promise((resolve) => void heard.push(resolve));
    const told = [next(), next()] as const;
    child.on('message', (message) => heard.shift()?.(message));
    return told;
  });
  await Promise.all(messages.map(([ready]) => ready));
  const begun = performance.now();
  for (const child of children) child.send('go');
  const latencies = await Promise.all(messages.map(([, done]) => done));
  const wallMs = performance.now() - begun;
  const row: unknown = db.prepare('SELECT count(*) AS n FROM plain').get([]);
  if (!JSON.stringify(row).includes(`"n":${processes * count}`))
    throw new Error(`plain writes are missing: ${JSON.stringify(row)}`);
  db.close();
  return { wallMs, latencies: latencies.flatMap((all) => (Array.isArray(all) ? all.map(Number) : [])) };
}

interface Mixed {
  readonly wallMs: number;
  readonly latencies: ReadonlyMap<Kind, readonly number[]>;
  readonly seen: number;
  /** Errors that reached a caller, and answers that were wrong. */
  readonly errors: readonly string[];
  /** What was acknowledged and is not there, and what is unsound. */
  readonly lost: readonly string[];
}

async function measureMemory(
  folder: string,
  processes: number,
  calls: number,
  seed: number,
  mix: Mix,
  tellEvery: number,
): Promise<Mixed> {
  const worker = await bundle('memory-worker.ts');
  const ledgers = join(folder, 'ledgers');
  mkdirSync(ledgers, { recursive: true });
  const path = join(folder, 'skillflow.db');
  const tasks = Array.from({ length: processes }, (_task, at): Task => {
    const name = `w${at}`;
    return {
      path,
      ledger: join(ledgers, `${name}.ledger`),
      name,
      seed: seed + at,
      calls,
      mix,
      waits: true,
      tellEvery,
      reopenEvery: 0,
    };
  });
  const { ended, wallMs } = await runTogether(worker.path, tasks);
  await worker.remove();
  const latencies = new Map<Kind, number[]>();
  for (const [kind, ms] of ended.flatMap(({ report }) => report?.latencies ?? []))
    latencies.set(kind, [...(latencies.get(kind) ?? []), ms]);
  const errors = ended.flatMap(({ report, code, stderr }) => [
    ...(report?.errors ?? []),
    ...(code === 0 && stderr === '' ? [] : [`a process ended with ${code}: ${stderr}`]),
  ]);
  const lost = [...(await ledgerFaults(path, readLedgers(ledgers))), ...(await soundnessFaults(path))];
  return { wallMs, latencies, seen: ended.reduce((sum, { report }) => sum + (report?.seen ?? 0), 0), errors, lost };
}

function spread(latencies: readonly number[]): string {
  const sorted = [...latencies].sort((a, b) => a - b);
  const at = (part: number): string => (sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? NaN).toFixed(2);
  return `p50 ${at(0.5)} ms, p95 ${at(0.95)} ms, p99 ${at(0.99)} ms, longest ${at(1)} ms`;
}

const perSecond = (calls: number, ms: number): number => (calls / ms) * 1000;

function printMixed(what: string, mixed: Mixed, calls: number, plainRate: number): void {
  const rate = perSecond(calls, mixed.wallMs);
  const all = [...mixed.latencies.values()].flat();
  console.log(`${what}: ${rate.toFixed(0)} calls/s, ${(rate / plainRate).toFixed(2)}x plain writes; ${spread(all)}`);
  for (const [kind, latencies] of [...mixed.latencies].sort(([a], [b]) => a.localeCompare(b)))
    console.log(`  ${kind.padEnd(10)} ${String(latencies.length).padStart(6)}  ${spread(latencies)}`);
  console.log(
    `  ${mixed.lost.length} lost or unsound, ${mixed.errors.length} errors, ${mixed.seen} writes of others looked for at once`,
  );
  for (const fault of [...mixed.lost, ...mixed.errors].slice(0, 10)) console.log(`  ! ${fault}`);
}

async function main(processes: number, calls: number, seed: number): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'skillflow-bench-'));
  try {
    console.log(machine());
    console.log(`${processes} processes x ${calls} calls on one file, seed ${seed}`);
    const total = processes * calls;
    const plain = await measurePlain(folder, processes, calls);
    const plainRate = perSecond(total, plain.wallMs);
    console.log(`plain libsql: ${plainRate.toFixed(0)} writes/s; ${spread(plain.latencies)}`);
    const writes = await measureMemory(join(folder, 'writes'), processes, calls, seed, { store: 1 }, 0);
    printMixed('memory, new entries one by one', writes, total, plainRate);
    const mixed = await measureMemory(join(folder, 'mixed'), processes, calls, seed, MIXED, 100);
    printMixed('memory, mixed writes, gets and searches', mixed, total, plainRate);
    if ([writes, mixed].some(({ lost, errors }) => lost.length + errors.length > 0)) process.exitCode = 1;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const [first = '8', second = '5000', third = '20261121', fourth = '0'] = process.argv.slice(2);
await (first === 'plain' ? plainWorker(second, third, Number(fourth)) : main(Number(first), Number(second), Number(third)));
