import { constants } from 'node:fs';
import { open, realpath } from 'node:fs/promises';
import { sep } from 'node:path';
import { positionAt, problem } from './source-document.ts';
import type { Reading } from './source-document.ts';

/** Bytes that a file of a skill may have. */
const MAX_FILE_BYTES = 256 * 1024;

/** Opening a FIFO must not wait for its writer, and a link put there after the check must not be followed. */
const OPEN_FLAGS = constants.O_RDONLY | (constants.O_NONBLOCK ?? 0) | (constants.O_NOFOLLOW ?? 0);

type FileBytes = { readonly bytes: Buffer } | { readonly refused: string; readonly code: string; readonly hint: string };

/** Whether a path is a folder or lies below it; both real, absolute. */
export function isInside(path: string, folder: string): boolean {
  return path === folder || path.startsWith(folder.endsWith(sep) ? folder : folder + sep);
}

async function readBytes(realPath: string): Promise<FileBytes> {
  const handle = await open(realPath, OPEN_FLAGS);
  try {
    const stats = await handle.stat();
    if (!stats.isFile()) return { refused: 'is not a regular file', code: 'not_a_file', hint: 'Put a plain text file there.' };
    const tooLarge = {
      refused: `is larger than ${MAX_FILE_BYTES / 1024} KB`,
      code: 'too_large',
      hint: 'Move detail into files under references/ and link to them.',
    } as const;
    if (stats.size > MAX_FILE_BYTES) return tooLarge;
    const buffer = Buffer.allocUnsafe(MAX_FILE_BYTES + 1);
    let length = 0;
    while (length < buffer.length) {
      const { bytesRead } = await handle.read(buffer, length, buffer.length - length, null);
      if (bytesRead === 0) break;
      length += bytesRead;
    }
    return length > MAX_FILE_BYTES ? tooLarge : { bytes: buffer.subarray(0, length) };
  } finally {
    await handle.close();
  }
}

function decodes(bytes: Uint8Array): boolean {
  try {
    new TextDecoder('utf-8', { fatal: true }).decode(bytes, { stream: true });
    return true;
  } catch {
    return false;
  }
}

/** How many leading bytes are UTF-8, cut character included. */
function validLength(bytes: Uint8Array): number {
  let [good, bad] = [0, bytes.length];
  while (bad - good > 1) {
    const middle = (good + bad) >> 1;
    if (decodes(bytes.subarray(0, middle))) good = middle;
    else bad = middle;
  }
  return good;
}

/** The text of a file; a byte order mark is dropped. */
function decode(bytes: Uint8Array): Reading<string> {
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
    const nul = text.indexOf('\0');
    if (nul === -1) return { ok: true, value: text };
    const place = { ...positionAt(text, nul), hint: 'Remove the NUL byte; the file must be plain text.' } as const;
    return { ok: false, problems: [problem('error', 'nul_byte', 'the file contains a NUL byte', place)] };
  } catch {
    const before = new TextDecoder().decode(bytes.subarray(0, validLength(bytes)), { stream: true });
    const place = { ...positionAt(before, before.length), hint: 'Save the file as UTF-8.' } as const;
    return { ok: false, problems: [problem('error', 'invalid_utf8', 'the file is not valid UTF-8 from here on', place)] };
  }
}

/** Why a file operation failed, in a few words. */
export function ioReason(thrown: unknown): string {
  if (thrown instanceof Error && 'code' in thrown && typeof thrown.code === 'string') return thrown.code;
  return thrown instanceof Error ? thrown.message : String(thrown);
}

/**
 * Reads a text file that must lie, links resolved, inside `realFolder`; at most 256 KB, regular, UTF-8 (a byte order
 * mark is dropped), without NUL. Never throws and never waits on a pipe or device: whatever is wrong is a problem.
 */
export async function readText(file: string, realFolder: string): Promise<Reading<string>> {
  const fail = (code: string, message: string, hint: string): Reading<string> => ({
    ok: false,
    problems: [problem('error', code, message, { hint })],
  });
  try {
    const realPath = await realpath(file);
    if (!isInside(realPath, realFolder)) {
      return fail(
        'symlink_outside',
        `the file is a link to ${realPath}, outside the skill's folder`,
        'Copy the file into the folder.',
      );
    }
    const result = await readBytes(realPath);
    return 'bytes' in result ? decode(result.bytes) : fail(result.code, `the file ${result.refused}`, result.hint);
  } catch (error) {
    const reason = ioReason(error);
    if (reason === 'ENOENT') return fail('missing_file', 'the file does not exist', 'Create it, or remove the broken link.');
    return fail('unreadable', `the file cannot be read (${reason})`, 'Check its permissions.');
  }
}
