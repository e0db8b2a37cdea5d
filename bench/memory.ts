// The memory's entries: writes and reads a second, latencies, size on disk and in RAM; beside a plain libsql loop of bare
// upserts and reads in the same run. Rounds take turns, and the median of them counts.
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Libsql from 'libsql';
import { createMemory, type Memory, type StoreInput } from '../src/memory/memory.ts';
import { createRuntime } from '../src/runtime.ts';
import type { Database } from '../src/store/database.ts';
import { openDatabase } from '../src/store/open-database.ts';
import { machine, measure, median } from './child.ts';
import { seeded } from '../test/helpers/seeded.ts';
import { rate, type Round } from './rate.ts';

const ROUNDS = 5;
const WRITES = 5000;
const BATCH = 1000;
const READS = 20_000;
const CACHED_KEYS = 1000;
const ENTRIES = 100_000;
const CHARACTERS = 200;

const WORDS = `agent answer array async backup batch branch buffer build bytes cache client clock commit config connection
  cursor database decision deploy document entry error event export file filter folder format function handler hash index
  input journal key language latency limit link lock memory merge message migration module namespace network object option
  output page parser path pattern plan process project prompt query queue range reader record release report request result
  review rollback runner schema score search secret server session shape signal skill snapshot socket source statement
  storage stream string swarm table task test text thread token tool transaction tree trigger type update user value vector
  version window worker writer`.split(/\s+/);

/** Text of about 200 characters; few words are frequent, and there are 3,000 different ones. */
function textFrom(random: () => number): string {
  const words: string[] = [];
  for (let characters = 0; characters < CHARACTERS - 5;) {
    const at = Math.floor(random() ** 2 * 3000);
    const word = `${WORDS[at % WORDS.length]}${at < WORDS.length ? '' : Math.floor(at / WORDS.length)}`;
    words.push(word);
    characters += word.length + 1;
  }
  return words.join(' ');
}

interface TextInput extends StoreInput {
  readonly value: string;
}

function inputs(prefix: string, count: number, random: () => number): readonly TextInput[] {
  return Array.from({ length: count }, (_, at) => ({
    namespace: 'bench',
    key: `${prefix}/${at}`,
    value: textFrom(random),
    tags: ['bench'],
  }));
}

/** What a plain program would do: one table with a unique name, one statement a write. */
function plainLoop(path: string): (round: number, texts: readonly TextInput[]) => Promise<readonly Round[]> {
  const db = new Libsql(path, { timeout: 250 });
  db.exec('PRAGMA journal_mode = WAL');
  db.exec('PRAGMA synchronous = NORMAL');
  db.exec(`CREATE TABLE entry (id INTEGER PRIMARY KEY, namespace TEXT NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL,
    updated_at INTEGER NOT NULL, UNIQUE (namespace, key)) STRICT`);
  const upsert = db.prepare(`INSERT INTO entry (namespace, key, value, updated_at) VALUES (?, ?, ?, ?)
    ON CONFLICT (namespace, key) DO UPDATE SET value = excluded.value, updated_at = excluded.updated_at`);
  const read = db.prepare('SELECT * FROM entry WHERE namespace = ? AND key = ?');
  return async (round, texts) => {
    const put = (mode: string): void => {
      for (const [at, { value }] of texts.entries()) upsert.run(['bench', `${mode}${round}/${at}`, value, BigInt(at)]);
    };
    return [
      await rate('plain one by one', texts.length, () => put('one')),
      await rate('plain in batches', texts.length, () => {
        db.exec('BEGIN IMMEDIATE');
        put('batch');
        db.exec('COMMIT');
      }),
      await rate('plain read', READS, () => {
        for (let at = 0; at < READS; at += 1) read.get(['bench', `one${round}/${at % texts.length}`]);
      }),
    ];
  };
}

/** Makes a search find the last of what was stored: with it, all of it is in the full-text index. */
async function indexed(memory: Memory, stored: readonly TextInput[]): Promise<void> {
  const key = stored.at(-1)?.key ?? '';
  const { results } = await memory.search({ query: key, phrase: key, limit: 1 });
  if (results[0]?.key !== key) throw new Error(`a search does not find ${key}`);
}

async function writes(memory: Memory, round: number, random: () => number): Promise<readonly Round[]> {
  const one = inputs(`one${round}`, WRITES, random);
  const many = inputs(`many${round}`, WRITES, random);
  return [
    await rate('one by one', WRITES, async () => {
      for (const input of one) await memory.store(input);
      await indexed(memory, one);
    }),
    await rate('in batches', WRITES, async () => {
      for (let at = 0; at < WRITES; at += BATCH) await memory.storeMany(many.slice(at, at + BATCH));
      await indexed(memory, many);
    }),
    await rate('overwritten one by one', 1000, async () => {
      for (let at = 0; at < 1000; at += 1) await memory.store({ ...one[at], key: `one${round}/${at}`, value: `changed ${at}` });
    }),
  ];
}

/** Reads in a shuffled order, each awaited; with `latencies`, the time of each (ms) is added to it. */
async function reads(memory: Memory, keys: readonly string[], latencies?: number[]): Promise<void> {
  for (const key of keys) {
    const before = latencies === undefined ? 0 : performance.now();
    const entry = await memory.get({ namespace: 'bench', key });
    if (entry === undefined) throw new Error(`${key} is missing`);
    latencies?.push(performance.now() - before);
  }
}

function keysOf(kind: string, round: number, count: number, among: number, random: () => number): readonly string[] {
  return Array.from({ length: count }, () => `${kind}${round}/${Math.floor(random() * among)}`);
}

async function open(folder: string): Promise<{ readonly db: Database; readonly memory: Memory }> {
  const runtime = createRuntime('warn');
  const db = await openDatabase(join(folder, 'memory.db'), { runtime });
  return { db, memory: createMemory({ open: async () => db, runtime }) };
}

async function rounds(folder: string): Promise<void> {
  const { db, memory } = await open(folder);
  const plain = plainLoop(join(folder, 'plain.db'));
  const random = seeded(1);
  const found = new Map<string, number[]>();
  const latencies: number[] = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    const results: Round[] = [...(await plain(round, inputs('', WRITES, random))), ...(await writes(memory, round, random))];
    await reads(memory, keysOf('one', round, CACHED_KEYS * 10, CACHED_KEYS, random));
    results.push(await rate('read, cached', READS, () => reads(memory, keysOf('one', round, READS, CACHED_KEYS, random))));
    // Each name once, of more than the cache holds.
    const uncached = Array.from({ length: WRITES * 2 }, (_, at) =>
      at % 2 === 0 ? `one${round}/${at / 2}` : `many${round}/${(at - 1) / 2}`,
    );
    const fresh = createMemory({ open: async () => db, runtime: createRuntime('warn') });
    results.push(await rate('read, uncached', uncached.length, () => reads(fresh, uncached)));
    await reads(memory, keysOf('one', round, READS, WRITES, random), latencies);
    for (const { name, perSecond } of results) found.set(name, [...(found.get(name) ?? []), perSecond]);
  }
  await db.close();
  const of = (name: string): number => median(found.get(name) ?? []);
  const line = (name: string, plainName: string, limit: string): void =>
    console.log(
      `${name}: ${of(name).toFixed(0)}/s (${limit}), ${(of(name) / of(plainName)).toFixed(2)} of a plain libsql loop (${of(plainName).toFixed(0)}/s)`,
    );
  console.log('written until a search finds the last of it, which takes what is pending into the full-text index:');
  line('in batches', 'plain in batches', 'at least 10,000');
  line('one by one', 'plain one by one', 'at least 5,000');
  line('overwritten one by one', 'plain one by one', 'no limit');
  line('read, cached', 'plain read', 'at least 100,000');
  line('read, uncached', 'plain read', 'at least 30,000');
  const sorted = latencies.sort((a, b) => a - b);
  const p99 = sorted[Math.floor(sorted.length * 0.99)] ?? NaN;
  console.log(
    `read, p50 ${((sorted[sorted.length >> 1] ?? NaN) * 1000).toFixed(1)} µs, p99 ${(p99 * 1000).toFixed(1)} µs (below 200)`,
  );
}

/** Stores 100,000 entries, reads some; in a process of its own, whose RAM is measured. */
async function fill(folder: string): Promise<void> {
  const random = seeded(2);
  const { db, memory } = await open(folder);
  for (let at = 0; at < ENTRIES; at += BATCH) {
    await memory.storeMany(inputs(`e${at}`, BATCH, random));
    await new Promise(setImmediate); // as between the calls of clients
  }
  for (let at = 0; at < READS; at += 1) {
    if (at % 100 === 0) await new Promise(setImmediate);
    await memory.get({ namespace: 'bench', key: `e${Math.floor(random() * 100) * BATCH}/${Math.floor(random() * BATCH)}` });
  }
  const size = (name: string): number => statSync(join(folder, name), { throwIfNoEntry: false })?.size ?? 0;
  console.log(JSON.stringify({ open: size('memory.db') + size('memory.db-wal') }));
  await db.close();
}

async function main(): Promise<void> {
  const [, script = '', mode, place] = process.argv;
  if (mode === 'fill' && place !== undefined) {
    await fill(place);
    return;
  }
  const folder = mkdtempSync(join(tmpdir(), 'skillflow-bench-'));
  try {
    console.log(machine());
    await rounds(folder);
    rmSync(folder, { recursive: true });
    const large = mkdtempSync(join(tmpdir(), 'skillflow-bench-'));
    try {
      const { rssMb, stdout, wallMs } = await measure([script, 'fill', large]);
      const { open: openBytes }: { open: number } = JSON.parse(stdout);
      const closedMb = statSync(join(large, 'memory.db')).size / 1e6;
      console.log(
        `${ENTRIES} entries: ${closedMb.toFixed(1)} MB on disk, ${(openBytes / 1e6).toFixed(1)} MB with the log while open (at most 80); ${rssMb.toFixed(0)} MB RSS (at most 120); ${((ENTRIES / wallMs) * 1000).toFixed(0)}/s`,
      );
    } finally {
      rmSync(large, { recursive: true, force: true });
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

await main();
