import { dirname } from 'node:path';
import { BusyError, DatabaseDamagedError, ForbiddenError, NotFoundError } from '../../errors.ts';
import { connect, endReading, type Connection } from '../../store/connection.ts';
import { fileKind, inspectFile, isAtRest } from '../../store/inspect-file.ts';
import { SCHEMA_VERSION } from '../../store/migration.ts';
import { openDatabase } from '../../store/open-database.ts';
import { makeProjectFolder } from '../../store/project-database.ts';
import { runApart } from '../../store/run-apart.ts';
import { damaged } from '../../store/sqlite-failure.ts';
import { withTemporary } from '../../store/temporary.ts';
import type { CareDeps } from './care-deps.ts';
import { damageOf, type DatabaseFile } from './copy.ts';
import { checkManifest } from './manifest.ts';

/** A database other than the project's own, checked and open for reading, in the current schema. */
export interface SourceFile {
  /** With a read transaction open. */
  readonly connection: Connection;
  /** Whether there was a manifest, which the file agrees with. */
  readonly manifest: boolean;
  /** Throws `BusyError` when somebody has begun to write to the file while it was read without locks. */
  checkUnchanged(): void;
}

/** The key that a file needs: a plain one can be read in a project whose database is encrypted. */
function keyFor(path: string, key: string | undefined): string | undefined {
  if (fileKind(path) !== 'encrypted') return undefined;
  if (key !== undefined) return key;
  throw new ForbiddenError(`${path} is encrypted, and no key is set`, {
    hint: 'Set SKILLFLOW_DB_KEY to the key it was made with.',
    details: { path },
  });
}

async function read<T>(
  file: DatabaseFile,
  checkUnchanged: () => void,
  manifest: boolean,
  work: (source: SourceFile) => Promise<T>,
): Promise<T> {
  const connection = await connect(file.path, file.mode, file.key);
  try {
    connection.exec('BEGIN');
    return await work({ connection, manifest, checkUnchanged });
  } finally {
    endReading(connection);
  }
}

/**
 * Opens another database of Skillflow for reading, without changing it: one of an older schema is read from a copy that
 * is brought up to date. It is not to be the project's own, which this process has open.
 * Errors: `DatabaseDamagedError`, `ConflictError` (another program's), `ForbiddenError` (its key), `SchemaTooNewError`,
 * `NotFoundError` (empty), `StorageError`, those of `work`.
 */
export async function withSourceFile<T>(deps: CareDeps, path: string, work: (source: SourceFile) => Promise<T>): Promise<T> {
  try {
    return await withChecked(deps, path, work);
  } catch (error) {
    if (!(error instanceof DatabaseDamagedError) || error.details?.['path'] !== path) throw error;
    throw new DatabaseDamagedError(error.message, {
      cause: error,
      hint: 'Use another copy; backups that were made by themselves lie in .skillflow/backups. This one was left as it is.',
      details: { path },
    });
  }
}

async function withChecked<T>(deps: CareDeps, path: string, work: (source: SourceFile) => Promise<T>): Promise<T> {
  const manifest = await checkManifest(path);
  const key = keyFor(path, deps.key);
  const { version } = await inspectFile(path, deps.runtime, key);
  if (version === 0) {
    throw new NotFoundError(`${path} holds no memory yet`, {
      hint: 'Give the path of a database that is in use, or of a backup.',
    });
  }
  const file: DatabaseFile = { path, mode: isAtRest(path) ? 'frozen' : 'read', key };
  const checkUnchanged = (): void => {
    if (file.mode !== 'frozen' || isAtRest(path)) return;
    throw new BusyError(`somebody has opened ${path} while it was read`, { hint: 'Try again.', details: { path } });
  };
  const damage = await damageOf(file);
  if (damage.length > 0) throw damaged(path, damage.slice(0, 3).join('; '));
  if (version === SCHEMA_VERSION) return read(file, checkUnchanged, manifest, work);
  await makeProjectFolder(dirname(deps.databasePath));
  return withTemporary(dirname(deps.databasePath), deps.runtime, async (temporary) => {
    await runApart(file, 'VACUUM INTO ?', [temporary]);
    checkUnchanged();
    await (await openDatabase(temporary, { runtime: deps.runtime, key })).close();
    return read({ path: temporary, mode: 'frozen', key }, () => undefined, manifest, work);
  });
}
