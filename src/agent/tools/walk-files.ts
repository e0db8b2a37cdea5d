import { opendir } from 'node:fs/promises';
import { join } from 'node:path';
import { forbiddenPath } from './secret-files.ts';

/** Folders of other people's code and of build products. */
const SKIPPED = new Set(['node_modules', 'dist', 'build', 'coverage', 'vendor', '.venv', '__pycache__', 'target']);
/** Entries that are looked at before a walk gives up. */
const MAX_ENTRIES = 50_000;

/** A walk of a folder's files; `complete` is false once it gave up. */
export interface FileWalk {
  /** Paths from the root, in the order of the file system. Symbolic links and forbidden places are left out. */
  files(): AsyncGenerator<string>;
  complete(): boolean;
}

/**
 * @param root real path of the project root
 * @param folder path from the root, `''` for the root itself
 */
export function walkFiles(root: string, folder: string, signal: AbortSignal): FileWalk {
  let seen = 0;
  let complete = true;
  async function* below(path: string): AsyncGenerator<string> {
    const folders: string[] = [];
    for await (const entry of await opendir(join(root, path))) {
      signal.throwIfAborted();
      seen += 1;
      if (seen > MAX_ENTRIES) {
        complete = false;
        return;
      }
      const child = path === '' ? entry.name : `${path}/${entry.name}`;
      if (forbiddenPath(child) !== null) continue;
      if (entry.isFile()) yield child;
      else if (entry.isDirectory() && !SKIPPED.has(entry.name)) folders.push(child);
    }
    for (const child of folders.toSorted()) yield* below(child);
  }
  return { files: () => below(folder), complete: () => complete };
}
