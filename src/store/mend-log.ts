import { constants, existsSync, unlinkSync } from 'node:fs';
import { copyFile, mkdir, realpath } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { BusyError, DatabaseDamagedError } from '../errors.ts';
import type { Runtime } from '../runtime.ts';
import { checkPages } from './check-pages.ts';
import { connect } from './connection.ts';
import { makeFolder } from './folder.ts';
import { readLogIndex } from './log-index.ts';
import { readLog } from './read-log.ts';
import { runApart } from './run-apart.ts';
import { damaged } from './sqlite-failure.ts';
import { storageError } from './storage-error.ts';
import { withTemporary } from './temporary.ts';

const SIDE_FILES = ['', '-wal', '-shm'] as const;

/** What of a log could be kept. */
export interface MendedLog {
  /** Changed pages that are in the database now, and those that could not be kept; of the latter 0 when their number is not known. */
  readonly kept: number;
  readonly dropped: number;
}

async function copyFiles(path: string, to: string, endings: readonly string[]): Promise<void> {
  for (const ending of endings) {
    if (!existsSync(`${path}${ending}`)) continue;
    await copyFile(`${path}${ending}`, `${to}${ending}`, constants.COPYFILE_EXCL).catch((error: unknown) => {
      throw storageError(error, 'copy', `${path}${ending}`);
    });
  }
}

/** What is wrong with a database when SQLite takes of its log what it can; found on a copy. */
async function damageOfRest(path: string, runtime: Runtime, key: string | undefined): Promise<string | undefined> {
  return withTemporary(dirname(path), runtime, async (copy) => {
    await copyFiles(path, copy, ['', '-wal']);
    try {
      const ask = (sql: string): ReturnType<typeof runApart> => runApart({ path: copy, mode: 'write', key }, sql);
      return (await checkPages('integrity_check', ask)).damage[0];
    } catch (error) {
      if (error instanceof DatabaseDamagedError) return error.message;
      throw error;
    }
  });
}

/**
 * Lets SQLite move what it can read of the log into the file, and empties the log. Nobody else may have the file open:
 * others would still read what is damaged. Only `exec` is used, so that the connection is closed at once.
 */
async function takeOver(path: string, key: string | undefined): Promise<void> {
  const connection = await connect(path, 'write', key);
  try {
    connection.exec('PRAGMA locking_mode = EXCLUSIVE');
    connection.exec('BEGIN IMMEDIATE');
    connection.exec('COMMIT');
    connection.exec('PRAGMA wal_checkpoint(TRUNCATE)');
    if (existsSync(`${path}-shm`)) unlinkSync(`${path}-shm`); // it speaks of the old log; while this connection lasts nobody uses it
  } catch (error) {
    if (!(error instanceof BusyError)) throw error;
    throw new BusyError(`the log of the database ${path} cannot be mended while others have it open`, {
      cause: error,
      hint: 'End every Skillflow process of this project, MCP servers too, then try again.',
      details: { path },
    });
  } finally {
    connection.close();
  }
}

/**
 * Goes on with what is whole of a database whose log is damaged (see `checkLog`): what was committed before the damage.
 * Its files are copied before that to a new folder.
 * Errors: `DatabaseDamagedError` when what is left would not be sound, `BusyError` while others have it open, both with all
 * files as they were; `StorageError`.
 */
export async function mendLog(database: string, copies: string, runtime: Runtime, key: string | undefined): Promise<MendedLog> {
  const path = await realpath(database); // side files lie beside the file, not beside a link
  await makeFolder(dirname(copies));
  await mkdir(copies).catch((error: unknown) => {
    throw storageError(error, 'create the folder', copies);
  });
  const index = readLogIndex(path);
  const log = readLog(path);
  await copyFiles(path, join(copies, basename(path)), SIDE_FILES);
  const kept = log?.committed ?? 0;
  const isOfLog = log === undefined || log.salts === null || index?.salts === log.salts;
  // Pages that are newer in the file than in what is left of the log would be put back to what they were.
  const isMixed = kept > 0 && isOfLog && (index?.moved ?? 0) > kept;
  const reason = isMixed ? 'the file has newer pages than what is left of its log' : await damageOfRest(path, runtime, key);
  if (reason !== undefined) throw damaged(path, `${reason}; its files were copied to ${copies}`);
  await takeOver(path, key);
  const last = Math.max(isOfLog ? (index?.frames ?? 0) : 0, log?.lastLost ?? 0);
  return { kept, dropped: Math.max(0, last - kept) };
}
