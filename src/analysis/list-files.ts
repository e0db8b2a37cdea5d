import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { SkippedFile } from '../changes.ts';
import { CancelledError } from '../errors.ts';
import { type Git, gitOutput } from './git.ts';
import { isVendoredFolder } from './not-reviewed.ts';

/** Entries that a walk without git looks at before it stops. */
const MAX_ENTRIES = 200_000;
/** Skillflow's own data in the project root; git ignores it. */
const OWN_FOLDER = '.skillflow';

function splitPaths(output: Buffer): string[] {
  return [...new Set(output.toString('utf8').split('\0'))].filter((path) => path !== '');
}

/** Tracked files below the project root, and untracked ones that git does not ignore. A submodule is one path. */
export async function listTracked(git: Git): Promise<string[]> {
  return splitPaths(await gitOutput(git, ['ls-files', '-z', '--cached', '--others', '--exclude-standard']));
}

/** Files that git neither tracks nor ignores; a repository inside the repository is one path that ends in `/`. */
export async function listUntracked(git: Git): Promise<string[]> {
  return splitPaths(await gitOutput(git, ['ls-files', '-z', '--others', '--exclude-standard']));
}

export interface Walk {
  readonly paths: readonly string[];
  /** Folders that were not entered, as `<path>/`, and folders that cannot be read. */
  readonly skipped: readonly SkippedFile[];
  /** The walk stopped at its bound. */
  readonly truncated: boolean;
}

/** Lists files without git, below `from` (a path from the root, '' for the root); vendored folders are not entered. */
export async function walkFiles(root: string, from: string, signal?: AbortSignal): Promise<Walk> {
  const paths: string[] = [];
  const skipped: SkippedFile[] = [];
  const pending = [from];
  let entries = 0;
  for (let folder = pending.pop(); folder !== undefined; folder = pending.pop()) {
    if (signal?.aborted === true) throw new CancelledError('listing the files was cancelled');
    const found = await readdir(join(root, folder), { withFileTypes: true }).catch(() => null);
    if (found === null) skipped.push({ path: `${folder}/`, reason: 'unreadable' });
    for (const entry of found ?? []) {
      entries += 1;
      if (entries > MAX_ENTRIES) return { paths, skipped, truncated: true };
      const path = folder === '' ? entry.name : `${folder}/${entry.name}`;
      if (path === OWN_FOLDER) continue;
      if (!entry.isDirectory()) paths.push(path);
      else if (isVendoredFolder(entry.name)) skipped.push({ path: `${path}/`, reason: 'vendored' });
      else pending.push(path);
    }
  }
  return { paths, skipped, truncated: false };
}
