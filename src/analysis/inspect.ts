import { isUtf8 } from 'node:buffer';
import { lstat, readFile, realpath } from 'node:fs/promises';
import { dirname, join, sep } from 'node:path';
import type { SkipReason, SkippedFile, SourceFile } from '../changes.ts';
import { CancelledError } from '../errors.ts';
import { contentMark } from './content-mark.ts';
import { languageOf } from './language.ts';
import { isGeneratedName, isGeneratedText, isVendored } from './not-reviewed.ts';

/** Larger files are not read: 1 MiB. */
export const MAX_FILE_BYTES = 1024 * 1024;
const BINARY_PROBE_BYTES = 8192;
const PARALLEL_READS = 16;

/** A file that may be looked at. */
export interface Candidate {
  /** From the project root, `/`-separated. */
  readonly path: string;
  readonly status: SourceFile['status'];
  readonly changed: SourceFile['changed'];
  /** Content under review where it is not what the disk holds. */
  readonly content?: Buffer;
  /** The caller named this very file, so neither its folder nor its name is a reason to skip it. */
  readonly named?: boolean;
  /** The folder that the caller named: only folders below it make the file vendored. */
  readonly below?: string;
}

/** Why a content cannot be reviewed, or `null`. */
function contentReason(content: Buffer, candidate: Candidate): SkipReason | null {
  if (content.length > MAX_FILE_BYTES) return 'huge';
  if (content.subarray(0, BINARY_PROBE_BYTES).includes(0)) return 'binary';
  if (!isUtf8(content)) return 'invalid_utf8';
  if (candidate.named !== true && isGeneratedText(content.toString('utf8'), languageOf(candidate.path))) return 'generated';
  return null;
}

function errorCode(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined;
}

/** Reads files from disk and decides for each whether it can be reviewed. */
function createInspector(root: string): (candidate: Candidate) => Promise<SourceFile | SkippedFile> {
  const folders = new Map<string, Promise<string>>();
  // A tracked file may lie behind a folder that has become a link; links are not followed.
  const realFolder = (folder: string): Promise<string> => {
    const known = folders.get(folder) ?? realpath(folder);
    folders.set(folder, known);
    return known;
  };

  const readDisk = async (path: string, absolutePath: string): Promise<Buffer | SkipReason> => {
    try {
      const stat = await lstat(absolutePath);
      if (stat.isSymbolicLink()) return 'symlink';
      if (stat.isDirectory()) return 'submodule';
      if (!stat.isFile()) return 'unreadable';
      const folder = await realFolder(dirname(absolutePath));
      if (folder !== dirname(absolutePath)) return folder === root || folder.startsWith(root + sep) ? 'symlink' : 'outside_root';
      if (stat.size > MAX_FILE_BYTES) return 'huge';
      return await readFile(absolutePath);
    } catch (error) {
      const code = errorCode(error);
      // a name that is not UTF-8 cannot be asked for: decoding has put U+FFFD in it
      if (path.includes('\uFFFD')) return 'unreadable';
      return code === 'ENOENT' || code === 'ENOTDIR' ? 'deleted' : 'unreadable';
    }
  };

  return async (candidate) => {
    const { path } = candidate;
    if (path.endsWith('/')) return { path: path.slice(0, -1), reason: 'submodule' };
    if (candidate.named !== true) {
      if (isVendored(path.slice(candidate.below?.length ?? 0))) return { path, reason: 'vendored' };
      if (isGeneratedName(path)) return { path, reason: 'generated' };
    }
    const absolutePath = join(root, path);
    const content = candidate.content ?? (await readDisk(path, absolutePath));
    if (typeof content === 'string') return { path, reason: content };
    const reason = contentReason(content, candidate);
    if (reason !== null) return { path, reason };
    return {
      path,
      absolutePath,
      language: languageOf(path),
      bytes: content.length,
      status: candidate.status,
      changed: candidate.changed,
      ...(candidate.content === undefined ? { mark: contentMark(content) } : { text: content.toString('utf8') }),
    };
  };
}

/** By code unit, the same on every machine. */
export function comparePaths(a: { readonly path: string }, b: { readonly path: string }): number {
  if (a.path === b.path) return 0;
  return a.path < b.path ? -1 : 1;
}

/**
 * Looks at every candidate, a few at a time. Both lists come sorted by path. Rejects with {@link CancelledError} soon
 * after the signal aborts.
 */
export async function inspectAll(
  root: string,
  candidates: readonly Candidate[],
  signal?: AbortSignal,
): Promise<{ files: SourceFile[]; skipped: SkippedFile[] }> {
  const inspect = createInspector(root);
  const files: SourceFile[] = [];
  const skipped: SkippedFile[] = [];
  const queue = candidates.values();
  const drain = async (): Promise<void> => {
    for (const candidate of queue) {
      if (signal?.aborted === true) throw new CancelledError('collecting the changes was cancelled');
      const result = await inspect(candidate);
      if ('reason' in result) skipped.push(result);
      else files.push(result);
    }
  };
  await Promise.all(Array.from({ length: PARALLEL_READS }, drain));
  return { files: files.sort(comparePaths), skipped: skipped.sort(comparePaths) };
}
