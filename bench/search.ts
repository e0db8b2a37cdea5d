// Search over made-up entries, 3,000 and 100,000 of them, against SQLite's own BM25 over the same words in the same process.
// `npm run bench search`; each size runs in a process of its own, whose memory is that of a server that answers searches.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Libsql from 'libsql';
import { keepHeapSmall } from '../src/app/small-heap.ts';
import { createSearch } from '../src/memory/search/search.ts';
import { createRuntime } from '../src/runtime.ts';
import { contentHash } from '../src/store/content-hash.ts';
import { openDatabase } from '../src/store/open-database.ts';
import { seeded } from '../test/helpers/seeded.ts';
import { benchEnvironment, machine, measure } from './child.ts';

const SIZES = [3_000, 100_000];
const VOCABULARY = 50_000;
const SEARCHES = 400;
/** Searches in which a new process still reads and compiles much for the first time. */
const WARMING = 100;
const SYLLABLES = ['ba', 'ke', 'li', 'mo', 'nu', 'ra', 'ste', 'ti', 'vo', 'xe', 'zu', 'pra', 'dro', 'fen', 'gol', 'hin'];

function wordAt(rank: number): string {
  let word = '';
  for (let rest = rank + 16; rest > 0; rest = Math.floor(rest / 16)) word += SYLLABLES[rest % 16] ?? '';
  return word;
}

/** Words by Zipf's law: the word of rank r comes up in proportion to 1/r. */
function zipf(random: () => number): () => string {
  const sums: number[] = [];
  let sum = 0;
  for (let rank = 1; rank <= VOCABULARY; rank += 1) sums.push((sum += 1 / rank));
  return () => {
    const at = random() * sum;
    let low = 0;
    let high = VOCABULARY - 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((sums[middle] ?? 0) < at) low = middle + 1;
      else high = middle;
    }
    return wordAt(low);
  };
}

function words(count: number, word: () => string): string {
  return Array.from({ length: count }, word).join(' ');
}

async function fill(path: string, entries: number): Promise<void> {
  const random = seeded(42);
  const word = zipf(random);
  const db = await openDatabase(path, { runtime: createRuntime('silent') });
  for (let first = 0; first < entries; first += 1000) {
    await db.write(async (queries) => {
      for (let n = first; n < Math.min(entries, first + 1000); n += 1) {
        const text = words(30 + Math.floor(random() * 11), word);
        await queries.run(
          `INSERT INTO memory_entry (namespace, key, value, format, hash, session, created_at, updated_at)
          VALUES ('default', ?, ?, 'text', ?, ?, ?, ?)`,
          [`key-${n}`, text, contentHash(text), `session-${Math.floor(n / 200)}`, n + 1, n + 1],
        );
      }
    });
  }
  await db.close();
}

function percentile(times: readonly number[], share: number): number {
  const sorted = [...times].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? NaN;
}

function shown(times: readonly number[]): string {
  return `p50 ${percentile(times, 0.5).toFixed(2)} ms, p95 ${percentile(times, 0.95).toFixed(2)} ms`;
}

async function run(path: string, entries: number): Promise<void> {
  keepHeapSmall(); // as a server does
  const runtime = createRuntime('silent');
  const before = process.memoryUsage.rss();
  const db = await openDatabase(path, { runtime });
  const memory = createSearch({ open: async () => db, runtime });
  const random = seeded(7);
  const word = zipf(random);
  const questions = Array.from({ length: SEARCHES }, () => words(2 + Math.floor(random() * 5), word));
  const first = performance.now();
  await memory.search({ query: questions[0] ?? '', limit: 10 });
  const coldMs = performance.now() - first;
  const times: number[] = [];
  const cpu = process.cpuUsage();
  for (const query of questions) {
    const begun = performance.now();
    await memory.search({ query, limit: 10 });
    times.push(performance.now() - begun);
  }
  const { user, system } = process.cpuUsage(cpu);
  const rss = process.memoryUsage.rss();
  const plain = new Libsql(path, { readonly: true });
  const statement = plain.prepare('SELECT rowid, value FROM memory_fts WHERE memory_fts MATCH ? ORDER BY rank LIMIT 10');
  const plainTimes = questions.map((question) => {
    const match = [...new Set(question.split(' '))].map((term) => `"${term}"`).join(' OR ');
    const begun = performance.now();
    statement.all([match]);
    return performance.now() - begun;
  });
  plain.close();
  await db.close();
  console.log(`${entries.toLocaleString('en-US')} entries, ${SEARCHES} questions of 2 to 6 words`);
  console.log(
    `  search: ${shown(times)}, ${((user + system) / 1000 / SEARCHES).toFixed(2)} ms CPU each; the first ${coldMs.toFixed(1)} ms`,
  );
  console.log(`    the first ${WARMING} of them: ${shown(times.slice(0, WARMING))}; those after: ${shown(times.slice(WARMING))}`);
  console.log(`  FTS5 bm25() over the same words: ${shown(plainTimes)}`);
  console.log(
    `  ratio: p50 ${(percentile(times, 0.5) / percentile(plainTimes, 0.5)).toFixed(2)}x, p95 ${(percentile(times, 0.95) / percentile(plainTimes, 0.95)).toFixed(2)}x`,
  );
  console.log(`  memory after the searches: ${(rss / 1e6).toFixed(0)} MB (${(before / 1e6).toFixed(0)} MB before)`);
}

async function main(): Promise<void> {
  const [, script = '', path, entries] = process.argv;
  if (path !== undefined && entries !== undefined) return run(path, Number(entries));
  console.log(machine());
  for (const size of SIZES) {
    const folder = mkdtempSync(join(tmpdir(), 'skillflow-search-'));
    try {
      const file = join(folder, 'memory.db');
      await fill(file, size);
      Object.assign(process.env, benchEnvironment());
      console.log((await measure([script, file, String(size)])).stdout.trimEnd());
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  }
  return undefined;
}

await main();
