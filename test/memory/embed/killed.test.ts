import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { locationOf } from '../../helpers/databases.ts';
import { openLocation } from '../../helpers/open-location.ts';
import { bundleProgram, type BundledProgram } from '../../helpers/bundle-program.ts';
import { start, testRuntime, useScratch } from '../../store/scratch.ts';
import { hashOf, put, storedVectors } from './contents.ts';
import { startEmbeddingServer, unit, vectorOf } from './embedding-server.ts';

/** Arguments: database, base URL, `catchUp` or `wake`. Prints how many are embedded after each batch. */
const WORKER = `
import { writeSync } from 'node:fs';
import { createEmbeddings } from './create-embeddings.ts';
import { createEndpointEmbedder } from './endpoint-embedder.ts';
import { createRuntime } from '../../runtime.ts';
import { openLocation } from '../../../test/helpers/open-location.ts';
const [location, baseUrl, mode] = process.argv.slice(2);
const runtime = createRuntime('silent');
const db = await openLocation(location, { runtime });
const embedder = createEndpointEmbedder({ baseUrl, model: 'm', fetch, runtime });
const embeddings = createEmbeddings({ open: async () => db, runtime, embedder });
if (mode === 'wake') {
  embeddings.wake();
  await new Promise((resolve) => setTimeout(resolve, 300));
  writeSync(1, JSON.stringify(await embeddings.status()) + '\\n');
} else {
  const onProgress = (embedded) => writeSync(1, embedded + '\\n');
  await embeddings.catchUp({ signal: new AbortController().signal, onProgress });
  await embeddings[Symbol.asyncDispose]();
}
`;

const SOURCE = fileURLToPath(new URL('../../../src/memory/embed/', import.meta.url));
const scratch = useScratch();
let worker: BundledProgram;

beforeAll(async () => {
  worker = await bundleProgram({ code: WORKER, folder: SOURCE });
});
afterAll(() => worker.remove());

describe('a process that embeds', () => {
  test('killed at any moment leaves whole batches, and the next one goes on', async () => {
    await using server = await startEmbeddingServer();
    const location = await locationOf(join(await scratch.folder(), 'skillflow.db'));
    const values = Object.fromEntries(Array.from({ length: 640 }, (_, at) => [`k${at}`, `value ${at}`]));
    await using db = await openLocation(location, { runtime: testRuntime() });
    await put(db, values);
    for (const after of [1, 2, 1, 3]) {
      const before = (await storedVectors(db)).length;
      const { lines, stderr } = await start(process.execPath, [worker.path, location, server.baseUrl], (count, kill) => {
        if (count >= after) kill();
      });
      expect(stderr).toBe('');
      const vectors = await storedVectors(db);
      expect(vectors.length % 64).toBe(0);
      expect(vectors.length).toBeGreaterThanOrEqual(before + 64 * after);
      expect(vectors.length).toBeGreaterThanOrEqual(Number(lines.at(-1)));
      expect(await db.integrity()).toBe('ok');
    }
    const { code } = await start(process.execPath, [worker.path, location, server.baseUrl]);
    expect(code).toBe(0);
    const expected = new Map(Object.values(values).map((value) => [hashOf(value), unit(vectorOf(value))]));
    const vectors = await storedVectors(db);
    expect(vectors).toHaveLength(640);
    for (const { hash, vector } of vectors) expect(vector).toEqual(expected.get(hash));
  });

  test('ends by itself, though it was to try again later', async () => {
    const server = await startEmbeddingServer();
    await server.stop();
    const location = await locationOf(join(await scratch.folder(), 'skillflow.db'));
    await using db = await openLocation(location, { runtime: testRuntime() });
    await put(db, { key: 'value' });
    const { code, lines, stderr } = await start(process.execPath, [worker.path, location, server.baseUrl, 'wake']);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(JSON.parse(lines[0] ?? '')).toMatchObject({ embedded: 0, pending: 1 });
  });
});
