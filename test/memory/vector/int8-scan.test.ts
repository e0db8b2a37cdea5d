import { describe, expect, test } from 'vitest';
import { createInt8Scan } from '../../../src/memory/vector/int8-scan.ts';
import { dotAt } from '../../../src/memory/vector/rows.ts';
import { clustered, exactly, recall, toRows, unit, type Vector } from './space.ts';

/** The positions of the nearest by the scan, its best compared exactly. */
function found(vectors: readonly Vector[], query: Vector, scan: ReturnType<typeof createInt8Scan>): readonly number[] {
  const candidates = scan.nearest(query, 10, 0, 2_048).map(({ id }) => id - 1);
  const order = exactly(
    candidates.map((at) => vectors[at] ?? query),
    query,
    10,
  );
  return order.map((position) => candidates[position] ?? -1);
}

describe.each([
  { dimensions: 3, clusters: 50, spread: 1 },
  { dimensions: 17, clusters: 20, spread: 0.5 },
  { dimensions: 100, clusters: 10, spread: 0.1 },
  { dimensions: 384, clusters: 4, spread: 0.05 },
  { dimensions: 1024, clusters: 100, spread: 0.7 },
])('$dimensions dimensions, $clusters clusters, spread $spread', ({ dimensions, clusters, spread }) => {
  const vectors = clustered(4_000, dimensions, dimensions, clusters, spread);
  const queries = clustered(40, dimensions, dimensions, clusters, spread).map((vector, at) => vectors[at * 97] ?? vector);
  const scan = createInt8Scan(dimensions);
  scan.add(toRows(vectors));

  test('recall@10 is at least .99 once the candidates are compared exactly', () => {
    const recalls = queries.map((query) => recall(found(vectors, query, scan), exactly(vectors, query, 10)));
    expect(recalls.reduce((sum, value) => sum + value, 0) / recalls.length).toBeGreaterThanOrEqual(0.99);
  });

  test('similarities are off by no more than it says', () => {
    const errors = queries
      .slice(0, 10)
      .flatMap((query) =>
        scan.nearest(query, 4_000, 0, 4_000).map(({ id, similarity }) => similarity - dotAt(vectors[id - 1] ?? query, 0, query)),
      );
    expect(errors).toHaveLength(40_000);
    expect(errors.reduce((largest, error) => Math.max(largest, Math.abs(error)), 0)).toBeLessThanOrEqual(scan.blur);
    expect(scan.blur).toBeLessThan(0.014);
  });
});

test.each([384, 1024, 4096])('%i equal numbers, the largest of all sums', (dimensions) => {
  const same = unit(new Float32Array(dimensions).fill(1));
  const scan = createInt8Scan(dimensions);
  scan.add(toRows([same, same.map((x) => -x)]));
  expect(scan.nearest(same, 2, 0, 2).map(({ id, similarity }) => [id, Math.round(similarity * 1_000) / 1_000])).toEqual([
    [1, 1],
    [2, -1],
  ]);
});

test('rows are added once, in the order of their ids', () => {
  const vectors = clustered(300, 20, 1);
  const scan = createInt8Scan(20);
  expect([scan.count, scan.lastId, scan.countAfter(0), scan.nearest(vectors[0] ?? new Float32Array(20), 5, 0, 300)]).toEqual([
    0,
    0,
    0,
    [],
  ]);
  scan.add(toRows(vectors.slice(0, 100)));
  scan.add(toRows(vectors.slice(50), 51));
  expect([scan.count, scan.lastId, scan.countAfter(290)]).toEqual([300, 300, 10]);
  for (const at of [0, 99, 100, 299]) expect(scan.nearest(vectors[at] ?? new Float32Array(20), 1, 0, 300)[0]?.id).toBe(at + 1);
  expect(scan.nearest(vectors[3] ?? new Float32Array(20), 300, 200, 300).every(({ id }) => id > 200)).toBe(true);
});

test('what is no vector is found by nobody and disturbs nothing', () => {
  const vectors = [
    new Float32Array(5),
    new Float32Array(5).fill(NaN),
    Float32Array.of(1, 0, 0, 0, 0),
    new Float32Array(5).fill(Infinity),
  ];
  const scan = createInt8Scan(5);
  scan.add(toRows(vectors));
  expect(scan.nearest(Float32Array.of(1, 0, 0, 0, 0), 1, 0, 1)[0]?.id).toBe(3);
});

test('its data make the same scan again, also while rows are added', async () => {
  const vectors = clustered(5_000, 40, 2);
  const scan = createInt8Scan(40);
  scan.add(toRows(vectors.slice(0, 3_000)));
  const data = scan.data();
  const parts: Uint8Array[] = [];
  for (let at = 0; at < data.bytes;) {
    const part = data.read(at, 100_000);
    parts.push(part);
    at += part.length;
    if (parts.length === 1) scan.add(toRows(vectors.slice(3_000), 3_001));
  }
  const all = Buffer.concat(parts);
  expect(all).toHaveLength(data.bytes);
  const again = createInt8Scan(40);
  let position = 0;
  await again.restore(data.ids, async (place) => {
    place.set(all.subarray(position, position + place.length));
    position += place.length;
  });
  expect([position, again.count, again.lastId]).toEqual([data.bytes, 3_000, 3_000]);
  again.add(toRows(vectors.slice(3_000), 3_001));
  for (const query of vectors.slice(0, 20)) expect(again.nearest(query, 50, 0, 200)).toEqual(scan.nearest(query, 50, 0, 200));
});

test('single rows, by number, are as similar as when all are compared', () => {
  const vectors = clustered(200, 33, 2);
  const scan = createInt8Scan(33);
  const { ids, vectors: all } = toRows(vectors);
  const spread = ids.map((id) => 7 * id);
  scan.add({ ids: spread, vectors: all });
  const query = vectors[8] ?? new Float32Array(33);
  const found = scan.nearest(query, 200, 0, 200);
  const rows = scan.rowsOf(Float64Array.from(found, ({ id }) => id).sort());
  expect([...rows]).toEqual(vectors.map((_, at) => at));
  const comparison = scan.comparison(query);
  for (const length of [0, 1, 4, 7, 200]) {
    const some = found.slice(0, length);
    comparison.rows.set(some.map(({ id }) => id / 7 - 1));
    const similarities = comparison.compare(length);
    // Compared all at once they are rounded to 32 bits.
    for (const [at, { similarity }] of some.entries()) expect(similarities[at]).toBeCloseTo(similarity, 6);
  }
  expect([...scan.rowsOf(spread.subarray(50, 60))]).toEqual([50, 51, 52, 53, 54, 55, 56, 57, 58, 59]);
  expect(() => scan.rowsOf(Float64Array.of(7, 8))).toThrow('the scan lacks row 8');
  expect(() => scan.rowsOf(Float64Array.of(1_407))).toThrow('the scan lacks row 1407');
});
