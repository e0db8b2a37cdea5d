/** Vectors with the ids of their rows in `embedding`, which ascend. The vectors lie one after the other. */
export interface VectorRows {
  readonly ids: Float64Array<ArrayBuffer>;
  readonly vectors: Float32Array<ArrayBuffer>;
}

/** The dot product of `query` with the vector that starts at `at`. */
export function dotAt(vectors: Float32Array, at: number, query: Float32Array): number {
  const { length } = query;
  let a = 0;
  let b = 0;
  let c = 0;
  let d = 0;
  let i = 0;
  for (; i + 3 < length; i += 4) {
    // Four sums at once: each would otherwise wait for the one before.
    a += (query[i] ?? 0) * (vectors[at + i] ?? 0);
    b += (query[i + 1] ?? 0) * (vectors[at + i + 1] ?? 0);
    c += (query[i + 2] ?? 0) * (vectors[at + i + 2] ?? 0);
    d += (query[i + 3] ?? 0) * (vectors[at + i + 3] ?? 0);
  }
  for (; i < length; i += 1) a += (query[i] ?? 0) * (vectors[at + i] ?? 0);
  return a + b + c + d;
}

/** The index of the first id above `id`, in ascending ids of which the first `count` are in use. */
export function firstAbove(ids: Float64Array, count: number, id: number): number {
  let low = 0;
  let high = count;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((ids[middle] ?? Infinity) > id) high = middle;
    else low = middle + 1;
  }
  return low;
}

/** A copy with room for `length` elements or more; the same array when it has it. Grows by half, so that adding stays cheap. */
export function roomyIds(ids: Float64Array<ArrayBuffer>, length: number): Float64Array<ArrayBuffer> {
  if (ids.length >= length) return ids;
  const next = new Float64Array(Math.max(length, Math.ceil(ids.length * 1.5)));
  next.set(ids);
  return next;
}
