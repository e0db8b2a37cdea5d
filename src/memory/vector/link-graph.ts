import { LINKS_HEAD, type HnswLinks } from './hnsw-links.ts';
import type { Similar } from './closest.ts';
import type { RowComparison } from './int8-reader.ts';

/** Searches that are told apart in 8 bits, of which more would fall out of the processor's caches. */
const MOST_ROUNDS = 255;

/** What a graph is made of, in memory that threads share. */
export interface SharedLinks {
  /** Tells it from those before it. */
  readonly number: number;
  readonly links: HnswLinks;
  /** Of its points. */
  readonly ids: Float64Array<SharedArrayBuffer>;
  /** The numbers of its points in the other index. */
  readonly rows: Int32Array<SharedArrayBuffer>;
  /** Candidates looked at, when not more are wanted. */
  readonly leastWidth: number;
}

/** A graph of neighbours that is searched over the vectors of another index. It cannot be added to. */
export interface LinkGraph {
  readonly count: number;
  /** It holds the rows up to this id, as far as there are any. */
  readonly throughId: number;
  /**
   * The `count` nearest, best first.
   * @param comparison of the other index's rows with what is looked for
   */
  nearest(comparison: RowComparison, count: number): readonly Similar[];
}

/** Where the lists of the points above level 0 begin. */
function listsAbove(links: HnswLinks, start: number, listNumbers: number): ReadonlyMap<number, number> {
  const lists = new Map<number, number>();
  for (let at = start; at < links.length; at += 2 + (links[at + 1] ?? 0) * listNumbers) lists.set(links[at] ?? 0, at + 2);
  return lists;
}

/** Searches as hnswlib does (algorithms 2 and 5 of arxiv.org/abs/1603.09320). */
export function createLinkGraph({ links, ids, rows, leastWidth }: SharedLinks): LinkGraph {
  const [entry = 0, topLevel = 0, most = 0, mostAbove = 0] = links;
  const above = listsAbove(links, LINKS_HEAD + ids.length * (1 + most), 1 + mostAbove);
  const seen = new Uint8Array(ids.length);
  let round = 0;
  /** Whether points and rows have the same numbers, so that looking them up can be spared. */
  const isSame = rows.every((row, at) => row === at);

  /** Points compared at once: neighbours of one. */
  const points = new Int32Array(Math.max(1, most, mostAbove));
  /** Compares the first `count` of {@link points}. */
  const compare = (comparison: RowComparison, count: number): Float64Array => {
    for (let at = 0; at < count; at += 1) {
      const point = points[at] ?? 0;
      comparison.rows[at] = isSame ? point : (rows[point] ?? 0);
    }
    return comparison.compare(count);
  };
  /** Where a walk from above which only ever comes nearer ends, on level 0. */
  const descend = (comparison: RowComparison): { readonly point: number; readonly similarity: number } => {
    points[0] = entry;
    let point = entry;
    let similarity = compare(comparison, 1)[0] ?? -1;
    for (let level = topLevel; level > 0; level -= 1) {
      for (let from = -1; from !== point;) {
        from = point;
        const list = (above.get(from) ?? 0) + (level - 1) * (1 + mostAbove);
        const length = links[list] ?? 0;
        for (let i = 0; i < length; i += 1) points[i] = links[list + 1 + i] ?? 0;
        const similarities = compare(comparison, length);
        for (let i = 0; i < length; i += 1) {
          const value = similarities[i] ?? -1;
          if (value <= similarity) continue;
          similarity = value;
          point = points[i] ?? 0;
        }
      }
    }
    return { point, similarity };
  };
  /** Puts the neighbours of a point that were not seen yet into {@link points}, and returns how many these are. */
  const meet = (from: number): number => {
    const list = LINKS_HEAD + from * (1 + most);
    const end = list + (links[list] ?? 0);
    let met = 0;
    for (let i = list + 1; i <= end; i += 1) {
      const point = links[i] ?? 0;
      if (seen[point] === round) continue;
      seen[point] = round;
      points[met] = point;
      met += 1;
    }
    return met;
  };
  /** The points of level 0 near the query, best first: what was left already as its complement, which is negative. */
  const walk = (comparison: RowComparison, width: number): { readonly near: Int32Array; readonly values: Float64Array } => {
    const near = new Int32Array(width);
    const values = new Float64Array(width);
    const start = descend(comparison);
    round = (round % MOST_ROUNDS) + 1;
    if (round === 1) seen.fill(0);
    seen[start.point] = round;
    near[0] = start.point;
    values[0] = start.similarity;
    let size = 1;
    for (let place = 0; place < size;) {
      const from = near[place] ?? -1;
      if (from >= 0) near[place] = ~from;
      place += 1;
      if (from < 0) continue;
      const met = meet(from);
      const similarities = compare(comparison, met);
      for (let i = 0; i < met; i += 1) {
        const value = similarities[i] ?? -1;
        if (size === width && !(value > (values[width - 1] ?? -1))) continue;
        if (size < width) size += 1;
        let at = size - 1;
        for (; at > 0 && (values[at - 1] ?? -1) < value; at -= 1) {
          values[at] = values[at - 1] ?? -1;
          near[at] = near[at - 1] ?? 0;
        }
        values[at] = value;
        near[at] = points[i] ?? 0;
        if (at < place) place = at;
      }
    }
    return { near: near.subarray(0, size), values };
  };
  return {
    count: ids.length,
    throughId: ids.at(-1) ?? 0,
    nearest: (comparison, count) => {
      if (ids.length === 0) return [];
      const { near, values } = walk(comparison, Math.min(Math.max(count, leastWidth), ids.length));
      const found: Similar[] = [];
      for (let at = 0; at < Math.min(count, near.length); at += 1) {
        found.push({ id: ids[~(near[at] ?? -1)] ?? 0, similarity: values[at] ?? -1 });
      }
      return found;
    },
  };
}
