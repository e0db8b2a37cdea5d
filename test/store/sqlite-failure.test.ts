import { expect, test } from 'vitest';
import { BusyError, DatabaseDamagedError, InternalError, StorageError } from '../../src/errors.ts';
import { sqliteFailure } from '../../src/store/sqlite-failure.ts';

const thrown = (code: string): Error => Object.assign(new Error('refused'), { code });

test('a code that the driver has no name for is told by its kind', () => {
  const kinds = [
    ['UNKNOWN_SQLITE_ERROR_1544', StorageError], // SQLITE_READONLY_DIRECTORY
    ['UNKNOWN_SQLITE_ERROR_13', StorageError],
    ['UNKNOWN_SQLITE_ERROR_261', BusyError], // SQLITE_BUSY_RECOVERY
    ['UNKNOWN_SQLITE_ERROR_779', DatabaseDamagedError], // SQLITE_CORRUPT_INDEX
    ['UNKNOWN_SQLITE_ERROR_21', InternalError], // SQLITE_MISUSE
    ['SQLITE_IOERR_WRITE', StorageError],
    ['', InternalError],
  ] as const;
  for (const [code, kind] of kinds) expect(sqliteFailure(thrown(code), '/db', 'SELECT 1'), code).toBeInstanceOf(kind);
  expect(sqliteFailure(thrown('UNKNOWN_SQLITE_ERROR_1544'), '/db', 'SELECT 1').hint).toContain('read-only');
});
