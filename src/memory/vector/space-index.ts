import { setImmediate } from 'node:timers/promises';
import type { Database } from '../../store/database.ts';
import { bySimilarity, type Similar } from './closest.ts';
import { countVectors, probeSpace, readPage, readVectors, type Space, type Witness } from './embedding-rows.ts';
import { holdIndex, type HeldIndex, type HeldIndexDeps } from './held-index.ts';
import { contradiction } from './index-error.ts';
import type { IndexHost } from './index-host.ts';
import { dotAt } from './rows.ts';
import { createTail } from './tail.ts';
import type { VectorTier } from './vector-search.ts';

/** All vectors of one space that are in the database: those in an index, if there are many, and the rest one by one. */
export interface SpaceIndex extends AsyncDisposable {
  readonly space: Space;
  readonly tier: VectorTier;
  readonly size: number;
  /** In the index. */
  readonly indexed: number;
  readonly problems: readonly string[];
  /** Brings it up to date. `false`: the database is no longer the one it was made of, and a new one must be made. */
  refresh(db: Database): Promise<boolean>;
  /**
   * The `count` rows nearest to a vector, as far as the index finds them.
   * @param mayBlur whether a few more with similarities that are not exact will do
   */
  nearest(db: Database, vector: Float32Array, count: number, mayBlur: boolean): Promise<Candidates>;
  /** Improves the index in the background, one call at a time. */
  improve(db: Database): Promise<void>;
}

/** Rows near a vector. */
export interface Candidates {
  /** Best first. */
  readonly similar: readonly Similar[];
  /** How far their similarities are off at most; 0: they are exact, and no more than were wanted. */
  readonly blur: number;
  /** Rows that are not among them are less similar than this. */
  readonly floor: number;
  /** There are no other rows. */
  readonly complete: boolean;
}

export interface SpaceIndexDeps extends Omit<HeldIndexDeps, 'host'> {
  readonly createHost: () => IndexHost;
}

/** Vectors read at once: a few milliseconds during which nothing else runs. */
const COMPARED_AT_ONCE = 512;
/** Candidates up to which it pays to leave it to the caller to compare them, at least; and as many times what is wanted. */
const FEW = 64;
const FEW_TIMES_WANTED = 2;

/**
 * Candidates with their exact similarities, from the database; rows that are gone are left out.
 * @param blur how far the given similarities are off at most; `IndexError` when they are off by far more
 */
async function sharpen(
  db: Database,
  space: Space,
  vector: Float32Array,
  candidates: readonly Similar[],
  blur: number,
): Promise<readonly Similar[]> {
  const claimed = new Map(candidates.map(({ id, similarity }) => [id, similarity]));
  const sharp: Similar[] = [];
  for (let start = 0; start < candidates.length; start += COMPARED_AT_ONCE) {
    if (start > 0) await setImmediate();
    const ids = candidates.slice(start, start + COMPARED_AT_ONCE).map(({ id }) => id);
    for (const row of await readVectors(db, space, ids)) {
      const similarity = dotAt(row.vector, 0, vector);
      if (Math.abs(similarity - (claimed.get(row.id) ?? similarity)) > 2 * blur) throw contradiction();
      sharp.push({ id: row.id, similarity });
    }
  }
  return sharp;
}

export function createSpaceIndex(deps: SpaceIndexDeps): SpaceIndex {
  const { sizes, space } = deps;
  const tail = createTail(space.dimensions);
  let held: HeldIndex | undefined;
  /** All rows up to this id are in the tail or the index. */
  let readThrough = 0;
  let last: Witness | null = null;
  let begun = false;
  /** What the database said when it was last looked at. */
  let looked: { readonly db: Database; readonly commits: number; readonly version: number } | undefined;
  let improving: Promise<void> | undefined;
  let closed = false;

  let turn: Promise<unknown> = Promise.resolve();
  /** Runs one after the other what reads new rows and moves them. */
  const inTurn = <T>(work: () => Promise<T>): Promise<T> => {
    const mine = turn.then(work, work);
    turn = mine.catch(() => undefined); // told to the one who asked
    return mine;
  };
  /** Where the database is, if it still is the one that was read. */
  const probe = async (db: Database): Promise<number | undefined> => {
    const found = await probeSpace(db, space.id, last?.id ?? 0);
    if (found?.uid !== space.uid || found.dimensions !== space.dimensions || found.newest < readThrough) return undefined;
    return last === null || found.hash === null || found.hash === last.hash ? found.newest : undefined;
  };
  const hold = async (db: Database): Promise<HeldIndex> => {
    const host = deps.createHost();
    try {
      const { index, last: saved } = await holdIndex({ ...deps, host }, db);
      held = index;
      tail.dropThrough(index.extent.lastId);
      if (index.extent.lastId > readThrough) {
        readThrough = index.extent.lastId;
        last = saved;
      }
      return index;
    } catch (error) {
      await host[Symbol.asyncDispose]();
      throw error;
    }
  };
  /** Moves the tail into the index, which searches find it in from the moment that they do not find it here. */
  const flush = async (db: Database): Promise<void> => {
    const index = held ?? (await hold(db));
    while (tail.size > 0) {
      const rows = tail.copy(sizes.page);
      const through = rows.ids.at(-1) ?? 0;
      await index.add(rows);
      tail.dropThrough(through);
    }
  };
  const readNew = async (db: Database, newest: number): Promise<void> => {
    while (readThrough < newest) {
      const page = await readPage(db, space, readThrough, newest, sizes.page);
      tail.append(page.rows);
      readThrough = page.throughId;
      last = page.last ?? last;
      const isMany = held === undefined ? tail.size > sizes.exact : tail.size >= sizes.page;
      if (isMany) await flush(db);
    }
  };
  const catchUp = async (db: Database): Promise<boolean> => {
    const newest = await probe(db);
    if (newest === undefined) return false;
    if (!begun && (await countVectors(db, space.id, sizes.exact + 1)) > sizes.exact) await hold(db);
    begun = true;
    await readNew(db, newest);
    return true;
  };
  const refresh = async (db: Database): Promise<boolean> => {
    // Asked for before the rest is: what is committed in between is then seen the next time.
    const now = { db, commits: db.commits, version: await db.dataVersion() };
    if (looked?.db === db && looked.commits === now.commits && looked.version === now.version) return true;
    return inTurn(async () => {
      const isSame = await catchUp(db);
      looked = isSame ? now : undefined;
      return isSame;
    });
  };
  const improve = async (db: Database): Promise<void> => {
    if (held === undefined || closed) return;
    if (tail.size >= sizes.tail) await inTurn(() => flush(db));
    await held.improve(db, () => inTurn(async () => (await probe(db)) !== undefined));
  };

  return {
    space,
    get tier() {
      if (held === undefined) return 'exact';
      return 2 * held.extent.graphCount >= held.extent.count ? 'hnsw' : 'int8';
    },
    get size() {
      return tail.size + (held?.extent.count ?? 0);
    },
    get indexed() {
      return held?.extent.count ?? 0;
    },
    get problems() {
      return held?.problems ?? [];
    },
    refresh,
    nearest: async (db, vector, count, mayBlur) => {
      // The tail first: rows that move to the index meanwhile are then found twice rather than never.
      const exact = new Map(tail.nearest(vector, count).map(({ id, similarity }) => [id, similarity]));
      const complete = held === undefined && tail.size <= count;
      const found = await held?.search(vector, count);
      const blurred: Similar[] = [];
      for (const [at, id] of (found?.ids ?? []).entries()) {
        const similarity = found?.similarities[at] ?? -1;
        if (exact.has(id)) continue;
        if (at < (found?.exact ?? 0)) exact.set(id, similarity);
        else blurred.push({ id, similarity });
      }
      const blur = found?.blur ?? 0;
      const sorted = [...blurred, ...Array.from(exact, ([id, similarity]) => ({ id, similarity }))].sort(bySimilarity);
      const floor = sorted[count - 1]?.similarity ?? -Infinity;
      const worth = blurred.filter(({ similarity }) => similarity >= floor - blur);
      if (mayBlur && worth.length > 0 && worth.length <= Math.max(FEW, FEW_TIMES_WANTED * count)) {
        return { similar: sorted.filter(({ similarity }) => similarity >= floor - blur), blur, floor, complete };
      }
      for (const { id, similarity } of await sharpen(db, space, vector, worth, blur)) exact.set(id, similarity);
      const similar = Array.from(exact, ([id, similarity]) => ({ id, similarity })).sort(bySimilarity);
      return { similar: similar.slice(0, count), blur: 0, floor, complete };
    },
    improve: (db) => {
      improving ??= improve(db).finally(() => {
        improving = undefined;
      });
      return improving;
    },
    [Symbol.asyncDispose]: async () => {
      closed = true;
      await held?.[Symbol.asyncDispose]();
      await improving?.catch(() => undefined); // it was cut off on purpose
    },
  };
}
