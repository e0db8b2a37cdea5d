import type { Language } from '../changes.ts';
import { familyOf } from './language.ts';

/** What a test file refers to. */
export interface References {
  /** Module names as they are written: `../src/a.ts`, `pkg.mod`, `.mod`. */
  readonly modules: readonly string[];
  /** Which of the names asked for stand in the text as words. */
  readonly names: readonly string[];
}

const JAVASCRIPT_MODULE =
  /(?:\bfrom\s*|\bimport\s*\(?\s*|\brequire(?:\.resolve)?\s*\(\s*|\bmock\s*\(\s*)(?:'(?<single>[^'\n]+)'|"(?<double>[^"\n]+)")/gu;
const PYTHON_MODULE =
  /^[ \t]*(?:from[ \t]+(?<from>[.\w]+)[ \t]+import[ \t]+(?<names>\([^)]*\)|[^\n#]*)|import[ \t]+(?<plain>[^\n#]+))/gmu;

function pythonModules(text: string): string[] {
  return [...text.matchAll(PYTHON_MODULE)].flatMap(({ groups }) => {
    const words = (groups?.['names'] ?? groups?.['plain'] ?? '').match(/[.\w]+/gu) ?? [];
    const from = groups?.['from'];
    // `from pkg import mod` may name a module
    return from === undefined
      ? words
      : [from, ...words.map((word) => (from.endsWith('.') ? `${from}${word}` : `${from}.${word}`))];
  });
}

/** The modules that a text imports (by pattern, not by parsing: comments may add some), and which of `wanted` it mentions. */
export function referencesIn(language: Language, text: string, wanted: readonly string[]): References {
  const family = familyOf(language);
  if (family === null) return { modules: [], names: [] };
  const modules =
    family === 'python'
      ? pythonModules(text)
      : [...text.matchAll(JAVASCRIPT_MODULE)].map(({ groups }) => groups?.['single'] ?? groups?.['double'] ?? '');
  const words = new Set(wanted.length === 0 ? [] : text.match(/[\p{ID_Start}$_][\p{ID_Continue}$]*/gu));
  return { modules: [...new Set(modules)], names: wanted.filter((name) => words.has(name)) };
}

function withoutExtension(path: string): string {
  return path.replace(/(?:\.d)?\.(?:[cm]?[jt]sx?|pyi?)$/iu, '').replace(/\/(?:index|__init__)$/u, '');
}

function join(folder: string, relative: string): string {
  const parts = folder === '' ? [] : folder.split('/');
  for (const part of relative.split('/')) {
    if (part === '..') parts.pop();
    else if (part !== '.' && part !== '') parts.push(part);
  }
  return parts.join('/');
}

/** Folder path of a Python relative import, and the rest of it: `..a.b` in `x/y/t.py` is `x` and `a/b`. */
function pythonPath(module: string, folder: string): string {
  const dots = /^\.+/u.exec(module)?.[0].length ?? 0;
  const rest = module.slice(dots).split('.').join('/');
  return dots === 0 ? rest : join(folder, `${'../'.repeat(dots - 1)}${rest}`);
}

/**
 * Whether a module name, written in the file `from`, can mean the file `target` (both from the project root). Relative
 * names are resolved; others match by their last segments (`@/lib/foo`, `pkg.lib.foo`), at least two of them, or one
 * where the target lies in the root or a source folder.
 */
export function moduleMeans(module: string, from: string, target: string, language: Language): boolean {
  const folder = from.includes('/') ? from.slice(0, from.lastIndexOf('/')) : '';
  const wanted = withoutExtension(target);
  if (familyOf(language) === 'python') {
    const path = pythonPath(module, folder);
    return (
      path !== '' &&
      (wanted === path ||
        (!module.startsWith('.') && wanted.endsWith(`/${path}`) && (path.includes('/') || /^(?:src|lib)\/[^/]+$/u.test(wanted))))
    );
  }
  if (module.startsWith('.')) return withoutExtension(join(folder, module)) === wanted;
  const segments = withoutExtension(module).split('/');
  for (let i = 0; segments.length - i >= 2; i += 1) {
    const path = segments.slice(i).join('/');
    if (wanted === path || wanted.endsWith(`/${path}`)) return true;
  }
  return false;
}
