import { DatabaseDamagedError, InvalidInputError } from '../errors.ts';
import { checkBytes, MAX_VALUE_BYTES, storable } from './limits.ts';

/** What an entry can hold. */
export type JsonValue = null | boolean | number | string | readonly JsonValue[] | { readonly [key: string]: JsonValue };

/** A value in the form that the table holds. */
export interface StoredValue {
  /** `text`: the value is this text; `json`: its JSON. */
  readonly format: 'json' | 'text';
  readonly text: string;
  /** What search reads, when that is not the text itself. */
  readonly words: string | null;
  /** UTF-8 bytes of `text`. */
  readonly bytes: number;
}

/** Levels of nesting; deeper ones could be written, but not read back by every JSON reader. */
const MAX_DEPTH = 1_000;

/** Characters of the way to a member that a message shows. */
const MOST_SHOWN = 80;

function notJson(where: string, what: string): InvalidInputError {
  const at = where.length > MOST_SHOWN ? `${where.slice(0, MOST_SHOWN)}…` : where;
  return new InvalidInputError(`${at} is ${what}, which JSON cannot hold`, {
    hint: 'Pass text, or JSON: null, true, false, finite numbers, text, lists and plain objects.',
    details: { parameter: 'value', at },
  });
}

function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}

/**
 * JSON of a value, exactly: unlike `JSON.stringify` it keeps -0 and refuses what it would drop or change (undefined,
 * NaN, dates, functions). The words of keys and texts are collected on the way.
 */
function toJson(value: unknown, at: string, depth: number, words: string[]): string {
  if (depth > MAX_DEPTH) throw notJson('value', `nested more than ${MAX_DEPTH} levels deep`);
  if (value === null || typeof value === 'boolean') return String(value);
  if (typeof value === 'string') {
    words.push(value);
    return JSON.stringify(value);
  }
  if (typeof value === 'number') {
    if (!Number.isFinite(value)) throw notJson(at, String(value));
    const digits = Object.is(value, -0) ? '-0' : String(value);
    words.push(digits);
    return digits;
  }
  if (Array.isArray(value)) {
    const items: string[] = [];
    for (const [index, item] of value.entries()) items.push(toJson(item, `${at}[${index}]`, depth + 1, words));
    return `[${items.join(',')}]`;
  }
  if (typeof value !== 'object' || !isPlain(value))
    throw notJson(at, typeof value === 'object' ? 'no plain object' : typeof value);
  const members = Object.entries(value).map(([key, member]) => {
    words.push(key);
    return `${JSON.stringify(key)}:${toJson(member, `${at}.${key}`, depth + 1, words)}`;
  });
  return `{${members.join(',')}}`;
}

/**
 * The stored form of a value. Text is stored as it is, also when it looks like JSON; text that a column cannot hold
 * (NUL, lone surrogates) is stored as JSON, which escapes both. Throws `InvalidInputError` for what is no JSON value or
 * has more than 1 MiB.
 */
export function encodeValue(value: JsonValue): StoredValue {
  const words: string[] = [];
  const json = typeof value !== 'string' || storable(value) !== value;
  if (typeof value === 'string') checkBytes('value', value, MAX_VALUE_BYTES);
  const text = json ? toJson(value, 'value', 0, words) : value;
  checkBytes('value', text, MAX_VALUE_BYTES);
  return {
    format: json ? 'json' : 'text',
    text,
    words: json ? storable(words.join('\n')) : null,
    bytes: Buffer.byteLength(text),
  };
}

/** The value that {@link encodeValue} was given. Throws `InternalError` when a row was not written by it. */
export function decodeValue(format: string, text: string): JsonValue {
  if (format === 'text') return text;
  try {
    const value: JsonValue = JSON.parse(text);
    return value;
  } catch (error) {
    throw new DatabaseDamagedError('the database is damaged: a memory entry marked as JSON does not hold JSON', {
      cause: error,
      hint: 'Look at the damage with skillflow memory doctor, and restore a backup.',
    });
  }
}
