import { decode, ToonDecodeError } from '@toon-format/toon';
import { FORBIDDEN_KEYS, problem } from './source-document.ts';
import type { Position, Reading, SourceDocument, ValuePath } from './source-document.ts';

interface Line {
  readonly indent: number;
  readonly text: string;
  /** From 1. */
  readonly number: number;
}

/** A key up to its length, field list or colon: `agents[2]{type,count}:`, `timeout: 300s`, `"max_concurrent": 4`. */
const KEY = /^"?([\w.-]{1,128})"?(?=[[{:])/;

function keyOf(line: Line): string {
  return KEY.exec(line.text)?.[1] ?? '';
}

/** The lines indented more than the one at `parent`, up to the next that is not; all from the start for the root. */
function childrenOf(lines: readonly Line[], parent: number): Line[] {
  const indent = lines[parent]?.indent ?? -1;
  const rest = lines.slice(parent + 1);
  const end = rest.findIndex((line) => line.indent <= indent);
  return end === -1 ? rest : rest.slice(0, end);
}

/** Finds the line of a path by its keys, list dashes and table rows, as far as it goes. */
function findLine(lines: readonly Line[], path: ValuePath): Line {
  let scope = lines;
  let found: Line = { indent: 0, text: '', number: 1 };
  for (const part of path) {
    const outer = scope.reduce((least, line) => Math.min(least, line.indent), Number.POSITIVE_INFINITY);
    const siblings = scope.filter((line) => line.indent === outer);
    const isRow = typeof part === 'number';
    const next = isRow ? siblings[part] : siblings.find((line) => keyOf(line) === String(part));
    if (next === undefined) return found;
    found = next;
    scope = childrenOf(scope, scope.indexOf(next));
    if (isRow && next.text.startsWith('- ')) {
      // The first key of a list item stands on the dash's own line, two columns on.
      const first = { indent: next.indent + 2, text: next.text.slice(2), number: next.number };
      found = first;
      scope = [first, ...scope];
    }
  }
  return found;
}

function toLines(text: string): Line[] {
  return text.split('\n').flatMap((raw, i) => {
    const content = raw.trimEnd();
    const trimmed = content.trimStart();
    return trimmed === '' ? [] : [{ indent: content.length - trimmed.length, text: trimmed, number: i + 1 }];
  });
}

/**
 * Reads TOON (toonformat.dev, strict) as plain data. A syntax error has the decoder's line and column 1; the decoder keeps no
 * positions of values, so these are found again by key, and are those of the line that a value stands on.
 */
export function readToon(text: string): Reading<SourceDocument> {
  try {
    const value: unknown = decode(text, { strict: true });
    const lines = toLines(text);
    const forbidden = lines.find((line) => FORBIDDEN_KEYS.has(keyOf(line)));
    if (forbidden !== undefined) {
      const place = { line: forbidden.number, column: forbidden.indent + 1, hint: 'Rename the key.' } as const;
      const message = `"${keyOf(forbidden)}" cannot be used as a key`;
      return { ok: false, problems: [problem('error', 'forbidden_key', message, place)] };
    }
    const locate = (path: ValuePath): Position => {
      const { number, indent } = findLine(lines, path);
      return { line: number, column: indent + 1 };
    };
    return { ok: true, value: { value, locateKey: locate, locateValue: locate, textAt: () => null } };
  } catch (error) {
    const line = error instanceof ToonDecodeError ? (error.line ?? 1) : 1;
    const message = error instanceof Error ? error.message.replace(/^Line \d+: /, '') : String(error);
    const hint = 'Correct the TOON, or write swarm.yaml instead.';
    return { ok: false, problems: [problem('error', 'toon_syntax', message, { line, hint })] };
  }
}
