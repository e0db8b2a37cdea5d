import { InternalError } from '../errors.ts';
import type { Row } from './database.ts';

function unexpected(row: Row, column: string, expected: string): InternalError {
  return new InternalError(`column ${column} holds ${row[column] === null ? 'NULL' : typeof row[column]}, expected ${expected}`);
}

/** The text in a column. Throws `InternalError` when the column is missing or holds something else. */
export function textOf(row: Row, column: string): string {
  const value = row[column];
  if (typeof value !== 'string') throw unexpected(row, column, 'text');
  return value;
}

/** The number in a column. Throws `InternalError` when the column is missing or holds something else. */
export function numberOf(row: Row, column: string): number {
  const value = row[column];
  if (typeof value !== 'number') throw unexpected(row, column, 'a number');
  return value;
}

/** The text in a column, or `null`. Throws `InternalError` when the column is missing or holds something else. */
export function textOrNull(row: Row, column: string): string | null {
  return row[column] === null ? null : textOf(row, column);
}

/** The number in a column, or `null`. Throws `InternalError` when the column is missing or holds something else. */
export function numberOrNull(row: Row, column: string): number | null {
  return row[column] === null ? null : numberOf(row, column);
}
