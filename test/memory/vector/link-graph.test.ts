import { join } from 'node:path';
import { readFileSync, writeFileSync } from 'node:fs';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createHnswGraph, loadHnswlib } from '../../../src/memory/vector/hnsw-graph.ts';
import { replaceByLinks, type HnswLinks } from '../../../src/memory/vector/hnsw-links.ts';
import { createLinkGraph } from '../../../src/memory/vector/link-graph.ts';
import { dotAt } from '../../../src/memory/vector/rows.ts';
import { useScratch } from '../../store/scratch.ts';
import { clustered, hasHnsw } from './space.ts';

const DIMENSIONS = 16;
const WIDTH = 48;
const scratch = useScratch();

async function graphOf(vectors: readonly Float32Array<ArrayBuffer>[]) {
  const graph = createHnswGraph(await loadHnswlib(), DIMENSIONS);
  const all = new Float32Array(vectors.length * DIMENSIONS);
  for (const [at, vector] of vectors.entries()) all.set(vector, at * DIMENSIONS);
  graph.add({ ids: Float64Array.from(vectors, (_, at) => 3 * at + 1), vectors: all }, 0, vectors.length);
  const path = join(await scratch.folder(), 'graph');
  graph.write(path);
  return { graph, path };
}

function linksIn(path: string): HnswLinks {
  return new Int32Array(new Uint8Array(readFileSync(path)).buffer);
}

describe.skipIf(!hasHnsw)('links', () => {
  test.each([0, 1, 2, 40, 1_500])('of %i points lead where the graph of hnswlib leads', async (count) => {
    const vectors = clustered(count, DIMENSIONS, 1);
    const { graph, path } = await graphOf(vectors);
    await replaceByLinks(path, count, DIMENSIONS);
    const ids = graph.ids;
    // The rows of the other index may have other numbers.
    const rows = Int32Array.from(ids, (_, at) => count - 1 - at);
    const links = createLinkGraph(linksIn(path), ids, rows, WIDTH);
    expect(links).toMatchObject({ count, throughId: graph.throughId });
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 1e6 }), fc.integer({ min: 1, max: 60 }), (seed, wanted) => {
        const [query = new Float32Array(DIMENSIONS)] = clustered(1, DIMENSIONS, seed);
        const similarityOf = (row: number): number => dotAt(vectors[count - 1 - row] ?? query, 0, query);
        const found = links.nearest(similarityOf, wanted);
        const expected = graph.nearest(query, wanted);
        expect(found.map(({ id }) => id)).toEqual(expected.map(({ id }) => id));
        for (const [at, { similarity }] of found.entries()) expect(similarity).toBeCloseTo(expected[at]?.similarity ?? NaN, 5);
      }),
      { seed: 4, numRuns: 60 },
    );
  });

  test('a file of another layout is refused', async () => {
    const { path } = await graphOf(clustered(5, DIMENSIONS, 1));
    const whole = readFileSync(path);
    await expect(replaceByLinks(path, 5, DIMENSIONS + 1)).rejects.toThrow('unknown way');
    await expect(replaceByLinks(path, 4, DIMENSIONS)).rejects.toThrow('unknown way');
    expect(readFileSync(path)).toEqual(whole);
    writeFileSync(path, whole.subarray(0, 300));
    await expect(replaceByLinks(path, 5, DIMENSIONS)).rejects.toThrow(RangeError);
    writeFileSync(path, whole.subarray(0, 50));
    await expect(replaceByLinks(path, 5, DIMENSIONS)).rejects.toThrow('shorter');
  });
});
