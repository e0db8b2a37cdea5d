import { isAscii } from 'node:buffer';
import { DatabaseDamagedError, InternalError } from '../errors.ts';
import type { Row } from './database.ts';

function unexpected(row: Row, column: string, expected: string): InternalError {
  return new InternalError(`column ${column} holds ${row[column] === null ? 'NULL' : typeof row[column]}, expected ${expected}`);
}

const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/**
 * SQL of a text as its bytes, for {@link textOf}: the driver ends the whole process when it meets text that is not UTF-8,
 * which only a damaged file has.
 */
export function textBytes(expression: string): string {
  return `CAST(${expression} AS BLOB)`;
}

function decoded(bytes: Uint8Array, column: string): string {
  try {
    // Half the time for what is most texts.
    return isAscii(bytes) ? Buffer.prototype.latin1Slice.call(bytes, 0, bytes.length) : UTF8.decode(bytes);
  } catch (error) {
    throw new DatabaseDamagedError(`the database is damaged: a ${column} in it is no text`, {
      cause: error,
      hint: 'Look at the damage with skillflow memory doctor, and restore a backup.',
      details: { column },
    });
  }
}

/**
 * The text in a column, also as {@link textBytes}. Throws `InternalError` when the column is missing or holds something
 * else, `DatabaseDamagedError` for bytes that are not UTF-8.
 */
export function textOf(row: Row, column: string): string {
  const value = row[column];
  if (value instanceof Uint8Array) return decoded(value, column);
  if (typeof value !== 'string') throw unexpected(row, column, 'text');
  return value;
}

/** The number in a column. Throws `InternalError` when the column is missing or holds something else. */
export function numberOf(row: Row, column: string): number {
  const value = row[column];
  if (typeof value !== 'number') throw unexpected(row, column, 'a number');
  return value;
}

/** The text in a column, or `null`; see {@link textOf}. */
export function textOrNull(row: Row, column: string): string | null {
  return row[column] === null ? null : textOf(row, column);
}

/** The number in a column, or `null`. Throws `InternalError` when the column is missing or holds something else. */
export function numberOrNull(row: Row, column: string): number | null {
  return row[column] === null ? null : numberOf(row, column);
}
