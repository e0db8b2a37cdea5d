import { realpathSync, statSync, type Stats } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { InvalidInputError } from '../errors.ts';

export interface ProjectRoot {
  /** Absolute, with links resolved. */
  readonly root: string;
  /** What decided. */
  readonly source: 'CLAUDE_PROJECT_DIR' | '.skillflow' | 'git' | 'cwd';
}

export interface ProjectRootOptions {
  readonly cwd: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** The user's home: a `.skillflow` there holds the user's own skills, and makes no project of all that lies below. */
  readonly home?: string;
}

function look(path: string): Stats | undefined {
  try {
    return statSync(path, { throwIfNoEntry: false });
  } catch {
    return undefined; // not allowed to look, or a file on the way: not a root
  }
}

function directory(path: string, what: string): string {
  try {
    const real = realpathSync(path);
    if (statSync(real).isDirectory()) return real;
  } catch (error) {
    throw new InvalidInputError(`${what} names ${path}, which cannot be opened; expected an existing folder`, {
      cause: error,
      hint: `Set ${what} to an existing folder.`,
    });
  }
  throw new InvalidInputError(`${what} names ${path}, which is not a folder`, { hint: `Set ${what} to an existing folder.` });
}

/** The nearest of `start` and the folders above it for which `test` holds. */
function nearest(start: string, test: (folder: string) => boolean): string | undefined {
  for (let folder = start; ; folder = dirname(folder)) {
    if (test(folder)) return folder;
    if (dirname(folder) === folder) return undefined;
  }
}

/**
 * The folder that a project's data belongs to: `CLAUDE_PROJECT_DIR` (relative to `cwd`; empty counts as unset), else the
 * nearest folder but the home with a `.skillflow` folder, else the nearest with `.git` (a file in worktrees and submodules), else
 * `cwd`. Looks at a few paths synchronously, since every start waits for it.
 * Errors: `InvalidInputError` when `CLAUDE_PROJECT_DIR` or `cwd` is no existing folder.
 */
export async function findProjectRoot({ cwd, env, home }: ProjectRootOptions): Promise<ProjectRoot> {
  const told = env['CLAUDE_PROJECT_DIR'];
  if (told !== undefined && told !== '') {
    return { root: directory(resolve(cwd, told), 'CLAUDE_PROJECT_DIR'), source: 'CLAUDE_PROJECT_DIR' };
  }
  const start = directory(cwd, 'the working directory');
  const known = nearest(start, (folder) => folder !== home && look(join(folder, '.skillflow'))?.isDirectory() === true);
  if (known !== undefined) return { root: known, source: '.skillflow' };
  const repository = nearest(start, (folder) => look(join(folder, '.git')) !== undefined);
  return repository === undefined ? { root: start, source: 'cwd' } : { root: repository, source: 'git' };
}
