import { backup } from './backup.ts';
import type { Care } from './care.ts';
import type { CareDeps } from './care-deps.ts';
import { compact, persist } from './compact.ts';
import { doctor } from './doctor.ts';
import { exportMemory } from './export.ts';
import { importMemory } from './import.ts';
import { merge, restore } from './restore.ts';
import { restoreSnapshot, snapshot, snapshots } from './snapshots.ts';
import { stats } from './stats.ts';

/** Looks after the memory of one project. */
export function createCare(deps: CareDeps): Care {
  return {
    backup: (path) => backup(deps, path),
    restore: (path, watch) => restore(deps, path, watch),
    export: (path, options) => exportMemory(deps, path, options),
    import: (path, options) => importMemory(deps, path, options),
    merge: (path, watch) => merge(deps, path, watch),
    compact: (options) => compact(deps, options),
    stats: (namespace) => stats(deps, namespace),
    doctor: (options) => doctor(deps, options),
    persist: () => persist(deps),
    snapshot: (name) => snapshot(deps, name),
    snapshots: () => snapshots(deps),
    restoreSnapshot: (name, watch) => restoreSnapshot(deps, name, watch),
  };
}
