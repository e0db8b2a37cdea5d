import { DatabaseDamagedError } from '../../errors.ts';
import type { Queries } from '../../store/database.ts';
import { absorbInSlices } from './absorb-in-slices.ts';
import { replaceAll } from './absorb.ts';
import { backUpBefore } from './backup.ts';
import type { AbsorbReport, RestoreResult, Watch } from './care.ts';
import { openLocal, type CareDeps } from './care-deps.ts';
import { sourcePath } from './care-path.ts';
import { databaseSource } from './incoming.ts';
import { withSourceFile } from './source-file.ts';
import { stopWhenCancelled } from './watch.ts';

const BRING_IN =
  'Bring it in with `memory merge` (a backup) or `memory import` (an export): what is newer wins, and nothing is removed.';

/** A damaged database is left alone: what it still holds may be worth more to its owner than an easy restore. */
async function explained<T>({ databasePath }: CareDeps, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof DatabaseDamagedError)) throw error;
    throw new DatabaseDamagedError(error.message, {
      cause: error,
      hint: `Move ${databasePath} aside, with its -wal and -shm files, then do the same again: it fills a new database.`,
      details: { path: databasePath },
    });
  }
}

/**
 * Replaces what the project's database holds, after a backup of it that is made under the same lock: others can read the
 * committed state then, which is what the backup copies, and nobody can write. So whatever is replaced is in the backup,
 * also what others have stored a moment before.
 */
export async function replaceSafely<T>(
  deps: CareDeps,
  what: string,
  replace: (queries: Queries) => Promise<T>,
): Promise<{ readonly replaced: T; readonly safety: string }> {
  const db = await explained(deps, () => openLocal(deps, 'write', what, BRING_IN));
  return db.write(async (queries) => {
    const { path: safety } = await explained(deps, () => backUpBefore(deps, db.path, 'restore'));
    return { replaced: await replace(queries), safety };
  });
}

/** See `Care.restore`. */
export async function restore(deps: CareDeps, path: string, watch: Watch = {}): Promise<RestoreResult> {
  const { runtime } = deps;
  const from = sourcePath(deps.projectRoot, path, deps.databasePath);
  return withSourceFile(deps, from, async (source) => {
    stopWhenCancelled(watch, 'restoring');
    const { replaced, safety } = await replaceSafely(deps, 'Restoring a backup', async (queries) => {
      const report = await replaceAll(queries, databaseSource(source.connection), { runtime, watch });
      source.checkUnchanged();
      return report;
    });
    return { report: replaced, safety, manifest: source.manifest };
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
