import { setImmediate } from 'node:timers/promises';
import { CancelledError } from '../../errors.ts';
import type { Database } from '../../store/database.ts';
import type { Scope } from '../scope.ts';
import { createClosest } from './closest.ts';
import { countEntries, entriesOf, scopePage, type SpaceKey } from './embedding-rows.ts';
import { contradiction } from './index-error.ts';
import { dotAt } from './rows.ts';
import type { VectorSizes } from './sizes.ts';
import type { Candidates, SpaceIndex } from './space-index.ts';
import type { VectorHit } from './vector-search.ts';

/** What entries are looked for. */
export interface Wanted {
  /** Of length 1. */
  readonly vector: Float32Array;
  readonly count: number;
  readonly scope: Scope;
  readonly signal: AbortSignal;
}

/** Entries read at once when all are compared: a few milliseconds during which nothing else runs. */
const PAGE = 1_000;
/** How far the similarities of the index and of the database may be apart. */
const ROUNDING = 0.001;

function toHit(entryId: number, similarity: number): VectorHit {
  return { entryId, similarity: Math.max(-1, Math.min(1, similarity)) };
}

/** Compares all vectors in the scope, read from the database page by page. Throws `CancelledError` between two pages. */
export async function nearestOfAll(
  db: Database,
  space: SpaceKey,
  { vector, count, scope, signal }: Wanted,
): Promise<readonly VectorHit[]> {
  const closest = createClosest(count);
  for (let after: number | null = 0; after !== null;) {
    const page = await scopePage(db, space, scope, after, PAGE);
    for (const entry of page.entries) closest.offer(entry.entryId, dotAt(entry.vector, 0, vector));
    after = page.lastEntryId;
    if (after !== null) await setImmediate();
    if (signal.aborted) throw new CancelledError('cancelled');
  }
  return closest.sorted().map(({ id, similarity }) => toHit(id, similarity));
}

/**
 * Entries of the candidates that are in the scope, best first.
 * @param most of them, those first whose candidates come first
 */
async function entriesAmong(
  db: Database,
  space: SpaceKey,
  { similar, blur }: Candidates,
  { vector, scope }: Wanted,
  most: number,
): Promise<readonly VectorHit[]> {
  const ids = similar.map(({ id }) => id);
  const hits = (await entriesOf(db, space, ids, scope, most)).map((entry) => {
    const similarity = dotAt(entry.vector, 0, vector);
    const claimed = similar[entry.position]?.similarity ?? NaN;
    if (!(Math.abs(similarity - claimed) <= ROUNDING + 2 * blur)) throw contradiction();
    return toHit(entry.entryId, similarity);
  });
  return blur === 0 ? hits : hits.sort((a, b) => b.similarity - a.similarity);
}

/** The best entries of the `width` nearest rows: `count`, or fewer, when no more of these rows are in the scope. */
async function entriesWithin(
  db: Database,
  index: SpaceIndex,
  wanted: Wanted,
  width: number,
): Promise<{ readonly hits: readonly VectorHit[]; readonly complete: boolean }> {
  const { vector, count } = wanted;
  const found = await index.nearest(db, vector, width, true);
  if (found.blur === 0) return { hits: await entriesAmong(db, index.space, found, wanted, count), complete: found.complete };
  const most = count + found.similar.length;
  const hits = await entriesAmong(db, index.space, found, wanted, most);
  const last = hits[count - 1];
  // Were the list cut off or its last entry beyond the floor, better ones could be missing.
  const isSure = last === undefined || (last.similarity >= found.floor && hits.length < most);
  if (isSure) return { hits: hits.slice(0, count), complete: found.complete };
  const exact = await index.nearest(db, vector, width, false);
  return { hits: await entriesAmong(db, index.space, exact, wanted, count), complete: exact.complete };
}

/**
 * Looks further and further in the index until enough of what it finds is in the scope; compares all vectors of the scope
 * when that has few entries, or when the index does not get there. Rejects with `IndexError`.
 */
export async function nearestByIndex(
  db: Database,
  index: SpaceIndex,
  wanted: Wanted,
  sizes: VectorSizes,
): Promise<readonly VectorHit[]> {
  const { count, scope } = wanted;
  let isWide: boolean | undefined;
  const first = Math.ceil(count * 1.25) + 4;
  if (index.tier !== 'exact' && first > sizes.widest) return nearestOfAll(db, index.space, wanted);
  for (let width = first; ; width *= 4) {
    const { hits, complete } = await entriesWithin(db, index, wanted, width);
    if (hits.length >= count || complete) return hits;
    if (index.tier === 'exact') {
      width = Math.max(width, Math.ceil(index.size / 4)); // comparing them again costs little
      continue;
    }
    isWide ??= (await countEntries(db, scope, sizes.selective + 1)) > sizes.selective;
    if (!isWide || width * 4 > sizes.widest) return nearestOfAll(db, index.space, wanted);
  }
}
