import { InvalidInputError } from '../../errors.ts';

/** A regular expression as a tree. */
export type PatternNode =
  | { readonly type: 'one'; readonly fits: (character: string) => boolean }
  | { readonly type: 'assert'; readonly where: 'start' | 'end' | 'edge' | 'inside' }
  | { readonly type: 'sequence'; readonly parts: readonly PatternNode[] }
  | { readonly type: 'either'; readonly options: readonly PatternNode[] }
  | { readonly type: 'repeat'; readonly part: PatternNode; readonly min: number; readonly max: number | null };

const MAX_LENGTH = 500;
const MAX_DEPTH = 20;
const MAX_REPEAT = 64;

/** A test of one character by a class of JavaScript's own, remembered for each character. */
function oneOf(source: string, ignoreCase: boolean): PatternNode {
  let pattern: RegExp;
  try {
    pattern = new RegExp(`^(?:${source})$`, ignoreCase ? 'is' : 's');
  } catch {
    throw new InvalidInputError(`the pattern's part ${source} is not understood`);
  }
  const known = new Map<string, boolean>();
  const fits = (character: string): boolean => {
    const before = known.get(character);
    if (before !== undefined) return before;
    const result = pattern.test(character);
    known.set(character, result);
    return result;
  };
  return { type: 'one', fits };
}

interface Reader {
  readonly source: string;
  readonly ignoreCase: boolean;
  at: number;
}

/** Parses; throws {@link InvalidInputError} for what is not understood or too large. */
export function parsePattern(source: string, ignoreCase: boolean): PatternNode {
  if (source.length > MAX_LENGTH) throw new InvalidInputError(`a pattern has at most ${MAX_LENGTH} characters`);
  const reader: Reader = { source, ignoreCase, at: 0 };
  const node = either(reader, 0);
  if (reader.at < source.length) throw new InvalidInputError(`the pattern has a ) too many at ${reader.at + 1}`);
  return node;
}

function either(reader: Reader, depth: number): PatternNode {
  if (depth > MAX_DEPTH) throw new InvalidInputError(`the pattern nests deeper than ${MAX_DEPTH}`);
  const options = [sequence(reader, depth)];
  while (reader.source.charAt(reader.at) === '|') {
    reader.at += 1;
    options.push(sequence(reader, depth));
  }
  const [only] = options;
  return options.length === 1 && only !== undefined ? only : { type: 'either', options };
}

function sequence(reader: Reader, depth: number): PatternNode {
  const parts: PatternNode[] = [];
  while (reader.at < reader.source.length && !/[|)]/u.test(reader.source.charAt(reader.at))) {
    parts.push(repeated(reader, atom(reader, depth)));
  }
  return { type: 'sequence', parts };
}

/** `* + ? {m} {m,} {m,n}`, each with a `?` that changes nothing about whether there is a match. */
function repeated(reader: Reader, part: PatternNode): PatternNode {
  const rest = reader.source.slice(reader.at);
  const found = /^(?:([*+?])|\{(\d{1,3})(?:(,)(\d{1,3})?)?\})\??/u.exec(rest);
  if (found === null) return part;
  reader.at += found[0].length;
  if (/^[*+?{]/u.test(reader.source.slice(reader.at))) throw new InvalidInputError('the pattern repeats a repetition');
  const [, sign, low, comma, high] = found;
  if (sign !== undefined) return { type: 'repeat', part, min: sign === '+' ? 1 : 0, max: sign === '?' ? 1 : null };
  const min = Number(low);
  const max = comma === undefined ? min : high === undefined ? null : Number(high);
  if (Math.max(min, max ?? 0) > MAX_REPEAT || (max !== null && max < min)) {
    throw new InvalidInputError(`the pattern repeats at most ${MAX_REPEAT} times`);
  }
  return { type: 'repeat', part, min, max };
}

function atom(reader: Reader, depth: number): PatternNode {
  const { source, ignoreCase } = reader;
  const character = source.charAt(reader.at);
  if (character === '(') return group(reader, depth);
  if (character === '[') {
    const found = /^\[(?:\\.|[^\]\\])*\]/u.exec(source.slice(reader.at));
    if (found === null) throw new InvalidInputError('the pattern has a [ without its ]');
    reader.at += found[0].length;
    return oneOf(found[0], ignoreCase);
  }
  if (character === '\\') return escaped(reader);
  if (/[*+?]/u.test(character)) throw new InvalidInputError(`the pattern repeats nothing at ${reader.at + 1}`);
  reader.at += 1;
  if (character === '^') return { type: 'assert', where: 'start' };
  if (character === '$') return { type: 'assert', where: 'end' };
  if (character === '.') return { type: 'one', fits: () => true };
  return literal(character, ignoreCase);
}

function literal(character: string, ignoreCase: boolean): PatternNode {
  if (!ignoreCase) return { type: 'one', fits: (other) => other === character };
  const small = character.toLowerCase();
  return { type: 'one', fits: (other) => other.toLowerCase() === small };
}

function group(reader: Reader, depth: number): PatternNode {
  const opening = reader.source.startsWith('(?:', reader.at) ? '(?:' : '(';
  reader.at += opening.length;
  if (reader.source.charAt(reader.at) === '?') throw new InvalidInputError('the pattern may not look ahead or behind');
  const inner = either(reader, depth + 1);
  if (reader.source.charAt(reader.at) !== ')') throw new InvalidInputError('the pattern has a ( without its )');
  reader.at += 1;
  return inner;
}

const CONTROL: ReadonlyMap<string, string> = new Map([
  ['t', '\t'],
  ['n', '\n'],
  ['r', '\r'],
]);

function escaped(reader: Reader): PatternNode {
  const character = reader.source.charAt(reader.at + 1);
  reader.at += 2;
  if (character === 'b') return { type: 'assert', where: 'edge' };
  if (character === 'B') return { type: 'assert', where: 'inside' };
  if (/^[dDwWsS]$/u.test(character)) return oneOf(`\\${character}`, reader.ignoreCase);
  const control = CONTROL.get(character);
  if (control !== undefined) return literal(control, reader.ignoreCase);
  if (character === '' || /[A-Za-z0-9]/u.test(character)) {
    throw new InvalidInputError(`the pattern's \\${character} is not understood`);
  }
  return literal(character, reader.ignoreCase);
}
