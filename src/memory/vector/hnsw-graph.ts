import type { HierarchicalNSW } from 'hnswlib-node';
import type { Similar } from './closest.ts';
import { firstAbove, roomyIds, type VectorRows } from './rows.ts';

/** What is used of the optional package `hnswlib-node`. */
export interface HnswModule {
  readonly HierarchicalNSW: typeof HierarchicalNSW;
}

/** Rejects where the package is not installed, or was not compiled. */
export async function loadHnswlib(): Promise<HnswModule> {
  return (await import('hnswlib-node')).default;
}

/** A graph of neighbours (Malkov & Yashunin, arxiv.org/abs/1603.09320), kept by hnswlib. */
export interface HnswGraph {
  readonly count: number;
  /** It holds the rows up to this id, as far as there are any. */
  readonly throughId: number;
  readonly ids: Float64Array<ArrayBuffer>;
  /** Adds rows `start` to `end` of those given; earlier ones are passed over. About 0.7 ms each. */
  add(rows: VectorRows, start: number, end: number): void;
  /** Says that there are no other rows up to an id. */
  coverThrough(id: number): void;
  nearest(query: Float32Array, count: number): readonly Similar[];
  /** Writes it to a file. */
  write(path: string): void;
}

/** Neighbours of a point. */
const LINKS = 16;
/** Candidates looked at when a point is added, and at least when one searches. */
const WIDTH_OF_ADDING = 100;
export const WIDTH_OF_SEARCH = 48;
const FIRST_CAPACITY = 8_192;
const SEED = 100;

/** The list that hnswlib-node wants; `Array.from` takes ten times as long. */
function toNumbers(vector: Float32Array): number[] {
  const numbers: number[] = [];
  for (let i = 0; i < vector.length; i += 1) numbers.push(vector[i] ?? 0);
  return numbers;
}

function create(graph: HierarchicalNSW, dimensions: number, known: Float64Array<ArrayBuffer>): HnswGraph {
  let ids = known;
  let count = known.length;
  let throughId = known[count - 1] ?? 0;
  graph.setEf(WIDTH_OF_SEARCH);
  return {
    get count() {
      return count;
    },
    get throughId() {
      return throughId;
    },
    get ids() {
      return ids.slice(0, count);
    },
    add: (rows, start, end) => {
      for (let row = Math.max(start, firstAbove(rows.ids, rows.ids.length, throughId)); row < end; row += 1) {
        if (count === graph.getMaxElements()) graph.resizeIndex(count * 2);
        ids = roomyIds(ids, count + 1);
        ids[count] = rows.ids[row] ?? 0;
        // Points are numbered in the order of adding: hnswlib's labels have 32 bits, ids may have more.
        graph.addPoint(toNumbers(rows.vectors.subarray(row * dimensions, (row + 1) * dimensions)), count);
        throughId = ids[count] ?? 0;
        count += 1;
      }
    },
    coverThrough: (id) => {
      throughId = Math.max(throughId, id);
    },
    nearest: (query, most) => {
      if (count === 0) return [];
      const { neighbors, distances } = graph.searchKnn(toNumbers(query), Math.min(most, count));
      return neighbors.map((point, index) => ({ id: ids[point] ?? 0, similarity: 1 - (distances[index] ?? 1) }));
    },
    write: (path) => graph.writeIndexSync(path),
  };
}

export function createHnswGraph({ HierarchicalNSW: Graph }: HnswModule, dimensions: number): HnswGraph {
  const graph = new Graph('ip', dimensions);
  graph.initIndex(FIRST_CAPACITY, LINKS, WIDTH_OF_ADDING, SEED);
  return create(graph, dimensions, new Float64Array(0));
}

/*
 * Reading and writing block the thread, about two seconds for a million vectors: when a thread ends during hnswlib-node's
 * asynchronous forms of them, the whole process aborts.
 */

/**
 * @param path a file that {@link HnswGraph.write} wrote, byte for byte: another one can crash the process
 * @param ids of its points, in order
 */
export function readHnswGraph(
  { HierarchicalNSW: Graph }: HnswModule,
  dimensions: number,
  path: string,
  ids: Float64Array<ArrayBuffer>,
): HnswGraph {
  const graph = new Graph('ip', dimensions);
  graph.readIndexSync(path);
  return create(graph, dimensions, ids);
}
