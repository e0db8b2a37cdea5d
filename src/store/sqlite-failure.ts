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

/**
 * What the driver threw, as an error of ours, by SQLite's result code (source: sqlite.org/rescode.html).
 * A constraint becomes `ConflictError`, since it says that the write contradicts what is stored.
 */
export function sqliteFailure(thrown: unknown, path: string, sql: string): SkillflowError {
  if (thrown instanceof SkillflowError) return thrown;
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  const code = codeOf(thrown);
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
