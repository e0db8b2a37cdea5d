import { realpath, stat } from 'node:fs/promises';
import { relative, resolve, sep } from 'node:path';
import type { SkippedFile } from '../changes.ts';
import { ForbiddenError, InvalidInputError, NotFoundError } from '../errors.ts';
import type { CollectNote, Repository } from './git-state.ts';
import type { Candidate } from './inspect.ts';
import { listTracked, walkFiles } from './list-files.ts';
import type { Selected } from './selected.ts';

interface Listing {
  readonly paths: readonly string[];
  readonly skipped: readonly SkippedFile[];
  readonly notes: readonly CollectNote[];
}

async function walk(root: string, folder: string, reason: string, signal?: AbortSignal): Promise<Listing> {
  const { paths, skipped, truncated } = await walkFiles(root, folder, signal);
  const notes: CollectNote[] = [
    { code: 'no_git', message: `${reason}: files were listed from disk, ignore rules and history are not known.` },
  ];
  if (truncated) {
    notes.push({
      code: 'tree_truncated',
      message: `The folder has more than 200,000 entries; the first ${paths.length} files were taken.`,
    });
  }
  return { paths, skipped, notes };
}

/** All files below a folder of the project ('' for the root): what git tracks or would add, else what the disk holds. */
async function listBelow(root: string, folder: string, repository: Repository, signal?: AbortSignal): Promise<Listing> {
  if (repository.git === null) return walk(root, folder, repository.reason, signal);
  const tracked = await listTracked(repository.git);
  const paths = folder === '' ? tracked : tracked.filter((path) => path.startsWith(`${folder}/`));
  if (paths.length > 0) return { paths, skipped: [], notes: [] };
  const ignored = await repository.git(['check-ignore', '--quiet', '--', `./${folder}`]);
  if (ignored.code === 0 && folder === '') return walk(root, folder, 'git ignores the project root', signal);
  const notes =
    ignored.code === 0
      ? [{ code: 'ignored_folder', message: `git ignores ${folder}: name files in it to have them looked at.` }]
      : [];
  return { paths: [], skipped: [], notes };
}

/** The whole tree. */
export async function selectTree(root: string, repository: Repository, signal?: AbortSignal): Promise<Selected> {
  const { paths, skipped, notes } = await listBelow(root, '', repository, signal);
  const candidates = paths.map((path): Candidate => ({ path, status: 'whole', changed: 'all' }));
  return { mode: 'tree', base: null, candidates, skipped, notes };
}

/** The same name may be spelled composed or decomposed; the disk decides. */
async function realPathOf(absolutePath: string, given: string): Promise<string> {
  for (const spelling of new Set([absolutePath, absolutePath.normalize('NFC'), absolutePath.normalize('NFD')])) {
    const real = await realpath(spelling).catch(() => null);
    if (real !== null) return real;
  }
  throw new NotFoundError(`files: there is no file or folder ${JSON.stringify(given)}`, {
    hint: 'Paths are relative to the project root; check the spelling.',
    details: { path: given },
  });
}

interface Named {
  /** From the root, `/`-separated, '' for the root. */
  readonly path: string;
  readonly folder: boolean;
}

async function resolveNamed(root: string, given: string): Promise<Named> {
  if (given === '' || given.includes('\0')) {
    throw new InvalidInputError(`files: ${JSON.stringify(given)} is not a path`, {
      hint: 'Give paths relative to the project root.',
    });
  }
  const real = await realPathOf(resolve(root, given), given);
  if (real !== root && !real.startsWith(root.endsWith(sep) ? root : root + sep)) {
    throw new ForbiddenError(`files: ${JSON.stringify(given)} lies outside the project root ${root}`, {
      hint: 'Start Skillflow in the folder that holds these files.',
      details: { path: given },
    });
  }
  const folder = (await stat(real)).isDirectory();
  return { path: relative(root, real).split(sep).join('/'), folder };
}

/**
 * Named files, and all below named folders. A file that is named itself is taken even where git ignores it, a vendored
 * folder holds it or its name says that it is generated.
 */
export async function selectFiles(
  root: string,
  repository: Repository,
  given: readonly string[],
  signal?: AbortSignal,
): Promise<Selected> {
  if (given.length === 0) throw new InvalidInputError('files: the list is empty', { hint: 'Name at least one file or folder.' });
  const candidates = new Map<string, Candidate>();
  const skipped: SkippedFile[] = [];
  const notes = new Map<string, CollectNote>();
  for (const path of given) {
    const named = await resolveNamed(root, path);
    if (named.folder) {
      const listing = await listBelow(root, named.path, repository, signal);
      skipped.push(...listing.skipped);
      for (const note of listing.notes) notes.set(note.message, note);
      for (const below of listing.paths) {
        if (candidates.has(below)) continue;
        candidates.set(below, { path: below, status: 'whole', changed: 'all', below: named.path === '' ? '' : `${named.path}/` });
      }
    } else candidates.set(named.path, { path: named.path, status: 'whole', changed: 'all', named: true });
  }
  if (repository.git === null && notes.size === 0) {
    notes.set('no_git', { code: 'no_git', message: `${repository.reason}: history is not known.` });
  }
  return { mode: 'files', base: null, candidates: [...candidates.values()], skipped, notes: [...notes.values()] };
}
