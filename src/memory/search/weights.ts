/** An id with the sum of the weights of the lists that have it. */
export interface Weighed {
  readonly id: number;
  readonly weight: number;
}

/** Ids that add their weight to each of them. */
export interface WeighedList {
  readonly ids: Uint32Array;
  readonly weight: number;
}

/**
 * A hash table in flat arrays, kept since each question fills it with up to some 10,000 ids, which in a `Map` would be
 * garbage soon. It is only used without interruption: filled and read by one call.
 */
let keys = new Uint32Array(0); // ids begin at 1
let sums = new Float64Array(0);

/** Sums up the weights and returns the number of slots in use, a power of 2. */
function fill(lists: readonly WeighedList[]): number {
  const most = lists.reduce((sum, { ids }) => sum + ids.length, 0);
  const bits = Math.ceil(Math.log2(2 * most + 16));
  const slots = 2 ** bits;
  if (keys.length < slots) {
    keys = new Uint32Array(slots);
    sums = new Float64Array(slots);
  }
  keys.fill(0, 0, slots);
  for (const { ids, weight } of lists) {
    for (let index = 0; index < ids.length; index += 1) {
      const id = ids[index] ?? 0;
      let slot = Math.imul(id, 0x9e3779b1) >>> (32 - bits);
      while (keys[slot] !== id && keys[slot] !== 0) slot = (slot + 1) & (slots - 1);
      if (keys[slot] === 0) {
        keys[slot] = id;
        sums[slot] = weight;
      } else sums[slot] = (sums[slot] ?? 0) + weight;
    }
  }
  return slots;
}

/** The `count` heaviest, of equals the highest id first; only those that come after `after` in this order. */
export function heaviest(lists: readonly WeighedList[], count: number, after: Weighed | null = null): readonly Weighed[] {
  const slots = fill(lists);
  const best = new Uint32Array(Math.min(count, slots) + 1); // slots, best first
  let found = 0;
  let least = -1;
  let leastId = 0;
  for (let slot = 0; slot < slots; slot += 1) {
    const id = keys[slot] ?? 0;
    if (id === 0) continue;
    const weight = sums[slot] ?? 0;
    if (after !== null && (weight > after.weight || (weight === after.weight && id >= after.id))) continue;
    if (found === count && (weight < least || (weight === least && id < leastId))) continue;
    let low = 0;
    let high = found;
    while (low < high) {
      const middle = (low + high) >> 1;
      const other = best[middle] ?? 0;
      const its = sums[other] ?? 0;
      if (its > weight || (its === weight && (keys[other] ?? 0) > id)) low = middle + 1;
      else high = middle;
    }
    best.copyWithin(low + 1, low, found);
    best[low] = slot;
    if (found < count) found += 1;
    const last = best[found - 1] ?? 0;
    least = sums[last] ?? 0;
    leastId = keys[last] ?? 0;
  }
  return Array.from(best.subarray(0, found), (slot) => ({ id: keys[slot] ?? 0, weight: sums[slot] ?? 0 }));
}

/** Different ids of the lists, at most so many, in no order. */
export function differentIds(lists: readonly WeighedList[], most: number): readonly number[] {
  const slots = fill(lists);
  const found: number[] = [];
  for (let slot = 0; slot < slots && found.length < most; slot += 1) {
    const id = keys[slot] ?? 0;
    if (id !== 0) found.push(id);
  }
  return found;
}
