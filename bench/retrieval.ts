// How well search finds what people judged relevant: `npm run bench retrieval <folder> [set ...]`. The folder holds one folder
// a set, each with `docs.jsonl` {id, collection, text}, `queries.jsonl` {id, collection, text} and `qrels.jsonl`
// {query, doc, grade} (there or in `dev/`). Every collection is stored in order, as one session, in a database of its own.
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Libsql from 'libsql';
import { z } from 'zod';
import { createSearch } from '../src/memory/search/search.ts';
import { STOP_WORDS } from '../src/memory/search/stop-words.ts';
import { createRuntime } from '../src/runtime.ts';
import { contentHash } from '../src/store/content-hash.ts';
import { openDatabase } from '../src/store/open-database.ts';

const text = z.object({ id: z.string(), collection: z.string(), text: z.string() });
const judgement = z.object({ query: z.string(), doc: z.string(), grade: z.number().default(1) });
type Text = z.infer<typeof text>;
type Ask = (question: string) => Promise<readonly string[]>;

const DEPTH = 10;

function lines<T>(folder: string, file: string, schema: z.ZodType<T>): readonly T[] {
  return readFileSync(join(folder, file), 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => schema.parse(JSON.parse(line)));
}

interface Figures {
  readonly recall: number;
  readonly ndcg: number;
  readonly ms: number;
}

function figures(found: readonly string[], grades: ReadonlyMap<string, number>, ms: number): Figures {
  const gain = (grade: number, place: number): number => (2 ** grade - 1) / Math.log2(place + 2);
  const top = found.slice(0, DEPTH);
  const best = [...grades.values()].sort((a, b) => b - a).slice(0, DEPTH);
  const ideal = best.reduce((sum, grade, place) => sum + gain(grade, place), 0);
  const got = top.reduce((sum, doc, place) => sum + gain(grades.get(doc) ?? 0, place), 0);
  return { recall: top.filter((doc) => grades.has(doc)).length / grades.size, ndcg: got / ideal, ms };
}

async function ours(path: string, docs: readonly Text[]): Promise<{ ask: Ask; close: () => Promise<void> }> {
  const runtime = createRuntime('silent');
  const db = await openDatabase(path, { runtime });
  const idOf = new Map(docs.map((doc, n) => [`bk-${String(n).padStart(6, '0')}`, doc.id]));
  await db.write(async (queries) => {
    for (const [n, doc] of docs.entries()) {
      await queries.run(
        `INSERT INTO memory_entry (namespace, key, value, format, hash, session, created_at, updated_at)
        VALUES ('bench', ?, ?, 'text', ?, 'bench', ?, ?)`,
        [`bk-${String(n).padStart(6, '0')}`, doc.text, contentHash(doc.text), n + 1, n + 1],
      );
    }
  });
  const memory = createSearch({ open: async () => db, runtime });
  return {
    ask: async (query) => {
      const { results } = await memory.search({ query, namespaces: ['bench'], limit: DEPTH });
      return results.map(({ key }) => idOf.get(key) ?? '');
    },
    close: () => db.close(),
  };
}

/** BM25 of FTS5 with its Porter tokenizer, with and without stop words: what there is to beat. */
function plain(docs: readonly Text[], stop: boolean): Ask {
  const db = new Libsql(':memory:');
  db.exec(`CREATE VIRTUAL TABLE f USING fts5(id UNINDEXED, body, tokenize = 'porter unicode61')`);
  const insert = db.prepare('INSERT INTO f VALUES (?, ?)');
  for (const doc of docs) insert.run([doc.id, doc.text]);
  const select = db.prepare(`SELECT id FROM f WHERE f MATCH ? ORDER BY bm25(f) LIMIT ${DEPTH}`);
  return async (question) => {
    const words = [...new Set(question.toLowerCase().match(/[\p{L}\p{N}]+/gu))].filter((word) => !stop || !STOP_WORDS.has(word));
    if (words.length === 0) return [];
    const rows: readonly unknown[] = select.all([words.map((word) => `"${word}"`).join(' OR ')]);
    return rows.map((row) => z.object({ id: z.string() }).parse(row).id);
  };
}

function shown(name: string, all: readonly Figures[]): string {
  const mean = (of: (one: Figures) => number): number => all.reduce((sum, one) => sum + of(one), 0) / all.length;
  return `  ${name.padEnd(22)} R@10 ${mean((one) => one.recall).toFixed(3)}  nDCG@10 ${mean((one) => one.ndcg).toFixed(3)}  ${mean((one) => one.ms).toFixed(1)} ms`;
}

async function measureSet(folder: string): Promise<void> {
  const docs = lines(folder, 'docs.jsonl', text);
  const questions = lines(folder, 'queries.jsonl', text);
  const grades = new Map<string, Map<string, number>>();
  for (const { query, doc, grade } of lines(folder, 'qrels.jsonl', judgement)) {
    grades.set(query, (grades.get(query) ?? new Map<string, number>()).set(doc, grade));
  }
  const results: Record<string, Figures[]> = { 'FTS5 porter': [], 'FTS5 porter, stop words': [], search: [] };
  for (const collection of new Set(docs.map((doc) => doc.collection))) {
    const own = docs.filter((doc) => doc.collection === collection);
    const scratch = mkdtempSync(join(tmpdir(), 'skillflow-retrieval-'));
    const mine = await ours(join(scratch, 'memory.db'), own);
    const askers: Readonly<Record<string, Ask>> = {
      'FTS5 porter': plain(own, false),
      'FTS5 porter, stop words': plain(own, true),
      search: mine.ask,
    };
    for (const question of questions.filter((one) => one.collection === collection)) {
      for (const [name, ask] of Object.entries(askers)) {
        const begun = performance.now();
        const found = await ask(question.text);
        results[name]?.push(figures(found, grades.get(question.id) ?? new Map<string, number>(), performance.now() - begun));
      }
    }
    await mine.close();
    rmSync(scratch, { recursive: true, force: true });
  }
  console.log(`${docs.length} texts, ${questions.length} questions`);
  for (const [name, all] of Object.entries(results)) console.log(shown(name, all));
}

async function main(): Promise<void> {
  const [, , data, ...sets] = process.argv;
  if (data === undefined) {
    console.error('which folder of sets?');
    process.exitCode = 2;
    return;
  }
  for (const set of sets.length === 0 ? readdirSync(data).sort() : sets) {
    const folder = [join(data, set, 'dev'), join(data, set)].find((path) => existsSync(join(path, 'docs.jsonl')));
    if (folder === undefined) continue;
    console.log(set);
    await measureSet(folder);
  }
}

await main();
