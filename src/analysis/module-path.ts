import type { LanguageFamily } from './language.ts';
import { familyOf, languageOf } from './language.ts';

/** Files whose script is JavaScript, though they are no JavaScript as a whole. */
const WITH_SCRIPT = /\.(?:vue|svelte|astro)$/iu;

/** The family of the code in a file, by its name; `null` where there is none. */
export function codeFamily(path: string): LanguageFamily | null {
  return WITH_SCRIPT.test(path) ? 'javascript' : familyOf(languageOf(path));
}

/** A path without the extension of code: `src/a` for `src/a.ts` and `src/a.d.ts`. Other extensions stay. */
export function withoutExtension(path: string): string {
  return path.replace(/(?:\.d)?\.(?:[cm]?[jt]sx?|py[iw]?)$/iu, '');
}

/** The folder of a path, '' for the root. */
export function folderOf(path: string): string {
  return path.slice(0, Math.max(0, path.lastIndexOf('/')));
}

/** The name without folder and extension. */
export function baseName(path: string): string {
  return withoutExtension(path.slice(path.lastIndexOf('/') + 1));
}

/** Both parts as one path from the root, `.` and `..` resolved; `null` where it leads out of the project. */
export function joinPath(folder: string, relative: string): string | null {
  const parts = folder === '' ? [] : folder.split('/');
  for (const part of relative.split('/')) {
    if (part === '..') {
      if (parts.pop() === undefined) return null;
    } else if (part !== '.' && part !== '') parts.push(part);
  }
  return parts.join('/');
}

/** A folder and all above it, innermost first, the root ('') last. */
export function foldersUp(folder: string): string[] {
  const found: string[] = [];
  for (let at = folder; at !== ''; at = folderOf(at)) found.push(at);
  return [...found, ''];
}

/** How many leading folders two paths share. */
export function sharedFolders(a: string, b: string): number {
  const [left, right] = [a.split('/').slice(0, -1), b.split('/').slice(0, -1)];
  const at = left.findIndex((part, i) => part !== right[i]);
  return at === -1 ? left.length : at;
}
