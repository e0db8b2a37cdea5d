import { BusyError, ConflictError, DatabaseDamagedError, InternalError, InvalidInputError, SkillflowError } from '../errors.ts';
import { baseCode, codeOf, storageError } from './storage-error.ts';

/** The error for a file that cannot be read as a database; nothing has been written to it. */
export function damaged(path: string, reason: string, cause?: unknown): DatabaseDamagedError {
  return new DatabaseDamagedError(`the database ${path} is damaged: ${reason}`, {
    cause,
    hint: `Restore a backup of it, or move ${path} aside (with its -wal and -shm files) and start with an empty one; it was left as it is.`,
    details: { path },
  });
}

/** Kinds of failures by the low byte of SQLite's result code (source: sqlite.org/rescode.html). */
const KINDS: Readonly<Record<number, string>> = {
  3: 'SQLITE_PERM',
  5: 'SQLITE_BUSY',
  6: 'SQLITE_LOCKED',
  8: 'SQLITE_READONLY',
  10: 'SQLITE_IOERR',
  11: 'SQLITE_CORRUPT',
  13: 'SQLITE_FULL',
  14: 'SQLITE_CANTOPEN',
  18: 'SQLITE_TOOBIG',
  19: 'SQLITE_CONSTRAINT',
  26: 'SQLITE_NOTADB',
};

/** The driver does not know the names of all codes; of the others it gives the number. */
function sqliteCode(thrown: unknown): string {
  const code = codeOf(thrown);
  const number = /^UNKNOWN_SQLITE_ERROR_(\d+)$/.exec(code)?.[1];
  return number === undefined ? code : (KINDS[Number(number) & 0xff] ?? code);
}

/**
 * What the driver threw, as an error of ours, by SQLite's result code (source: sqlite.org/rescode.html).
 * A constraint becomes `ConflictError`, since it says that the write contradicts what is stored.
 */
export function sqliteFailure(thrown: unknown, path: string, sql: string): SkillflowError {
  if (thrown instanceof SkillflowError) return thrown;
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  const code = sqliteCode(thrown);
  switch (baseCode(code)) {
    case 'SQLITE_BUSY':
    case 'SQLITE_LOCKED':
      return new BusyError(`the database ${path} is locked by another process`, {
        cause: thrown,
        hint: 'Try again in a moment; if it stays locked, look for a Skillflow process that hangs.',
        details: { path, code },
      });
    case 'SQLITE_CORRUPT':
    case 'SQLITE_NOTADB':
      return damaged(path, message, thrown);
    case 'SQLITE_FULL':
    case 'SQLITE_READONLY':
    case 'SQLITE_IOERR':
    case 'SQLITE_CANTOPEN':
    case 'SQLITE_PERM':
      return storageError(thrown, 'use the database', path, code);
    case 'SQLITE_CONSTRAINT':
      return new ConflictError(message, {
        cause: thrown,
        hint: 'The write contradicts what is stored: look it up, then decide.',
        details: { code },
      });
    case 'SQLITE_TOOBIG':
      return new InvalidInputError(`a value is too large for the database: ${message}`, { cause: thrown });
    default:
      return new InternalError(`the database refused a statement: ${message}`, { cause: thrown, details: { path, sql, code } });
  }
}
