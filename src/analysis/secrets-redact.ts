import { redacted } from '../printable.ts';
import { entropy } from './secrets-shape.ts';
import { suspectRanges } from './secrets-scan.ts';

const MIN_RUN = 20;
const LONG_RUN = new RegExp(`[A-Za-z0-9+/_=-]{${MIN_RUN},}`, 'gu');
const QUOTED_CREDENTIAL =
  /(?:passw(?:or)?d|passwd|passphrase|pwd|pass|secret|token|api_?key|credential|auth)[\w.-]{0,30}["'\]]{0,3}\s{0,5}(?::\s*\w+\s*=|=>|:=|={1,3}|:|,|\()\s{0,5}[bur]{0,2}(["'`])((?:\\.|(?!\1).){1,200})\1/giu;

const QUOTED = /(["'`])((?:\\.|(?!\1).){8,400})\1/gu;
/** What a password looks like inside a command or a call, where no name says that it is one. */
const WORD = /[A-Za-z0-9_+=!@#%^&*-]{8,}/gu;
const isMixed = (word: string): boolean => /\d/u.test(word) && /[a-z]/u.test(word) && /[A-Z]/u.test(word);

/** Ids that `Runtime.id` makes: agents name each other by them. */
const OWN_ID = /(?<![a-z])(?:agent|swarm|task|run|poll)_0[0-9a-hjkmnp-tv-z]{25}(?![0-9a-z])/gu;

/** Words of code are longer than 20 characters too: only runs that mix alphabets as random texts do are hidden. */
function isRandomRun(whole: string): boolean {
  const run = whole.replace(OWN_ID, '');
  if (run.length < MIN_RUN) return false;
  if (/^[0-9a-f]+$/iu.test(run)) return run.length >= 24 && entropy(run) >= 2.8;
  const mixed = /\d/u.test(run) && /[A-Za-z]/u.test(run);
  const turns = run.match(/[a-z][A-Z]|[A-Za-z]\d|\d[A-Za-z]/gu)?.length ?? 0;
  return mixed && turns >= 4 && entropy(run) >= 3.6 && !/^[a-z]+(?:[-_/][a-z0-9]+){3,}$/u.test(run);
}

/**
 * A text without its secrets, for evidence lines and reports: whatever any rule takes for a credential, values in
 * quotes after a name of credentials, words in quotes that mix digits, small and capital letters, and long random runs
 * become their first characters and their length. Hides too
 * much rather than too little: placeholders, commit hashes and checksums are hidden as well.
 */
export function redactSecrets(text: string): string {
  return replaceRanges(text, secretRanges(text));
}

function secretRanges(text: string): { readonly start: number; readonly end: number }[] {
  const ranges = suspectRanges(text);
  for (const match of text.matchAll(QUOTED_CREDENTIAL)) {
    const value = match[2] ?? '';
    const start = match.index + match[0].length - value.length - 1;
    ranges.push({ start, end: start + value.length });
  }
  for (const quoted of text.matchAll(QUOTED)) {
    const start = quoted.index + 1;
    for (const { 0: word, index } of (quoted[2] ?? '').matchAll(WORD)) {
      if (isMixed(word)) ranges.push({ start: start + index, end: start + index + word.length });
    }
  }
  for (const match of text.matchAll(LONG_RUN)) {
    if (isRandomRun(match[0])) ranges.push({ start: match.index, end: match.index + match[0].length });
  }
  return ranges;
}

/** Replaces ranges, joined where they overlap, by their redacted forms. */
function replaceRanges(text: string, ranges: readonly { readonly start: number; readonly end: number }[]): string {
  let result = '';
  let done = 0;
  for (const { start, end } of joinRanges(ranges)) {
    result += text.slice(done, start) + redacted(text.slice(start, end));
    done = end;
  }
  return result + text.slice(done);
}

function joinRanges(ranges: readonly { readonly start: number; readonly end: number }[]): { start: number; end: number }[] {
  const joined: { start: number; end: number }[] = [];
  for (const range of ranges.toSorted((a, b) => a.start - b.start)) {
    const last = joined.at(-1);
    if (last !== undefined && range.start < last.end) last.end = Math.max(last.end, range.end);
    else joined.push({ start: range.start, end: range.end });
  }
  return joined;
}

const MAX_EVIDENCE = 400;
const MARGIN = 4_000;

/**
 * The line of an offset as evidence: redacted, white space joined, at most 400 characters around the offset. Of a line
 * longer than 8,000 characters only the part around the offset is looked at.
 *
 * @param hidden further ranges of the text that must not be printed
 */
export function evidenceLine(
  text: string,
  offset: number,
  hidden: readonly { readonly start: number; readonly end: number }[] = [],
): string {
  const lineStart = text.lastIndexOf('\n', offset - 1) + 1;
  const newline = text.indexOf('\n', offset);
  const lineEnd = newline === -1 ? text.length : newline;
  const from = Math.max(lineStart, offset - MARGIN);
  const to = Math.min(lineEnd, offset + MARGIN);
  const part = text.slice(from, to);
  const inside = hidden
    .map(({ start, end }) => ({ start: Math.max(0, start - from), end: Math.min(part.length, end - from) }))
    .filter(({ start, end }) => start < end);
  const ranges = [...inside, ...secretRanges(part)];
  const shown = oneLine(replaceRanges(part, ranges)).trim();
  if (shown.length <= MAX_EVIDENCE) return shown;
  const at = offset - from;
  const before = oneLine(
    replaceRanges(
      part.slice(0, at),
      ranges.filter(({ end }) => end <= at),
    ),
  ).trimStart().length;
  const room = MAX_EVIDENCE - 2;
  const first = Math.max(0, Math.min(before - 100, shown.length - room));
  return `${first > 0 ? '…' : ''}${shown.slice(first, first + room)}${first + room < shown.length ? '…' : ''}`;
}

function oneLine(text: string): string {
  return text.replace(/\s+/gu, ' ');
}
