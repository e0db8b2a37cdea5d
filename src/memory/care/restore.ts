import { DatabaseDamagedError } from '../../errors.ts';
import type { Database } from '../../store/database.ts';
import { absorbInSlices } from './absorb-in-slices.ts';
import { replaceAll } from './absorb.ts';
import { backUpBefore } from './backup.ts';
import type { AbsorbReport, RestoreResult, Watch } from './care.ts';
import { openLocal, type CareDeps } from './care-deps.ts';
import { sourcePath } from './care-path.ts';
import { databaseSource } from './incoming.ts';
import { withSourceFile } from './source-file.ts';
import { stopWhenCancelled } from './watch.ts';

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
export async function restore(deps: CareDeps, path: string, watch: Watch = {}): Promise<RestoreResult> {
  const { runtime } = deps;
  const from = sourcePath(deps.projectRoot, path, deps.databasePath);
  return withSourceFile(deps, from, async (source) => {
    stopWhenCancelled(watch, 'restoring');
    const { db, safety } = await openSafely(deps, 'Restoring a backup');
    const report = await db.write(async (queries) => {
      const replaced = await replaceAll(queries, databaseSource(source.connection), { runtime, watch });
      source.checkUnchanged();
      return replaced;
    });
    return { report, safety, manifest: source.manifest };
  });
}

/** See `Care.merge`. */
export async function merge(deps: CareDeps, path: string, watch: Watch = {}): Promise<AbsorbReport> {
  const { runtime } = deps;
  const from = sourcePath(deps.projectRoot, path, deps.databasePath);
  return withSourceFile(deps, from, async (source) => {
    const db = await deps.open('write');
    const options = { now: runtime.now(), runtime, watch, what: 'the merge', check: () => source.checkUnchanged() };
    return absorbInSlices(db, databaseSource(source.connection), options);
  });
}
