import type LibsqlPromise from 'libsql/promise';
import { UnavailableError } from '../errors.ts';
import { location, settings, toRow, type OpenMode } from './connection.ts';
import type { Row, SqlValue } from './database.ts';
import { parameter } from './parameter.ts';
import { sqliteFailure } from './sqlite-failure.ts';

async function promises(): Promise<typeof LibsqlPromise> {
  try {
    return (await import('libsql/promise')).default;
  } catch (error) {
    throw new UnavailableError(
      `the database driver cannot be loaded: ${error instanceof Error ? error.message : String(error)}`,
      { cause: error, hint: 'Reinstall Skillflow with its optional dependencies (npm install --include=optional).' },
    );
  }
}

/** A database file, and how to open it. */
export interface ApartFile {
  readonly path: string;
  readonly mode: OpenMode;
  readonly key: string | undefined;
}

/**
 * Runs one statement on a connection of its own, on a thread of the driver: for what reads or writes a whole file
 * (VACUUM, `PRAGMA integrity_check`) and would keep everything else of this process waiting. Errors as `Connection`.
 * @returns the rows of a statement that has rows
 */
export async function runApart(
  { path, mode, key }: ApartFile,
  sql: string,
  params: readonly SqlValue[] = [],
): Promise<readonly Row[]> {
  const Native = await promises();
  try {
    const native = new Native(location(path, mode), settings(key));
    try {
      const statement = await native.prepare(sql);
      const rows: readonly unknown[] = await statement.all(params.map(parameter));
      return rows.map(toRow);
    } finally {
      native.close();
    }
  } catch (error) {
    throw sqliteFailure(error, path, sql);
  }
}
