import type { SourceFile } from '../changes.ts';
import type { TreeContext } from './analyzer.ts';
import { comparePaths, inspectAll } from './inspect.ts';
import { listTracked, walkFiles } from './list-files.ts';

export interface ProjectFilesOptions {
  /** By path alone. */
  readonly accepts: (path: string) => boolean;
  readonly maxFiles: number;
  /** Take at most `maxFiles` spread over the whole list, rather than the first ones. */
  readonly spread?: boolean;
  readonly maxBytes: number;
}

export interface ProjectFiles {
  /** Sorted by path; those under review are not among them. */
  readonly files: readonly SourceFile[];
  /** Accepted files that were left out because of the bounds. */
  readonly beyond: number;
}

/**
 * Files of the project that are not under review, for comparison: tracked ones and those that git does not ignore, or
 * what the disk holds where there is no git. Skips what a review skips. Files come in path order up to the bounds.
 */
export async function projectFiles(context: TreeContext, options: ProjectFilesOptions): Promise<ProjectFiles> {
  const { changes, signal } = context;
  const reviewed = new Set(changes.files.map((file) => file.path));
  const listed =
    changes.git === null ? (await walkFiles(changes.root, '', signal)).paths : await listTracked((args) => context.git(args));
  const accepted = listed
    .filter((path) => !reviewed.has(path) && options.accepts(path))
    .map((path) => ({ path, status: 'whole', changed: 'all' }) as const)
    .sort(comparePaths);
  const step = options.spread === true ? Math.max(1, Math.ceil(accepted.length / options.maxFiles)) : 1;
  const wanted = accepted.filter((_, i) => i % step === 0).slice(0, options.maxFiles);
  const { files } = await inspectAll(changes.root, wanted, signal);
  let beyond = Math.max(0, accepted.length - wanted.length);
  let bytes = 0;
  const kept = files.filter((file) => {
    bytes += file.bytes;
    if (bytes <= options.maxBytes) return true;
    beyond += 1;
    return false;
  });
  return { files: kept, beyond };
}
