import { createRequire } from 'node:module';
import type pythonGrammar from '@ast-grep/lang-python';
import type * as napiLibrary from '@ast-grep/napi';
import type { SgNode, SgRoot } from '@ast-grep/napi';
import type { Language } from '../changes.ts';
import type { SourceRange } from '../finding.ts';

/** A syntax tree, or why there is none. Broken code parses too: the tree then has nodes of the kind `ERROR`. */
export type Parsed = { readonly tree: SgRoot } | { readonly tree: null; readonly reason: string };

const GRAMMARS: Readonly<Record<Exclude<Language, 'text'>, string>> = {
  javascript: 'JavaScript',
  jsx: 'JavaScript',
  typescript: 'TypeScript',
  tsx: 'Tsx',
  python: 'python',
};

/** A loaded thing or why it does not load, remembered: loading is tried once a thread. */
type Loaded<T> = { readonly value: T } | { readonly reason: string };

const require = createRequire(import.meta.url);

function once<T>(load: () => T, name: string): () => Loaded<T> {
  let loaded: Loaded<T> | undefined;
  return () => {
    if (loaded === undefined) {
      try {
        loaded = { value: load() };
      } catch (error) {
        loaded = { reason: `${name} does not load here: ${error instanceof Error ? error.message : String(error)}` };
      }
    }
    return loaded;
  };
}

function requireNapi(): typeof napiLibrary {
  const napi: typeof napiLibrary = require('@ast-grep/napi');
  return napi;
}

const napi = once(requireNapi, 'the parser library @ast-grep/napi');

/**
 * The registration is shared by all threads of the process and replaces what was registered before, so a thread
 * registers only where nobody did: replacing a grammar while another thread parses with it is not safe.
 */
const python = once(() => {
  const library = requireNapi();
  try {
    library.parse('python', '');
  } catch {
    const grammar: typeof pythonGrammar = require('@ast-grep/lang-python');
    library.registerDynamicLanguage({ python: grammar });
    library.parse('python', '');
  }
}, 'the Python grammar @ast-grep/lang-python');

/** Loads every parser in this thread; call it before starting workers, so that they find the grammars registered. */
export function loadParsers(): void {
  if ('value' in napi()) python();
}

/**
 * Parses a text synchronously, in any thread. `tree` is `null`, with the reason, for the language `text` and where the
 * parser of the language does not load on this machine (no prebuilt library for the platform). Positions of nodes:
 * lines and columns from 0, columns and `index` in UTF-16 units.
 */
export function parseSource(language: Language, text: string): Parsed {
  if (language === 'text') return { tree: null, reason: 'plain text has no syntax tree' };
  const library = napi();
  if ('reason' in library) return { tree: null, reason: library.reason };
  if (language === 'python') {
    const grammar = python();
    if ('reason' in grammar) return { tree: null, reason: grammar.reason };
  }
  try {
    return { tree: library.value.parse(GRAMMARS[language], text) };
  } catch (error) {
    return { tree: null, reason: `the ${language} parser failed: ${error instanceof Error ? error.message : String(error)}` };
  }
}

/** Where a node stands, as findings say it: lines and columns from 1, the end column exclusive. */
export function nodeRange(node: SgNode): SourceRange {
  const { start, end } = node.range();
  return {
    startLine: start.line + 1,
    startColumn: start.column + 1,
    endLine: end.line + 1,
    endColumn: end.column + 1,
  };
}
