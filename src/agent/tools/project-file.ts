import { constants } from 'node:fs';
import { open, realpath } from 'node:fs/promises';
import { isAbsolute, relative, resolve, sep } from 'node:path';
import { ForbiddenError, InvalidInputError, NotFoundError, UnavailableError } from '../../errors.ts';
import { forbiddenPath } from './secret-files.ts';

/** A place inside the project root that an agent may look at. */
export interface ProjectPath {
  /** From the root, `/`-separated; `''` is the root itself. */
  readonly path: string;
  /** Real path. */
  readonly absolutePath: string;
}

/** The path from the root, or `null` for one outside of it. */
function pathInside(root: string, absolute: string): string | null {
  const path = relative(root, absolute);
  if (path === '..' || path.startsWith(`..${sep}`) || isAbsolute(path)) return null;
  return path.split(sep).join('/');
}

/** What was asked for lies outside of the root, also where a symbolic link leads there. */
export class OutsideRootError extends ForbiddenError {}

function allowed(root: string, absolute: string, asked: string): string {
  const path = pathInside(root, absolute);
  if (path === null) throw new OutsideRootError(`${asked} lies outside of the project root`);
  const why = forbiddenPath(path);
  if (why !== null) throw new ForbiddenError(`${asked}: ${why}`);
  return path;
}

/**
 * Resolves what an agent asked for. {@link ForbiddenError}: outside of the root, also by a symbolic link, or a place of
 * secrets; {@link NotFoundError}: nothing is there.
 *
 * @param root real path of the project root
 */
export async function projectPath(root: string, asked: string): Promise<ProjectPath> {
  if (asked.includes('\0') || asked.length > 4_096) throw new InvalidInputError('that is no path');
  const lexical = resolve(root, asked === '' ? '.' : asked);
  allowed(root, lexical, asked);
  let real: string;
  try {
    real = await realpath(lexical);
  } catch (error) {
    throw new NotFoundError(`${asked} does not exist`, { cause: error });
  }
  return { path: allowed(root, real, asked), absolutePath: real };
}

/** What was read of a file, at most as many bytes as asked for. */
export interface FileText {
  readonly text: string;
  /** Bytes of the whole file. */
  readonly bytes: number;
  readonly complete: boolean;
}

/**
 * Reads the start of a regular file. Opened without following a link and without waiting, so that neither a link put
 * there in the meantime nor a pipe does harm.
 */
export async function readStart(absolutePath: string, maxBytes: number): Promise<FileText> {
  const handle = await open(absolutePath, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    const { size, isFile } = await handle.stat().then((stat) => ({ size: stat.size, isFile: stat.isFile() }));
    if (!isFile) throw new InvalidInputError('that is no regular file');
    const buffer = Buffer.alloc(Math.min(size, maxBytes));
    let filled = 0;
    while (filled < buffer.length) {
      const { bytesRead } = await handle.read(buffer, filled, buffer.length - filled, filled);
      if (bytesRead === 0) break;
      filled += bytesRead;
    }
    if (buffer.subarray(0, Math.min(filled, 8_192)).includes(0)) throw new UnavailableError('that is a binary file');
    return { text: buffer.toString('utf8', 0, filled), bytes: size, complete: size <= maxBytes };
  } finally {
    await handle.close();
  }
}
