import { StorageError } from '../errors.ts';

/** What to do about a refusal, by the error code of Node or of SQLite without its extension. */
const HINTS: Readonly<Record<string, string>> = {
  ENOSPC: 'The disk is full: free some space, then try again.',
  EDQUOT: 'The disk quota is used up: free some space, then try again.',
  EFBIG: 'The file would pass the size that this process may write: raise the limit (ulimit -f), then try again.',
  EACCES: 'Permission is missing: give this user read and write access to the file and its folder.',
  EPERM: 'The operation is not permitted: give this user read and write access to the file and its folder.',
  EROFS: 'The file system is read-only: choose a folder on a writable one.',
  ENOENT: 'A folder on the way does not exist: create it, or give another path.',
  ENOTDIR: 'Something on the way is a file, not a folder: give another path.',
  EEXIST: 'Something on the way is a file, not a folder: give another path.',
  EISDIR: 'The path names a folder: give the path of a file.',
  SQLITE_FULL: 'The disk is full: free some space, then try again.',
  SQLITE_READONLY: 'The file or its folder is read-only: give this user write access, or choose another folder.',
  SQLITE_IOERR: 'The disk failed or is full: check its space and its health, then try again.',
  SQLITE_CANTOPEN: 'The file or its side files (-wal, -shm) cannot be opened: check the permissions of the file and its folder.',
  SQLITE_PERM: 'Permission is missing: give this user read and write access to the file and its folder.',
};

/**
 * The typed form of a refusal by the disk.
 * @param cause what Node or the driver threw
 * @param action what was being done, as in "cannot <action> <path>"
 * @param code the code to look the hint up by; default: `cause.code`
 */
export function storageError(cause: unknown, action: string, path: string, code = codeOf(cause)): StorageError {
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new StorageError(`cannot ${action} ${path}: ${reason}`, {
    cause,
    hint: HINTS[code] ?? HINTS[baseCode(code)] ?? 'Check that the path is right and that its disk works.',
    details: { path, code },
  });
}

/** The `code` of a thrown value, or an empty string. */
export function codeOf(thrown: unknown): string {
  if (typeof thrown !== 'object' || thrown === null || !('code' in thrown)) return '';
  return typeof thrown.code === 'string' ? thrown.code : '';
}

/** `SQLITE_IOERR_WRITE` → `SQLITE_IOERR`. */
export function baseCode(code: string): string {
  return code.split('_').slice(0, 2).join('_');
}
