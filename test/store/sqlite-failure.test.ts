import { expect, test } from 'vitest';
import { BusyError, DatabaseDamagedError, InternalError, StorageError } from '../../src/errors.ts';
import { isIndexDamage, sqliteFailure } from '../../src/store/sqlite-failure.ts';

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

test('damage of the full-text index alone is told apart, with what mends it', () => {
  const malformed = 'database disk image is malformed';
  const cases: readonly (readonly [string, string, string, boolean])[] = [
    ['SQLITE_CORRUPT_VTAB', malformed, 'INSERT INTO memory_entry', true],
    ['UNKNOWN_SQLITE_ERROR_267', malformed, 'INSERT INTO memory_entry', true],
    ['SQLITE_CORRUPT', malformed, 'SELECT rowid FROM memory_fts WHERE memory_fts MATCH ?', true],
    ['SQLITE_CORRUPT', malformed, 'SELECT value FROM memory_entry', false],
    ['SQLITE_ERROR', 'vtable constructor failed: memory_fts', 'PRAGMA integrity_check', true],
    ['SQLITE_ERROR', "invalid fts5 file format (found 0, expected 4 or 5) - run 'rebuild'", 'UPDATE memory_entry', true],
    ['SQLITE_ERROR', 'no such table: main.memory_fts', 'INSERT INTO memory_entry', true],
    ['SQLITE_ERROR', 'SQL logic error', 'INSERT INTO memory_entry', true],
    ['SQLITE_ERROR', 'SQL logic error', 'INSERT INTO run', false],
    ['SQLITE_ERROR', 'no such column: x', 'SELECT x FROM run', false],
    ['SQLITE_ERROR', 'fts5: syntax error near ""', 'SELECT 1 FROM memory_fts', false],
    ['SQLITE_ERROR', 'no such table: chg', 'SELECT seq FROM chg', false],
  ];
  for (const [code, message, sql, isIndex] of cases) {
    const error = sqliteFailure(Object.assign(new Error(message), { code }), '/db', sql);
    expect(isIndexDamage(error), `${code} ${message} ${sql}`).toBe(isIndex);
    const helps = error.hint?.includes('skillflow memory doctor --repair') === true;
    expect(helps, message).toBe(isIndex || message.startsWith('no such table'));
  }
  const remote = sqliteFailure(thrown('SQLITE_CORRUPT_VTAB'), 'https://example.org', 'SELECT 1');
  expect(remote.hint).not.toContain('--repair'); // it has no backup that could be made first
});

test('a search that met damage which may be of the entries does not call them intact', () => {
  const sql = 'SELECT m.id FROM memory_fts CROSS JOIN memory_entry m ON m.id = memory_fts.rowid';
  const error = sqliteFailure(thrown('SQLITE_CORRUPT'), '/db', sql);
  expect(error).toBeInstanceOf(DatabaseDamagedError);
  expect(isIndexDamage(error)).toBe(false);
  expect(error.message).not.toContain('intact');
  expect(error.hint).toMatch(/doctor --repair.*restore a backup/);
});

test('a missing table is damage', () => {
  const missing = Object.assign(new Error('no such table: main.chg'), { code: 'SQLITE_ERROR' });
  expect(sqliteFailure(missing, '/db', 'SELECT 1')).toBeInstanceOf(DatabaseDamagedError);
});

test('what a statement does not name, and is missing, is asked for by a damaged trigger', () => {
  const says = (message: string): Error => Object.assign(new Error(message), { code: 'SQLITE_ERROR' });
  for (const message of ['no such function: coalescm', 'no such column: neu.id']) {
    const error = sqliteFailure(says(message), '/db', 'UPDATE memory_entry SET value = ?');
    expect(error).toBeInstanceOf(DatabaseDamagedError);
    expect(error.hint).toContain('doctor --repair');
    expect(isIndexDamage(error)).toBe(false);
  }
  expect(sqliteFailure(says('no such column: x'), '/db', 'SELECT x FROM run')).toBeInstanceOf(InternalError);
});
