import { InvalidInputError } from '../errors.ts';
import type { SqlValue } from './database.ts';

const LOWEST = -(2n ** 63n);
const HIGHEST = 2n ** 63n - 1n;
const LONE_SURROGATE = /\p{Surrogate}/u;
/** What may be unstorable; quick, since it does not put pairs together. */
const SUSPECT = /[\0\ud800-\udfff]/;

/** Whether text has a NUL or a lone surrogate, which no text column gives back as it was stored. */
function isUnstorable(text: string): boolean {
  return SUSPECT.test(text) && (text.includes('\0') || LONE_SURROGATE.test(text));
}

function wrong(index: number, what: string, hint: string): InvalidInputError {
  return new InvalidInputError(`SQL parameter ${index + 1} is ${what}`, { hint, details: { index } });
}

/**
 * A parameter in the form that the driver stores as it is. The driver would cut text at a NUL, replace lone
 * surrogates, store NaN as NULL, bind whole numbers as reals, and abort the process on a boolean: the first three and
 * the last are refused with `InvalidInputError`, whole numbers are passed as integers.
 */
export function parameter(value: SqlValue, index: number): SqlValue {
  if (typeof value === 'string') {
    if (isUnstorable(value)) throw wrong(index, 'text with a NUL or a lone surrogate', 'Store it as JSON, which escapes both.');
    return value;
  }
  if (typeof value === 'number') {
    if (Number.isNaN(value)) throw wrong(index, 'NaN', 'Pass null or a number.');
    return Number.isSafeInteger(value) && !Object.is(value, -0) ? BigInt(value) : value;
  }
  if (typeof value === 'bigint') {
    if (value < LOWEST || value > HIGHEST) throw wrong(index, 'an integer of more than 64 bits', 'Pass it as text.');
    return value;
  }
  if (value === null || value instanceof Uint8Array) return value;
  throw wrong(index, `a ${typeof value}`, 'Pass text, a number, a bigint, a Uint8Array or null.');
}
