import { LINKS_HEAD, type HnswLinks } from './hnsw-links.ts';
import type { Similar } from './closest.ts';

/** Searches that are told apart in 32 bits. */
const MOST_ROUNDS = 2 ** 32 - 1;

/** A graph of neighbours that is searched over the vectors of another index. It cannot be added to. */
export interface LinkGraph {
  readonly count: number;
  /** It holds the rows up to this id, as far as there are any. */
  readonly throughId: number;
  /**
   * The `count` nearest, best first.
   * @param similarityOf the row of that number in the other index
   */
  nearest(similarityOf: (row: number) => number, count: number): readonly Similar[];
}

/** The best points found so far, best first, and which of them were left already. */
interface Front {
  readonly size: number;
  /** Returns where it came to stand, or `width` when it is not among the best. */
  offer(point: number, similarity: number): number;
  /** The point that stands there; negative when it was left already. */
  leave(place: number): number;
  best(count: number): readonly { readonly point: number; readonly similarity: number }[];
}

function createFront(width: number): Front {
  /** A point that was left is its complement, which is negative. */
  const points = new Int32Array(width);
  const similarities = new Float64Array(width);
  let size = 0;
  return {
    get size() {
      return size;
    },
    offer: (point, similarity) => {
      if (size === width && !(similarity > (similarities[width - 1] ?? -Infinity))) return width;
      let place = Math.min(size, width - 1);
      size = place + 1;
      for (; place > 0; place -= 1) {
        const before = similarities[place - 1] ?? -Infinity;
        if (before >= similarity) break;
        similarities[place] = before;
        points[place] = points[place - 1] ?? 0;
      }
      similarities[place] = similarity;
      points[place] = point;
      return place;
    },
    leave: (place) => {
      const point = points[place] ?? -1;
      if (point >= 0) points[place] = ~point;
      return point;
    },
    best: (count) => {
      const best: { readonly point: number; readonly similarity: number }[] = [];
      for (let place = 0; place < Math.min(count, size); place += 1) {
        const point = points[place] ?? 0;
        best.push({ point: point < 0 ? ~point : point, similarity: similarities[place] ?? -1 });
      }
      return best;
    },
  };
}

/** Where the lists of the points above level 0 begin. */
function listsAbove(links: HnswLinks, start: number, listNumbers: number): ReadonlyMap<number, number> {
  const lists = new Map<number, number>();
  for (let at = start; at < links.length; at += 2 + (links[at + 1] ?? 0) * listNumbers) lists.set(links[at] ?? 0, at + 2);
  return lists;
}

/**
 * Searches as hnswlib does (algorithms 2 and 5 of arxiv.org/abs/1603.09320).
 * @param ids of its points
 * @param rows of its points in the other index
 * @param leastWidth candidates looked at, when not more are wanted
 */
export function createLinkGraph(
  links: HnswLinks,
  ids: Float64Array<ArrayBuffer>,
  rows: Int32Array<ArrayBuffer>,
  leastWidth: number,
): LinkGraph {
  const [entry = 0, topLevel = 0, most = 0, mostAbove = 0] = links;
  const above = listsAbove(links, LINKS_HEAD + ids.length * (1 + most), 1 + mostAbove);
  const seen = new Uint32Array(ids.length);
  let round = 0;

  /** The point of level 0 that a walk from above which only ever comes nearer ends at. */
  const descend = (similarity: (point: number) => number): number => {
    let nearest = entry;
    let best = similarity(entry);
    for (let level = topLevel; level > 0; level -= 1) {
      for (let from = -1; from !== nearest;) {
        from = nearest;
        const at = (above.get(from) ?? 0) + (level - 1) * (1 + mostAbove);
        for (const point of links.subarray(at + 1, at + 1 + (links[at] ?? 0))) {
          const value = similarity(point);
          if (value <= best) continue;
          best = value;
          nearest = point;
        }
      }
    }
    return nearest;
  };
  return {
    count: ids.length,
    throughId: ids.at(-1) ?? 0,
    nearest: (similarityOf, count) => {
      if (ids.length === 0) return [];
      const similarity = (point: number): number => similarityOf(rows[point] ?? -1);
      const front = createFront(Math.min(Math.max(count, leastWidth), ids.length));
      const start = descend(similarity);
      round = (round % MOST_ROUNDS) + 1;
      if (round === 1) seen.fill(0);
      seen[start] = round;
      front.offer(start, similarity(start));
      for (let place = 0; place < front.size;) {
        const from = front.leave(place);
        let next = place + 1;
        if (from >= 0) {
          const at = LINKS_HEAD + from * (1 + most);
          const end = at + (links[at] ?? 0);
          for (let i = at + 1; i <= end; i += 1) {
            const point = links[i] ?? 0;
            if (seen[point] === round) continue;
            seen[point] = round;
            next = Math.min(next, front.offer(point, similarity(point)));
          }
        }
        place = next;
      }
      return front.best(count).map(({ point, similarity: value }) => ({ id: ids[point] ?? 0, similarity: value }));
    },
  };
}
