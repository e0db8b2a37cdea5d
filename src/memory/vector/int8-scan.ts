import { createSharedMemory } from './dot-kernel.ts';
import { createInt8Reader, int8Layout, toInt8, type Int8Reader, type Int8Rows } from './int8-reader.ts';
import { firstAbove, type VectorRows } from './rows.ts';

/** Vectors quantized to a byte a number and compared one by one: a quarter of the memory and of the time. */
export interface Int8Scan extends Int8Reader {
  readonly count: number;
  /** 0 when empty. */
  readonly lastId: number;
  /** As they are at the moment, for another thread to read. */
  readonly rows: Int8Rows;
  /** Adds rows after those it holds; earlier ones are passed over. */
  add(rows: VectorRows): void;
  /** The numbers of the rows with some ids, which ascend. Throws when it lacks one. */
  rowsOf(wanted: Float64Array): Int32Array<SharedArrayBuffer>;
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

/** Throws where the processor or Node lack SIMD for WebAssembly. */
export function createInt8Scan(dimensions: number): Int8Scan {
  const space = createSharedMemory();
  const { memory } = space;
  const { stride, codes } = int8Layout(dimensions);
  space.reserve(codes);
  let ids = new Float64Array(new SharedArrayBuffer(0));
  let units = new Float32Array(new SharedArrayBuffer(0));
  let count = 0;
  let largestUnit = 0;
  const lastId = (): number => (count === 0 ? 0 : (ids[count - 1] ?? 0));
  const rows = (): Int8Rows => ({ memory, dimensions, count, ids, units, largestUnit });
  const reader = createInt8Reader(0, memory, rows);
  const reserve = (needed: number): void => {
    const bytes = codes + needed * stride;
    // By an eighth more: growing is cheap, and pages that nobody touched cost nothing.
    if (memory.buffer.byteLength < bytes) space.reserve(bytes + Math.ceil((needed * stride) / 8));
    if (ids.length >= needed) return;
    const room = Math.max(needed, Math.ceil(ids.length * 1.5));
    // Copied: another thread may still read the old ones.
    const [oldIds, oldUnits] = [ids, units];
    ids = new Float64Array(new SharedArrayBuffer(room * Float64Array.BYTES_PER_ELEMENT));
    units = new Float32Array(new SharedArrayBuffer(room * Float32Array.BYTES_PER_ELEMENT));
    ids.set(oldIds);
    units.set(oldUnits);
  };
  return {
    get count() {
      return count;
    },
    get lastId() {
      return lastId();
    },
    get rows() {
      return rows();
    },
    get blur() {
      return reader.blur;
    },
    countAfter: (id) => reader.countAfter(id),
    nearest: (query, wanted, afterId, most) => reader.nearest(query, wanted, afterId, most),
    comparison: (query) => reader.comparison(query),
    add: (added) => {
      const first = firstAbove(added.ids, added.ids.length, lastId());
      reserve(count + added.ids.length - first);
      const bytes = new Int8Array(memory.buffer);
      for (let row = first; row < added.ids.length; row += 1) {
        const unit = toInt8(added.vectors, row * dimensions, dimensions, bytes, codes + count * stride);
        units[count] = unit;
        largestUnit = Math.max(largestUnit, Math.fround(unit));
        ids[count] = added.ids[row] ?? 0;
        count += 1;
      }
    },
    rowsOf: (wanted) => {
      const found = new Int32Array(new SharedArrayBuffer(wanted.length * Int32Array.BYTES_PER_ELEMENT));
      let row = 0;
      for (let at = 0; at < wanted.length; at += 1) {
        const id = wanted[at] ?? NaN;
        while (row < count && (ids[row] ?? Infinity) < id) row += 1;
        if (row === count || ids[row] !== id) throw new Error(`the scan lacks row ${id}`);
        found[at] = row;
      }
      return found;
    },
    data: () => {
      const split = count * stride;
      const held = units;
      const end = split + count * Float32Array.BYTES_PER_ELEMENT;
      return {
        ids: new Float64Array(ids.subarray(0, count)),
        bytes: end,
        read: (start, length) => {
          if (start < split) return new Uint8Array(memory.buffer, codes + start, Math.min(length, split - start)).slice();
          return new Uint8Array(held.buffer, start - split, Math.min(length, end - start)).slice();
        },
      };
    },
    restore: async (restored, fill) => {
      reserve(restored.length);
      await fill(new Uint8Array(memory.buffer, codes, restored.length * stride));
      await fill(new Uint8Array(units.buffer, 0, restored.length * Float32Array.BYTES_PER_ELEMENT));
      ids.set(restored);
      count = restored.length;
      for (let row = 0; row < count; row += 1) largestUnit = Math.max(largestUnit, units[row] ?? 0);
    },
  };
}
