import { isAscii } from 'node:buffer';
import { DatabaseDamagedError, InternalError } from '../errors.ts';
import type { Row } from './database.ts';

function damaged(column: string, expected: string, cause?: unknown): DatabaseDamagedError {
  return new DatabaseDamagedError(`the database is damaged: a ${column} in it is no ${expected}`, {
    cause,
    hint: 'Look at the damage with skillflow memory doctor, and restore a backup.',
    details: { column },
  });
}

function unexpected(row: Row, column: string, expected: string): InternalError | DatabaseDamagedError {
  if (row[column] !== undefined) return damaged(column, expected);
  return new InternalError(`a row has no column ${column}`);
}

const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/**
 * SQL of a text as its bytes, for {@link textOf}: the driver ends the whole process when it meets text that is not UTF-8,
 * which only a damaged file has.
 */
export function textBytes(expression: string): string {
  return `CAST(${expression} AS BLOB)`;
}

/**
 * SQL of a number that a table holds, for {@link numberOf}. In a damaged file there may be a text in its place, of which
 * {@link textBytes} tells what the driver does; here it is an empty one then, and a number or NULL is itself: to `min` all
 * texts are larger than all numbers. What is always a number, like a rowid or a count, needs none of this.
 */
export function numberOnly(expression: string): string {
  return `min(${expression}, '')`;
}

/** SQL of a blob that a table holds, for the same reason: empty when there is something else, by the order of `max`. */
export function bytesOnly(expression: string): string {
  return `max(${expression}, x'')`;
}

/** SQL of columns of text, each for {@link textOf} under its own name. `table`: put before each, with its dot. */
export function textColumns(columns: readonly string[], table = ''): string {
  return columns.map((column) => `${textBytes(`${table}${column}`)} AS ${column}`).join(', ');
}

/** SQL of columns of numbers, each for {@link numberOf} under its own name. `table`: put before each, with its dot. */
export function numberColumns(columns: readonly string[], table = ''): string {
  return columns.map((column) => `${numberOnly(`${table}${column}`)} AS ${column}`).join(', ');
}

function decoded(bytes: Uint8Array, column: string): string {
  try {
    // Half the time for what is most texts.
    return isAscii(bytes) ? Buffer.prototype.latin1Slice.call(bytes, 0, bytes.length) : UTF8.decode(bytes);
  } catch (error) {
    throw damaged(column, 'text', error);
  }
}

/** Texts as {@link textBytes} in one column, a separator of one byte between them: of the first, and of the rest. */
export interface SplitText {
  readonly first: string;
  readonly rest: string;
  /** UTF-8 bytes of the rest. */
  readonly bytes: number;
}

/** Splits what {@link textBytes} gave at the first `separator`, a character of ASCII. Errors: those of {@link textOf}. */
export function splitText(row: Row, column: string, separator: number): SplitText {
  const stored = bytesOf(row, column);
  const end = stored.indexOf(separator);
  const bytes = stored.length - end - 1;
  if (isAscii(stored)) {
    const slice = (from: number, to: number): string => Buffer.prototype.latin1Slice.call(stored, from, to);
    return { first: slice(0, end), rest: slice(end + 1, stored.length), bytes };
  }
  return { first: decoded(stored.subarray(0, end), column), rest: decoded(stored.subarray(end + 1), column), bytes };
}

/**
 * The text in a column, also as {@link textBytes}. Throws `DatabaseDamagedError` when it holds something else or bytes that
 * are not UTF-8, `InternalError` when there is no such column.
 */
export function textOf(row: Row, column: string): string {
  const value = row[column];
  if (value instanceof Uint8Array) return decoded(value, column);
  if (typeof value !== 'string') throw unexpected(row, column, 'text');
  return value;
}

/** The number in a column. Throws `DatabaseDamagedError` when it holds something else, `InternalError` without the column. */
export function numberOf(row: Row, column: string): number {
  const value = row[column];
  if (typeof value !== 'number') throw unexpected(row, column, 'number');
  return value;
}

/** The text in a column, or `null`; see {@link textOf}. */
export function textOrNull(row: Row, column: string): string | null {
  return row[column] === null ? null : textOf(row, column);
}

/** The number in a column, or `null`; see {@link numberOf}. */
export function numberOrNull(row: Row, column: string): number | null {
  return row[column] === null ? null : numberOf(row, column);
}

/** The bytes in a column. Throws `DatabaseDamagedError` when it holds something else, `InternalError` without the column. */
export function bytesOf(row: Row, column: string): Uint8Array {
  const value = row[column];
  if (!(value instanceof Uint8Array) || value.length === 0) throw unexpected(row, column, 'blob');
  return value;
}
