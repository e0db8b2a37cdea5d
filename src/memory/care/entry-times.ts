import { DatabaseDamagedError } from '../../errors.ts';
import type { Row } from '../../store/database.ts';
import { MAX_TIME_MS } from '../limits.ts';

/** When something was done: at 0 or later. When it holds may be any time. */
const DONE = ['created_at', 'deleted_at', 'updated_at', 'expires_at'] as const;
const HOLDS = ['valid_from', 'valid_to'] as const;
type TimeColumn = (typeof DONE)[number] | (typeof HOLDS)[number];

/** Columns of times that entries and their earlier versions have; those that entries have besides. */
export const TIMES = ['updated_at', 'expires_at', 'valid_from', 'valid_to'] as const;
export const ENTRY_TIMES = ['created_at', 'deleted_at'] as const;

/** Whether it is a time in milliseconds since the epoch, of something that was done. */
export function isTimeOfDeed(value: unknown): value is number {
  return typeof value === 'number' && value >= 0 && value <= MAX_TIME_MS;
}

/** The columns of a row that should hold a time, or `null`, and hold something else. */
export function wrongTimes(row: Row): readonly TimeColumn[] {
  const isWrong = (column: TimeColumn, isRight: (value: unknown) => boolean): boolean =>
    row[column] !== undefined && row[column] !== null && !isRight(row[column]);
  return [
    ...DONE.filter((column) => isWrong(column, isTimeOfDeed)),
    ...HOLDS.filter((column) => isWrong(column, (value) => typeof value === 'number' && Math.abs(value) <= MAX_TIME_MS)),
  ];
}

/** Throws `DatabaseDamagedError` for a row of {@link wrongTimes}. */
export function checkTimes(row: Row): void {
  const [first] = wrongTimes(row);
  if (first === undefined) return;
  throw new DatabaseDamagedError(`the database is damaged: a ${first} in it is no time`, {
    hint: 'Mend it with skillflow memory doctor --repair.',
    details: { column: first },
  });
}
