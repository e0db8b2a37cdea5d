import { mkdirSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { build } from 'esbuild';
import type { Embeddings } from '../../../src/memory/embed/embeddings.ts';
import type { Scope } from '../../../src/memory/scope.ts';
import {
  createVectorSearch,
  type SettlingVectorSearch,
  type VectorSearchDeps,
} from '../../../src/memory/vector/create-vector-search.ts';
import { loadHnswlib } from '../../../src/memory/vector/hnsw-graph.ts';
import { dotAt } from '../../../src/memory/vector/rows.ts';
import type { VectorHit } from '../../../src/memory/vector/vector-search.ts';
import { contentHash } from '../../../src/store/content-hash.ts';
import type { Database } from '../../../src/store/database.ts';
import { numberOf } from '../../../src/store/row.ts';
import { seeded } from '../../helpers/seeded.ts';
import { testRuntime } from '../../store/scratch.ts';

export type Vector = Float32Array<ArrayBuffer>;

/** Whether hnswlib was compiled here. */
export const hasHnsw = await loadHnswlib().then(
  () => true,
  () => false,
);

export const noHnsw = (): Promise<never> => Promise.reject(new Error('not installed'));

export function unit(vector: Vector): Vector {
  const length = Math.sqrt(dotAt(vector, 0, vector)) || 1;
  return vector.map((x) => x / length);
}

/** Vectors of length 1 around `clusters` centres; the smaller the spread, the denser. */
export function clustered(count: number, dimensions: number, seed: number, clusters = 10, spread = 0.6): readonly Vector[] {
  const next = seeded(seed);
  const normal = (): number => Math.sqrt(-2 * Math.log(1 - next())) * Math.cos(2 * Math.PI * next());
  const centres = Array.from({ length: clusters }, () => Float32Array.from({ length: dimensions }, normal));
  return Array.from({ length: count }, (_, row) => {
    const centre = centres[row % clusters] ?? new Float32Array();
    return unit(Float32Array.from(centre, (x) => x + spread * normal()));
  });
}

/** All in one array, with ids from 1. */
export function toRows(vectors: readonly Vector[], firstId = 1): { ids: Float64Array<ArrayBuffer>; vectors: Vector } {
  const dimensions = vectors[0]?.length ?? 0;
  const all = new Float32Array(vectors.length * dimensions);
  for (const [row, vector] of vectors.entries()) all.set(vector, row * dimensions);
  return { ids: Float64Array.from(vectors, (_, row) => firstId + row), vectors: all };
}

/** The positions of the `count` vectors nearest to a query, best first. */
export function exactly(vectors: readonly Vector[], query: Vector, count: number): readonly number[] {
  return vectors
    .map((vector, at) => ({ at, similarity: dotAt(vector, 0, query) }))
    .sort((a, b) => b.similarity - a.similarity || a.at - b.at)
    .slice(0, count)
    .map(({ at }) => at);
}

export function recall(found: readonly number[], truth: readonly number[]): number {
  return truth.filter((at) => found.includes(at)).length / truth.length;
}

export async function addSpace(db: Database, dimensions: number, uid = 'space-1'): Promise<number> {
  const { lastId } = await db.run(
    `INSERT INTO embedding_space (uid, provider, model, dimensions, created_at) VALUES (?, 'test', ?, ?, 1)`,
    [uid, `model of ${uid}`, dimensions],
  );
  return lastId;
}

export interface Added {
  readonly vector: Vector;
  readonly namespace?: string;
  /** Entries with equal values share a vector. */
  readonly value?: string;
}

let keys = 0;

/** Adds entries with their vectors; returns the ids of the entries. */
export async function add(db: Database, spaceId: number, entries: readonly Added[]): Promise<readonly number[]> {
  const rows = entries.map(({ vector, namespace = 'n', value }) => {
    keys += 1;
    const text = value ?? `value ${keys}`;
    const bytes = Buffer.from(vector.buffer, vector.byteOffset, vector.byteLength);
    return [namespace, `k${keys}`, text, Buffer.from(contentHash(text)).toString('hex'), bytes.toString('hex')];
  });
  const json = JSON.stringify(rows); // one statement for all: to a server each is a way of its own
  return db.write(async (queries) => {
    const added = await queries.all(
      `INSERT INTO memory_entry (namespace, key, value, format, hash, created_at, updated_at)
        SELECT value ->> 0, value ->> 1, value ->> 2, 'text', unhex(value ->> 3), 1, 1 FROM json_each(?) ORDER BY key RETURNING id`,
      [json],
    );
    await queries.run(
      `INSERT INTO embedding (space_id, hash, vector)
        SELECT ?, unhex(value ->> 3), unhex(value ->> 4) FROM json_each(?) WHERE true ORDER BY key ON CONFLICT DO NOTHING`,
      [spaceId, json],
    );
    return added.map((row) => numberOf(row, 'id')).toSorted((a, b) => a - b);
  });
}

/** Embeddings of one space whose texts are vectors as JSON. */
export function jsonEmbeddings(space: { readonly id: number; readonly dimensions: number; readonly uid?: string }): Embeddings {
  const { id, dimensions, uid = 'space-1' } = space;
  const words = { provider: 'test', model: `model of ${uid}`, dimensions };
  return {
    enabled: true,
    status: async () => ({ ...words, semantic: true, embedded: 40, pending: 2, problem: null }),
    embedQuery: async (text) => ({
      ok: true,
      spaceId: id,
      space: words,
      semantic: true,
      vector: Float32Array.from(JSON.parse(text)),
    }),
    catchUp: async () => ({ embedded: 0, pending: 0 }),
    wake: () => undefined,
    [Symbol.asyncDispose]: async () => undefined,
  };
}

export const ALL: Scope = { sql: '1', params: [] };
export const inNamespace = (namespace: string): Scope => ({ sql: 'm.namespace = ?', params: [namespace] });

/** Thresholds at which a few hundred vectors go through everything that 100,000 do. */
export const SMALL = { exact: 50, page: 40, tail: 10, lag: 12, grown: 7, unsaved: 20, selective: 20, widest: 128 };

export type Options = Partial<VectorSearchDeps> & Pick<VectorSearchDeps, 'embeddings' | 'folder'>;

export function vectorSearch(db: Database, options: Options): SettlingVectorSearch {
  return createVectorSearch({ open: async () => db, runtime: testRuntime(), workerUrl: null, sizes: SMALL, ...options });
}

const never = new AbortController().signal;

export async function nearest(
  search: SettlingVectorSearch,
  vector: Vector,
  count: number,
  scope = ALL,
): Promise<readonly VectorHit[]> {
  return (await search.nearest(JSON.stringify([...vector]), count, scope, never)).hits;
}

export const entryIds = (hits: readonly VectorHit[]): readonly number[] => hits.map(({ entryId }) => entryId);

const CACHE = fileURLToPath(new URL('../../../node_modules/.cache/skillflow-test/', import.meta.url));

/** Bundles a worker for plain Node: inside the project, or in a folder where its packages do not resolve. */
export async function bundleWorker(source: string, elsewhere?: string): Promise<{ readonly url: URL; remove(): Promise<void> }> {
  mkdirSync(CACHE, { recursive: true });
  const folder = await mkdtemp(join(elsewhere ?? CACHE, 'worker-'));
  const outfile = join(folder, 'worker.mjs');
  await build({
    entryPoints: [source],
    outfile,
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    external: ['hnswlib-node', 'libsql'],
    logLevel: 'error',
  });
  return { url: pathToFileURL(outfile), remove: () => rm(folder, { recursive: true, force: true }) };
}

export const WORKER = fileURLToPath(new URL('../../../src/memory/vector/worker.ts', import.meta.url));
