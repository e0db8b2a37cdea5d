import { createClosest, type Similar } from './closest.ts';
import { dotAt, firstAbove, roomyFloats, roomyIds, type VectorRows } from './rows.ts';

/** Vectors that no index holds yet, compared one by one. */
export interface Tail {
  readonly size: number;
  /** Adds rows after those it holds. */
  append(rows: VectorRows): void;
  /** A copy of the first `most` rows. */
  copy(most: number): VectorRows;
  /** Forgets the rows up to an id, inclusive. */
  dropThrough(id: number): void;
  nearest(query: Float32Array, count: number): readonly Similar[];
}

export function createTail(dimensions: number): Tail {
  let ids = new Float64Array(0);
  let vectors = new Float32Array(0);
  let size = 0;
  return {
    get size() {
      return size;
    },
    append: (rows) => {
      ids = roomyIds(ids, size + rows.ids.length);
      vectors = roomyFloats(vectors, (size + rows.ids.length) * dimensions);
      ids.set(rows.ids, size);
      vectors.set(rows.vectors, size * dimensions);
      size += rows.ids.length;
    },
    copy: (most) => {
      const count = Math.min(most, size);
      return { ids: ids.slice(0, count), vectors: vectors.slice(0, count * dimensions) };
    },
    dropThrough: (id) => {
      const dropped = firstAbove(ids, size, id);
      if (dropped === 0) return;
      // Copied, not moved: what a long tail took is given back.
      ids = ids.slice(dropped, size);
      vectors = vectors.slice(dropped * dimensions, size * dimensions);
      size -= dropped;
    },
    nearest: (query, count) => {
      const closest = createClosest(count);
      for (let row = 0; row < size; row += 1) closest.offer(ids[row] ?? 0, dotAt(vectors, row * dimensions, query));
      return closest.sorted();
    },
  };
}
