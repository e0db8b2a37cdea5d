import { statSync } from 'node:fs';
import { ConflictError, DatabaseDamagedError, ForbiddenError, StorageError } from '../errors.ts';
import type { Runtime } from '../runtime.ts';
import { checkLog } from './check-log.ts';
import { checkPages } from './check-pages.ts';
import { connect, type Connection } from './connection.ts';
import { fileHead } from './file-head.ts';
import { fileSize } from './file-size.ts';
import { checkIdentity, IDENTITY_SQL, type Identity } from './migration.ts';
import { numberOf, textBytes, textOf } from './row.ts';
import { damaged } from './sqlite-failure.ts';
import { baseCode, codeOf } from './storage-error.ts';

const HEADER_BYTES = 100;
const MAGIC = 'SQLite format 3\0';
const MIN_PAGE_BYTES = 512;
const NEWEST_SCHEMA_FORMAT = 4;
/**
 * Largest file whose pages are all checked at every open. The check reads the whole file, about 10 ms a megabyte, and
 * opening must stay cheap; damage in a larger file shows itself as `DatabaseDamagedError` at the query that meets it,
 * and `Database.integrity` checks it all on demand.
 */
const CHECKED_BYTES = 1024 * 1024;

function exists(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false }) !== undefined;
}

/** The part of an encrypted database's header that is not encrypted: page size, file formats, payload fractions. */
function looksEncrypted(header: Buffer): boolean {
  const pageSize = pageSizeOf(header);
  const formats = [header[18], header[19]].every((format) => format === 1 || format === 2);
  const fractions = header[21] === 64 && header[22] === 32 && header[23] === 32;
  return pageSize >= MIN_PAGE_BYTES && (pageSize & (pageSize - 1)) === 0 && formats && fractions;
}

function pageSizeOf(header: Buffer): number {
  return header.readUInt16BE(16) === 1 ? 65_536 : header.readUInt16BE(16);
}

/**
 * What the start of a file says it is, without a key and without SQLite.
 * @returns `other` for what is neither, and for a file that is shorter than a header or absent
 * Errors: `StorageError`.
 */
export function fileKind(path: string): 'plain' | 'encrypted' | 'other' {
  if (fileSize(path) < HEADER_BYTES) return 'other';
  const header = fileHead(path, HEADER_BYTES);
  if (header.toString('latin1', 0, 16) === MAGIC) return 'plain';
  return header.length === HEADER_BYTES && looksEncrypted(header) ? 'encrypted' : 'other';
}

function keyRefused(path: string, problem: string, cause?: unknown): ForbiddenError {
  return new ForbiddenError(`the database ${path} is encrypted${problem}`, {
    cause,
    hint: 'Set SKILLFLOW_DB_KEY to the key it was made with; the file was left as it is.',
    details: { path },
  });
}

function notEncrypted(path: string): ConflictError {
  return new ConflictError(`the database ${path} is not encrypted, and a database key is set`, {
    hint: `Unset SKILLFLOW_DB_KEY to use it as it is. To encrypt it, move it aside, then restore it with the key set: that fills a new, encrypted one.`,
    details: { path },
  });
}

/**
 * Checks the file's header without SQLite, which takes files of less than a page for empty ones (source of the
 * offsets: sqlite.org/fileformat2.html#the_database_header).
 */
function checkHeader(path: string, key: string | undefined): void {
  const header = fileHead(path, HEADER_BYTES);
  if (header.length < HEADER_BYTES) throw damaged(path, `it has ${header.length} bytes, less than the header of a database`);
  const pageSize = pageSizeOf(header);
  if (header.toString('latin1', 0, 16) !== MAGIC) {
    if (!looksEncrypted(header)) throw damaged(path, 'it does not start as an SQLite database does');
    if (key === undefined) throw keyRefused(path, ', and no key is set');
    const bytes = fileSize(path); // SQLite checks the rest once it has decrypted the first page
    if (bytes < pageSize) throw damaged(path, `it was cut off: it has ${bytes} bytes, less than a page`);
    return;
  }
  if (key !== undefined) throw notEncrypted(path);
  if (header.readUInt32BE(44) > NEWEST_SCHEMA_FORMAT) throw damaged(path, 'its header names a schema format that there is not');
  const sizeIsValid = header.readUInt32BE(24) === header.readUInt32BE(92);
  const expected = pageSize * header.readUInt32BE(28);
  // With a log the file may still be shorter than its header says. The log is looked at after the header was read and
  // before the size is: if it is empty now, whatever was being moved from it into the file has arrived.
  if (!sizeIsValid || fileSize(`${path}-wal`) > 0 || fileSize(`${path}-journal`) > 0) return;
  const actual = fileSize(path);
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
export async function connectReadOnly(path: string, key?: string): Promise<Connection> {
  const connection = await connect(path, 'read', key);
  try {
    connection.get(IDENTITY_SQL);
    return connection;
  } catch (error) {
    connection.close();
    if (!(error instanceof StorageError) || fileSize(`${path}-wal`) > 0) throw error;
  }
  return connect(path, 'frozen', key);
}

/** A schema that is no text: the driver ends the process when it tells what the columns of a statement are. */
function checkSchema(connection: Connection): void {
  const sql = `SELECT ${textBytes("type || ' ' || name || ' ' || tbl_name || ' ' || coalesce(sql, '')")} AS line FROM sqlite_schema`;
  const lines = connection.all(sql);
  try {
    for (const row of lines) textOf(row, 'line');
  } catch (error) {
    throw damaged(connection.path, 'its schema is no text', error);
  }
}

/** A broken full-text index does not count: entries can be read without it, and it can be made anew. */
async function examine(connection: Connection): Promise<Identity> {
  const { path } = connection;
  try {
    const identity = readIdentity(connection);
    checkIdentity(path, identity);
    checkSchema(connection);
    if (fileSize(path) <= CHECKED_BYTES) {
      const { damage } = await checkPages('quick_check', async (sql, params) => connection.all(sql, params));
      if (damage[0] !== undefined) throw damaged(path, damage[0]);
    }
    return identity;
  } finally {
    connection.close();
  }
}

/** A wrong key and a garbled first page look alike: neither can be told from the other. */
async function examineWith(path: string, key: string | undefined, open: Promise<Connection>): Promise<Identity> {
  try {
    return await examine(await open);
  } catch (error) {
    if (key === undefined || !(error instanceof DatabaseDamagedError) || !isNotDatabase(error.cause)) throw error;
    throw keyRefused(path, ' with another key (or its first page is damaged)', error);
  }
}

function isNotDatabase(thrown: unknown): boolean {
  return baseCode(codeOf(thrown)) === 'SQLITE_NOTADB';
}

/**
 * Whether nobody has a database open: without a `-shm` file and with an empty log it can be read without locks, and no
 * side files stay behind.
 */
export function isAtRest(path: string): boolean {
  return !exists(`${path}-shm`) && fileSize(`${path}-wal`) === 0;
}

/** Changes when the file does. */
function stamp(path: string): string {
  const stats = statSync(path, { bigint: true, throwIfNoEntry: false });
  return stats === undefined ? '' : `${stats.ino} ${stats.size} ${stats.mtimeNs}`;
}

/**
 * Looks at an existing file, and at the log beside it, before it is opened for use, without changing a byte of it.
 * Errors: `DatabaseDamagedError`, `ConflictError` for another program's database and for a plain one when there is a key,
 * `ForbiddenError` for an encrypted one without its key, `SchemaTooNewError`, `StorageError`.
 * @returns what the file says of itself
 */
export async function inspectFile(path: string, runtime: Runtime, key?: string): Promise<Identity> {
  checkHeader(path, key);
  await checkLog(path, runtime);
  if (isAtRest(path)) {
    const before = stamp(path);
    try {
      return await examineWith(path, key, connect(path, 'frozen', key));
    } catch (error) {
      // Else somebody came in between, and may have left again, and changed the file under our eyes: look again.
      if (isAtRest(path) && stamp(path) === before) throw error;
    }
  }
  return examineWith(path, key, connectReadOnly(path, key));
}
