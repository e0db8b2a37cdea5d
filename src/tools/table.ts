import { displayWidth, printable, truncate, wrap } from '../printable.ts';
import type { TextStyle } from './tool.ts';

const GAP = '  ';
/** Columns below which a last cell is no longer cut. */
const LEAST = 16;

const bold = (text: string, { color }: TextStyle): string => (color ? `\u001B[1m${text}\u001B[22m` : text);
const pad = (text: string, width: number): string => text + ' '.repeat(Math.max(0, width - displayWidth(text)));

/** Cells are made printable; all columns but the last are as wide as their widest cell, the last is cut to the style's width. */
function alignRows(rows: readonly (readonly string[])[], style: TextStyle): readonly string[] {
  const cells = rows.map((row) => row.map(printable));
  const widths = (cells[0] ?? []).map((_cell, column) => Math.max(...cells.map((row) => displayWidth(row[column] ?? ''))));
  const before = widths.slice(0, -1).reduce((sum, width) => sum + width + GAP.length, 0);
  const room = Math.max(LEAST, style.width - before);
  return cells.map((row) => {
    const last = row.length - 1;
    const line = row.map((cell, column) => (column === last ? truncate(cell, room) : pad(cell, widths[column] ?? 0)));
    return line.join(GAP).trimEnd();
  });
}

/** A compact aligned table; headings in capitals, bold where colour is wanted. Every row has as many cells as headings. */
export function table(headings: readonly string[], rows: readonly (readonly string[])[], style: TextStyle): string {
  const [head = '', ...body] = alignRows([headings.map((heading) => heading.toUpperCase()), ...rows], style);
  return [bold(head, style), ...body].join('\n');
}

/** Lines that one value takes at most. */
const MOST_LINES = 12;

/** Names and values, values aligned and broken into lines; values of `null` are left out. */
export function fields(values: Readonly<Record<string, string | number | null>>, style: TextStyle): string {
  const rows = Object.entries(values).flatMap(([name, value]): [string, string][] =>
    value === null ? [] : [[printable(name), printable(String(value))]],
  );
  const before = Math.max(...rows.map(([name]) => displayWidth(name))) + GAP.length;
  const room = Math.max(LEAST, style.width - before);
  return rows
    .flatMap(([name, value]) => {
      const lines = wrap(value, room);
      const shown = lines.length > MOST_LINES ? [...lines.slice(0, MOST_LINES - 1), '…'] : lines;
      return shown.map((line, at) => pad(at === 0 ? name : '', before) + line);
    })
    .map((line) => line.trimEnd())
    .join('\n');
}

/** A total for people; one that is not exact is the least that there is. */
export const counted = (total: number, isExact: boolean): string => (isExact ? String(total) : `at least ${total}`);

/** What follows a page of `shown` of `total` things; empty where nothing is left. */
export function moreLine(shown: number, total: number, offset: number, isExact = true): string {
  const end = offset + shown;
  if (end >= total && isExact) return '';
  return `\n${offset + 1}–${end} of ${counted(total, isExact)}; more with offset ${end}`;
}
