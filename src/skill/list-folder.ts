import type { Dirent } from 'node:fs';
import { readdir, realpath, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { ioReason, isInside } from './read-text.ts';
import type { Diagnostic } from './skill.ts';

const MAX_ENTRIES = 5000;
const MAX_DEPTH = 16;

/** What lies in a skill's folder. */
export interface FolderListing {
  /** Files and folders at any depth, from the folder, `/`-separated; `.` is the folder itself. */
  readonly entries: ReadonlySet<string>;
  /** Absolute `file`; line and column 1. */
  readonly diagnostics: readonly Diagnostic[];
}

function diagnostic(severity: Diagnostic['severity'], code: string, message: string, file: string, hint: string): Diagnostic {
  return { severity, code, message, file, line: 1, column: 1, hint };
}

async function checkLink(file: string, realFolder: string): Promise<Diagnostic | null> {
  try {
    const target = await realpath(file);
    if (isInside(target, realFolder)) return null;
    const hint = 'Copy the target into the folder, or remove the link.';
    return diagnostic('error', 'symlink_outside', `the link leads to ${target}, outside the skill's folder`, file, hint);
  } catch (error) {
    const message = `the link leads nowhere (${ioReason(error)})`;
    return diagnostic('warning', 'symlink_broken', message, file, 'Remove the link or restore its target.');
  }
}

/** The entries of a folder, or a diagnostic when it cannot be read. */
async function readEntries(dir: string): Promise<readonly Dirent[] | Diagnostic> {
  try {
    const entries = await readdir(dir, { withFileTypes: true });
    return entries.sort((a, b) => (a.name < b.name ? -1 : 1));
  } catch (error) {
    return diagnostic('warning', 'unreadable', `the folder cannot be read (${ioReason(error)})`, dir, 'Check its permissions.');
  }
}

/**
 * Lists a skill's folder without following links in it. Errors: a link that resolves outside `realFolder`, more than
 * 5,000 entries or 16 levels (links beyond would go unchecked). Warnings: broken links, folders that cannot be read. Never
 * throws.
 */
export async function listFolder(dir: string, realFolder: string): Promise<FolderListing> {
  const entries = new Set(['.']);
  const diagnostics: Diagnostic[] = [];
  const queue: { readonly prefix: string; readonly depth: number }[] = [{ prefix: '', depth: 0 }];
  for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
    const { prefix, depth } = next;
    const found = await readEntries(join(dir, prefix));
    if (!('length' in found)) {
      diagnostics.push(found);
      continue;
    }
    for (const entry of found) {
      const path = prefix + entry.name;
      entries.add(path);
      if (entries.size > MAX_ENTRIES || depth >= MAX_DEPTH) {
        const message = `the folder has more than ${MAX_ENTRIES} entries or ${MAX_DEPTH} levels`;
        const hint = 'Keep dependencies and build output out of a skill.';
        return { entries, diagnostics: [...diagnostics, diagnostic('error', 'too_many_files', message, dir, hint)] };
      }
      if (entry.isDirectory()) queue.push({ prefix: `${path}/`, depth: depth + 1 });
      const bad = entry.isSymbolicLink() ? await checkLink(join(dir, path), realFolder) : null;
      if (bad !== null) diagnostics.push(bad);
    }
  }
  return { entries, diagnostics };
}

/** The real path of a folder, or why it is none. */
export async function realFolderOf(dir: string): Promise<string | Diagnostic> {
  try {
    const real = await realpath(dir);
    if ((await stat(real)).isDirectory()) return real;
    return diagnostic('error', 'not_a_folder', 'expected a folder with a SKILL.md', dir, 'Name the folder, not a file in it.');
  } catch (error) {
    const message = `the folder cannot be opened (${ioReason(error)})`;
    return diagnostic('error', 'missing_folder', message, dir, 'Check the path and its permissions.');
  }
}
