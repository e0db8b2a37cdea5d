import { realpathSync, statSync, type Stats } from 'node:fs';
import { resolve } from 'node:path';
import { ConflictError, DatabaseDamagedError, NotFoundError, StorageError } from '../errors.ts';
import type { Runtime } from '../runtime.ts';
import { connect, type Connection } from './connection.ts';
import { createDatabase } from './create-database.ts';
import type { Database } from './database.ts';
import { fileSize } from './file-size.ts';
import { connectReadOnly, inspectFile } from './inspect-file.ts';
import { createLocalDatabase, retryWhileBusy } from './local-database.ts';
import { migrateTo, SCHEMA_VERSION } from './migration.ts';
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

async function openReadOnly(path: string, version: number, { runtime, key }: OpenDatabaseOptions): Promise<Database> {
  if (version < SCHEMA_VERSION) {
    throw new ConflictError(`${path} has schema version ${version}, older than ${SCHEMA_VERSION}, and is to be read only`, {
      hint: 'Open it once writable (any command that stores something), which brings it up to date.',
      details: { path, version, expected: SCHEMA_VERSION },
    });
  }
  return createLocalDatabase(await connectReadOnly(path, key), runtime, true);
}

/** Pages in the log before they are moved into the file: each move waits for the disk, so far more than the default, 16 MB in all. */
const CHECKPOINT_PAGES = 8000;
/** KiB of pages kept in RAM; the default of 2,000 is too little for scattered pages, those of hashes and of what is searched. */
const CACHE_KIB = 8000;

function emptied(path: string, reason: string, remedy: string): DatabaseDamagedError {
  return new DatabaseDamagedError(`the database ${path} is damaged: ${reason}`, {
    hint: `Copy a backup to its place (see .skillflow/backups), or ${remedy} to begin anew; all was left as it is.`,
    details: { path },
  });
}

/**
 * Throws `DatabaseDamagedError` for what SQLite would take for a new database: a file without content, and a log whose
 * file is gone. A new database gets its name only when it has all its tables, so that none of these is one.
 */
function checkNotEmptied(path: string, stats: Stats | undefined): void {
  if (stats !== undefined && stats.size > 0) return;
  const log = fileSize(`${path}-wal`);
  const beside = log === 0 ? '' : `, and its log beside it has ${log} bytes`;
  const all = 'move all of it aside (with its -wal and -shm files)';
  if (stats !== undefined) throw emptied(path, `it is empty${beside}`, log === 0 ? 'remove it' : all);
  if (log > 0 && look(path) === undefined) throw emptied(path, `it is gone${beside}`, all); // else made in this moment
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

async function openWritable(path: string, { runtime, key }: OpenDatabaseOptions): Promise<Database> {
  const connection = await connect(path, 'write', key);
  try {
    await configure(connection, runtime);
    const db = createLocalDatabase(connection, runtime, false);
    await migrateTo(db);
    return db;
  } catch (error) {
    connection.close();
    throw error;
  }
}

/**
 * Opens a project's database file, and brings its schema up to date. When writable, the folder and the file are made
 * if they are absent.
 *
 * Errors, each leaving an existing file as it was: `DatabaseDamagedError` (also an empty file, one without tables, a log
 * that cannot be read to its end), `ConflictError` (another program's database;
 * a plain one when a key is given; with `readOnly` also an older schema), `ForbiddenError` (encrypted, and the key is
 * missing or wrong), `InvalidInputError` (a short key), `SchemaTooNewError`, `StorageError` (the disk refuses),
 * `BusyError` (locked for 10 s), `NotFoundError` (`readOnly` and absent), `UnavailableError` (no driver for this
 * platform).
 */
export async function openDatabase(path: string, options: OpenDatabaseOptions): Promise<Database> {
  const { runtime, readOnly = false, key } = options;
  const wanted = resolve(path);
  const stats = look(wanted);
  const real = stats === undefined ? wanted : realpathSync(wanted); // side files lie beside the file, not beside a link
  checkNotEmptied(real, stats);
  if (stats === undefined) {
    if (readOnly) throw notFound(real);
    await createDatabase(real, runtime, key);
  }
  const { version } = await inspectFile(real, runtime, key);
  if (version === 0) throw emptied(real, 'it has no tables', 'remove it');
  return readOnly ? openReadOnly(real, version, options) : openWritable(real, options);
}
