import type { Language } from '../changes.ts';
import { familyOf } from './language.ts';

/** The tokens of one text, comments and white space dropped, import statements too. Parallel arrays; plain data. */
export interface Tokens {
  /** One 32-bit hash a token: FNV-1a of its text; all strings share one, all numbers another. */
  readonly hashes: Uint32Array;
  /** The line each token begins on, from 1. */
  readonly lines: Uint32Array;
}

const STRING = 0x5354_5249;
const NUMBER = 0x4e55_4d42;

/** FNV-1a, 32 bits (source: draft-eastlake-fnv). */
function fnv1a(text: string): number {
  let hash = 0x811c_9dc5;
  for (let i = 0; i < text.length; i += 1) hash = Math.imul(hash ^ text.charCodeAt(i), 0x0100_0193);
  return hash >>> 0;
}

const WORD = String.raw`[\p{ID_Start}$_][\p{ID_Continue}$]*`;
const NUMERAL = String.raw`\.?\d[\w.]*`;
const QUOTED = String.raw`"(?:[^"\\\n]|\\[^\n])*(?:"|\\?(?=\n|$))|'(?:[^'\\\n]|\\[^\n])*(?:'|\\?(?=\n|$))`;
// What is not closed ends with the line or the text, so that nothing is searched twice over the same characters.
const JAVASCRIPT = new RegExp(
  [
    String.raw`(?<comment>\/\/[^\n]*|\/\*(?:[^*]|\*(?!\/))*(?:\*\/|$))`,
    `(?<string>${QUOTED}|\`(?:[^\`\\\\]|\\\\[^])*(?:\`|\\\\?$))`,
    `(?<word>${WORD})`,
    `(?<number>${NUMERAL})`,
    String.raw`(?<sign>=>|\?\?|\?\.|\.\.\.|[=!]==?|&&|\|\||[^\s])`,
  ].join('|'),
  'gu',
);
const PYTHON = new RegExp(
  [
    String.raw`(?<comment>#[^\n]*)`,
    String.raw`(?<string>[rRbBuUfF]{0,2}(?:"""(?:[^"]|"(?!""))*(?:"""|$)|'''(?:[^']|'(?!''))*(?:'''|$)|${QUOTED}))`,
    `(?<word>${WORD})`,
    `(?<number>${NUMERAL})`,
    String.raw`(?<sign>\*\*|\/\/|[=!<>]=|->|[^\s])`,
  ].join('|'),
  'gu',
);

/** After these a slash begins a regular expression, not a division. */
const BEFORE_REGEX = new Set([
  '(',
  ',',
  '=',
  ':',
  '[',
  '!',
  '&&',
  '||',
  '?',
  '??',
  '{',
  '}',
  ';',
  '=>',
  'return',
  'typeof',
  'case',
  '',
]);
const REGEX = /^\/(?:[^/\\[\n]|\\.|\[(?:[^\]\\\n]|\\.)*\])+\/[a-z]*/u;
/** Longer regular expressions are taken for divisions: bounds the search for an end that is not there. */
const MAX_REGEX = 300;

interface Token {
  readonly text: string;
  readonly kind: 'string' | 'word' | 'number' | 'sign';
  readonly line: number;
  /** No other token stands before it on its line. */
  readonly first: boolean;
}

function* scan(text: string, pattern: RegExp, javascript: boolean): Generator<Token> {
  let line = 1;
  let counted = 0;
  let lastLine = 0;
  let before = '';
  const matcher = new RegExp(pattern);
  for (let match = matcher.exec(text); match !== null; match = matcher.exec(text)) {
    const groups = match.groups ?? {};
    for (; counted < match.index; counted += 1) if (text.charCodeAt(counted) === 10) line += 1;
    if (groups['comment'] !== undefined) continue;
    let found = match[0];
    let kind: Token['kind'] = 'sign';
    if (groups['string'] !== undefined) kind = 'string';
    else if (groups['word'] !== undefined) kind = 'word';
    else if (groups['number'] !== undefined) kind = 'number';
    else if (javascript && found === '/' && BEFORE_REGEX.has(before)) {
      const regex = REGEX.exec(text.slice(match.index, match.index + MAX_REGEX))?.[0];
      if (regex !== undefined) {
        found = regex;
        kind = 'string';
        matcher.lastIndex = match.index + regex.length;
      }
    }
    yield { text: found, kind, line, first: line !== lastLine };
    lastLine = line;
    before = found;
  }
}

/** Whether the token begins an import statement, and how the statement ends. */
function importEnd(token: Token, next: Token | undefined, javascript: boolean): 'string' | 'line' | null {
  if (!token.first || token.kind !== 'word') return null;
  if (!javascript) return token.text === 'import' || token.text === 'from' ? 'line' : null;
  // `import(` and `import.meta` are expressions
  return token.text === 'import' && next?.text !== '(' && next?.text !== '.' ? 'string' : null;
}

/** Index of the token after an import statement that begins at `at`. */
function skipImport(tokens: readonly Token[], at: number, end: 'string' | 'line'): number {
  let depth = 0;
  for (let i = at; i < tokens.length; i += 1) {
    const token = tokens[i];
    if (token === undefined) break;
    if (end === 'line' && i > at && token.first && depth === 0) return i;
    if (token.text === '(' || token.text === '{') depth += 1;
    else if (token.text === ')' || token.text === '}') depth -= 1;
    else if (end === 'string' && token.kind === 'string') return tokens[i + 1]?.text === ';' ? i + 2 : i + 1;
  }
  return tokens.length;
}

/** Tokens of a text, in linear time, without a parser: broken code has tokens too. Plain text has none. */
export function tokenize(language: Language, text: string): Tokens {
  const family = familyOf(language);
  if (family === null) return { hashes: new Uint32Array(0), lines: new Uint32Array(0) };
  const javascript = family === 'javascript';
  const tokens = [...scan(text, javascript ? JAVASCRIPT : PYTHON, javascript)];
  const hashes: number[] = [];
  const lines: number[] = [];
  for (let i = 0; i < tokens.length; i += 1) {
    const token = tokens[i];
    if (token === undefined) break;
    const end = importEnd(token, tokens[i + 1], javascript);
    if (end !== null) {
      i = skipImport(tokens, i, end) - 1;
      continue;
    }
    hashes.push(token.kind === 'string' ? STRING : token.kind === 'number' ? NUMBER : fnv1a(token.text));
    lines.push(token.line);
  }
  return { hashes: Uint32Array.from(hashes), lines: Uint32Array.from(lines) };
}
