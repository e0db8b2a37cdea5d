import type { LineRange } from '../changes.ts';
import type { Fingerprinted } from './file-tasks.ts';
import { GUARANTEED_TOKENS } from './winnow.ts';

/** A text whose tokens are compared with those of others. */
export interface CloneSource extends Fingerprinted {
  readonly path: string;
  /** Changed lines; `null` when the text is only there to compare with. */
  readonly changed: 'all' | readonly LineRange[] | null;
}

/** Equal tokens in two places: indexes into the sources and their tokens, `length` tokens long. */
export interface ClonePair {
  readonly left: number;
  readonly leftStart: number;
  readonly right: number;
  readonly rightStart: number;
  readonly length: number;
}

/** A fingerprint that stands in more places is boilerplate; comparing all of them would take quadratic time. */
const MAX_PLACES = 60;
const MIN_TOKENS = GUARANTEED_TOKENS;

interface Place {
  readonly source: number;
  readonly at: number;
}

function indexPrints(sources: readonly CloneSource[]): Map<number, Place[]> {
  const places = new Map<number, Place[]>();
  for (const [source, { prints }] of sources.entries()) {
    for (let i = 0; i < prints.length; i += 2) {
      const hash = prints[i] ?? 0;
      const place = { source, at: prints[i + 1] ?? 0 };
      const known = places.get(hash);
      if (known === undefined) places.set(hash, [place]);
      else if (known.length <= MAX_PLACES) known.push(place);
    }
  }
  return places;
}

/** Grows a match in both directions as far as the tokens are equal; `null` when they are not (a hash collision). */
function grow(sources: readonly CloneSource[], a: Place, b: Place): ClonePair | null {
  const left = sources[a.source]?.hashes ?? new Uint32Array(0);
  const right = sources[b.source]?.hashes ?? new Uint32Array(0);
  // two copies in one text end where the second one begins
  const limit = a.source === b.source ? b.at - a.at : Number.POSITIVE_INFINITY;
  let back = 0;
  while (a.at - back > 0 && b.at - back > 0 && left[a.at - back - 1] === right[b.at - back - 1]) back += 1;
  const leftStart = a.at - back;
  const rightStart = b.at - back;
  let length = 0;
  const most = Math.min(left.length - leftStart, right.length - rightStart);
  while (length < most && left[leftStart + length] === right[rightStart + length]) length += 1;
  const kept = Math.min(length, limit);
  return kept < MIN_TOKENS ? null : { left: a.source, leftStart, right: b.source, rightStart, length: kept };
}

/**
 * Runs of at least 50 equal tokens that two sources share, or one source with itself without overlap, where at least
 * one of the two is under review. Each run comes once, `left` before `right`. Runs within text that repeats in more
 * than 60 places are not reported. Time is linear in the tokens and in the matches.
 */
export function findClonePairs(sources: readonly CloneSource[]): ClonePair[] {
  const places = indexPrints(sources);
  const pairs: ClonePair[] = [];
  // How far on each diagonal (two sources and their distance) a found run reaches.
  const reached = new Map<string, number>();
  for (const [source, { prints, changed }] of sources.entries()) {
    if (changed === null) continue;
    for (let i = 0; i < prints.length; i += 2) {
      const here = { source, at: prints[i + 1] ?? 0 };
      const others = places.get(prints[i] ?? 0) ?? [];
      if (others.length > MAX_PLACES) continue;
      for (const other of others) {
        if (other.source === here.source && other.at === here.at) continue;
        const swap = other.source < here.source || (other.source === here.source && other.at < here.at);
        const [a, b] = swap ? [other, here] : [here, other];
        const diagonal = `${a.source}:${b.source}:${a.at - b.at}`;
        if ((reached.get(diagonal) ?? -1) > a.at) continue;
        const pair = grow(sources, a, b);
        reached.set(diagonal, pair === null ? a.at + 1 : pair.leftStart + pair.length);
        if (pair !== null) pairs.push(pair);
      }
    }
  }
  return pairs;
}
