import type { ClonePair, CloneSource } from './clone-index.ts';
import { touchesChange } from './touches-change.ts';

/** One copy: whole lines of one source. */
export interface CloneCopy {
  readonly source: number;
  readonly startLine: number;
  /** Inclusive. */
  readonly endLine: number;
  readonly tokens: number;
  /** Under review, and a changed line is in it. */
  readonly touched: boolean;
}

/** Copies of the same code; the first is where it is reported. */
export interface CloneClass {
  readonly copies: readonly [CloneCopy, ...CloneCopy[]];
}

const MIN_LINES = 6;
/** Different tokens that a copy must have: tables of data repeat few. */
const MIN_KINDS = 12;

function copyOf(sources: readonly CloneSource[], index: number, start: number, length: number): CloneCopy | null {
  const source = sources[index];
  const startLine = source?.lines[start];
  const endLine = source?.lines[start + length - 1];
  if (source === undefined || startLine === undefined || endLine === undefined || endLine - startLine + 1 < MIN_LINES)
    return null;
  if (new Set(source.hashes.subarray(start, start + length)).size < MIN_KINDS) return null;
  const range = { startLine, startColumn: 1, endLine: endLine + 1, endColumn: 1 };
  return {
    source: index,
    startLine,
    endLine,
    tokens: length,
    touched: source.changed !== null && touchesChange(range, source.changed),
  };
}

function overlap(a: CloneCopy, b: CloneCopy): number {
  if (a.source !== b.source) return 0;
  return Math.max(0, Math.min(a.endLine, b.endLine) - Math.max(a.startLine, b.startLine) + 1);
}

function lines(copy: CloneCopy): number {
  return copy.endLine - copy.startLine + 1;
}

/** Order in which a class names its copies: touched ones first, then by place. */
function byPlace(a: CloneCopy, b: CloneCopy): number {
  if (a.touched !== b.touched) return a.touched ? -1 : 1;
  return a.source - b.source || a.startLine - b.startLine;
}

interface Group {
  readonly copies: CloneCopy[];
}

/** The group that already has this copy, or nearly: four fifths of the lines of both are the same. */
function groupWith(groups: ReadonlyMap<number, Group[]>, copy: CloneCopy): Group | undefined {
  return groups
    .get(copy.source)
    ?.find((group) => group.copies.some((known) => overlap(known, copy) >= 0.8 * Math.max(lines(known), lines(copy))));
}

function addTo(group: Group, copy: CloneCopy, groups: Map<number, Group[]>): void {
  if (group.copies.some((known) => overlap(known, copy) > 0)) return;
  group.copies.push(copy);
  const known = groups.get(copy.source);
  if (known === undefined) groups.set(copy.source, [group]);
  else known.push(group);
}

/**
 * Sorts pairs into classes of copies: each class once, the largest first. A pair counts where both copies have at least
 * 6 lines and 12 different tokens, and a changed line lies in one of them. A class whose first copy lies within that of
 * a larger class is part of it.
 */
export function cloneClasses(sources: readonly CloneSource[], pairs: readonly ClonePair[]): CloneClass[] {
  const sorted = pairs
    .flatMap((pair) => {
      const left = copyOf(sources, pair.left, pair.leftStart, pair.length);
      const right = copyOf(sources, pair.right, pair.rightStart, pair.length);
      return left !== null && right !== null && (left.touched || right.touched) ? [{ left, right }] : [];
    })
    .sort((a, b) => b.left.tokens - a.left.tokens || byPlace(a.left, b.left) || byPlace(a.right, b.right));
  const groups = new Map<number, Group[]>();
  const all: Group[] = [];
  for (const { left, right } of sorted) {
    let group = groupWith(groups, left) ?? groupWith(groups, right);
    if (group === undefined) {
      group = { copies: [] };
      all.push(group);
    }
    addTo(group, left, groups);
    addTo(group, right, groups);
  }
  const classes: CloneClass[] = [];
  for (const { copies } of all) {
    const [first, ...rest] = copies.sort(byPlace);
    if (first === undefined || rest.length === 0) continue;
    const within = classes.some((known) => known.copies.some((copy) => overlap(copy, first) >= 0.8 * lines(first)));
    if (!within) classes.push({ copies: [first, ...rest] });
  }
  return classes;
}
