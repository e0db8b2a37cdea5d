import { existsSync } from 'node:fs';
import { link, open, realpath, rename, stat, unlink, type FileHandle } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { StorageError } from '../errors.ts';
import { codeOf, storageError } from './storage-error.ts';

/** Temporary names tried before giving up; names are only taken by writers at work and by what a crash left. */
const MAX_TRIES = 1_000;

/** The file that a path means: links are followed, so that writing through one keeps it. */
async function target(path: string): Promise<{ readonly path: string; readonly mode: number | undefined }> {
  try {
    const real = await realpath(path);
    const stats = await stat(real);
    if (stats.isDirectory()) throw new StorageError(`cannot write ${path}: it is a folder`, { hint: 'Give the path of a file.' });
    return { path: real, mode: stats.mode & 0o777 };
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return { path: resolve(path), mode: undefined };
    throw error;
  }
}

async function createTemporary(path: string): Promise<{ readonly path: string; readonly file: FileHandle }> {
  for (let n = 0; n < MAX_TRIES; n += 1) {
    const candidate = join(dirname(path), `.${basename(path).slice(0, 200)}.${n}.tmp`);
    try {
      return { path: candidate, file: await open(candidate, 'wx') };
    } catch (error) {
      if (codeOf(error) !== 'EEXIST') throw error;
    }
  }
  throw new StorageError(`cannot write ${path}: ${MAX_TRIES} temporary files lie beside it`, {
    hint: `Delete the .tmp files in ${dirname(path)}.`,
  });
}

/** Makes the rename survive a power cut. Not every system can sync a folder; the file itself is synced already. */
export async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r').catch(() => undefined);
  await folder?.sync().catch(() => undefined);
  await folder?.close();
}

const CANNOT_LINK = ['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK'];

/**
 * Gives a file, whose content is on the disk already, its name, unless something has it; then it keeps the old one. Not
 * every file system can link: there a gap of an instant remains in which two may take the same name.
 * @returns whether the file has the name
 * Errors: `StorageError`.
 */
export async function placeFile(temporary: string, path: string): Promise<boolean> {
  try {
    await link(temporary, path);
    await unlink(temporary);
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return false;
    if (!CANNOT_LINK.includes(codeOf(error))) throw storageError(error, 'write', path);
    if (existsSync(path)) return false;
    await rename(temporary, path).catch((cause: unknown) => {
      throw storageError(cause, 'write', path);
    });
  }
  await syncFolder(dirname(path));
  return true;
}

async function replace(path: string, data: string | Uint8Array): Promise<void> {
  const { path: real, mode } = await target(path);
  const temporary = await createTemporary(real);
  try {
    try {
      await temporary.file.writeFile(data);
      if (mode !== undefined) await temporary.file.chmod(mode);
      await temporary.file.sync();
    } finally {
      await temporary.file.close();
    }
    await rename(temporary.path, real);
  } catch (error) {
    await unlink(temporary.path).catch(() => undefined); // the first error is the one to tell
    throw error;
  }
  await syncFolder(dirname(real));
}

/**
 * Writes a whole file or nothing: readers see the old content or the new, also after a crash. The folder must exist;
 * an existing file keeps its permissions, a link stays a link. Text is written as UTF-8.
 * Errors: `StorageError`, with the old content still in place and no temporary file left.
 */
export async function writeFileAtomic(path: string, data: string | Uint8Array): Promise<void> {
  try {
    await replace(path, data);
  } catch (error) {
    throw error instanceof StorageError ? error : storageError(error, 'write', path);
  }
}
