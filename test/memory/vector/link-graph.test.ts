import { join } from 'node:path';
import { readFileSync, writeFileSync } from 'node:fs';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createHnswGraph, loadHnswlib } from '../../../src/memory/vector/hnsw-graph.ts';
import { newLinks, replaceByLinks, type HnswLinks } from '../../../src/memory/vector/hnsw-links.ts';
import type { RowComparison } from '../../../src/memory/vector/int8-reader.ts';
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
  const file = readFileSync(path);
  const links = newLinks(file.length / Int32Array.BYTES_PER_ELEMENT);
  new Uint8Array(links.buffer).set(file);
  return links;
}

function exactComparison(similarityOf: (row: number) => number): RowComparison {
  const rows = new Int32Array(64);
  return { rows, compare: (length) => Float64Array.from(rows.subarray(0, length), similarityOf) };
}

describe.skipIf(!hasHnsw)('links', () => {
  // The rows of the other index may have other numbers.
  test.each([
    { count: 0, rowOf: (at: number) => at },
    { count: 1, rowOf: (at: number) => at },
    { count: 2, rowOf: (at: number, count: number) => count - 1 - at },
    { count: 40, rowOf: (at: number) => at },
    { count: 1_500, rowOf: (at: number, count: number) => count - 1 - at },
    { count: 1_500, rowOf: (at: number) => at },
  ])('of $count points lead where the graph of hnswlib leads', async ({ count, rowOf }) => {
    const vectors = clustered(count, DIMENSIONS, 1);
    const { graph, path } = await graphOf(vectors);
    const written = await replaceByLinks(path, count, DIMENSIONS);
    expect(linksIn(path)).toEqual(written);
    const ids = new Float64Array(new SharedArrayBuffer(8 * count));
    ids.set(graph.ids);
    const rows = new Int32Array(new SharedArrayBuffer(4 * count));
    for (let at = 0; at < count; at += 1) rows[at] = rowOf(at, count);
    const links = createLinkGraph({ number: 1, links: linksIn(path), ids, rows, leastWidth: WIDTH });
    expect(links).toMatchObject({ count, throughId: graph.throughId });
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 1e6 }), fc.integer({ min: 1, max: 60 }), (seed, wanted) => {
        const [query = new Float32Array(DIMENSIONS)] = clustered(1, DIMENSIONS, seed);
        const found = links.nearest(
          exactComparison((row) => dotAt(vectors[rowOf(row, count)] ?? query, 0, query)),
          wanted,
        );
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
