import type { Similar } from './closest.ts';

/** Candidates: first those with exact similarities, of the graph, best first; then those of the links and of the scan. */
export interface Found {
  readonly ids: Float64Array<ArrayBuffer>;
  readonly similarities: Float64Array<ArrayBuffer>;
  /** How many are exact. */
  readonly exact: number;
  /** How far the other similarities are off at most. */
  readonly blur: number;
}

/** @param blur how far the similarities of those after the first `exact` are off */
export function toFound(candidates: readonly Similar[], exact: number, blur: number): Found {
  const ids = new Float64Array(candidates.length);
  const similarities = new Float64Array(candidates.length);
  for (const [at, { id, similarity }] of candidates.entries()) {
    ids[at] = id;
    similarities[at] = similarity;
  }
  return { ids, similarities, exact, blur };
}

/** Candidates of the scan at most. Where vectors lie close together, quantizing blurs the order of very many. */
const MOST_SCANNED = 2_048;

/** How many of the scan there may be when `count` are wanted. */
export function mostScanned(count: number): number {
  return Math.max(count, MOST_SCANNED);
}
