import { createClosest, type Similar } from './closest.ts';
import { createDotKernel, type SharedMemory } from './dot-kernel.ts';
import { firstAbove } from './rows.ts';

/** Quantized vectors, in memory that threads share. Rows are only ever added, after all others. */
export interface Int8Rows {
  readonly memory: SharedMemory;
  readonly dimensions: number;
  readonly count: number;
  /** Of `embedding`, for each row; there may be room for more. */
  readonly ids: Float64Array<SharedArrayBuffer>;
  /** What a quantized number of each row is worth; with the same room. */
  readonly units: Float32Array<SharedArrayBuffer>;
  readonly largestUnit: number;
}

/** Compares quantized vectors with exact ones. */
export interface Int8Reader {
  /** How far its similarities are off at most; more is a matter of one in a billion. */
  readonly blur: number;
  /** How many rows come after an id. */
  countAfter(id: number): number;
  /**
   * Of the rows after an id, all that may be among the `count` nearest for all that is known of their similarities, but at
   * most the best `most`.
   */
  nearest(query: Float32Array, count: number, afterId: number, most: number): readonly Similar[];
  /** Compares single rows with a query; good until the reader is used for anything else. */
  comparison(query: Float32Array): RowComparison;
}

/** Compares chosen rows with one query. */
export interface RowComparison {
  /** The place for the numbers of up to {@link MOST_ROWS} rows. */
  readonly rows: Int32Array;
  /** How similar the first `count` of them are: the first `count` numbers of a list that the next call overwrites. */
  compare(count: number): Float64Array;
}

const LANES = 16;
const MOST_BYTE = 127;
const MOST_SHORT = 32_767;
/**
 * Six standard deviations of the error of a product with a vector of length 1: each number of a quantized vector is off by
 * up to half a unit, evenly, which is 1 / sqrt(12) units of standard deviation.
 */
const BLUR_IN_UNITS = 6 / Math.sqrt(12);
/** Vectors compared by one call of the kernel. */
const BLOCK = 16_384;
/** Chosen ones compared by one call. */
const MOST_ROWS = 512;
/** Chosen ones that the kernel compares at once. */
const ROWS_AT_ONCE = 4;
/** Threads that may read at the same time, each in a place of its own. */
const READERS = 2;

/** Where in the memory things lie: for each reader a query, numbers of chosen rows and products; then all vectors. */
export interface Int8Layout {
  /** Bytes of a vector. */
  readonly stride: number;
  /** Of one reader. */
  readonly placeBytes: number;
  /** Where the vectors begin. */
  readonly codes: number;
}

export function int8Layout(dimensions: number): Int8Layout {
  const stride = Math.ceil(dimensions / LANES) * LANES;
  const placeBytes = 2 * stride + 4 * MOST_ROWS + 4 * BLOCK;
  return { stride, placeBytes, codes: READERS * placeBytes };
}

/** Scales numbers to whole ones of at most `most`, and returns what one of them is worth. */
function quantize(
  from: Float32Array,
  start: number,
  length: number,
  most: number,
  to: Int8Array | Int16Array,
  at: number,
): number {
  let largest = 0;
  for (let i = 0; i < length; i += 1) {
    const size = Math.abs(from[start + i] ?? 0);
    if (size > largest) largest = size;
  }
  const unit = largest > 0 && largest < Infinity ? largest / most : 1;
  const scale = 1 / unit;
  for (let i = 0; i < length; i += 1) {
    const scaled = (from[start + i] ?? 0) * scale;
    to[at + i] = scaled + (scaled < 0 ? -0.5 : 0.5); // rounded, since storing it cuts off the rest
  }
  return unit;
}

/** Quantizes a vector to bytes, and returns what one of its numbers is worth. */
export function toInt8(from: Float32Array, start: number, length: number, to: Int8Array, at: number): number {
  return quantize(from, start, length, MOST_BYTE, to, at);
}

/**
 * Throws where the processor or Node lack SIMD for WebAssembly.
 * @param place of the reader: 0 for the thread that adds rows, 1 for another one
 * @param current what there is to read at the moment, always in the same memory
 */
export function createInt8Reader(place: 0 | 1, memory: SharedMemory, current: () => Omit<Int8Rows, 'memory'>): Int8Reader {
  const kernel = createDotKernel(memory);
  const { dimensions } = current();
  const { stride, placeBytes, codes } = int8Layout(dimensions);
  const queryAt = place * placeBytes;
  const chosenAt = queryAt + 2 * stride;
  const productsAt = chosenAt + 4 * MOST_ROWS;
  // The largest number in a query for which no sum of products leaves 32 bits.
  const mostInQuery = Math.min(MOST_SHORT, Math.floor(2 ** 31 / (stride * (MOST_BYTE + 1))) - 1);
  // What lies there stays there when the memory grows.
  const inPlace = new Int16Array(memory.buffer, queryAt, stride);
  const chosen = new Int32Array(memory.buffer, chosenAt, MOST_ROWS);
  const products = new Int32Array(memory.buffer, productsAt, BLOCK);
  const similarities = new Float64Array(MOST_ROWS);
  /** Puts a query in its place, and returns what its numbers are worth. */
  const take = (query: Float32Array): number => quantize(query, 0, dimensions, mostInQuery, inPlace, 0);
  /** The similarities of all rows from one on. */
  const compare = (query: Float32Array, start: number): Float32Array => {
    const { count, units } = current();
    if (start === count) return new Float32Array(0);
    const unit = take(query);
    const all = new Float32Array(count - start);
    for (let done = start; done < count; done += BLOCK) {
      const length = Math.min(BLOCK, count - done);
      kernel.dot(codes + done * stride, length, stride, queryAt, productsAt);
      for (let row = 0; row < length; row += 1) all[done - start + row] = (products[row] ?? 0) * (units[done + row] ?? 0) * unit;
    }
    return all;
  };
  const blur = (): number => BLUR_IN_UNITS * current().largestUnit;
  return {
    get blur() {
      return blur();
    },
    countAfter: (id) => {
      const { ids, count } = current();
      return count - firstAbove(ids, count, id);
    },
    nearest: (query, wanted, afterId, most) => {
      const { ids, count } = current();
      const start = firstAbove(ids, count, afterId);
      const found = compare(query, start);
      const first = createClosest(wanted);
      for (let row = 0; row < found.length; row += 1) {
        const similarity = found[row] ?? 0;
        if (similarity > first.floor) first.offer(row, similarity);
      }
      const floor = first.floor - blur();
      const closest = createClosest(most);
      for (let row = 0; row < found.length; row += 1) {
        const similarity = found[row] ?? 0;
        if (similarity >= floor) closest.offer(ids[start + row] ?? 0, similarity);
      }
      return closest.sorted();
    },
    comparison: (query) => {
      const { units } = current();
      const unit = take(query);
      return {
        rows: chosen,
        compare: (length) => {
          const padded = Math.ceil(length / ROWS_AT_ONCE) * ROWS_AT_ONCE;
          chosen.fill(chosen[0] ?? 0, length, padded);
          kernel.dotRows(chosenAt, padded, codes, stride, queryAt, productsAt);
          for (let at = 0; at < length; at += 1) similarities[at] = (products[at] ?? 0) * (units[chosen[at] ?? 0] ?? 0) * unit;
          return similarities;
        },
      };
    },
  };
}
