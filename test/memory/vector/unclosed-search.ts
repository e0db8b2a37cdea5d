import { writeSync } from 'node:fs';
import { createVectorSearch } from '../../../src/memory/vector/create-vector-search.ts';
import { createRuntime } from '../../../src/runtime.ts';
import { openDatabase } from '../../../src/store/open-database.ts';

/** Arguments: database, folder of snapshots, URL of the worker, dimensions. Searches once, prints the hits, closes nothing. */
const [path = '', folder = '', worker = '', dimensions = '0'] = process.argv.slice(2);
const runtime = createRuntime('silent');
const db = await openDatabase(path, { runtime });
const space = { provider: 'test', model: 'model of space-1', dimensions: Number(dimensions) };
const search = createVectorSearch({
  open: async () => db,
  runtime,
  embeddings: {
    enabled: true,
    status: async () => ({ ...space, semantic: true, embedded: 0, pending: 0, problem: null }),
    embedQuery: async () => {
      const vector = new Float32Array(space.dimensions);
      vector[0] = 1;
      return { ok: true, spaceId: 1, space, semantic: true, vector };
    },
    catchUp: async () => ({ embedded: 0, pending: 0 }),
    wake: () => undefined,
    [Symbol.asyncDispose]: async () => undefined,
  },
  folder,
  workerUrl: new URL(worker),
  sizes: { exact: 50 },
});
const { hits } = await search.nearest('', 3, { sql: '1', params: [] }, new AbortController().signal);
writeSync(1, `${hits.length}\n`);
