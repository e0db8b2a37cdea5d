import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { loadHnswlib } from '../../../src/memory/vector/hnsw-graph.ts';
import { createIndexHost } from '../../../src/memory/vector/index-host.ts';
import { createSharedSearch } from '../../../src/memory/vector/shared-links.ts';
import { useScratch } from '../../store/scratch.ts';
import { clustered, exactly, hasHnsw, toRows } from './space.ts';

const DIMENSIONS = 24;
const COUNT = 3_000;
const scratch = useScratch();

describe.skipIf(!hasHnsw)('what a host shares', () => {
  async function start() {
    const vectors = clustered(COUNT, DIMENSIONS, 1);
    const host = createIndexHost(loadHnswlib);
    await host.start(DIMENSIONS);
    await host.add(toRows(vectors));
    await host.grow(toRows(vectors), COUNT);
    expect(host.shared).toBeNull();
    const path = join(await scratch.folder(), 'links');
    const saved = await host.save('links', path);
    const { shared } = host;
    if (shared === null) throw new Error('it shares nothing');
    return { vectors, host, shared, load: () => host.load({ tier: 'links', data: { path, ...saved }, ids: saved.ids }) };
  }

  test('finds what the host finds by the same links', async () => {
    const { vectors, host, shared, load } = await start();
    const search = createSharedSearch(shared);
    for (const query of vectors.slice(0, 20)) {
      const { ids = [], exact } = search.search(query, 30) ?? {};
      expect([...ids]).toEqual(expect.arrayContaining(exactly(vectors, query, 10).map((at) => at + 1)));
      expect(exact).toBe(0);
    }
    await load();
    expect(host.shared?.links.number).toBe(shared.links.number + 1);
    for (const query of clustered(20, DIMENSIONS, 9)) expect(search.search(query, 10)).toEqual(await host.search(query, 10));
  });

  test('and what is added to it, once it is told', async () => {
    const { host, shared } = await start();
    const search = createSharedSearch(shared);
    const late = clustered(2_001, DIMENSIONS, 5, 2_001);
    const { ids, vectors } = toRows(late, COUNT + 1);
    const first = late[0] ?? new Float32Array(DIMENSIONS);
    await host.add({ ids: ids.slice(0, 2_000), vectors: vectors.slice(0, 2_000 * DIMENSIONS) });
    expect(search.search(first, 1)?.ids).not.toContain(COUNT + 1);
    search.update(host.shared?.rows ?? shared.rows);
    for (const at of [0, 1_000, 1_999]) {
      expect(search.search(late[at] ?? first, 1)?.ids).toContain(COUNT + 1 + at);
    }
    expect(search.search(first, 256)).toBeDefined();
    expect(search.search(first, 257)).toBeUndefined(); // that takes long
    await host.add({ ids: ids.slice(2_000), vectors: vectors.slice(2_000 * DIMENSIONS) });
    search.update(host.shared?.rows ?? shared.rows);
    expect(search.search(first, 1)).toBeUndefined();
  });
});
