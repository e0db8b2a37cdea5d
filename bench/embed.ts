import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Libsql from 'libsql';
import { createEmbeddings } from '../src/memory/embed/create-embeddings.ts';
import { createLexicalEmbedder } from '../src/memory/embed/lexical-embedder.ts';
import { createRuntime } from '../src/runtime.ts';
import { contentHash } from '../src/store/content-hash.ts';
import type { Database } from '../src/store/database.ts';
import { openDatabase } from '../src/store/open-database.ts';
import { machine, median } from './child.ts';

/** Usage: npm run bench embed [contents, default 100,000] */
const CONTENTS = Number(process.argv[2] ?? 100_000);
const BATCH = 64;
const WORDS = Array.from({ length: 4000 }, (_, at) => ((at * 2_654_435_761) % 4_294_967_296).toString(36).replaceAll(/\d/g, ''));
const never = new AbortController().signal;

function text(number: number): string {
  const words = Array.from({ length: 30 }, (_, at) => WORDS[(number * 31 + at * at * 17 + number * at) % WORDS.length]);
  return `${number} ${words.join(' ')}`;
}

async function timed<T>(work: () => Promise<T>): Promise<{ readonly ms: number; readonly value: T }> {
  const begun = performance.now();
  const value = await work();
  return { ms: performance.now() - begun, value };
}

async function medianOf(runs: number, work: (run: number) => Promise<unknown>): Promise<number> {
  const times: number[] = [];
  for (let run = 0; run < runs; run += 1) times.push((await timed(() => work(run))).ms);
  return median(times);
}

async function fill(db: Database): Promise<void> {
  for (let from = 0; from < CONTENTS; from += 1000) {
    await db.write(async (queries) => {
      for (let at = from; at < Math.min(from + 1000, CONTENTS); at += 1) {
        const value = text(at);
        await queries.run(
          `INSERT INTO memory_entry (namespace, key, value, format, hash, created_at, updated_at) VALUES ('n', ?, ?, 'text', ?, 1, 1)`,
          [`k${at}`, value, contentHash(value)],
        );
      }
    });
  }
}

/** The same vectors into a table of the same form by the driver alone, in transactions of the same size. */
function plainLoop(path: string, vectors: readonly Float32Array[]): number {
  const db = new Libsql(path);
  db.exec('PRAGMA journal_mode = WAL');
  db.exec('PRAGMA synchronous = NORMAL');
  db.exec(
    'CREATE TABLE e (id INTEGER PRIMARY KEY AUTOINCREMENT, space_id INTEGER, hash BLOB, vector BLOB, UNIQUE (space_id, hash))',
  );
  const insert = db.prepare('INSERT INTO e (space_id, hash, vector) VALUES (1, ?, ?)');
  const begun = performance.now();
  for (let from = 0; from < CONTENTS; from += BATCH) {
    db.exec('BEGIN IMMEDIATE');
    for (let at = from; at < Math.min(from + BATCH, CONTENTS); at += 1) {
      const vector = vectors[at % vectors.length] ?? new Float32Array();
      insert.run([contentHash(String(at)), new Uint8Array(vector.buffer)]);
    }
    db.exec('COMMIT');
  }
  const ms = performance.now() - begun;
  db.close();
  return ms;
}

async function main(): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'skillflow-bench-'));
  const runtime = createRuntime('silent');
  const embedder = createLexicalEmbedder();
  try {
    console.log(machine());
    const texts = Array.from({ length: 2000 }, (_, at) => text(at));
    await embedder.embed(texts, 'document', never);
    const alone = await timed(() => embedder.embed(texts, 'document', never));
    const each = alone.ms / texts.length;
    console.log(`lexical vector of ${texts[0]?.length ?? 0} characters: ${(each * 1000).toFixed(0)} µs`);

    const db = await openDatabase(join(folder, 'skillflow.db'), { runtime });
    await fill(db);
    const embeddings = createEmbeddings({ open: async () => db, runtime, embedder });
    const all = await timed(() => embeddings.catchUp({ signal: never }));
    const plainMs = plainLoop(join(folder, 'plain.db'), alone.value);
    const ratio = all.ms / (plainMs + each * CONTENTS);
    console.log(
      `catch up with ${all.value.embedded} contents: ${((all.value.embedded / all.ms) * 1000).toFixed(0)}/s, ` +
        `${ratio.toFixed(2)}x the time of the vectors and a plain libsql loop (${((CONTENTS / plainMs) * 1000).toFixed(0)}/s)`,
    );
    console.log(
      `catch up when nothing changed, with its exact count: ${(await medianOf(9, () => embeddings.catchUp({ signal: never }))).toFixed(1)} ms`,
    );
    console.log(`status when nothing changed: ${(await medianOf(99, () => embeddings.status())).toFixed(3)} ms`);
    const query = await medianOf(499, (run) => embeddings.embedQuery(`where is ${text(run)}`, never));
    console.log(
      `a query's vector: ${query.toFixed(3)} ms new, ${(await medianOf(499, () => embeddings.embedQuery('known', never))).toFixed(3)} ms known`,
    );
    await embeddings[Symbol.asyncDispose]();

    const next = createEmbeddings({ open: async () => db, runtime, embedder });
    let longest = 0;
    let last = performance.now();
    const beat = setInterval(() => {
      longest = Math.max(longest, performance.now() - last);
      last = performance.now();
    }, 1);
    const first = await timed(() => next.catchUp({ signal: never }));
    clearInterval(beat);
    console.log(`first look of a new process: ${first.ms.toFixed(0)} ms, never more than ${longest.toFixed(0)} ms at a stretch`);
    await next[Symbol.asyncDispose]();
    await db.close();
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

await main();
