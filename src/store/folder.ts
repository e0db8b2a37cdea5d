import { mkdir, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { codeOf, storageError } from './storage-error.ts';

async function isFolder(path: string): Promise<boolean> {
  return stat(path).then(
    (stats) => stats.isDirectory(),
    () => false,
  );
}

async function make(path: string): Promise<void> {
  try {
    await mkdir(path);
  } catch (error) {
    if (await isFolder(path)) return; // it was there, or another process was faster
    const parent = dirname(path);
    if (codeOf(error) !== 'ENOENT' || parent === path) throw error;
    if (await isFolder(parent)) {
      // Another process may just have made the parent; where new folders are refused as missing, they still are.
      await mkdir(path).catch(async () => {
        if (!(await isFolder(path))) throw error;
      });
      return;
    }
    await make(parent);
    await make(path);
  }
}

/**
 * Makes a folder and those above it; one that exists is fine. Node's own recursive `mkdir` reports a read-only file
 * system as a missing folder, and never ends where a folder refuses new ones as missing (`/proc`).
 * Errors: `StorageError`.
 */
export async function makeFolder(path: string): Promise<void> {
  await make(path).catch((error: unknown) => {
    throw storageError(error, 'create the folder', path);
  });
}
