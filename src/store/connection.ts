import { pathToFileURL } from 'node:url';
import { types } from 'node:util';
import type Libsql from 'libsql';
import { InternalError, UnavailableError } from '../errors.ts';
import type { Row, SqlValue } from './database.ts';
import { encryptionKey } from './encryption-key.ts';
import { parameter } from './parameter.ts';
import { sqliteFailure } from './sqlite-failure.ts';
import { storageError } from './storage-error.ts';

/** Milliseconds that one statement waits for a lock inside the driver; longer waits happen outside, without blocking. */
const LOCK_WAIT_MS = 250;
/** Prepared statements kept; the queries of one process are far fewer. */
const MAX_STATEMENTS = 256;
const DATA_VERSION = 'PRAGMA data_version';
const NO_PARAMETERS: SqlValue[] = [];

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
  /** `PRAGMA data_version`: another number when another connection has committed. */
  dataVersion(): number;
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

/** A file's path as the driver understands it. */
export function location(path: string, mode: OpenMode): string {
  if (mode === 'write') return path;
  return `${pathToFileURL(path).href}?mode=ro${mode === 'frozen' ? '&immutable=1' : ''}`;
}

function column(value: unknown): SqlValue {
  if (typeof value === 'string' || typeof value === 'number' || typeof value === 'bigint' || value === null) return value;
  if (types.isUint8Array(value)) return new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
  if (types.isArrayBuffer(value)) return new Uint8Array(value);
  throw new InternalError(`the database driver returned a column of type ${typeof value}`);
}

/** A row of the driver as one of ours. */
export function toRow(raw: unknown): Row {
  if (typeof raw !== 'object' || raw === null) throw new InternalError('the database driver returned a row that is no object');
  const row: Record<string, SqlValue> = {};
  for (const [name, value] of Object.entries(raw)) {
    if (name !== '_metadata') row[name] = column(value); // the driver adds it to single rows
  }
  return row;
}

/** A statement that gives its rows as lists. */
interface Prepared {
  readonly statement: Libsql.Statement;
  /** Names of the columns; empty when it returns no rows. */
  readonly names: readonly string[];
}

function prepared(native: Libsql.Database, sql: string): Prepared {
  const statement = native.prepare(sql);
  if (!statement.reader) return { statement, names: [] };
  const names = statement.columns().map(({ name }) => name);
  statement.raw(true); // half the time of objects, to which the driver also adds what is no column
  return { statement, names };
}

function statements(native: Libsql.Database): (sql: string) => Prepared {
  const cache = new Map<string, Prepared>();
  return (sql) => {
    const known = cache.get(sql);
    if (known !== undefined) return known;
    const made = prepared(native, sql);
    const oldest = cache.keys().next();
    if (cache.size >= MAX_STATEMENTS && oldest.done !== true) cache.delete(oldest.value);
    cache.set(sql, made);
    return made;
  };
}

/** A list of the driver as a row. */
function fromList({ statement, names }: Prepared, values: unknown): Row {
  if (!Array.isArray(values)) throw new InternalError('the database driver returned a row that is no list');
  // `SELECT *` has other columns once its table has changed.
  const known = values.length === names.length ? names : statement.columns().map(({ name }) => name);
  const row: Record<string, SqlValue> = {};
  for (let at = 0; at < values.length; at += 1) row[known[at] ?? ''] = column(values[at]);
  return row;
}

function wrap(native: Libsql.Database, path: string): Connection {
  const prepare = statements(native);
  let versionStatement: Libsql.Statement | undefined;
  const guarded = <T>(sql: string, params: readonly SqlValue[], work: (bound: SqlValue[]) => T): T => {
    try {
      return work(params.map(parameter)); // always one array: the driver aborts the process on a lone Buffer
    } catch (error) {
      throw sqliteFailure(error, path, sql);
    }
  };
  const all: Connection['all'] = (sql, params = []) =>
    guarded(sql, params, (bound) => {
      const found = prepare(sql);
      return found.statement.all(bound).map((values) => fromList(found, values));
    });
  return {
    path,
    exec: (sql) => guarded(sql, [], () => void native.exec(sql)),
    all,
    get: (sql, params = []) =>
      guarded(sql, params, (bound) => {
        const found = prepare(sql);
        const values: unknown = found.statement.get(bound);
        return values === undefined ? undefined : fromList(found, values);
      }),
    run: (sql, params = []) =>
      guarded(sql, params, (bound) => {
        const { statement, names } = prepare(sql);
        if (names.length === 0) {
          const { changes, lastInsertRowid } = statement.run(bound);
          return { changes, lastId: Number(lastInsertRowid) };
        }
        statement.all(bound); // `run` of a statement with rows stops at the first, and holds the lock
        const [counts] = all('SELECT changes() AS changes, last_insert_rowid() AS lastId');
        return { changes: Number(counts?.['changes']), lastId: Number(counts?.['lastId']) };
      }),
    dataVersion: () => {
      try {
        versionStatement ??= native.prepare(DATA_VERSION).raw(true);
        const values: unknown = versionStatement.get(NO_PARAMETERS);
        return Array.isArray(values) ? Number(values[0]) : NaN;
      } catch (error) {
        throw sqliteFailure(error, path, DATA_VERSION);
      }
    },
    inTransaction: () => native.inTransaction,
    close: () => void native.close(),
  };
}

/** How the driver opens a file, with its key when it is encrypted. */
export function settings(key: string | undefined): {
  readonly timeout: number;
  readonly encryptionKey?: string;
  readonly encryptionCipher?: 'aes256cbc';
} {
  if (key === undefined) return { timeout: LOCK_WAIT_MS };
  return { timeout: LOCK_WAIT_MS, encryptionKey: encryptionKey(key), encryptionCipher: 'aes256cbc' };
}

/**
 * Opens a database file, an encrypted one with its key. Errors: `UnavailableError` without a driver for this platform,
 * `StorageError` when the file cannot be opened. A file that is no database, or another key's, is only noticed by the
 * first statement.
 */
export async function connect(path: string, mode: OpenMode, key?: string): Promise<Connection> {
  const Native = await driver();
  const options = settings(key);
  try {
    return wrap(new Native(location(path, mode), options), path);
  } catch (error) {
    throw storageError(error, 'open the database', path, 'SQLITE_CANTOPEN');
  }
}

/**
 * Closes a connection that may have a read transaction open. The transaction is ended first: the driver keeps what is
 * closed until its statements are collected as garbage, and until then a transaction would keep the log from shrinking.
 */
export function endReading(connection: Connection): void {
  if (connection.inTransaction()) connection.exec('ROLLBACK');
  connection.close();
}
