import { setImmediate } from 'node:timers/promises';
import { createHnswGraph, readHnswGraph, WIDTH_OF_SEARCH, type HnswGraph, type HnswModule } from './hnsw-graph.ts';
import { newLinks, replaceByLinks, type HnswLinks } from './hnsw-links.ts';
import { createInt8Scan, type Int8Scan } from './int8-scan.ts';
import { readChecked, writeHashed, type DataFile } from './data-file.ts';
import { mostScanned, toFound, type Found } from './found.ts';
import { IndexError } from './index-error.ts';
import { createLinkGraph, type LinkGraph, type SharedLinks } from './link-graph.ts';
import { OPEN_GATE, type NativeGate } from './native-gate.ts';
import type { VectorRows } from './rows.ts';
import type { SharedIndex } from './shared-links.ts';

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
  /**
   * Called before anything else; a scan can be loaded before it has resolved. Returns why there can be no graph, or `null`.
   * Rejects where there can be no index at all.
   */
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

/** An index host whose thread shares with another one what it searches. */
export interface SharingIndexHost extends IndexHost {
  /** As it is at the moment; `null` when it cannot be shared. */
  readonly shared: SharedIndex | null;
}

/** Points added to the graph before waiting searches get their turn: about 3 ms. */
const ADDED_AT_ONCE = 4;
function message(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/**
 * @param loadHnsw rejects where there is no hnswlib
 * @param gate that all calls of hnswlib pass
 */
export function createIndexHost(loadHnsw: () => Promise<HnswModule>, gate: NativeGate = OPEN_GATE): SharingIndexHost {
  let dimensions = 0;
  let hnsw: HnswModule | undefined;
  let scan: Int8Scan | undefined;
  let graph: HnswGraph | undefined;
  /** Of a graph that was opened, or as it was when it was saved. */
  let links: (LinkGraph & { readonly shared: SharedLinks }) | undefined;
  let linksNumber = 0;
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
  const hold = (numbers: HnswLinks, ids: Float64Array): void => {
    const rows = started().rowsOf(ids);
    const held = new Float64Array(new SharedArrayBuffer(ids.byteLength));
    held.set(ids);
    linksNumber += 1;
    const shared = { number: linksNumber, links: numbers, ids: held, rows, leastWidth: WIDTH_OF_SEARCH };
    links = { ...createLinkGraph(shared), shared };
  };
  const refreshLinks = (numbers: HnswLinks, ids: Float64Array): void => {
    try {
      hold(numbers, ids);
    } catch {
      links = undefined; // the scan was made when rows of the graph had gone: this is searched itself, until it is made anew
    }
  };
  return {
    get shared() {
      return scan === undefined || links === undefined ? null : { links: links.shared, rows: scan.rows };
    },
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
      } else if (tier === 'links') {
        const numbers = newLinks(data.bytes / Int32Array.BYTES_PER_ELEMENT);
        await readChecked(data, (fill) => fill(new Uint8Array(numbers.buffer)));
        hold(numbers, ids);
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
      const rest = rows.nearest(vector, count, throughId(), mostScanned(count));
      const near = graph === undefined ? [] : gate.pass(() => graph?.nearest(vector, count) ?? []);
      const linked = graph === undefined ? (links?.nearest(rows.comparison(vector), count) ?? []) : [];
      return toFound([...near, ...linked, ...rest], near.length, rows.blur);
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
      if (tier === 'links') refreshLinks(await replaceByLinks(path, ids.length, dimensions), ids);
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
