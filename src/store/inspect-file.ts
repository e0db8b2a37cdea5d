import { closeSync, openSync, readSync, statSync } from 'node:fs';
import { StorageError } from '../errors.ts';
import { connect, type Connection } from './connection.ts';
import { checkIdentity, IDENTITY_SQL, type Identity } from './migration.ts';
import { numberOf, textOf } from './row.ts';
import { damaged } from './sqlite-failure.ts';
import { codeOf, storageError } from './storage-error.ts';

const HEADER_BYTES = 100;
const MAGIC = 'SQLite format 3\0';
/**
 * Largest file whose pages are all checked at every open. The check reads the whole file, about 10 ms a megabyte, and
 * opening must stay cheap; damage in a larger file shows itself as `DatabaseDamagedError` at the query that meets it,
 * and `Database.integrity` checks it all on demand.
 */
const CHECKED_BYTES = 1024 * 1024;

function size(path: string): number {
  try {
    return statSync(path, { throwIfNoEntry: false })?.size ?? 0;
  } catch (error) {
    if (codeOf(error) === 'ENOTDIR') return 0;
    throw storageError(error, 'open the database', path);
  }
}

function exists(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false }) !== undefined;
}

/** The start of a file; shorter than asked for when the file is. */
function head(path: string, bytes: number): Buffer {
  try {
    const file = openSync(path, 'r');
    try {
      const buffer = Buffer.alloc(bytes);
      return buffer.subarray(0, readSync(file, buffer, 0, bytes, 0));
    } finally {
      closeSync(file);
    }
  } catch (error) {
    throw storageError(error, 'open the database', path);
  }
}

/**
 * Checks the file's header without SQLite, which takes files of less than a page for empty ones (source of the
 * offsets: sqlite.org/fileformat2.html#the_database_header).
 */
function checkHeader(path: string): void {
  const header = head(path, HEADER_BYTES);
  if (header.length < HEADER_BYTES) throw damaged(path, `it has ${header.length} bytes, less than the header of a database`);
  if (header.toString('latin1', 0, 16) !== MAGIC) throw damaged(path, 'it does not start as an SQLite database does');
  const pageSize = header.readUInt16BE(16) === 1 ? 65_536 : header.readUInt16BE(16);
  const sizeIsValid = header.readUInt32BE(24) === header.readUInt32BE(92);
  const expected = pageSize * header.readUInt32BE(28);
  // With a log the file may still be shorter than its header says. The log is looked at after the header was read and
  // before the size is: if it is empty now, whatever was being moved from it into the file has arrived.
  if (!sizeIsValid || size(`${path}-wal`) > 0 || size(`${path}-journal`) > 0) return;
  const actual = size(path);
  if (actual < expected) throw damaged(path, `it was cut off: it has ${actual} bytes of ${expected}`);
}

function readIdentity(connection: Connection): Identity {
  const row = connection.get(IDENTITY_SQL) ?? {};
  return {
    applicationId: numberOf(row, 'applicationId'),
    version: numberOf(row, 'version'),
    objects: numberOf(row, 'objects'),
  };
}

/**
 * A lasting connection that does not write to the file. In a folder that cannot be written to, SQLite cannot make the
 * side files it needs; with an empty log the file alone is whole, and is read without them.
 */
export async function connectReadOnly(path: string): Promise<Connection> {
  const connection = await connect(path, 'read');
  try {
    connection.get(IDENTITY_SQL);
    return connection;
  } catch (error) {
    connection.close();
    if (!(error instanceof StorageError) || size(`${path}-wal`) > 0) throw error;
  }
  return connect(path, 'frozen');
}

function examine(connection: Connection): Identity {
  const { path } = connection;
  try {
    const identity = readIdentity(connection);
    checkIdentity(path, identity);
    if (size(path) <= CHECKED_BYTES) {
      const verdict = connection.all('PRAGMA quick_check(1)').map((row) => textOf(row, 'quick_check'));
      if (verdict[0] !== 'ok') throw damaged(path, verdict.join('; '));
    }
    return identity;
  } finally {
    connection.close();
  }
}

/**
 * Looks at an existing, non-empty file before it is opened for use, without changing a byte of it.
 * Errors: `DatabaseDamagedError`, `ConflictError` for another program's database, `SchemaTooNewError`, `StorageError`.
 * @returns what the file says of itself
 */
export async function inspectFile(path: string): Promise<Identity> {
  checkHeader(path);
  // Without a -shm file nobody has the database open: it can be read without locks, and no side files stay behind.
  const nobodyElse = (): boolean => !exists(`${path}-shm`) && size(`${path}-wal`) === 0;
  if (nobodyElse()) {
    try {
      return examine(await connect(path, 'frozen'));
    } catch (error) {
      if (nobodyElse()) throw error; // else somebody came in between and changed the file under our eyes: look again
    }
  }
  return examine(await connectReadOnly(path));
}
