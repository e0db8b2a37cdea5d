import { realpathSync, statSync, type Stats } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { ConflictError, NotFoundError, StorageError } from '../errors.ts';
import type { Runtime } from '../runtime.ts';
import { connect, type Connection } from './connection.ts';
import type { Database } from './database.ts';
import { makeFolder } from './folder.ts';
import { connectReadOnly, inspectFile } from './inspect-file.ts';
import { createLocalDatabase, retryWhileBusy } from './local-database.ts';
import { migrateTo, SCHEMA_VERSION } from './migration.ts';
import { damaged } from './sqlite-failure.ts';
import { storageError } from './storage-error.ts';

export interface OpenDatabaseOptions {
  readonly runtime: Runtime;
  /** Only read an existing file; default `false`. */
  readonly readOnly?: boolean;
  /** Encrypts a new database, and opens one that was made with it; at least 16 bytes. Default: not encrypted. */
  readonly key?: string | undefined;
}

function look(path: string): Stats | undefined {
  try {
    const stats = statSync(path, { throwIfNoEntry: false });
    if (stats !== undefined && !stats.isFile()) {
      throw new StorageError(`cannot open the database ${path}: it is not a file`, { hint: 'Give the path of a file.' });
    }
    return stats;
  } catch (error) {
    throw error instanceof StorageError ? error : storageError(error, 'open the database', path);
  }
}

function notFound(path: string): NotFoundError {
  return new NotFoundError(`there is no database at ${path}`, {
    hint: 'It is made by the first command that stores something; check the project folder.',
    details: { path },
  });
}

async function openReadOnly(path: string, stats: Stats | undefined, { runtime, key }: OpenDatabaseOptions): Promise<Database> {
  if (stats === undefined || stats.size === 0) throw notFound(path);
  const { version } = await inspectFile(path, key);
  if (version === 0) throw notFound(path); // begun, when the disk was full, and never made
  if (version < SCHEMA_VERSION) {
    throw new ConflictError(`${path} has schema version ${version}, older than ${SCHEMA_VERSION}, and is to be read only`, {
      hint: 'Open it once writable (any command that stores something), which brings it up to date.',
      details: { path, version, expected: SCHEMA_VERSION },
    });
  }
  return createLocalDatabase(await connectReadOnly(path, key), runtime, true);
}

/** Bytes of a page of a new database. Small writes touch a dozen pages, each of which goes to the log and to the disk. */
const PAGE_BYTES = 2048;
/** Pages in the log before they are moved into the file: each move waits for the disk, so far more than the default, 16 MB in all. */
const CHECKPOINT_PAGES = 8000;
/** KiB of pages kept in RAM; the default of 2,000 is too little for the scattered pages of the index over hashes. */
const CACHE_KIB = 4000;

/**
 * Throws `DatabaseDamagedError` for an empty file beside a log that is not: SQLite would take it for a new database and
 * throw the log away, with all that was committed to it.
 */
function checkNotEmptied(path: string, stats: Stats | undefined): void {
  if (stats?.size !== 0) return;
  const log = statSync(`${path}-wal`, { throwIfNoEntry: false })?.size ?? 0;
  if (log > 0) throw damaged(path, `it is empty, and its log beside it has ${log} bytes`);
}

/** Settings of a connection that writes. `NORMAL` syncs at checkpoints: a crash of the process loses nothing. */
async function configure(connection: Connection, runtime: Runtime): Promise<void> {
  await retryWhileBusy(runtime, () => connection.exec('PRAGMA journal_mode = WAL'));
  const mode = connection.get('PRAGMA journal_mode')?.['journal_mode'];
  if (mode !== 'wal') {
    runtime.log(
      'warn',
      `${connection.path} has no write-ahead log (journal mode ${String(mode)}): several processes will wait longer`,
    );
  }
  connection.exec('PRAGMA synchronous = NORMAL');
  connection.exec(`PRAGMA wal_autocheckpoint = ${CHECKPOINT_PAGES}`);
  connection.exec(`PRAGMA cache_size = -${CACHE_KIB}`);
  connection.exec('PRAGMA foreign_keys = ON');
  connection.exec('PRAGMA recursive_triggers = ON'); // else REPLACE deletes rows behind the triggers' back
}

/**
 * Opens a project's database file, and brings its schema up to date. When writable, the folder and the file are made
 * if they are absent; an empty file counts as a new one.
 *
 * Errors, each leaving an existing file as it was: `DatabaseDamagedError`, `ConflictError` (another program's database;
 * a plain one when a key is given; with `readOnly` also an older schema), `ForbiddenError` (encrypted, and the key is
 * missing or wrong), `InvalidInputError` (a short key), `SchemaTooNewError`, `StorageError` (the disk refuses),
 * `BusyError` (locked for 10 s), `NotFoundError` (`readOnly` and absent or empty), `UnavailableError` (no driver for this
 * platform).
 */
export async function openDatabase(path: string, options: OpenDatabaseOptions): Promise<Database> {
  const { runtime, readOnly = false, key } = options;
  const wanted = resolve(path);
  const stats = look(wanted);
  const real = stats === undefined ? wanted : realpathSync(wanted); // side files lie beside the file, not beside a link
  checkNotEmptied(real, stats);
  if (readOnly) return openReadOnly(real, stats, options);
  if (stats === undefined) {
    await makeFolder(dirname(real));
  } else if (stats.size > 0) {
    await inspectFile(real, key);
  }
  const connection = await connect(real, 'write', key);
  try {
    if (stats === undefined || stats.size === 0) connection.exec(`PRAGMA page_size = ${PAGE_BYTES}`);
    await configure(connection, runtime);
    const db = createLocalDatabase(connection, runtime, false);
    await migrateTo(db);
    return db;
  } catch (error) {
    connection.close();
    throw error;
  }
}
