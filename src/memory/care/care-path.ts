import { lstatSync, readlinkSync, realpathSync, statSync, type Stats } from 'node:fs';
import { basename, dirname, isAbsolute, join, relative, resolve, sep } from 'node:path';
import { ConflictError, ForbiddenError, InvalidInputError, NotFoundError } from '../../errors.ts';
import { codeOf, storageError } from '../../store/storage-error.ts';

/** Endings of the files that SQLite keeps beside a database. */
const SIDE_FILES = ['', '-wal', '-shm', '-journal'];

/** Where a path leads, its links resolved as far as it exists. */
function real(path: string): string {
  try {
    return realpathSync(path);
  } catch (error) {
    if (codeOf(error) !== 'ENOENT' || dirname(path) === path) throw storageError(error, 'look at', path);
    const isLink = lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink() === true; // to what is not there
    if (isLink) return real(resolve(real(dirname(path)), readlinkSync(path)));
    return join(real(dirname(path)), basename(path));
  }
}

function inside(root: string, path: unknown): string {
  if (typeof path !== 'string' || path === '' || path.includes('\0')) {
    throw new InvalidInputError('path is no path of a file', {
      hint: 'Give the path of a file.',
      details: { parameter: 'path' },
    });
  }
  const absolute = resolve(root, path);
  const target = real(absolute);
  const way = relative(realpathSync(root), target);
  if (way !== '..' && !way.startsWith(`..${sep}`) && !isAbsolute(way)) return target;
  throw new ForbiddenError(`path: ${JSON.stringify(path)} lies outside the project root ${root}`, {
    hint: 'Give a path inside the project; links that lead out of it are not followed.',
    details: { parameter: 'path', path },
  });
}

function look(path: string): Stats | undefined {
  return statSync(path, { throwIfNoEntry: false });
}

/**
 * An existing file of the project that a caller named, with links resolved.
 * Errors: `ForbiddenError` outside of the project, `NotFoundError`, `InvalidInputError` for what is no file or is the
 * database in use itself.
 */
export function sourcePath(root: string, path: string, databasePath: string): string {
  const file = inside(root, path);
  const stats = look(file);
  if (stats === undefined) {
    throw new NotFoundError(`there is no file ${file}`, {
      hint: 'Check the path; it is relative to the project.',
      details: { path },
    });
  }
  if (!stats.isFile())
    throw new InvalidInputError(`${file} is not a file`, { hint: 'Give the path of a file.', details: { path } });
  const own = look(databasePath);
  if (own?.ino === stats.ino && own.dev === stats.dev) {
    throw new InvalidInputError(`${file} is the database in use`, { hint: 'Give the path of another one.', details: { path } });
  }
  return file;
}

/**
 * Where a caller wants a file of the project to be written.
 * Errors: `ForbiddenError` outside of the project, `ConflictError` for a file that belongs to the database in use,
 * `InvalidInputError` for a folder.
 */
export function targetPath(root: string, path: string, databasePath: string): string {
  const file = inside(root, path);
  const database = real(databasePath);
  if (SIDE_FILES.some((ending) => `${database}${ending}` === file)) {
    throw new ConflictError(`${file} belongs to the database in use`, { hint: 'Give another path.', details: { path } });
  }
  if (look(file)?.isDirectory() === true) {
    throw new InvalidInputError(`path: ${file} is a folder`, {
      hint: 'Give the path of a file.',
      details: { parameter: 'path', path },
    });
  }
  return file;
}

/** Whether something, also a link to nothing, has this name. */
export function isTaken(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false }) !== undefined;
}
