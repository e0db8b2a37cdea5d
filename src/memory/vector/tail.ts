import { createClosest, type Similar } from './closest.ts';
import { createDotKernel, createSharedMemory } from './dot-kernel.ts';
import { dotAt, firstAbove, roomyIds, type VectorRows } from './rows.ts';

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

/** Numbers that the kernel multiplies at once. */
const LANES = 16;
const FLOAT_BYTES = Float32Array.BYTES_PER_ELEMENT;
/** Vectors compared by one call of the kernel. */
const BLOCK = 4_096;
/** How far a sum of 32-bit numbers is off at most for each of them, as a share of all; with as much again for safety. */
const ROUNDING = 2 ** -23;

/** Vectors in the memory of the kernel: a query, the products of one block, then all vectors, padded. */
interface Floats {
  /** Of the present memory: good until the next `reserve`. */
  readonly vectors: Float32Array;
  reserve(rows: number): void;
  /** Its products with the vectors from `start` on, at most a block of them: a list that the next call overwrites. */
  products(query: Float32Array, start: number, count: number): Float32Array;
}

function createFloats(stride: number): Floats {
  const space = createSharedMemory();
  const { memory } = space;
  const kernel = createDotKernel(memory);
  const productsAt = stride * FLOAT_BYTES;
  const vectorsAt = productsAt + BLOCK * FLOAT_BYTES;
  space.reserve(vectorsAt);
  const inPlace = new Float32Array(memory.buffer, 0, stride);
  const products = new Float32Array(memory.buffer, productsAt, BLOCK);
  let vectors = new Float32Array(memory.buffer, vectorsAt);
  return {
    get vectors() {
      return vectors;
    },
    reserve: (rows) => {
      if (vectors.length >= rows * stride) return;
      space.reserve(vectorsAt + rows * stride * FLOAT_BYTES);
      vectors = new Float32Array(memory.buffer, vectorsAt);
    },
    products: (query, start, count) => {
      inPlace.set(query);
      kernel.dotFloats(vectorsAt + start * stride * FLOAT_BYTES, count, stride * FLOAT_BYTES, 0, productsAt);
      return products;
    },
  };
}

/** Throws where the processor or Node lack SIMD for WebAssembly. */
export function createTail(dimensions: number): Tail {
  const stride = Math.ceil(dimensions / LANES) * LANES;
  let ids = new Float64Array(0);
  let floats: Floats | undefined;
  let size = 0;
  /** Of a vector, or `NaN` when one has no length. */
  let largestLength = 0;
  const rowAt = (row: number): number => row * stride;
  const copy = (from: number, to: number): VectorRows => {
    const vectors = new Float32Array((to - from) * dimensions);
    for (let row = from; row < to; row += 1) {
      vectors.set(floats?.vectors.subarray(rowAt(row), rowAt(row) + dimensions) ?? [], (row - from) * dimensions);
    }
    return { ids: ids.slice(from, to), vectors };
  };
  const append = (rows: VectorRows): void => {
    if (rows.ids.length === 0) return;
    floats ??= createFloats(stride);
    ids = roomyIds(ids, size + rows.ids.length);
    ids.set(rows.ids, size);
    floats.reserve(size + rows.ids.length);
    for (let row = 0; row < rows.ids.length; row += 1) {
      const vector = rows.vectors.subarray(row * dimensions, (row + 1) * dimensions);
      floats.vectors.set(vector, rowAt(size + row));
      largestLength = Math.max(largestLength, Math.sqrt(dotAt(vector, 0, vector)));
    }
    size += rows.ids.length;
  };
  /** How similar the kernel finds all rows. */
  const compare = (query: Float32Array): Float32Array => {
    const all = new Float32Array(size);
    for (let start = 0; start < size; start += BLOCK) {
      const count = Math.min(BLOCK, size - start);
      all.set(floats?.products(query, start, count).subarray(0, count) ?? [], start);
    }
    return all;
  };
  return {
    get size() {
      return size;
    },
    append,
    copy: (most) => copy(0, Math.min(most, size)),
    dropThrough: (id) => {
      const dropped = firstAbove(ids, size, id);
      if (dropped === 0) return;
      // Copied, not moved: what a long tail took is given back.
      const rest = copy(dropped, size);
      ids = new Float64Array(0);
      floats = undefined;
      size = 0;
      largestLength = 0;
      append(rest);
    },
    nearest: (query, count) => {
      if (floats === undefined) return [];
      const { vectors } = floats;
      const rough = compare(query);
      const first = createClosest(count);
      for (let row = 0; row < size; row += 1) {
        const similarity = rough[row] ?? NaN;
        if (!(similarity <= first.floor)) first.offer(row, similarity);
      }
      // Those that rounding may have put on the wrong side are compared again, as exactly as everywhere else.
      const off = stride * ROUNDING * largestLength * Math.sqrt(dotAt(query, 0, query));
      const floor = off < 1 ? first.floor - 2 * off : -Infinity; // what is no vector could be off by anything
      const closest = createClosest(count);
      for (let row = 0; row < size; row += 1) {
        if (!((rough[row] ?? NaN) < floor)) closest.offer(ids[row] ?? 0, dotAt(vectors, rowAt(row), query));
      }
      return closest.sorted();
    },
  };
}
