import { setImmediate } from 'node:timers/promises';
import { createHnswGraph, readHnswGraph, type HnswGraph, type HnswModule } from './hnsw-graph.ts';
import { createInt8Scan, type Int8Scan } from './int8-scan.ts';
import type { Similar } from './closest.ts';
import { readChecked, writeHashed, type DataFile } from './data-file.ts';
import { IndexError } from './index-error.ts';
import { OPEN_GATE, type NativeGate } from './native-gate.ts';
import type { VectorRows } from './rows.ts';

/** The two sorts of index that a host keeps. */
export type IndexTier = 'hnsw' | 'int8';

/** How far an index is. */
export interface Extent {
  /** Rows in the scan, which has all rows of the index. */
  readonly count: number;
  readonly lastId: number;
  /** Rows in the graph, which has the first of them. */
  readonly graphCount: number;
  readonly graphThroughId: number;
  /** Rows in the scan that the graph lacks. */
  readonly behind: number;
}

/** Candidates: first those of the graph, whose similarities are exact, then those of the scan. Both best first. */
export interface Found {
  readonly ids: Float64Array<ArrayBuffer>;
  readonly similarities: Float64Array<ArrayBuffer>;
  /** How many are exact. */
  readonly exact: number;
  /** How far the other similarities are off at most. */
  readonly blur: number;
}

export interface LoadInput {
  readonly tier: IndexTier;
  readonly data: DataFile;
  readonly ids: Float64Array<ArrayBuffer>;
}

export interface Saved {
  readonly bytes: number;
  readonly sha256: string;
  readonly ids: Float64Array<ArrayBuffer>;
  /** It has all rows up to this one. */
  readonly throughId: number;
}

/**
 * Keeps the index of one space: a quantized scan of all its rows and, where hnswlib loads, a graph of the first of them.
 * Lives in a worker thread, or in this one. Every call rejects when the thread is gone.
 */
export interface IndexHost extends AsyncDisposable {
  /** Before anything else. Returns why there can be no graph, or `null`. Rejects where there can be no index at all. */
  start(dimensions: number): Promise<string | null>;
  /** Reads a snapshot's data once its hash has been found right. Rejects, and changes nothing, when it is not. */
  load(input: LoadInput): Promise<Extent>;
  /** Adds rows to the scan. */
  add(rows: VectorRows): Promise<Extent>;
  /** Adds rows to the graph, between searches; after them there are none up to `throughId`. */
  grow(rows: VectorRows, throughId: number): Promise<Extent>;
  /** `count` candidates of the graph, more of the scan. */
  search(vector: Float32Array, count: number): Promise<Found>;
  /** Writes the data of a snapshot, and syncs it. */
  save(tier: IndexTier, path: string): Promise<Saved>;
}

/** Points added to the graph before waiting searches get their turn: about 3 ms. */
const ADDED_AT_ONCE = 4;
/** Candidates of the scan at most. Where vectors lie close together, quantizing blurs the order of very many. */
const MOST_SCANNED = 2_048;

function toFound(graph: readonly Similar[], scan: readonly Similar[], blur: number): Found {
  const all = [...graph, ...scan];
  return {
    ids: Float64Array.from(all, ({ id }) => id),
    similarities: Float64Array.from(all, ({ similarity }) => similarity),
    exact: graph.length,
    blur,
  };
}

function message(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/**
 * @param loadHnsw rejects where there is no hnswlib
 * @param gate that all calls of hnswlib pass
 */
export function createIndexHost(loadHnsw: () => Promise<HnswModule>, gate: NativeGate = OPEN_GATE): IndexHost {
  let dimensions = 0;
  let hnsw: HnswModule | undefined;
  let scan: Int8Scan | undefined;
  let graph: HnswGraph | undefined;
  let closed = false;
  const started = (): Int8Scan => {
    if (scan === undefined || closed) throw new IndexError('the index is closed');
    return scan;
  };
  const extent = (): Extent => ({
    count: started().count,
    lastId: started().lastId,
    graphCount: graph?.count ?? 0,
    graphThroughId: graph?.throughId ?? 0,
    behind: started().countAfter(graph?.throughId ?? 0),
  });
  const needHnsw = (): HnswModule => {
    if (hnsw === undefined) throw new IndexError('hnswlib-node is not loaded');
    return hnsw;
  };
  return {
    start: async (size) => {
      dimensions = size;
      scan = createInt8Scan(dimensions);
      try {
        hnsw = await gate.passAsync(loadHnsw);
        return null;
      } catch (error) {
        return message(error).split('\n')[0] ?? '';
      }
    },
    load: async ({ tier, data, ids }) => {
      if (tier === 'hnsw') {
        await readChecked(data);
        graph = gate.pass(() => readHnswGraph(needHnsw(), dimensions, data.path, ids));
      } else {
        const fresh = createInt8Scan(dimensions);
        await readChecked(data, (fill) => fresh.restore(ids, fill));
        scan = fresh;
      }
      return extent();
    },
    add: async (rows) => {
      started().add(rows);
      return extent();
    },
    grow: async (rows, throughId) => {
      graph ??= gate.pass(() => createHnswGraph(needHnsw(), dimensions));
      const mine = graph;
      for (let row = 0; row < rows.ids.length; row += ADDED_AT_ONCE) {
        if (closed) throw new IndexError('the index is closed');
        const end = Math.min(row + ADDED_AT_ONCE, rows.ids.length);
        gate.pass(() => mine.add(rows, row, end));
        await setImmediate();
      }
      mine.coverThrough(throughId);
      return extent();
    },
    search: async (vector, count) => {
      const rest = started().nearest(vector, count, graph?.throughId ?? 0, Math.max(count, MOST_SCANNED));
      const near = graph === undefined ? [] : gate.pass(() => graph?.nearest(vector, count) ?? []);
      return toFound(near, rest, started().blur);
    },
    save: async (tier, path) => {
      if (tier === 'hnsw') {
        const mine = graph;
        if (mine === undefined) throw new IndexError('there is no graph');
        const { ids, throughId } = mine;
        gate.pass(() => mine.write(path));
        return { ...(await writeHashed(path)), ids, throughId };
      }
      const data = started().data();
      const throughId = started().lastId;
      return { ...(await writeHashed(path, data)), ids: data.ids, throughId };
    },
    [Symbol.asyncDispose]: async () => {
      closed = true;
      graph = undefined;
      scan = undefined;
    },
  };
}
