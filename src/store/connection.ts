import { pathToFileURL } from 'node:url';
import { types } from 'node:util';
import type Libsql from 'libsql';
import { InternalError, UnavailableError } from '../errors.ts';
import type { Row, SqlValue } from './database.ts';
import { parameter } from './parameter.ts';
import { sqliteFailure } from './sqlite-failure.ts';
import { storageError } from './storage-error.ts';

/** Milliseconds that one statement waits for a lock inside the driver; longer waits happen outside, without blocking. */
const LOCK_WAIT_MS = 250;
/** Prepared statements kept; the queries of one process are far fewer. */
const MAX_STATEMENTS = 256;

/**
 * One synchronous connection to a database file, with the driver's traps covered. Statements throw the errors of
 * `sqliteFailure`.
 *
 * A prepared statement that writes must only run inside a transaction that `exec` began: when the lock is busy the
 * driver leaves such a statement half open, and from then on the connection reports writes that it never commits.
 * `exec` finalizes its statement, so a busy BEGIN leaves nothing behind.
 */
export interface Connection {
  readonly path: string;
  /** Runs one statement without parameters or rows. */
  exec(sql: string): void;
  all(sql: string, params?: readonly SqlValue[]): readonly Row[];
  get(sql: string, params?: readonly SqlValue[]): Row | undefined;
  run(sql: string, params?: readonly SqlValue[]): { readonly changes: number; readonly lastId: number };
  inTransaction(): boolean;
  /** Releases the file; the driver crashes on use after this, so nothing may follow. */
  close(): void;
}

/**
 * How the file is opened: `write` creates it when it is absent; `read` never writes to it, but may create its `-wal`
 * and `-shm` files; `frozen` reads without locks and side files, right only while nobody writes.
 */
export type OpenMode = 'write' | 'read' | 'frozen';

async function driver(): Promise<typeof Libsql> {
  try {
    return (await import('libsql')).default;
  } catch (error) {
    throw new UnavailableError(
      `the database driver cannot be loaded: ${error instanceof Error ? error.message : String(error)}`,
      {
        cause: error,
        hint: 'Reinstall Skillflow with its optional dependencies (npm install --include=optional) on a platform that libsql supports.',
      },
    );
  }
}

function location(path: string, mode: OpenMode): string {
  if (mode === 'write') return path;
  return `${pathToFileURL(path).href}?mode=ro${mode === 'frozen' ? '&immutable=1' : ''}`;
}

function column(value: unknown): SqlValue {
  if (typeof value === 'string' || typeof value === 'number' || typeof value === 'bigint' || value === null) return value;
  if (types.isUint8Array(value)) return new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
  if (types.isArrayBuffer(value)) return new Uint8Array(value);
  throw new InternalError(`the database driver returned a column of type ${typeof value}`);
}

function toRow(raw: unknown): Row {
  if (typeof raw !== 'object' || raw === null) throw new InternalError('the database driver returned a row that is no object');
  const row: Record<string, SqlValue> = {};
  for (const [name, value] of Object.entries(raw)) {
    if (name !== '_metadata') row[name] = column(value); // the driver adds it to single rows
  }
  return row;
}

function statements(native: Libsql.Database): (sql: string) => Libsql.Statement {
  const cache = new Map<string, Libsql.Statement>();
  return (sql) => {
    const known = cache.get(sql);
    if (known !== undefined) return known;
    const statement = native.prepare(sql);
    const oldest = cache.keys().next();
    if (cache.size >= MAX_STATEMENTS && oldest.done !== true) cache.delete(oldest.value);
    cache.set(sql, statement);
    return statement;
  };
}

function wrap(native: Libsql.Database, path: string): Connection {
  const prepare = statements(native);
  const guarded = <T>(sql: string, params: readonly SqlValue[], work: (bound: SqlValue[]) => T): T => {
    try {
      return work(params.map(parameter)); // always one array: the driver aborts the process on a lone Buffer
    } catch (error) {
      throw sqliteFailure(error, path, sql);
    }
  };
  const all: Connection['all'] = (sql, params = []) => guarded(sql, params, (bound) => prepare(sql).all(bound).map(toRow));
  return {
    path,
    exec: (sql) => guarded(sql, [], () => void native.exec(sql)),
    all,
    get: (sql, params = []) =>
      guarded(sql, params, (bound) => {
        const row = prepare(sql).get(bound);
        return row === undefined ? undefined : toRow(row);
      }),
    run: (sql, params = []) =>
      guarded(sql, params, (bound) => {
        const statement = prepare(sql);
        if (!statement.reader) {
          const { changes, lastInsertRowid } = statement.run(bound);
          return { changes, lastId: Number(lastInsertRowid) };
        }
        statement.all(bound); // `run` of a statement with rows stops at the first, and holds the lock
        const counts = prepare('SELECT changes() AS changes, last_insert_rowid() AS lastId').all([]).map(toRow)[0];
        return { changes: Number(counts?.['changes']), lastId: Number(counts?.['lastId']) };
      }),
    inTransaction: () => native.inTransaction,
    close: () => void native.close(),
  };
}

/**
 * Opens a database file. Errors: `UnavailableError` without a driver for this platform, `StorageError` when the file
 * cannot be opened. A file that is no database is only noticed by the first statement.
 */
export async function connect(path: string, mode: OpenMode): Promise<Connection> {
  const Native = await driver();
  try {
    return wrap(new Native(location(path, mode), { timeout: LOCK_WAIT_MS }), path);
  } catch (error) {
    throw storageError(error, 'open the database', path, 'SQLITE_CANTOPEN');
  }
}
