import { setImmediate } from 'node:timers/promises';
import { createHnswGraph, readHnswGraph, WIDTH_OF_SEARCH, type HnswGraph, type HnswModule } from './hnsw-graph.ts';
import { replaceByLinks } from './hnsw-links.ts';
import { createInt8Scan, type Int8Scan } from './int8-scan.ts';
import type { Similar } from './closest.ts';
import { readChecked, writeHashed, type DataFile } from './data-file.ts';
import { IndexError } from './index-error.ts';
import { createLinkGraph, type LinkGraph } from './link-graph.ts';
import { OPEN_GATE, type NativeGate } from './native-gate.ts';
import type { VectorRows } from './rows.ts';

/**
 * The sorts of index that a host keeps: a scan, a graph, and the links of a graph without its vectors, which are opened in
 * a tenth of the time and searched over the scan, but cannot be added to.
 */
export type IndexTier = 'hnsw' | 'int8' | 'links';

/** How far an index is. */
export interface Extent {
  /** Rows in the scan, which has all rows of the index. */
  readonly count: number;
  readonly lastId: number;
  /** Rows in the graph, which has the first of them. */
  readonly graphCount: number;
  readonly graphThroughId: number;
  /** Whether the graph can be added to as it is, rather than made or loaded first. */
  readonly graphGrows: boolean;
  /** Rows in the scan that the graph lacks. */
  readonly behind: number;
}

/** Candidates: first those with exact similarities, of the graph, best first; then those of the links and of the scan. */
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
 * Keeps the index of one space: a quantized scan of all its rows and, where hnswlib loads, a graph of the first of them or
 * its links.
 * Lives in a worker thread, or in this one. Every call rejects when the thread is gone.
 */
export interface IndexHost extends AsyncDisposable {
  /** Before anything else. Returns why there can be no graph, or `null`. Rejects where there can be no index at all. */
  start(dimensions: number): Promise<string | null>;
  /** Reads a snapshot's data once its hash has been found right. Rejects, and changes nothing, when it is not. */
  load(input: LoadInput): Promise<Extent>;
  /** Adds rows to the scan. */
  add(rows: VectorRows): Promise<Extent>;
  /** Adds rows to the graph, which is made when it does not grow, between searches; after them there are none up to `throughId`. */
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
  /** Only where there is no graph. */
  let links: LinkGraph | undefined;
  let closed = false;
  const started = (): Int8Scan => {
    if (scan === undefined || closed) throw new IndexError('the index is closed');
    return scan;
  };
  const throughId = (): number => (graph ?? links)?.throughId ?? 0;
  const extent = (): Extent => ({
    count: started().count,
    lastId: started().lastId,
    graphCount: (graph ?? links)?.count ?? 0,
    graphThroughId: throughId(),
    graphGrows: graph !== undefined,
    behind: started().countAfter(throughId()),
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
        links = undefined;
      } else if (tier === 'links') {
        const numbers = new Int32Array(data.bytes / Int32Array.BYTES_PER_ELEMENT);
        await readChecked(data, (fill) => fill(new Uint8Array(numbers.buffer)));
        links = createLinkGraph(numbers, ids, started().rowsOf(ids), WIDTH_OF_SEARCH);
        graph = undefined;
      } else {
        const fresh = createInt8Scan(dimensions);
        await readChecked(data, (fill) => fresh.restore(ids, fill));
        scan = fresh;
        links = undefined; // they have the numbers of the rows of the other one
      }
      return extent();
    },
    add: async (rows) => {
      started().add(rows);
      return extent();
    },
    grow: async (rows, upTo) => {
      graph ??= gate.pass(() => createHnswGraph(needHnsw(), dimensions));
      links = undefined;
      const mine = graph;
      for (let row = 0; row < rows.ids.length; row += ADDED_AT_ONCE) {
        if (closed) throw new IndexError('the index is closed');
        const end = Math.min(row + ADDED_AT_ONCE, rows.ids.length);
        gate.pass(() => mine.add(rows, row, end));
        await setImmediate();
      }
      mine.coverThrough(upTo);
      return extent();
    },
    search: async (vector, count) => {
      const rows = started();
      const rest = rows.nearest(vector, count, throughId(), Math.max(count, MOST_SCANNED));
      const near = graph === undefined ? [] : gate.pass(() => graph?.nearest(vector, count) ?? []);
      const linked = links?.nearest(rows.comparison(vector), count) ?? [];
      return toFound(near, [...linked, ...rest], rows.blur);
    },
    save: async (tier, path) => {
      if (tier === 'int8') {
        const data = started().data();
        const { lastId } = started();
        return { ...(await writeHashed(path, data)), ids: data.ids, throughId: lastId };
      }
      const mine = graph;
      if (mine === undefined) throw new IndexError('there is no graph');
      const { ids, throughId: savedThrough } = mine;
      gate.pass(() => mine.write(path));
      if (tier === 'links') await replaceByLinks(path, ids.length, dimensions);
      return { ...(await writeHashed(path)), ids, throughId: savedThrough };
    },
    [Symbol.asyncDispose]: async () => {
      closed = true;
      graph = undefined;
      links = undefined;
      scan = undefined;
    },
  };
}
