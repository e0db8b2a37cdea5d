/** The `count` rows with the highest similarity among those offered. */
export interface Closest {
  offer(id: number, similarity: number): void;
  /** An offer must be above this to be taken; `-Infinity` until there are `count`. */
  readonly floor: number;
  /** Best first; equal ones by id. */
  sorted(): readonly Similar[];
}

export interface Similar {
  readonly id: number;
  /** Cosine, -1 to 1 but for rounding. */
  readonly similarity: number;
}

/** Best first; equal ones by id. */
export function bySimilarity(a: Similar, b: Similar): number {
  return b.similarity - a.similarity || a.id - b.id;
}

/** A binary heap with the worst on top: an offer that is too low costs one comparison. */
export function createClosest(count: number): Closest {
  const ids: number[] = [];
  const values: number[] = [];
  let floor = -Infinity;
  const valueAt = (index: number): number => values[index] ?? Infinity;
  const swap = (a: number, b: number): void => {
    [ids[a], ids[b]] = [ids[b] ?? 0, ids[a] ?? 0];
    [values[a], values[b]] = [valueAt(b), valueAt(a)];
  };
  const rise = (start: number): void => {
    for (let at = start; at > 0;) {
      const parent = (at - 1) >> 1;
      if (valueAt(parent) <= valueAt(at)) return;
      swap(at, parent);
      at = parent;
    }
  };
  const sink = (): void => {
    for (let at = 0; ;) {
      const left = 2 * at + 1;
      const least = valueAt(left) <= valueAt(left + 1) ? left : left + 1;
      if (valueAt(least) >= valueAt(at)) return;
      swap(at, least);
      at = least;
    }
  };
  return {
    offer: (id, similarity) => {
      if (Number.isNaN(similarity)) return; // of a vector that is none; it would spoil the order
      if (values.length < count) {
        ids.push(id);
        values.push(similarity);
        rise(values.length - 1);
      } else if (similarity > floor) {
        ids[0] = id;
        values[0] = similarity;
        sink();
      }
      if (values.length >= count) floor = values[0] ?? Infinity;
    },
    get floor() {
      return floor;
    },
    sorted: () => ids.map((id, index) => ({ id, similarity: valueAt(index) })).sort(bySimilarity),
  };
}
