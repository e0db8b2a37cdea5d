/** An id with the sum of the weights of the lists that have it. */
export interface Weighed {
  readonly id: number;
  readonly weight: number;
}

/** Ids that add their weight to each of them. */
export interface WeighedList {
  /** Ascending. */
  readonly ids: Uint32Array;
  /** Above 0. */
  readonly weight: number;
}

/** The heaviest so far, of equals the highest id first. */
interface Best {
  /** What does not come before it is not among them; below all while there is room. */
  readonly last: Weighed;
  take(id: number, weight: number): void;
  all(): readonly Weighed[];
}

const LIGHTEST: Weighed = { id: 0, weight: -1 };
const HEAVIEST: Weighed = { id: 0, weight: Infinity };

function createBest(count: number): Best {
  const ids = new Uint32Array(count + 1); // one too many while they are moved
  const weights = new Float64Array(count + 1);
  let size = 0;
  let last = LIGHTEST;
  return {
    get last() {
      return last;
    },
    take: (id, weight) => {
      let low = 0;
      let high = size;
      while (low < high) {
        const middle = (low + high) >> 1;
        const its = weights[middle] ?? 0;
        if (its > weight || (its === weight && (ids[middle] ?? 0) > id)) low = middle + 1;
        else high = middle;
      }
      ids.copyWithin(low + 1, low, size);
      weights.copyWithin(low + 1, low, size);
      ids[low] = id;
      weights[low] = weight;
      if (size < count) size += 1;
      if (size === count) last = { id: ids[size - 1] ?? 0, weight: weights[size - 1] ?? 0 };
    },
    all: () => Array.from(ids.subarray(0, size), (id, place) => ({ id, weight: weights[place] ?? 0 })),
  };
}

const NONE = new Uint32Array();
/** Ids whose weights are added up at once. */
const BLOCK = 32_768;

/** The sums of the ids of one block, all 0 between two calls; kept since every question needs them. */
const sums = new Float64Array(BLOCK);

/** Adds the weight of a list to its ids in the block that begins at `base`, and returns the place before them. */
function add({ ids, weight }: WeighedList, from: number, base: number): number {
  let place = from;
  for (; place >= 0; place -= 1) {
    const slot = (ids[place] ?? 0) - base;
    if (slot < 0) break;
    sums[slot] = (sums[slot] ?? 0) + weight;
  }
  return place;
}

/** Takes the best of the ids from one place down to another, and sets their sums back to 0. */
function takeFrom(ids: Uint32Array, from: number, to: number, base: number, best: Best, after: Weighed): void {
  let { id: lastId, weight: least } = best.last;
  const { id: afterId, weight: most } = after;
  for (let place = from; place > to; place -= 1) {
    const id = ids[place] ?? 0;
    const weight = sums[id - base] ?? 0;
    sums[id - base] = 0;
    if (weight < least || weight === 0 || (weight === least && id < lastId)) continue;
    if (weight > most || (weight === most && id >= afterId)) continue;
    best.take(id, weight);
    ({ id: lastId, weight: least } = best.last);
  }
}

/**
 * The `count` heaviest, of equals the highest id first; only those that come after `after` in this order. Latest ids come
 * first, so that of many equals none takes the place of another.
 */
export function heaviest(lists: readonly WeighedList[], count: number, after: Weighed | null = null): readonly Weighed[] {
  const best = createBest(count);
  const heaviestFirst = lists.map((_, index) => index).sort((a, b) => (lists[b]?.weight ?? 0) - (lists[a]?.weight ?? 0));
  let places = lists.map(({ ids }) => ids.length - 1);
  for (;;) {
    const highest = lists.reduce((most, { ids }, index) => Math.max(most, ids[places[index] ?? -1] ?? -1), -1);
    if (highest < 0) return best.all();
    const base = highest - (highest % BLOCK);
    const next = lists.map((list, index) => add(list, places[index] ?? -1, base));
    for (const index of heaviestFirst) {
      takeFrom(lists[index]?.ids ?? NONE, places[index] ?? -1, next[index] ?? -1, base, best, after ?? HEAVIEST);
    }
    places = next;
  }
}

/** The ids of two ascending lists, ascending, at most so many. */
function merged(a: Uint32Array, b: Uint32Array, most: number): Uint32Array {
  const all = new Uint32Array(Math.min(most, a.length + b.length));
  let size = 0;
  for (let i = 0, j = 0; size < all.length && (i < a.length || j < b.length); size += 1) {
    const [x, y] = [a[i] ?? Infinity, b[j] ?? Infinity];
    all[size] = Math.min(x, y);
    if (x <= y) i += 1;
    if (y <= x) j += 1;
  }
  return all.subarray(0, size);
}

/** Different ids of the lists, ascending: all when they are at most so many, else some of them. */
export function differentIds(lists: readonly WeighedList[], most: number): Uint32Array {
  const all = lists.map(({ ids }) => ids);
  // The first ones of a long list are those that other searches ask about too.
  const long = all.find((ids) => ids.length >= most);
  return long === undefined ? all.reduce((a, b) => merged(a, b, most), NONE) : long.subarray(0, most);
}
