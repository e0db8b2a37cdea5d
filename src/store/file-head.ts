import { closeSync, fstatSync, openSync, readSync, statSync, type BigIntStats } from 'node:fs';
import { storageError } from './storage-error.ts';

/**
 * Files that were looked into, which stay open: on POSIX systems a process that closes any descriptor of a file loses all
 * its locks on it. SQLite would go on as if it had them, and another process could remove the log that it writes to
 * (source: sqlite.org/howtocorrupt.html, 2.2). Closed connections count too: the driver really closes one only when
 * the statements it prepared are collected as garbage.
 */
const kept = new Map<string, number>();

const nameOf = ({ dev, ino }: BigIntStats): string => `${dev}:${ino}`;

/** Lets go of files that were deleted since, and would else keep their space on the disk. */
function releaseDeleted(): void {
  for (const [name, file] of kept) {
    if (fstatSync(file, { bigint: true }).nlink > 0n) continue;
    kept.delete(name);
    closeSync(file);
  }
}

function descriptor(path: string): number {
  releaseDeleted();
  const known = kept.get(nameOf(statSync(path, { bigint: true })));
  if (known !== undefined) return known;
  const file = openSync(path, 'r');
  kept.set(nameOf(fstatSync(file, { bigint: true })), file);
  return file;
}

/**
 * The start of a file that may be a database in use by this very process; shorter than asked for when the file is.
 * Errors: `StorageError`.
 */
export function fileHead(path: string, bytes: number): Buffer {
  try {
    const buffer = Buffer.alloc(bytes);
    return buffer.subarray(0, readSync(descriptor(path), buffer, 0, bytes, 0));
  } catch (error) {
    throw storageError(error, 'open the database', path);
  }
}
