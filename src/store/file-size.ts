import { statSync } from 'node:fs';
import { codeOf, storageError } from './storage-error.ts';

/** Bytes of a file that may be one of a database; 0 where there is none. Errors: `StorageError`. */
export function fileSize(path: string): number {
  try {
    return statSync(path, { throwIfNoEntry: false })?.size ?? 0;
  } catch (error) {
    if (codeOf(error) === 'ENOTDIR') return 0;
    throw storageError(error, 'open the database', path);
  }
}
