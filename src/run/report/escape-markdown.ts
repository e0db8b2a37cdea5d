/**
 * Data as part of a markdown document (CommonMark with GitHub's tables and autolinks). What comes out is one line of
 * text, or one closed block, whatever went in.
 */
import { printable, printableLines, printableProse, truncate } from '../../printable.ts';

/** How many columns of one piece of prose are shown; the rest is in the JSON report. */
const MAX_PROSE = 1_000;

const ENTITIES: Readonly<Record<string, string>> = { '<': '&lt;', '>': '&gt;', '&': '&amp;' };

/**
 * Prose as literal inline text: no emphasis, links, autolinks, code, HTML, entities, math or table cells come of it,
 * and no block when it starts a line. Control and bidi characters are spelled out, white space is collapsed.
 */
export function inline(text: string): string {
  return truncate(printableProse(text), MAX_PROSE)
    .replace(/[\\`*_[\]|~$@#]/gu, String.raw`\$&`)
    .replace(/[<>&]/gu, (character) => ENTITIES[character] ?? character)
    .replace(/:(?=\/\/)/gu, String.raw`\:`)
    .replace(/(?<=www)\./giu, String.raw`\.`)
    .replace(/^[+=-]/u, String.raw`\$&`)
    .replace(/^(\d+)([.)])/u, String.raw`$1\$2`);
}

/** Length of the longest run of backticks. */
function longestRun(text: string): number {
  let longest = 0;
  for (const [run] of text.matchAll(/`+/gu)) longest = Math.max(longest, run.length);
  return longest;
}

/** A short text as a code span, delimited so that no backtick inside ends it. Not for table cells. */
export function codeSpan(text: string): string {
  const safe = printable(text);
  if (safe === '') return '` `';
  const delimiter = '`'.repeat(longestRun(safe) + 1);
  const pad = /^[` ]|[` ]$/u.test(safe) && safe.trim() !== '' ? ' ' : '';
  return `${delimiter}${pad}${safe}${pad}${delimiter}`;
}

/** A text as a fenced code block, the fence longer than any run of backticks inside. Starts at the margin. */
export function fenced(text: string, language = 'text'): string {
  const lines = printableLines(text);
  const fence = '`'.repeat(Math.max(3, longestRun(text) + 1));
  return [`${fence}${language}`, ...lines, fence].join('\n');
}

function row(cells: readonly string[]): string {
  return `| ${cells.join(' | ')} |`;
}

/**
 * A table, the columns in `right` set flush right. The cells are markdown made by {@link inline} or plain words of our
 * own.
 */
export function table(head: readonly string[], rows: readonly (readonly string[])[], right: readonly number[] = []): string {
  const rule = `|${head.map((_, at) => (right.includes(at) ? '---:' : '---')).join('|')}|`;
  return [row(head), rule, ...rows.map(row)].join('\n');
}
