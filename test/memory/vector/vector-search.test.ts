import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import * as fc from 'fast-check';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { CancelledError } from '../../../src/errors.ts';
import type { SettlingVectorSearch } from '../../../src/memory/vector/create-vector-search.ts';
import type { Database } from '../../../src/store/database.ts';
import { onServer, openTestDatabase } from '../../helpers/databases.ts';
import { start as run, testRuntime, useScratch } from '../../store/scratch.ts';
import {
  add,
  addSpace,
  ALL,
  bundleWorker,
  clustered,
  entryIds,
  exactly,
  hasHnsw,
  inNamespace,
  jsonEmbeddings,
  nearest,
  noHnsw,
  recall,
  SMALL,
  unit,
  vectorSearch,
  WORKER,
  type Options,
} from './space.ts';

const DIMENSIONS = 24;
const scratch = useScratch();
let root: string;
let db: Database;
let spaceId: number;
let workerWithHnsw: { readonly url: URL; remove(): Promise<void> };
const searches: SettlingVectorSearch[] = [];

beforeAll(async () => {
  workerWithHnsw = await bundleWorker(WORKER);
});
afterAll(() => workerWithHnsw.remove());

beforeEach(async () => {
  root = await scratch.folder();
  db = await openTestDatabase(join(root, 'skillflow.db'), { runtime: testRuntime() });
  scratch.onCleanUp(() => db.close());
  spaceId = await addSpace(db, DIMENSIONS);
});

afterEach(async () => {
  for (const search of searches.splice(0)) await search[Symbol.asyncDispose]();
});

function start(options: Partial<Options> = {}, on = db): SettlingVectorSearch {
  const embeddings = jsonEmbeddings({ id: spaceId, dimensions: DIMENSIONS });
  const search = vectorSearch(on, { embeddings, folder: join(root, 'vectors'), ...options });
  searches.push(search);
  return search;
}

interface Tier {
  readonly tier: 'exact' | 'int8' | 'hnsw';
  readonly count: number;
  readonly where: string;
  readonly options: () => Partial<Options>;
  readonly isOpened?: boolean;
}

/** On a server one of each kind: where an index is, or came from, is not seen there. */
const all = [
  { tier: 'exact', count: 40, where: 'this thread', options: () => ({ loadHnsw: noHnsw }) },
  { tier: 'int8', count: 600, where: 'this thread', options: () => ({ loadHnsw: noHnsw }) },
  { tier: 'hnsw', count: 600, where: 'this thread', options: () => ({}) },
  { tier: 'hnsw', count: 600, where: 'this thread, opened by its links', options: () => ({}), isOpened: true },
  { tier: 'hnsw', count: 600, where: 'a worker', options: () => ({ workerUrl: workerWithHnsw.url }) },
  {
    tier: 'hnsw',
    count: 600,
    where: 'a worker, opened by its links',
    options: () => ({ workerUrl: workerWithHnsw.url }),
    isOpened: true,
  },
] satisfies readonly Tier[];
const tiers = onServer() ? all.filter(({ tier, where }) => tier !== 'hnsw' || where === 'a worker') : all;

describe.each<Tier>(tiers)('$tier in $where', ({ tier, count, options, isOpened = false }) => {
  const skip = tier === 'hnsw' && !hasHnsw;
  /** A search with nothing left to build; one that built it itself, or one that comes after that. */
  async function ready(): Promise<SettlingVectorSearch> {
    const builder = start(options());
    await nearest(builder, new Float32Array(DIMENSIONS).fill(1), 1);
    await builder.settled();
    if (!isOpened) return builder;
    await builder[Symbol.asyncDispose]();
    expect(readdirSync(join(root, 'vectors')).filter((name) => name.endsWith('.links.index'))).toHaveLength(1);
    const search = start(options());
    await nearest(search, new Float32Array(DIMENSIONS).fill(1), 1);
    await search.settled();
    return search;
  }

  test.skipIf(skip)('finds what an exact comparison finds', async () => {
    const vectors = clustered(count, DIMENSIONS, 1);
    const ids = await add(
      db,
      spaceId,
      vectors.map((vector) => ({ vector })),
    );
    const search = await ready();
    expect(await search.status()).toMatchObject({ tier, vectors: count, indexed: tier === 'exact' ? 0 : count });
    const queries = clustered(30, DIMENSIONS, 9).concat(vectors.slice(0, 10));
    let sum = 0;
    for (const query of queries) {
      const hits = await nearest(search, query, 10);
      const truth = exactly(vectors, query, 10).map((at) => ids[at] ?? -1);
      sum += recall(entryIds(hits), truth);
      expect(hits).toHaveLength(10);
      expect(hits.map(({ similarity }) => similarity)).toEqual(hits.map(({ similarity }) => similarity).sort((a, b) => b - a));
    }
    expect(sum / queries.length).toBeGreaterThanOrEqual(tier === 'exact' ? 1 : 0.99);
  });

  test.skipIf(skip)('finds as many as exist, the right ones, in any scope', async () => {
    const vectors = clustered(count, DIMENSIONS, 2);
    const sizes = [1, 3, 15, 200];
    const namespaceOf = (at: number): string => `n${sizes.findIndex((size) => at % 219 < size)}`;
    const values = (at: number): string => `value ${Math.floor(at / 2)}`; // two entries share each vector
    const entries = vectors.map((_, at) => ({
      vector: vectors[at - (at % 2)] ?? new Float32Array(DIMENSIONS),
      namespace: namespaceOf(at),
      value: values(at),
    }));
    const ids = await add(db, spaceId, entries);
    const search = await ready();
    await fc.assert(
      fc.asyncProperty(
        fc.nat(count - 1),
        fc.integer({ min: 1, max: 40 }),
        fc.constantFrom('n0', 'n1', 'n2', 'n3', 'n-1', 'none', undefined),
        async (at, wanted, namespace) => {
          const query = vectors[at] ?? new Float32Array(DIMENSIONS);
          const hits = await nearest(search, query, wanted, namespace === undefined ? ALL : inNamespace(namespace));
          const within = entries.flatMap((entry, position) =>
            namespace === undefined || entry.namespace === namespace ? [{ ...entry, id: ids[position] ?? -1 }] : [],
          );
          expect(hits).toHaveLength(Math.min(wanted, within.length));
          const allowed = new Set(within.map(({ id }) => id));
          expect(hits.filter(({ entryId }) => !allowed.has(entryId))).toEqual([]);
          expect(new Set(entryIds(hits)).size).toBe(hits.length);
          // Few are compared exactly; of many, that they are nearest enough is for the test of recall.
          const order = exactly(
            within.map(({ vector }) => vector),
            query,
            wanted,
          ).map((position) => within[position]?.id);
          expect(new Set(entryIds(hits))).toEqual(new Set(within.length <= SMALL.selective ? order : entryIds(hits)));
        },
      ),
      { seed: 3, numRuns: 60 },
    );
  });

  test.skipIf(skip)('sees at once what any connection has committed', async () => {
    const vectors = clustered(count, DIMENSIONS, 4);
    await add(
      db,
      spaceId,
      vectors.map((vector) => ({ vector })),
    );
    const other = await openTestDatabase(join(root, 'skillflow.db'), { runtime: testRuntime() });
    scratch.onCleanUp(() => other.close());
    if (isOpened) await ready(); // they begin with snapshots
    const [one, two] = [start(options()), start(options(), other)];
    const late = clustered(60, DIMENSIONS, 5, 60);
    for (const [at, vector] of late.entries()) {
      const [id] = await add(at % 2 === 0 ? db : other, spaceId, [{ vector }]);
      expect(entryIds(await nearest(one, vector, 1))).toEqual([id]);
      expect(entryIds(await nearest(two, vector, 1))).toEqual([id]);
    }
    const many = clustered(100, DIMENSIONS, 6, 100);
    const ids = await add(
      other,
      spaceId,
      many.map((vector) => ({ vector })),
    );
    const found = await Promise.all(many.map((vector) => nearest(one, vector, 1)));
    expect(found.flatMap(entryIds)).toEqual(ids);
    await one.settled();
    expect(await one.status()).toMatchObject({ vectors: count + 160 });
  });

  test.skipIf(skip)('does without rows that a compaction removed', async () => {
    const vectors = clustered(count, DIMENSIONS, 7);
    const ids = await add(
      db,
      spaceId,
      vectors.map((vector) => ({ vector })),
    );
    const search = await ready();
    const query = vectors[3] ?? new Float32Array(DIMENSIONS);
    const gone = exactly(vectors, query, 20).map((at) => ids[at] ?? -1);
    await db.run(`DELETE FROM memory_entry WHERE id IN (SELECT value FROM json_each(?))`, [JSON.stringify(gone)]);
    await db.run('DELETE FROM embedding WHERE hash NOT IN (SELECT hash FROM memory_entry)');
    const truth = exactly(vectors, query, 30)
      .slice(20)
      .map((at) => ids[at]);
    expect(entryIds(await nearest(search, query, 10))).toEqual(truth);
    const [id] = await add(db, spaceId, [{ vector: query }]);
    expect(entryIds(await nearest(search, query, 10))).toEqual([id, ...truth.slice(0, 9)]);
    expect((await search.status()).note?.includes('lost') ?? false).toBe(false);
  });

  test.skipIf(skip)('starts over when the database was replaced by another state of it', async () => {
    const vectors = clustered(count, DIMENSIONS, 8);
    await add(
      db,
      spaceId,
      vectors.map((vector) => ({ vector })),
    );
    const search = await ready();
    // As a backup would: fewer rows, whose next ids are given away again.
    const back = count - 15;
    await db.run('DELETE FROM embedding WHERE id > ?', [back]);
    await db.run('DELETE FROM memory_entry WHERE id > ?', [back]);
    await db.run(`UPDATE sqlite_sequence SET seq = ? WHERE name IN ('embedding', 'memory_entry')`, [back]);
    const fresh = clustered(30, DIMENSIONS, 10, 30);
    const ids = await add(
      db,
      spaceId,
      fresh.map((vector) => ({ vector })),
    );
    const found = await Promise.all(fresh.map((vector) => nearest(search, vector, 1)));
    expect(found.flatMap(entryIds)).toEqual(ids);
    const again = start(options()); // from the snapshot of the old state
    for (const [at, vector] of fresh.entries()) expect(entryIds(await nearest(again, vector, 1))).toEqual([ids[at]]);
  });

  test.skipIf(skip)('one whose scope is empty, one of no vectors, one cancelled', async () => {
    const search = start(options());
    const query = unit(new Float32Array(DIMENSIONS).fill(1));
    expect(await nearest(search, query, 5)).toEqual([]);
    await add(
      db,
      spaceId,
      clustered(count, DIMENSIONS, 1).map((vector) => ({ vector })),
    );
    expect(await nearest(search, query, 5, { sql: '0', params: [] })).toEqual([]);
    expect(await nearest(search, query, count + 5)).toHaveLength(count);
    const text = JSON.stringify([...query]);
    const cancelled = search.nearest(text, count, { sql: 'm.id > ?', params: [1] }, AbortSignal.abort());
    await expect(cancelled).rejects.toThrow(CancelledError);
  });
});

describe('without hnswlib', () => {
  test('a worker that cannot load it scans, and says so', async () => {
    const worker = await bundleWorker(WORKER, root); // packages do not resolve from there
    const vectors = clustered(300, DIMENSIONS, 1);
    const ids = await add(
      db,
      spaceId,
      vectors.map((vector) => ({ vector })),
    );
    const search = start({ workerUrl: worker.url });
    const query = vectors[7] ?? new Float32Array(DIMENSIONS);
    expect(entryIds(await nearest(search, query, 1))).toEqual([ids[7]]);
    await search.settled();
    const { tier, note } = await search.status();
    expect(tier).toBe('int8');
    expect(note).toMatch(/hnswlib-node does not load \(Cannot find package/);
  });
});

// About the worker, whatever the database is.
describe.skipIf(onServer())('a worker that ends', () => {
  test('costs one search some time, never its answer; then the index is made again', async () => {
    const worker = await bundleWorker(fileURLToPath(new URL('crashing-worker.ts', import.meta.url)), root);
    const vectors = clustered(300, DIMENSIONS, 1);
    const deadly = new Float32Array(DIMENSIONS);
    deadly[0] = 1;
    const ids = await add(
      db,
      spaceId,
      [...vectors, deadly].map((vector) => ({ vector })),
    );
    const search = start({ workerUrl: worker.url });
    const query = vectors[5] ?? deadly;
    const searched = await Promise.all([
      nearest(search, query, 1),
      search.nearest(JSON.stringify([...deadly]), 1, ALL, new AbortController().signal),
      nearest(search, query, 1),
    ]);
    expect(entryIds(searched[0])).toEqual([ids[5]]);
    expect(entryIds(searched[1].hits)).toEqual([ids[300]]);
    expect(searched[1].note).toMatch(/compared one by one, without the index: its worker ended with code 7/);
    expect(entryIds(searched[2])).toEqual([ids[5]]);
    expect(entryIds(await nearest(search, query, 1))).toEqual([ids[5]]);
    expect(await search.status()).toMatchObject({ tier: 'int8', note: expect.stringContaining('ended with code 7') });
    for (let times = 0; times < 4; times += 1) expect(entryIds(await nearest(search, deadly, 1))).toEqual([ids[300]]);
    expect(entryIds(await nearest(search, query, 1))).toEqual([ids[5]]);
    expect(await search.status()).toMatchObject({ tier: 'exact', note: expect.stringMatching(/it was lost 3 times/) });
  });

  test('so does one that cannot start', async () => {
    const vectors = clustered(100, DIMENSIONS, 1);
    const ids = await add(
      db,
      spaceId,
      vectors.map((vector) => ({ vector })),
    );
    const search = start({ workerUrl: new URL('file:///nowhere/worker.mjs') });
    expect(entryIds(await nearest(search, vectors[2] ?? new Float32Array(DIMENSIONS), 1))).toEqual([ids[2]]);
  });
});

// Those about the worker and the process are run once.
describe('the rest', () => {
  test('off, and an embedder that cannot be reached', async () => {
    const embeddings = jsonEmbeddings({ id: spaceId, dimensions: DIMENSIONS });
    const off = start({ embeddings: { ...embeddings, enabled: false } });
    const { signal } = new AbortController();
    expect(await off.nearest('x', 5, ALL, signal)).toEqual({ hits: [], note: 'off', semantic: false });
    expect(await off.status()).toEqual({ tier: 'off', vectors: 0, indexed: 0, note: null });
    const down = start({ embeddings: { ...embeddings, embedQuery: async () => ({ ok: false, reason: 'connection refused' }) } });
    expect(await down.nearest('x', 5, ALL, signal)).toEqual({
      hits: [],
      note: 'unavailable: connection refused',
      semantic: false,
    });
  });

  test('another space is another index', async () => {
    const vectors = clustered(120, DIMENSIONS, 1);
    const ids = await add(
      db,
      spaceId,
      vectors.map((vector) => ({ vector })),
    );
    const otherId = await addSpace(db, 5, 'space-2');
    const others = clustered(120, 5, 2, 60);
    const otherIds = await add(
      db,
      otherId,
      others.map((vector) => ({ vector })),
    );
    let spaces = { id: spaceId, dimensions: DIMENSIONS, uid: 'space-1' };
    const embeddings = {
      ...jsonEmbeddings(spaces),
      embedQuery: (text: string, signal: AbortSignal) => jsonEmbeddings(spaces).embedQuery(text, signal),
    };
    const search = start({ embeddings, loadHnsw: noHnsw });
    expect(entryIds(await nearest(search, vectors[9] ?? new Float32Array(), 1))).toEqual([ids[9]]);
    spaces = { id: otherId, dimensions: 5, uid: 'space-2' };
    expect(entryIds(await nearest(search, others[9] ?? new Float32Array(), 1))).toEqual([otherIds[9]]);
    await search.settled();
    expect(readdirSync(join(root, 'vectors')).filter((name) => name.endsWith('.index')).length).toBeGreaterThanOrEqual(1);
    await db.run('DELETE FROM embedding_space WHERE id = ?', [otherId]);
    expect(await nearest(search, others[9] ?? new Float32Array(), 1)).toEqual([]);
  });

  test.skipIf(!hasHnsw || onServer())('closing ends the worker, also amid the building of the graph', async () => {
    const threads = (): number => process.getActiveResourcesInfo().filter((name) => name === 'MessagePort').length;
    const before = threads();
    await add(
      db,
      spaceId,
      clustered(3_000, DIMENSIONS, 1).map((vector) => ({ vector })),
    );
    const search = start({ workerUrl: workerWithHnsw.url });
    await nearest(search, unit(new Float32Array(DIMENSIONS).fill(1)), 3);
    await search[Symbol.asyncDispose]();
    expect(threads()).toBe(before);
    expect(readdirSync(join(root, 'vectors')).filter((name) => /\.(?:lock|tmp)$/.test(name))).toEqual([]);
    await expect(nearest(search, unit(new Float32Array(DIMENSIONS).fill(1)), 3)).rejects.toThrow(/closed/);
  });

  test.skipIf(!hasHnsw || onServer())(
    'the process survives a worker that is ended while it reads or writes a graph',
    async () => {
      const vectors = clustered(3_000, DIMENSIONS, 1);
      await add(
        db,
        spaceId,
        vectors.map((vector) => ({ vector })),
      );
      const first = start({ workerUrl: workerWithHnsw.url });
      await nearest(first, vectors[0] ?? new Float32Array(DIMENSIONS), 3);
      await first.settled();
      await first[Symbol.asyncDispose]();
      const runtime = testRuntime();
      for (let times = 0; times < 12; times += 1) {
        const search = start({ workerUrl: workerWithHnsw.url });
        expect(await nearest(search, vectors[times] ?? new Float32Array(DIMENSIONS), 3)).toHaveLength(3);
        await runtime.sleep(times);
        await search[Symbol.asyncDispose]();
      }
    },
  );

  test.skipIf(onServer())('a process that closes nothing still ends, after its answer', async () => {
    await add(
      db,
      spaceId,
      clustered(2_000, DIMENSIONS, 1).map((vector) => ({ vector })),
    );
    const script = await bundleWorker(fileURLToPath(new URL('unclosed-search.ts', import.meta.url)));
    scratch.onCleanUp(script.remove);
    const args = [join(root, 'skillflow.db'), join(root, 'vectors'), workerWithHnsw.url.href, String(DIMENSIONS)];
    for (let times = 0; times < 3; times += 1) {
      const outcome = await run(process.execPath, [fileURLToPath(script.url), ...args]);
      expect(outcome).toEqual({ code: 0, lines: ['3'], stderr: '' });
    }
  });
});
