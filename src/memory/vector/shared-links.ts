import { mostScanned, toFound, type Found } from './found.ts';
import { createInt8Reader, type Int8Rows } from './int8-reader.ts';
import { createLinkGraph, type SharedLinks } from './link-graph.ts';

/** The links of a graph and the scan they are searched over, as another thread than theirs gets to see them. */
export interface SharedIndex {
  readonly links: SharedLinks;
  readonly rows: Int8Rows;
}

/** Searches an index that another thread keeps. */
export interface SharedSearch {
  readonly links: SharedLinks;
  /** Takes note of rows that were added. */
  update(rows: Int8Rows): void;
  /** As `search` of the index host; `undefined` when that would hold up this thread. */
  search(vector: Float32Array, count: number): Found | undefined;
}

/** Rows after the graph up to which this thread scans them: about 0.2 ms. */
const MOST_BEHIND = 2_000;
/** Candidates up to which this thread walks the links: about 1 ms. */
const MOST_WANTED = 256;

/**
 * Searches in this thread. To wake another one for a search, and to be woken by it, takes as long as the search.
 */
export function createSharedSearch(shared: SharedIndex): SharedSearch {
  let { rows } = shared;
  const reader = createInt8Reader(1, rows.memory, () => rows);
  const graph = createLinkGraph(shared.links);
  return {
    links: shared.links,
    update: (next) => {
      rows = next;
    },
    search: (vector, count) => {
      if (count > MOST_WANTED || reader.countAfter(graph.throughId) > MOST_BEHIND) return undefined;
      const linked = graph.nearest(reader.comparison(vector), count);
      const rest = reader.nearest(vector, count, graph.throughId, mostScanned(count));
      return toFound([...linked, ...rest], 0, reader.blur);
    },
  };
}
