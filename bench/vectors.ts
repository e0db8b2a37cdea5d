// The vector index at 100,000 × 384 clustered vectors in a real database: both tiers against an exact scan in the same run.
// Arguments: vectors (default 100000), dimensions (default 384).
import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { build } from 'esbuild';
import type { Embeddings } from '../src/memory/embed/embeddings.ts';
import { createClosest } from '../src/memory/vector/closest.ts';
import { createVectorSearch } from '../src/memory/vector/create-vector-search.ts';
import { dotAt } from '../src/memory/vector/rows.ts';
import type { IndexTier } from '../src/memory/vector/index-host.ts';
import { createKeepAlive } from '../src/memory/vector/keep-alive.ts';
import type { VectorSizes } from '../src/memory/vector/sizes.ts';
import { readSnapshot } from '../src/memory/vector/snapshot-file.ts';
import { createThreadHost } from '../src/memory/vector/thread-host.ts';
import { createRuntime } from '../src/runtime.ts';
import { contentHash } from '../src/store/content-hash.ts';
import type { Database } from '../src/store/database.ts';
import { openDatabase } from '../src/store/open-database.ts';
import { seeded } from '../test/helpers/seeded.ts';
import { machine, median } from './child.ts';

const QUERIES = 300;
const WANTED = 10;
/** What a search of the memory asks for. */
const MANY = 100;
const CLUSTERS = 1_000;
/** Of a component, in standard deviations of the centres' components. */
const SPREAD = 0.7;

const SPACE = { provider: 'bench', model: 'clustered' };
const EVERYTHING = { sql: 'm.deleted_at IS NULL AND (m.expires_at IS NULL OR m.expires_at > ?)', params: [0] };

type Tier = 'int8' | 'hnsw';

interface Plan {
  readonly folder: string;
  readonly worker: string;
  readonly tier: Tier;
  readonly dimensions: number;
}

/** What a child measured. Times in ms. */
interface Figures {
  readonly firstAnswer: number;
  readonly settled: number;
  /** Of the processor, until all was in use. */
  readonly settledCpu: number;
  /** Of the processor, for each search. */
  readonly searchCpu: number;
  readonly tier: string;
  readonly note: string | null;
  readonly p50: number;
  readonly p95: number;
  readonly recall: number;
  readonly rssMb: number;
  readonly peakMb: number;
  readonly p50WithTail: number;
  /** Of the index alone, without the database. */
  readonly indexP50: number;
  /** Of the graph that hnswlib keeps in the thread; `null` where there is none. */
  readonly graphP50: number | null;
  /** For as many as a search of the memory asks for. */
  readonly p50OfMany: number;
}

/** Unit vectors around seeded centres, one after the other. */
function clustered(count: number, dimensions: number, seed: number): Float32Array<ArrayBuffer> {
  const normal = (next: () => number): number => Math.sqrt(-2 * Math.log(1 - next())) * Math.cos(2 * Math.PI * next());
  const inCentres = seeded(1);
  const centres = Float32Array.from({ length: CLUSTERS * dimensions }, () => normal(inCentres));
  const next = seeded(seed);
  const vectors = new Float32Array(count * dimensions);
  for (let row = 0; row < count; row += 1) {
    const centre = Math.floor(next() * CLUSTERS) * dimensions;
    const vector = vectors.subarray(row * dimensions, (row + 1) * dimensions);
    for (let i = 0; i < dimensions; i += 1) vector[i] = (centres[centre + i] ?? 0) + SPREAD * normal(next);
    const length = Math.sqrt(dotAt(vector, 0, vector));
    for (let i = 0; i < dimensions; i += 1) vector[i] = (vector[i] ?? 0) / length;
  }
  return vectors;
}

async function insert(db: Database, vectors: Float32Array<ArrayBuffer>, dimensions: number, from: number): Promise<void> {
  const count = vectors.length / dimensions;
  for (let start = 0; start < count; start += 1_000) {
    await db.write(async (queries) => {
      for (let row = start; row < Math.min(start + 1_000, count); row += 1) {
        const value = `entry ${from + row}`;
        const hash = contentHash(value);
        await queries.run(
          `INSERT INTO memory_entry (namespace, key, value, format, hash, created_at, updated_at) VALUES ('n', ?, ?, 'text', ?, 1, 1)`,
          [String(from + row), value, hash],
        );
        await queries.run('INSERT INTO embedding (space_id, hash, vector) VALUES (1, ?, ?)', [
          hash,
          new Uint8Array(vectors.buffer, row * dimensions * 4, dimensions * 4),
        ]);
      }
    });
  }
}

function percentile(times: readonly number[], share: number): number {
  return [...times].sort((a, b) => a - b)[Math.floor(times.length * share)] ?? NaN;
}

/** Embeddings whose query texts are numbers of query vectors. */
function numbered(queries: Float32Array, dimensions: number, count: number): Embeddings {
  return {
    enabled: true,
    status: async () => ({ ...SPACE, dimensions, semantic: false, embedded: count, pending: 0, problem: null }),
    embedQuery: async (text) => {
      const at = Number(text) * dimensions;
      const vector = queries.slice(at, at + dimensions);
      return { ok: true, spaceId: 1, space: { ...SPACE, dimensions }, semantic: false, vector };
    },
    catchUp: async () => ({ embedded: 0, pending: 0 }),
    wake: () => undefined,
    [Symbol.asyncDispose]: async () => undefined,
  };
}

function readQueries(folder: string): Float32Array {
  return new Float32Array(new Uint8Array(readFileSync(join(folder, 'queries'))).buffer);
}

/** Snapshots on a host of its own: what is left is the search, and its way to the thread and back where it takes it. */
async function indexAlone(
  { folder, worker, tier, dimensions }: Plan,
  queries: Float32Array,
  kinds: readonly IndexTier[],
): Promise<number> {
  const keepAlive = createKeepAlive();
  const host = createThreadHost(pathToFileURL(worker), keepAlive);
  const times = await keepAlive.during(async () => {
    await host.start(dimensions);
    for (const kind of kinds) {
      const snapshot = await readSnapshot(join(folder, `vectors-${tier}`), { uid: 'bench', dimensions }, kind);
      if (snapshot === undefined) throw new Error(`there is no snapshot of ${kind}`);
      await host.load({ tier: kind, ids: snapshot.ids, data: snapshot.data });
    }
    const all: number[] = [];
    for (let at = 0; at < queries.length; at += dimensions) {
      const vector = queries.slice(at, at + dimensions);
      const begun = performance.now();
      await host.search(vector, WANTED);
      all.push(performance.now() - begun);
    }
    return all;
  });
  await host[Symbol.asyncDispose]();
  return median(times);
}

function cpuSince(before: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000;
}

async function phase({ folder, worker, tier, dimensions }: Plan): Promise<Figures> {
  const truth: readonly (readonly number[])[] = JSON.parse(readFileSync(join(folder, 'truth.json'), 'utf8'));
  const runtime = createRuntime('warn');
  const db = await openDatabase(join(folder, 'skillflow.db'), { runtime });
  const queries = readQueries(folder);
  const create = (sizes: Partial<VectorSizes> = {}) =>
    createVectorSearch({
      open: async () => db,
      runtime,
      embeddings: numbered(queries, dimensions, truth.length),
      folder: join(folder, `vectors-${tier}`),
      workerUrl: pathToFileURL(worker),
      sizes,
    });
  const { signal } = new AbortController();
  const started = performance.now();
  const cpuStarted = process.cpuUsage();
  let search = create();
  const nearest = (query: number): Promise<readonly { readonly entryId: number }[]> =>
    search.nearest(String(query), WANTED, EVERYTHING, signal).then(({ hits }) => hits);
  await nearest(0);
  const firstAnswer = performance.now() - started;
  await search.settled();
  const settled = performance.now() - started;
  const settledCpu = cpuSince(cpuStarted);
  for (let query = 0; query < 50; query += 1) await nearest(query); // warm
  const times: number[] = [];
  const cpuSearched = process.cpuUsage();
  let found = 0;
  for (let query = 0; query < truth.length; query += 1) {
    const begun = performance.now();
    const hits = await nearest(query);
    times.push(performance.now() - begun);
    found += hits.filter(({ entryId }) => truth[query]?.includes(entryId)).length;
  }
  const searchCpu = cpuSince(cpuSearched) / truth.length;
  const many: number[] = [];
  for (let query = 0; query < truth.length; query += 1) {
    const begun = performance.now();
    await search.nearest(String(query), MANY, EVERYTHING, signal);
    many.push(performance.now() - begun);
  }
  const { tier: used, note } = await search.status();
  const rssMb = process.memoryUsage.rss() / 1024 ** 2;
  await search[Symbol.asyncDispose]();

  const before = Number((await db.get('SELECT max(id) AS id FROM embedding'))?.['id']);
  await insert(db, clustered(1_000, dimensions, 7), dimensions, 10_000_000);
  search = create({ tail: 1e9 });
  await nearest(0);
  await search.settled();
  const withTail: number[] = [];
  for (let query = 0; query < truth.length; query += 1) {
    const begun = performance.now();
    await nearest(query);
    withTail.push(performance.now() - begun);
  }
  await search[Symbol.asyncDispose]();
  await db.run('DELETE FROM memory_entry WHERE key >= ? AND length(key) >= 8', ['10000000']);
  await db.run('DELETE FROM embedding WHERE id > ?', [before]);
  await db.run(`UPDATE sqlite_sequence SET seq = ? WHERE name = 'embedding'`, [before]);
  await db.close();
  const peakMb = process.resourceUsage().maxRSS / 1024;
  const plan = { folder, worker, tier, dimensions };
  return {
    indexP50: await indexAlone(plan, queries, tier === 'int8' ? ['int8'] : ['int8', 'links']),
    graphP50: tier === 'int8' ? null : await indexAlone(plan, queries, ['int8', 'hnsw']),
    firstAnswer,
    settled,
    settledCpu,
    searchCpu,
    tier: used,
    note,
    p50: median(times),
    p95: percentile(times, 0.95),
    recall: found / (truth.length * WANTED),
    rssMb,
    peakMb,
    p50WithTail: median(withTail),
    p50OfMany: median(many),
  };
}

/** Runs this script again for one phase, so that the memory of phases does not add up. */
function inChild(plan: Plan): Promise<Figures> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [process.argv[1] ?? '', 'phase', JSON.stringify(plan)], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let stdout = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
    child.on('error', reject);
    child.on('close', (code) =>
      code === 0 ? resolve(JSON.parse(stdout)) : reject(new Error(`a phase ended with code ${code}`)),
    );
  });
}

/** Bundles the worker: where its packages resolve, and where they do not, as if hnswlib were not installed. */
async function bundleWorkers(folder: string): Promise<Readonly<Record<Tier, string>>> {
  const inside = join(process.cwd(), 'node_modules', '.cache', 'skillflow');
  const workers = { hnsw: join(inside, 'bench-vector-worker.mjs'), int8: join(folder, 'worker.mjs') };
  for (const outfile of Object.values(workers)) {
    await build({
      entryPoints: [join(process.cwd(), 'src', 'memory', 'vector', 'worker.ts')],
      outfile,
      bundle: true,
      platform: 'node',
      format: 'esm',
      external: ['hnswlib-node'],
      logLevel: 'error',
    });
  }
  return workers;
}

async function main(count: number, dimensions: number): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'skillflow-bench-vectors-'));
  try {
    console.log(machine());
    const workers = await bundleWorkers(folder);
    const vectors = clustered(count, dimensions, 2);
    const queries = clustered(QUERIES, dimensions, 3);
    writeFileSync(join(folder, 'queries'), queries);
    const db = await openDatabase(join(folder, 'skillflow.db'), { runtime: createRuntime('warn') });
    await db.run('INSERT INTO embedding_space (id, uid, provider, model, dimensions, created_at) VALUES (1, ?, ?, ?, ?, 1)', [
      'bench',
      SPACE.provider,
      SPACE.model,
      dimensions,
    ]);
    await insert(db, vectors, dimensions, 0);
    await db.close();

    const exact: number[] = [];
    const truth: number[][] = [];
    for (let query = 0; query < QUERIES; query += 1) {
      const vector = queries.slice(query * dimensions, (query + 1) * dimensions);
      const begun = performance.now();
      const closest = createClosest(WANTED);
      for (let row = 0; row < count; row += 1) closest.offer(row + 1, dotAt(vectors, row * dimensions, vector));
      truth.push(closest.sorted().map(({ id }) => id));
      exact.push(performance.now() - begun);
    }
    writeFileSync(join(folder, 'truth.json'), JSON.stringify(truth));
    const brute = median(exact);
    console.log(`${count} × ${dimensions}, ${CLUSTERS} clusters; exact scan of float32 in memory: p50 ${brute.toFixed(1)} ms`);

    for (const tier of ['int8', 'hnsw'] as const) {
      const plan = { folder, worker: workers[tier], tier, dimensions };
      mkdirSync(join(folder, `vectors-${tier}`));
      const built = await inChild(plan);
      const opened = await inChild(plan);
      console.log(`${tier} (in use: ${opened.tier}${opened.note === null ? '' : `; ${opened.note}`})`);
      console.log(
        `  without a snapshot: first answer ${(built.firstAnswer / 1000).toFixed(2)} s, built and saved ${(built.settled / 1000).toFixed(1)} s`,
      );
      console.log(
        `  from its snapshot: first answer ${opened.firstAnswer.toFixed(0)} ms, all in use ${opened.settled.toFixed(0)} ms (processor ${opened.settledCpu.toFixed(0)} ms)`,
      );
      console.log(
        `  nearest() p50 ${opened.p50.toFixed(2)} ms, p95 ${opened.p95.toFixed(2)} ms (processor ${opened.searchCpu.toFixed(2)} ms), ${(brute / opened.p50).toFixed(0)}x as fast as the exact scan; recall@${WANTED} ${opened.recall.toFixed(4)}`,
      );
      const graph =
        opened.graphP50 === null ? '' : `; the graph of hnswlib, over the thread: p50 ${opened.graphP50.toFixed(2)} ms`;
      console.log(`  index alone: p50 ${opened.indexP50.toFixed(2)} ms${graph}`);
      console.log(`  nearest() of ${MANY}: p50 ${opened.p50OfMany.toFixed(2)} ms`);
      console.log(`  with a tail of 1,000: p50 ${opened.p50WithTail.toFixed(2)} ms`);
      console.log(
        `  RSS ${opened.rssMb.toFixed(0)} MB, at most ${opened.peakMb.toFixed(0)} MB (building: ${built.peakMb.toFixed(0)} MB)`,
      );
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const [first = '100000', second = '384'] = process.argv.slice(2);
if (first === 'phase') process.stdout.write(JSON.stringify(await phase(JSON.parse(second))));
else await main(Number(first), Number(second));
