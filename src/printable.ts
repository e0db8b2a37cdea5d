/**
 * Text that others wrote (paths, code, messages) made safe to show: in a terminal, in markdown, in a log. Pure.
 */

/**
 * Characters that nobody sees or that change how others are shown, except joiners between non-ASCII letters or emoji;
 * and the ninth and further marks on one letter, which would cover the lines around.
 */
const INVISIBLE =
  /(?!(?<=\P{ASCII})\p{Join_Control}(?=\P{ASCII}))[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}\u{115f}\u{1160}\u{3164}\u{ffa0}]|(?<=\p{M}{8})\p{M}/gu;
const PLAIN_ASCII = /^[ -~]*$/;
const SHORT_ESCAPES: Readonly<Record<string, string>> = { '\n': String.raw`\n`, '\r': String.raw`\r`, '\t': String.raw`\t` };

function escapeCharacter(character: string): string {
  const short = SHORT_ESCAPES[character];
  if (short !== undefined) return short;
  const code = character.codePointAt(0) ?? 0;
  const hex = code.toString(16);
  if (code <= 0xff) return String.raw`\x${hex.padStart(2, '0')}`;
  return code <= 0xffff ? String.raw`\u${hex.padStart(4, '0')}` : String.raw`\u{${hex}}`;
}

/**
 * One line in which every control character, line separator, bidi control, invisible format character, lone surrogate
 * and ninth combining mark is spelled out as in a JavaScript string (`\n`, `\x1b`, `\u202e`). Backslashes in the text
 * stay as they are: the result is for reading, not for decoding. `''` gives `''`.
 */
export function printable(text: string): string {
  return PLAIN_ASCII.test(text) ? text : text.replace(INVISIBLE, escapeCharacter);
}

/** As {@link printable}, for prose: runs of white space, line breaks among them, become one space first; trimmed. */
export function printableProse(text: string): string {
  return printable(text.replace(/\s+/gu, ' ').trim());
}

/** The lines of a text, each as {@link printable}; tabs become two spaces, a last line break makes no line. */
export function printableLines(text: string): readonly string[] {
  return text
    .replace(/\r\n?/gu, '\n')
    .replace(/\n$/u, '')
    .split('\n')
    .map((line) => printable(line.replaceAll('\t', '  ')));
}

/** A JSON document in which what {@link printable} spells out is escaped: the same data, safe to show. */
export function printableJson(json: string): string {
  const escape = (character: string): string =>
    character === '\n'
      ? character
      : Array.from(
          { length: character.length },
          (_, at) => String.raw`\u${character.charCodeAt(at).toString(16).padStart(4, '0')}`,
        ).join('');
  return json.replace(INVISIBLE, escape);
}

/** A secret as it may be printed: at most its first 4 characters (fewer of a short one), `…`, its length. */
export function redacted(secret: string): string {
  const shown = secret.slice(0, Math.min(4, Math.floor(secret.length / 5)));
  return `${shown.replace(/\s/gu, ' ')}…(${secret.length} characters)`;
}

/** Characters of a name that a message shows. */
const MOST_SHOWN = 64;

/** A name that a caller wrote (of a tool, a parameter, a command), in quotes, for messages. */
export function shownName(name: string): string {
  return JSON.stringify(name.length > MOST_SHOWN ? `${name.slice(0, MOST_SHOWN)}…` : name);
}

/** Digits of a number that may be printed; numbers of cards and accounts have more. */
const MOST_DIGITS = 15;

/** A word as people type it, and no password: short, of small letters alone. */
const PLAIN_WORD = /^[a-z]{1,12}$/;

/** Figures as people type them, no more than {@link MOST_DIGITS}: `1,000`, `1e9`, `10%`. */
const FIGURES = /^(?=.{1,15}$)[-+]?[\d.,]+(?:e[-+]?\d{1,3})?%?$/i;

/**
 * A value that was refused, for messages: a plain word and plain figures as they are, else its kind and size, and of a
 * text what {@link redacted} shows, since what was put into the wrong place may be a secret.
 */
export function described(value: unknown): string {
  if (typeof value === 'string' && (PLAIN_WORD.test(value) || FIGURES.test(value))) return `"${value}"`;
  if (typeof value === 'string') return value === '' ? 'empty text' : `text ${printable(redacted(value))}`;
  if (typeof value === 'number') return String(value).length <= MOST_DIGITS ? String(value) : 'a long number';
  if (value === undefined) return 'nothing';
  if (value === null || typeof value === 'boolean') return String(value);
  if (Array.isArray(value)) return `a list of ${value.length}`;
  return typeof value === 'object' ? `an object of ${Object.keys(value).length}` : `a ${typeof value}`;
}

/** East Asian wide and fullwidth blocks (Unicode UAX #11), both ends inclusive, ascending. */
const WIDE: readonly (readonly [number, number])[] = [
  [0x1100, 0x115f],
  [0x2e80, 0x303e],
  [0x3041, 0x4dbf],
  [0x4e00, 0xa4cf],
  [0xa960, 0xa97f],
  [0xac00, 0xd7a3],
  [0xf900, 0xfaff],
  [0xfe10, 0xfe19],
  [0xfe30, 0xfe6f],
  [0xff00, 0xff60],
  [0xffe0, 0xffe6],
  [0x16fe0, 0x18dff],
  [0x1aff0, 0x1b2ff],
  [0x1f200, 0x1f2ff],
  [0x20000, 0x3fffd],
];
const ZERO_WIDTH = /^[\p{Mn}\p{Me}\p{Cc}\p{Cf}\u{1160}-\u{11ff}\u{d7b0}-\u{d7fb}]$/u;
const EMOJI = /\p{Emoji_Presentation}|\p{Extended_Pictographic}\u{fe0f}|\u{fe0f}\u{20e3}|\p{Regional_Indicator}{2}/u;
const GRAPHEMES = new Intl.Segmenter('en', { granularity: 'grapheme' });

function characterWidth(character: string): number {
  if (ZERO_WIDTH.test(character)) return 0;
  const code = character.codePointAt(0) ?? 0;
  return WIDE.some(([from, to]) => code >= from && code <= to) ? 2 : 1;
}

interface Cell {
  readonly text: string;
  readonly width: number;
  /** Where it starts in the whole text, in UTF-16 units. */
  readonly index: number;
}

/** How much is segmented at once: the cost of `Intl.Segmenter` grows with the square of the length. */
const CHUNK = 256;

function* graphemes(text: string): Generator<{ readonly segment: string; readonly index: number }> {
  let at = 0;
  while (at < text.length) {
    const splitsPair = /[\u{d800}-\u{dbff}]/u.test(text.charAt(at + CHUNK - 1));
    const end = at + CHUNK + (splitsPair ? 1 : 0);
    const segments = Array.from(GRAPHEMES.segment(text.slice(at, end)));
    if (end < text.length && segments.length > 1) segments.pop(); // it may go on after the chunk
    let next = at;
    for (const { segment, index } of segments) {
      yield { segment, index: at + index };
      next = at + index + segment.length;
    }
    at = next;
  }
}

/** The pieces that a text may be cut into: graphemes, or single characters where one grapheme takes over two columns. */
function* cells(text: string): Generator<Cell> {
  for (const { segment, index } of graphemes(text)) {
    const parts = Array.from(segment, (part) => ({ text: part, width: characterWidth(part) }));
    const width = EMOJI.test(segment) ? 2 : parts.reduce((sum, part) => sum + part.width, 0);
    if (width <= 2) {
      yield { text: segment, width, index };
      continue;
    }
    let at = index;
    for (const part of parts) {
      yield { ...part, index: at };
      at += part.text.length;
    }
  }
}

/**
 * Columns that a text takes in a terminal: 2 for East Asian wide characters and emoji, 0 for combining marks, else 1
 * (ambiguous ones too). The text is printable: colour codes and control characters are not understood.
 */
export function displayWidth(text: string): number {
  if (PLAIN_ASCII.test(text)) return text.length;
  let width = 0;
  for (const cell of cells(text)) width += cell.width;
  return width;
}

/** The longest start of a text, cut between graphemes, that takes at most `width` columns. */
function prefix(text: string, width: number): string {
  const start = text.slice(0, Math.max(0, width) + 1);
  if (PLAIN_ASCII.test(start)) return text.length <= width ? text : start.slice(0, -1);
  let used = 0;
  for (const cell of cells(text)) {
    used += cell.width;
    if (used > width) return text.slice(0, cell.index);
  }
  return text;
}

function fits(text: string, width: number): boolean {
  return prefix(text, width).length === text.length;
}

/** A printable text cut to at most `width` columns (≥ 1), `…` in the last one where something was cut off. */
export function truncate(text: string, width: number): string {
  return fits(text, width) ? text : `${prefix(text, width - 1)}…`;
}

/** As {@link truncate}, but keeps the end: for paths, whose end says more. */
export function truncateStart(text: string, width: number): string {
  let rest = displayWidth(text);
  if (rest <= width) return text;
  for (const cell of cells(text)) {
    if (rest < width) return `…${text.slice(cell.index)}`;
    rest -= cell.width;
  }
  return '…';
}

/**
 * A printable text broken at spaces into lines of at most `width` columns (≥ 2); a word longer than that is broken
 * inside. `''` gives one empty line.
 */
export function wrap(text: string, width: number): readonly string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    const joined = line === '' ? word : `${line} ${word}`;
    if (fits(joined, width)) {
      line = joined;
      continue;
    }
    if (line !== '') lines.push(line);
    line = word;
    while (!fits(line, width)) {
      const head = prefix(line, Math.max(2, width));
      lines.push(head);
      line = line.slice(head.length);
    }
  }
  return [...lines, line];
}
