import { join } from 'node:path';
import { makeProjectFolder } from '../../store/project-database.ts';
import type { BackupResult } from './care.ts';
import { openLocal, type CareDeps } from './care-deps.ts';
import { targetPath } from './care-path.ts';
import { copyDatabase, freeName, timeName } from './copy.ts';
import { manifestPath } from './manifest.ts';

/** Where backups go by themselves; it is made where it is absent. */
async function backupFolder({ projectRoot }: CareDeps): Promise<string> {
  const folder = join(projectRoot, '.skillflow');
  await makeProjectFolder(folder);
  return join(folder, 'backups');
}

async function backupTo(deps: CareDeps, from: string, path: string): Promise<BackupResult> {
  const { bytes, sha256, schemaVersion, entries, versions, createdAt } = await copyDatabase(deps, from, path);
  return { path, manifestPath: manifestPath(path), bytes, sha256, schemaVersion, entries, versions, createdAt };
}

/** A backup made before something dangerous, so that it can be undone. */
export async function backUpBefore(deps: CareDeps, from: string, what: 'restore' | 'repair'): Promise<BackupResult> {
  const name = `before-${what}-${timeName(deps.runtime.now())}`;
  return backupTo(
    deps,
    from,
    freeName((suffix) => join(deps.projectRoot, '.skillflow', 'backups', `${name}${suffix}.db`)),
  );
}

/** See `Care.backup`. */
export async function backup(deps: CareDeps, path?: string): Promise<BackupResult> {
  const target = path === undefined ? undefined : targetPath(deps.projectRoot, path, deps.databasePath);
  const db = await openLocal(deps, 'read', 'A backup');
  if (target !== undefined) return backupTo(deps, db.path, target);
  const name = timeName(deps.runtime.now());
  const folder = await backupFolder(deps);
  return backupTo(
    deps,
    db.path,
    freeName((suffix) => join(folder, `${name}${suffix}.db`)),
  );
}
