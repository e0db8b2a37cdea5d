/** Lines kept around a change. */
const CONTEXT = 3;
/** Differing lines up to which the shortest script is looked for; the work grows with their square. */
const MAX_EDITS = 1000;

/** Lines `start` to before `end` of the old text, in place of which come the new text's `newStart` to before `newEnd`. */
interface Change {
  readonly start: number;
  readonly end: number;
  readonly newStart: number;
  readonly newEnd: number;
}

/** A run of equal lines. */
interface Snake {
  readonly x: number;
  readonly y: number;
  readonly length: number;
}

/** The furthest x on each diagonal, for 0, 1, … edits, until the end of both is reached; `undefined` past the limit. */
function trace(a: readonly string[], b: readonly string[]): readonly Int32Array[] | undefined {
  const frontiers: Int32Array[] = [];
  let last = new Int32Array([0, 0, 0]);
  for (let edits = 0; edits <= MAX_EDITS && edits <= a.length + b.length; edits += 1) {
    // Index k + edits + 1 holds diagonal k; one more on each side keeps the neighbours in range.
    const next = new Int32Array(2 * edits + 3).fill(-1);
    for (let k = -edits; k <= edits; k += 2) {
      const down = edits === 0 ? 0 : (last[k + 1 + edits] ?? -1);
      const right = edits === 0 ? 0 : (last[k - 1 + edits] ?? -1) + 1;
      let x = k === -edits || (k !== edits && right <= down) ? down : right;
      while (x < a.length && x - k < b.length && a[x] === b[x - k]) x += 1;
      next[k + edits + 1] = x;
      if (x >= a.length && x - k >= b.length) return [...frontiers, next];
    }
    frontiers.push(next);
    last = next;
  }
  return undefined;
}

/** The runs of equal lines that the shortest edit script leaves (E. Myers, An O(ND) difference algorithm, 1986). */
function snakes(a: readonly string[], b: readonly string[]): readonly Snake[] {
  const frontiers = trace(a, b);
  if (frontiers === undefined) return [];
  const found: Snake[] = [];
  let x = a.length;
  let y = b.length;
  for (let edits = frontiers.length - 1; edits >= 0; edits -= 1) {
    const k = x - y;
    const before = frontiers[edits - 1];
    const down = before?.[k + 1 + edits] ?? -1;
    const right = (before?.[k - 1 + edits] ?? -1) + 1;
    const isDown = k === -edits || (k !== edits && right <= down);
    const startX = edits === 0 ? 0 : isDown ? down : right;
    if (x > startX) found.push({ x: startX, y: startX - k, length: x - startX });
    x = edits === 0 || isDown ? startX : startX - 1;
    y = edits === 0 ? 0 : x - (isDown ? k + 1 : k - 1);
  }
  return found.reverse();
}

function changesBetween(a: readonly string[], b: readonly string[]): readonly Change[] {
  let head = 0;
  while (head < a.length && head < b.length && a[head] === b[head]) head += 1;
  let tail = 0;
  while (tail < a.length - head && tail < b.length - head && a.at(-1 - tail) === b.at(-1 - tail)) tail += 1;
  const endA = a.length - tail;
  const endB = b.length - tail;
  const changes: Change[] = [];
  let x = head;
  let y = head;
  const upTo = (nextX: number, nextY: number): void => {
    if (nextX > x || nextY > y) changes.push({ start: x, end: nextX, newStart: y, newEnd: nextY });
  };
  for (const snake of snakes(a.slice(head, endA), b.slice(head, endB))) {
    upTo(head + snake.x, head + snake.y);
    x = head + snake.x + snake.length;
    y = head + snake.y + snake.length;
  }
  upTo(endA, endB);
  return changes;
}

/** Changes so near to each other that their context touches, together. */
function hunks(changes: readonly Change[]): readonly (readonly Change[])[] {
  const groups: Change[][] = [];
  for (const change of changes) {
    const group = groups.at(-1);
    const last = group?.at(-1);
    if (group !== undefined && last !== undefined && change.start - last.end <= 2 * CONTEXT) group.push(change);
    else groups.push([change]);
  }
  return groups;
}

/** Position and count as the `@@` line has them: counted from 1, the line before an empty range, a count of 1 left out. */
function range(start: number, count: number): string {
  return count === 1 ? String(start + 1) : `${count === 0 ? start : start + 1},${count}`;
}

function hunkLines(a: readonly string[], b: readonly string[], changes: readonly Change[]): readonly string[] {
  const first = changes[0];
  const last = changes.at(-1);
  if (first === undefined || last === undefined) return [];
  const start = Math.max(0, first.start - CONTEXT);
  const end = Math.min(a.length, last.end + CONTEXT);
  const newStart = first.newStart - (first.start - start);
  const newEnd = last.newEnd + (end - last.end);
  const lines = [`@@ -${range(start, end - start)} +${range(newStart, newEnd - newStart)} @@`];
  let at = start;
  for (const change of changes) {
    for (const line of a.slice(at, change.start)) lines.push(` ${line}`);
    for (const line of a.slice(change.start, change.end)) lines.push(`-${line}`);
    for (const line of b.slice(change.newStart, change.newEnd)) lines.push(`+${line}`);
    at = change.end;
  }
  for (const line of a.slice(at, end)) lines.push(` ${line}`);
  return lines;
}

/**
 * What differs between two texts by lines, as `diff -u` prints it, without the names of files; empty when nothing does.
 * Where more than 1,000 lines differ it is not the shortest description.
 */
export function lineDiff(from: string, to: string): string {
  if (from === to) return '';
  const a = from.split('\n');
  const b = to.split('\n');
  return hunks(changesBetween(a, b))
    .flatMap((changes) => hunkLines(a, b, changes))
    .join('\n');
}
