import { DatabaseDamagedError } from '../../errors.ts';
import type { Database } from '../../store/database.ts';
import { absorb } from './absorb.ts';
import { backUpBefore } from './backup.ts';
import type { AbsorbReport, RestoreResult } from './care.ts';
import { openLocal, type CareDeps } from './care-deps.ts';
import { sourcePath } from './care-path.ts';
import { databaseSource } from './incoming.ts';
import { withSourceFile } from './source-file.ts';

/**
 * Opens the project's database and makes a backup of it. A damaged one is left alone: what it still holds may be worth
 * more to its owner than an easy restore.
 */
export async function openSafely(deps: CareDeps, what: string): Promise<{ readonly db: Database; readonly safety: string }> {
  try {
    const db = await openLocal(deps, 'write', what);
    return { db, safety: (await backUpBefore(deps, db.path, 'restore')).path };
  } catch (error) {
    if (!(error instanceof DatabaseDamagedError)) throw error;
    const { databasePath } = deps;
    throw new DatabaseDamagedError(error.message, {
      cause: error,
      hint: `Move ${databasePath} aside, with its -wal and -shm files, then do the same again: it fills a new database.`,
      details: { path: databasePath },
    });
  }
}

/** See `Care.restore`. */
export async function restore(deps: CareDeps, path: string): Promise<RestoreResult> {
  const from = sourcePath(deps.projectRoot, path, deps.databasePath);
  return withSourceFile(deps, from, async (source) => {
    const { db, safety } = await openSafely(deps, 'Restoring a backup');
    const report = await db.write(async (queries) => {
      const options = { now: deps.runtime.now(), replace: true };
      const absorbed = await absorb(queries, databaseSource(source.connection), options);
      source.checkUnchanged();
      return absorbed;
    });
    return { report, safety, manifest: source.manifest };
  });
}

/** See `Care.merge`. */
export async function merge(deps: CareDeps, path: string): Promise<AbsorbReport> {
  const from = sourcePath(deps.projectRoot, path, deps.databasePath);
  return withSourceFile(deps, from, async (source) => {
    const db = await deps.open('write');
    return db.write(async (queries) => {
      const options = { now: deps.runtime.now(), replace: false };
      const absorbed = await absorb(queries, databaseSource(source.connection), options);
      source.checkUnchanged();
      return absorbed;
    });
  });
}
