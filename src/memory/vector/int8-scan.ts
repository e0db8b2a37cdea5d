import { createClosest, type Similar } from './closest.ts';
import { createInt8Kernel } from './int8-kernel.ts';
import { firstAbove, roomyFloats, roomyIds, type VectorRows } from './rows.ts';

/** Vectors quantized to a byte a number and compared one by one: a quarter of the memory and of the time. */
export interface Int8Scan {
  readonly count: number;
  /** 0 when empty. */
  readonly lastId: number;
  /** Adds rows after those it holds; earlier ones are passed over. */
  add(rows: VectorRows): void;
  /** How many rows come after an id. */
  countAfter(id: number): number;
  /** How far its similarities are off at most; more is a matter of one in a billion. */
  readonly blur: number;
  /**
   * Of the rows after an id, all that may be among the `count` nearest for all that is known of their similarities, but at
   * most the best `most`.
   */
  nearest(query: Float32Array, count: number, afterId: number, most: number): readonly Similar[];
  /** How similar single rows, by their numbers, are to a query; good until the scan is used for anything else. */
  comparison(query: Float32Array): (row: number) => number;
  /** The numbers of the rows with some ids, which ascend. Throws when it lacks one. */
  rowsOf(wanted: Float64Array): Int32Array<ArrayBuffer>;
  /** What {@link restore} takes, without the rows that are added later. */
  data(): Int8Data;
  /** Takes over data that was read, in an empty scan: `fill` writes each part of it into the place that it is given. */
  restore(ids: Float64Array<ArrayBuffer>, fill: (place: Uint8Array) => Promise<void>): Promise<void>;
}

export interface Int8Data {
  readonly ids: Float64Array<ArrayBuffer>;
  readonly bytes: number;
  /** A copy of at most `length` bytes from `start` on, at least one unless `start` is the end. */
  read(start: number, length: number): Uint8Array<ArrayBuffer>;
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
/** Bytes filled at once by `restore`. */
const PART = 1 << 20;

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

/** Bytes that a scan of so many vectors writes and reads as its data. */
function int8Bytes(count: number, dimensions: number): number {
  return count * (Math.ceil(dimensions / LANES) * LANES + Float32Array.BYTES_PER_ELEMENT);
}

/** Throws where the processor or Node lack SIMD for WebAssembly. */
export function createInt8Scan(dimensions: number): Int8Scan {
  const kernel = createInt8Kernel();
  const stride = Math.ceil(dimensions / LANES) * LANES;
  // The memory: the query, the products of one block, then all vectors.
  const products = 2 * stride;
  const codes = products + 4 * BLOCK;
  kernel.reserve(codes);
  // The largest number in a query for which no sum of products leaves 32 bits.
  const mostInQuery = Math.min(MOST_SHORT, Math.floor(2 ** 31 / ((stride / 4) * (MOST_BYTE + 1))) - 1);
  let ids = new Float64Array(0);
  let units = new Float32Array(0);
  let count = 0;
  let largestUnit = 0;
  const lastId = (): number => (count === 0 ? 0 : (ids[count - 1] ?? 0));
  const reserve = (rows: number): void => {
    const needed = codes + rows * stride;
    // By an eighth more: growing is cheap, and pages that nobody touched cost nothing.
    if (kernel.buffer.byteLength < needed) kernel.reserve(needed + Math.ceil((rows * stride) / 8));
    ids = roomyIds(ids, rows);
    units = roomyFloats(units, rows);
  };
  /** Puts a query in its place, and returns what its numbers are worth. */
  const take = (query: Float32Array): number =>
    quantize(query, 0, dimensions, mostInQuery, new Int16Array(kernel.buffer, 0, stride).fill(0), 0);
  /** The similarities of all rows from one on. */
  const compare = (query: Float32Array, start: number): Float32Array => {
    const unit = take(query);
    const results = new Int32Array(kernel.buffer, products, BLOCK);
    const similarities = new Float32Array(count - start);
    for (let done = start; done < count; done += BLOCK) {
      const length = Math.min(BLOCK, count - done);
      kernel.dot(codes + done * stride, length, stride, 0, products);
      for (let row = 0; row < length; row += 1) {
        similarities[done - start + row] = (results[row] ?? 0) * (units[done + row] ?? 0) * unit;
      }
    }
    return similarities;
  };
  return {
    get count() {
      return count;
    },
    get lastId() {
      return lastId();
    },
    add: (rows) => {
      const first = firstAbove(rows.ids, rows.ids.length, lastId());
      reserve(count + rows.ids.length - first);
      const bytes = new Int8Array(kernel.buffer);
      for (let row = first; row < rows.ids.length; row += 1) {
        units[count] = quantize(rows.vectors, row * dimensions, dimensions, MOST_BYTE, bytes, codes + count * stride);
        largestUnit = Math.max(largestUnit, units[count] ?? 0);
        ids[count] = rows.ids[row] ?? 0;
        count += 1;
      }
    },
    get blur() {
      return BLUR_IN_UNITS * largestUnit;
    },
    countAfter: (id) => count - firstAbove(ids, count, id),
    nearest: (query, wanted, afterId, most) => {
      const start = firstAbove(ids, count, afterId);
      const similarities = compare(query, start);
      const first = createClosest(wanted);
      for (let row = 0; row < similarities.length; row += 1) {
        const similarity = similarities[row] ?? 0;
        if (similarity > first.floor) first.offer(row, similarity);
      }
      const floor = first.floor - BLUR_IN_UNITS * largestUnit;
      const closest = createClosest(most);
      for (let row = 0; row < similarities.length; row += 1) {
        const similarity = similarities[row] ?? 0;
        if (similarity >= floor) closest.offer(ids[start + row] ?? 0, similarity);
      }
      return closest.sorted();
    },
    comparison: (query) => {
      const unit = take(query);
      const result = new Int32Array(kernel.buffer, products, 1);
      return (row) => {
        kernel.dot(codes + row * stride, 1, stride, 0, products);
        return (result[0] ?? 0) * (units[row] ?? 0) * unit;
      };
    },
    rowsOf: (wanted) => {
      let row = 0;
      return Int32Array.from(wanted, (id) => {
        while (row < count && (ids[row] ?? Infinity) < id) row += 1;
        if (row === count || ids[row] !== id) throw new Error(`the scan lacks row ${id}`);
        return row;
      });
    },
    data: () => {
      const split = count * stride;
      const end = int8Bytes(count, dimensions);
      return {
        ids: ids.slice(0, count),
        bytes: end,
        read: (start, length) => {
          if (start < split) return new Uint8Array(kernel.buffer, codes + start, Math.min(length, split - start)).slice();
          return new Uint8Array(units.buffer, start - split, Math.min(length, end - start)).slice();
        },
      };
    },
    restore: async (restored, fill) => {
      reserve(restored.length);
      const split = restored.length * stride;
      for (let at = 0; at < split; at += PART) await fill(new Uint8Array(kernel.buffer, codes + at, Math.min(PART, split - at)));
      await fill(new Uint8Array(units.buffer, 0, restored.length * Float32Array.BYTES_PER_ELEMENT));
      ids.set(restored);
      count = restored.length;
      largestUnit = units.subarray(0, count).reduce((largest, unit) => Math.max(largest, unit), 0);
    },
  };
}
