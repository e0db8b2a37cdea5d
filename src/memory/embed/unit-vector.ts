/** More than any known model has; an answer with more is no vector. */
const MAX_DIMENSIONS = 16_384;

/**
 * Numbers as a vector of length 1, or what is wrong with them: not 1 to 16,384, not all finite numbers, or of a length
 * that is zero or not finite.
 */
export function unitVector(values: ArrayLike<unknown>): Float32Array | string {
  const { length } = values;
  if (length < 1 || length > MAX_DIMENSIONS) return `${length} numbers`;
  const numbers = new Float64Array(length);
  let squares = 0;
  for (let at = 0; at < length; at += 1) {
    const value = values[at];
    if (typeof value !== 'number') return `a ${value === null ? 'null' : typeof value} among its numbers`;
    if (!Number.isFinite(value)) return `${value} among its numbers`;
    numbers[at] = value;
    squares += value * value;
  }
  const size = Math.sqrt(squares);
  if (size === 0) return 'only zeros';
  if (!Number.isFinite(size)) return 'numbers that are too large';
  const vector = new Float32Array(length);
  for (let at = 0; at < length; at += 1) vector[at] = (numbers[at] ?? 0) / size;
  return vector;
}
