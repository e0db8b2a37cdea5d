import { InvalidInputError } from '../errors.ts';

/** UTF-8 bytes of a value as it is stored. */
export const MAX_VALUE_BYTES = 1024 * 1024;
/** UTF-8 bytes of a key, a namespace or a tag. */
const MAX_NAME_BYTES = 512;
const MAX_TAGS = 64;
/** UTF-8 bytes of a search query. */
export const MAX_QUERY_BYTES = 4096;
/** A hundred years. */
const MAX_TTL_SECONDS = 100 * 365 * 24 * 3600;

const LONE_SURROGATE = /\p{Surrogate}/gu;

function invalid(parameter: string, problem: string, hint: string): InvalidInputError {
  return new InvalidInputError(`${parameter} ${problem}`, { hint, details: { parameter } });
}

/** Text without what a text column cannot hold: a NUL becomes a space, a lone surrogate U+FFFD. */
export function storable(text: string): string {
  return text.replaceAll('\0', ' ').replace(LONE_SURROGATE, '\uFFFD');
}

/** Throws `InvalidInputError` unless `text` has at most `maxBytes` bytes of UTF-8. */
export function checkBytes(parameter: string, text: string, maxBytes: number): void {
  // The length in UTF-16 units never exceeds the bytes, and costs nothing to look at.
  const bytes = text.length > maxBytes ? text.length : Buffer.byteLength(text);
  if (bytes <= maxBytes) return;
  const size = text.length > maxBytes ? `more than ${maxBytes}` : String(bytes);
  throw invalid(
    parameter,
    `has ${size} bytes; at most ${maxBytes} are allowed`,
    `Shorten ${parameter}, or split it into several.`,
  );
}

/** A key prefix may be empty; else the same as {@link checkName}. */
export function checkText(parameter: string, text: unknown): asserts text is string {
  if (typeof text !== 'string')
    throw invalid(parameter, `is ${text === null ? 'null' : `a ${typeof text}`}, not text`, 'Pass text.');
  if (storable(text) !== text) {
    throw invalid(parameter, 'has a NUL or a lone surrogate', `Remove it from ${parameter}; values may hold both.`);
  }
  checkBytes(parameter, text, MAX_NAME_BYTES);
}

/** A namespace, key or tag: 1 to 512 bytes, without NUL and lone surrogates. Throws `InvalidInputError`. */
export function checkName(parameter: string, text: unknown): asserts text is string {
  checkText(parameter, text);
  if (text === '') throw invalid(parameter, 'is empty', `Give ${parameter} at least one character.`);
}

/** At most 64 tags; repeated ones are dropped. Throws `InvalidInputError`. */
export function checkTags(tags: readonly string[]): readonly string[] {
  if (!Array.isArray(tags)) throw invalid('tags', 'is not a list', 'Pass a list of texts.');
  if (tags.length > MAX_TAGS)
    throw invalid('tags', `has ${tags.length} tags; at most ${MAX_TAGS} are allowed`, 'Use fewer tags.');
  for (const [index, tag] of tags.entries()) checkName(`tags[${index}]`, tag);
  return [...new Set(tags)];
}

/** A time to live in milliseconds. Throws `InvalidInputError`. */
export function checkTtl(ttlSeconds: number): number {
  const ms = typeof ttlSeconds === 'number' ? Math.round(ttlSeconds * 1000) : NaN;
  if (ms >= 1 && ttlSeconds <= MAX_TTL_SECONDS) return ms;
  throw invalid(
    'ttlSeconds',
    `is ${ttlSeconds}; expected 0.001 to ${MAX_TTL_SECONDS}`,
    'Leave ttlSeconds out to keep the entry.',
  );
}

/** A whole number within a range. Throws `InvalidInputError`. */
export function checkRange(parameter: string, value: number, lowest: number, highest: number): void {
  if (Number.isInteger(value) && value >= lowest && value <= highest) return;
  throw invalid(
    parameter,
    `is ${value}; expected a whole number from ${lowest} to ${highest}`,
    `Pass ${parameter} within that range.`,
  );
}
