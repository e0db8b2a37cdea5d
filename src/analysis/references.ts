import type { Language } from '../changes.ts';
import { type LanguageFamily, familyOf } from './language.ts';

/** What a text refers to. */
export interface References {
  /** Modules that it loads when it runs, as they are written: `../src/a.ts`, `pkg.mod`, `.mod`. Types alone load nothing. */
  readonly modules: readonly string[];
  /** What its strings mention: paths of code (`dist/cli.js`, joined where the parts stand side by side), `pkg.mod` in Python. */
  readonly mentions: readonly string[];
  /** Which of the names asked for stand in the text as words. */
  readonly names: readonly string[];
}

const QUOTED = String.raw`(?:'(?<single>[^'\n]+)'|"(?<double>[^"\n]+)"|\x60(?<plain>[^\x60$\n]+)\x60)`;
const TYPE_NAME = String.raw`type\s+[\w$]+(?:\s+as\s+[\w$]+)?`;
/** Imports that are gone when the types are: `import type`, `import { type A }`, `import('./a').A`. */
const JAVASCRIPT_TYPES = [
  String.raw`\b(?:import|export)\s+type\s*(?:\*(?:\s*as\s+(?<whole>[\w$]+))?|\{[^{}]{0,4000}\}|\b(?!from\s*['"])[\w$]+)\s*from\s*['"][^'"\n]+['"]`,
  String.raw`\b(?:import|export)\s*\{\s*${TYPE_NAME}(?:\s*,\s*${TYPE_NAME})*(?:\s*,)?\s*\}\s*from\s*['"][^'"\n]+['"]`,
  String.raw`(?<!typeof\s)\bimport\(\s*['"][^'"\n]+['"]\s*\)\s*\.\s*[A-Z]`,
].join('|');
const JAVASCRIPT_ABSENT = new RegExp(String.raw`^[ \t]*(?:\/\/|\/?\*[ \t/*]).*$|${JAVASCRIPT_TYPES}`, 'gmu');
const LOADS = String.raw`(?:\bfrom|\bimport|\b(?:import|require(?:\.resolve)?|import\.meta\.resolve|(?:import|require)Actual)\s*(?:<[^<>()]{0,200}>)?\s*\((?:\s*\/\*[^*]{0,200}\*\/)?)`;
const JAVASCRIPT_MODULE = new RegExp(String.raw`${LOADS}\s*${QUOTED}`, 'gu');

const PYTHON_MODULE =
  /^[ \t]*(?:from[ \t]+(?<from>[.\w]+)[ \t]+import[ \t]+(?<names>\([^)]*\)|[^\n#]*)|import[ \t]+(?<plain>[^\n#]+))/gmu;
/** Blocks that only type checkers read. */
const PYTHON_TYPES =
  /^(?<indent>[ \t]*)if[ \t]+(?:typing\.|t\.)?TYPE_CHECKING[ \t]*:[^\n]*\n(?:\k<indent>[ \t]+[^\n]*\n?|[ \t]*\n)*/gmu;

const STRING = /'(?:[^'\\\n]|\\.){0,300}'|"(?:[^"\\\n]|\\.){0,300}"|`(?:[^`\\\n]|\\.){0,300}`/gu;
const CODE_PATH = /(?<![\w@.\-/])[\w@.\-/]+\.(?:[cm]?[jt]sx?|pyw?)(?![\w.\-/])/gu;
const PATH_PART = /^[\w@.\-/]+$/u;
const DOTTED = /^(?<module>[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)+)(?::[\w.]+)?$/u;

/** The text without what does not run: comments of whole lines, and imports of types. */
function running(family: LanguageFamily, text: string): string {
  if (family === 'javascript') {
    // who asks for the type of a whole module loads it some other way
    return text.replace(JAVASCRIPT_ABSENT, (match, whole: string | undefined) =>
      whole !== undefined && text.includes(`typeof ${whole}`) ? match : '',
    );
  }
  return text
    .replace(/^[ \t]*#.*$/gmu, '')
    .replace(/\\\r?\n/gu, ' ')
    .replace(PYTHON_TYPES, '');
}

function javascriptModules(code: string): string[] {
  return [...code.matchAll(JAVASCRIPT_MODULE)].map(
    ({ groups }) => groups?.['single'] ?? groups?.['double'] ?? groups?.['plain'] ?? '',
  );
}

function pythonModules(code: string): string[] {
  return [...code.matchAll(PYTHON_MODULE)].flatMap(({ groups }) => {
    const listed = (groups?.['names'] ?? groups?.['plain'] ?? '').replace(/#.*$|\bas[ \t]+\w+/gmu, '');
    const words = listed.match(/[.\w]+/gu) ?? [];
    const from = groups?.['from'];
    // `from pkg import mod` may name a module
    return from === undefined
      ? words
      : [from, ...words.map((word) => (from.endsWith('.') ? `${from}${word}` : `${from}.${word}`))];
  });
}

/** Paths in the strings of a text; `join('dist', 'cli.js')` mentions `dist/cli.js` and `cli.js`. */
function mentionedPaths(text: string): string[] {
  const found: string[] = [];
  let parts: string[] = [];
  let end = 0;
  for (const match of text.matchAll(STRING)) {
    const value = match[0].slice(1, -1);
    if (!/^\s{0,20}[,/]\s{0,20}$/u.test(text.slice(end, match.index).slice(0, 50))) parts = [];
    end = match.index + match[0].length;
    const paths = value.match(CODE_PATH) ?? [];
    found.push(...paths);
    if (paths[0] === value && parts.length > 0) found.push([...parts, value].join('/'));
    parts = paths.length === 0 && PATH_PART.test(value) ? [...parts.slice(-7), value] : [];
  }
  return found;
}

/** Module names that are whole strings (`patch('pkg.mod.name')`, `run('pkg.app:app')`), and those after `-m`. */
function mentionedModules(text: string): string[] {
  const whole = [...text.matchAll(STRING)].map(([literal]) => DOTTED.exec(literal.slice(1, -1)));
  const started = text.matchAll(/(?<![\w-])-m['"]?[\s,]{1,20}['"]?(?<module>[A-Za-z_][\w.]*)/gu);
  return [...whole, ...started].map((match) => match?.groups?.['module'] ?? '').filter((module) => module !== '');
}

/** What a text refers to, by pattern, not by parsing: code in strings may add some. Plain text refers to nothing. */
export function referencesIn(language: Language, text: string, wanted: readonly string[]): References {
  const family = familyOf(language);
  if (family === null) return { modules: [], mentions: [], names: [] };
  const code = running(family, text);
  const modules = family === 'python' ? pythonModules(code) : javascriptModules(code);
  const mentions = [...mentionedPaths(code), ...(family === 'python' ? mentionedModules(code) : [])];
  const words = new Set(wanted.length === 0 ? [] : text.match(/[\p{ID_Start}$_][\p{ID_Continue}$]*/gu));
  return {
    modules: [...new Set(modules)],
    mentions: [...new Set(mentions)],
    names: wanted.filter((name) => words.has(name)),
  };
}
