import { open } from 'node:fs/promises';
import { dirname } from 'node:path';
import { StorageError } from '../errors.ts';
import type { Runtime } from '../runtime.ts';
import { placeFile } from './atomic-file.ts';
import { connect } from './connection.ts';
import { createLocalDatabase } from './local-database.ts';
import { migrateTo } from './migration.ts';
import { storageError } from './storage-error.ts';
import { withTemporary } from './temporary.ts';

/** Bytes of a page of a new database. Small writes touch a dozen pages, each of which goes to the log and to the disk. */
const PAGE_BYTES = 2048;

/**
 * Makes the tables, and says in the file that it has a log. The log is not used yet, since it would have the name of the
 * temporary file: the connection that prepares statements lives until they are collected as garbage, and with it the log's
 * index, which later connections of this process would share. The second one prepares none, and is closed at once.
 */
async function build(path: string, runtime: Runtime, key: string | undefined): Promise<void> {
  const connection = await connect(path, 'write', key);
  try {
    connection.exec(`PRAGMA page_size = ${PAGE_BYTES}`);
    connection.exec('PRAGMA journal_mode = MEMORY'); // what is not finished is removed, and what is is synced as a whole
    connection.exec('PRAGMA synchronous = OFF');
    await migrateTo(createLocalDatabase(connection, runtime, false));
  } finally {
    connection.close();
  }
  const last = await connect(path, 'write', key);
  try {
    last.exec('PRAGMA synchronous = OFF');
    last.exec('PRAGMA journal_mode = WAL');
  } finally {
    last.close();
  }
}

async function sync(path: string): Promise<void> {
  const file = await open(path, 'r+');
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}

/** An error about the temporary file, as one about the file that it is to be. */
function renamed(error: unknown, temporary: string, path: string): unknown {
  if (!(error instanceof StorageError)) return error;
  const { message, hint, details, cause } = error;
  return new StorageError(message.replaceAll(temporary, path), { hint, details: { ...details, path }, cause });
}

/**
 * Makes a new database with all its tables: the file has its name when it is whole and on the disk, never before. Where
 * another process is quicker, it is theirs. The folder is made where it is absent.
 * Errors, which leave nothing behind: `StorageError`, `InvalidInputError` (a short key), `UnavailableError`.
 */
export async function createDatabase(path: string, runtime: Runtime, key: string | undefined): Promise<void> {
  await withTemporary(dirname(path), runtime, async (temporary) => {
    try {
      await build(temporary, runtime, key);
      await sync(temporary).catch((error: unknown) => {
        throw storageError(error, 'write', temporary);
      });
    } catch (error) {
      throw renamed(error, temporary, path);
    }
    await placeFile(temporary, path);
  });
}
