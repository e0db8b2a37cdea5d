import { displayWidth, printable, truncate } from '../printable.ts';
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

/** Names and values, one a line, values aligned; values of `null` are left out. */
export function fields(values: Readonly<Record<string, string | number | null>>, style: TextStyle): string {
  const rows = Object.entries(values).flatMap(([name, value]) => (value === null ? [] : [[name, String(value)]]));
  return alignRows(rows, style).join('\n');
}

/** What follows a page of `shown` of `total` things; empty where nothing is left. */
export function moreLine(shown: number, total: number, offset: number): string {
  const end = offset + shown;
  return end < total ? `\n${offset + 1}–${end} of ${total}; more with offset ${end}` : '';
}
