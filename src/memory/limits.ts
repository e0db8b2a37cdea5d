import { InvalidInputError } from '../errors.ts';
import { described } from '../printable.ts';

/** UTF-8 bytes of a value as it is stored. */
export const MAX_VALUE_BYTES = 1024 * 1024;
/** UTF-8 bytes of a key, a namespace or a tag. */
const MAX_NAME_BYTES = 512;
const MAX_TAGS = 64;
/** UTF-8 bytes of the reason of a link. */
const MAX_REASON_BYTES = 4096;
/** UTF-8 bytes of a search query. */
export const MAX_QUERY_BYTES = 4096;
/** A hundred years. */
const MAX_TTL_SECONDS = 100 * 365 * 24 * 3600;

/** Milliseconds since the epoch, in either direction: what a `Date` can hold. */
export const MAX_TIME_MS = 8.64e15;

/** UTF-8 bytes of a kind. */
const MAX_WORD_BYTES = 64;

const LONE_SURROGATE = /\p{Surrogate}/gu;
/** What all text without it can be stored with; quick, since it does not put pairs together. */
const SUSPECT = /[\0\ud800-\udfff]/;

function invalid(parameter: string, problem: string, hint: string): InvalidInputError {
  return new InvalidInputError(`${parameter} ${problem}`, { hint, details: { parameter } });
}

/** Text without what a text column cannot hold: a NUL becomes a space, a lone surrogate U+FFFD. */
export function storable(text: string): string {
  if (!SUSPECT.test(text)) return text;
  return text.replaceAll('\0', ' ').replace(LONE_SURROGATE, '\uFFFD');
}

/** Throws `InvalidInputError` unless `text` has at most `maxBytes` bytes of UTF-8. */
export function checkBytes(parameter: string, text: string, maxBytes: number): void {
  if (text.length * 3 <= maxBytes) return; // no UTF-16 unit takes more than three bytes
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

/**
 * A pattern of keys for SQLite's GLOB, which knows `*`, `?` and `[`: the last one is made a plain character. Throws
 * `InvalidInputError`.
 */
export function keyGlob(parameter: string, pattern: string): string {
  checkName(parameter, pattern);
  return pattern.replaceAll('[', '[[]').replaceAll(/\*{2,}/g, '*');
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
    `is ${described(ttlSeconds)}; expected 0.001 to ${MAX_TTL_SECONDS}`,
    'Leave ttlSeconds out to keep the entry.',
  );
}

/** A whole number within a range. Throws `InvalidInputError`. */
export function checkRange(parameter: string, value: number, lowest: number, highest: number): void {
  if (Number.isInteger(value) && value >= lowest && value <= highest) return;
  throw invalid(
    parameter,
    `is ${described(value)}; expected a whole number from ${lowest} to ${highest}`,
    `Pass ${parameter} within that range.`,
  );
}

/** One word of 1 to 64 bytes, such as a kind. Throws `InvalidInputError`. */
export function checkWord(parameter: string, word: unknown): asserts word is string {
  checkName(parameter, word);
  checkBytes(parameter, word, MAX_WORD_BYTES);
  if (/\s/.test(word)) throw invalid(parameter, `is ${described(word)}, not one word`, 'Join its words with a hyphen.');
}

/** Why a link was made, at most 4096 bytes; as it is stored. Throws `InvalidInputError`. */
export function checkReason(reason: unknown): string {
  if (typeof reason !== 'string') throw invalid('reason', `is a ${typeof reason}, not text`, 'Pass text.');
  checkBytes('reason', reason, MAX_REASON_BYTES);
  return storable(reason);
}

/** 0 to 1. Throws `InvalidInputError`. */
export function checkImportance(importance: number): void {
  if (typeof importance === 'number' && importance >= 0 && importance <= 1) return;
  throw invalid('importance', `is ${described(importance)}; expected 0 to 1`, 'Use 0 for trivia, 1 for what is vital.');
}

/** Two times in milliseconds since the epoch, the first before the second. Throws `InvalidInputError`. */
export function checkValidity(validFrom: number | undefined, validTo: number | undefined): void {
  if (validFrom === undefined && validTo === undefined) return;
  for (const [parameter, time] of Object.entries({ validFrom, validTo })) {
    if (time === undefined || (Number.isInteger(time) && Math.abs(time) <= MAX_TIME_MS)) continue;
    throw invalid(
      parameter,
      `is ${described(time)}; expected milliseconds since the epoch, at most ${MAX_TIME_MS} before or after it`,
      `Pass ${parameter} as a whole number within that range.`,
    );
  }
  if (validFrom === undefined || validTo === undefined || validFrom < validTo) return;
  const [from, to] = [validFrom, validTo].map((time) => new Date(time).toISOString());
  throw invalid('validTo', `is ${to}, not after validFrom, which is ${from}`, 'Pass an end after the beginning.');
}

/** The number of a version. Throws `InvalidInputError`. */
export function checkVersion(parameter: string, version: number, lowest = 1): void {
  checkRange(parameter, version, lowest, Number.MAX_SAFE_INTEGER);
}

/** The namespace and the key of an entry. Throws `InvalidInputError`. */
export function checkEntryName(
  name: { readonly namespace?: string | undefined; readonly key: string },
  prefix = '',
): readonly [namespace: string, key: string] {
  const { namespace = 'default', key } = name;
  checkName(`${prefix}namespace`, namespace);
  checkName(`${prefix}key`, key);
  return [namespace, key];
}
