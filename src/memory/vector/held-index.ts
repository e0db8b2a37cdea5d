import type { Runtime } from '../../runtime.ts';
import type { Database } from '../../store/database.ts';
import { readPage, type Space, type Witness } from './embedding-rows.ts';
import type { Found } from './found.ts';
import type { Extent, IndexHost, IndexTier } from './index-host.ts';
import type { Lease } from './lease-file.ts';
import type { VectorRows } from './rows.ts';
import type { VectorSizes } from './sizes.ts';
import { createSnapshots, type Snapshots } from './snapshots.ts';

/** The index of one space on its host. Rejects when the host is gone. */
export interface HeldIndex extends AsyncDisposable {
  readonly extent: Extent;
  /** Why it is not as good as it could be; empty when there is no reason. */
  readonly problems: readonly string[];
  add(rows: VectorRows): Promise<void>;
  search(vector: Float32Array, count: number): Promise<Found>;
  /**
   * Saves, loads and builds what is due, until that is done or the index is closed.
   * @param isSame whether the database still is the one that the index was made of
   */
  improve(db: Database, isSame: () => Promise<boolean>): Promise<void>;
}

export interface HeldIndexDeps {
  readonly runtime: Runtime;
  readonly folder: string;
  readonly sizes: VectorSizes;
  readonly space: Space;
  readonly host: IndexHost;
  /** `false`: what lies on the disk is to be written anew. */
  readonly trustSnapshots: boolean;
}

/** Milliseconds until something that another process does, or the disk refused, is looked at again. */
const PAUSE_MS = 15_000;
/** Milliseconds that closing waits for a snapshot that is being written. */
const MOST_WAIT_MS = 3_000;

/** Whether the graph lacks so much that one process should build it, and the others take its snapshot. */
function isMuch({ behind, graphCount }: Extent, { lag }: VectorSizes): boolean {
  return behind > Math.max(4 * lag, graphCount / 10);
}

/** Runs what only one process should do, if this one may; if not, the same is not tried again for a while. */
function createTurns(
  runtime: Runtime,
  snapshots: Snapshots,
): (what: string, work: (lease: Lease) => Promise<void>) => Promise<void> {
  const notBefore = new Map<string, number>();
  return async (what, work) => {
    if (runtime.ticks() < (notBefore.get(what) ?? -Infinity)) return;
    const lease = await snapshots.lease();
    if (lease === undefined) {
      notBefore.set(what, runtime.ticks() + PAUSE_MS);
      return;
    }
    try {
      await work(lease);
    } finally {
      await lease.release();
    }
  };
}

/**
 * Starts an index on a fresh host, from the snapshot of its scan when there is one that belongs to the database.
 * @returns also the last row that the snapshot has
 */
export async function holdIndex(
  deps: HeldIndexDeps,
  db: Database,
): Promise<{ readonly index: HeldIndex; readonly last: Witness | null }> {
  const { runtime, sizes, space, host } = deps;
  const starting = host.start(space.dimensions);
  const snapshots = createSnapshots(deps);
  const inTurn = createTurns(runtime, snapshots);
  // While a thread starts there is time to find out whether the snapshots are of this database.
  const loading = deps.trustSnapshots ? snapshots.load(db, 'int8') : undefined;
  const isReady = Promise.all([starting, loading]).then(
    ([problem, scan]) => problem === null && scan !== undefined,
    () => false, // told below
  );
  const linking = deps.trustSnapshots ? snapshots.load(db, 'links', 0, isReady) : undefined;
  const [graphProblem, loaded, linked] = await Promise.all([starting, loading, linking]);
  let extent: Extent = linked?.extent ??
    loaded?.extent ?? { count: 0, lastId: 0, graphCount: 0, graphThroughId: 0, graphGrows: false, behind: 0 };
  let closed = false;
  let adoptAgainAt = -Infinity;
  let saving: Promise<void> | undefined;

  const load = async (db: Database, tier: IndexTier, moreThan: number): Promise<void> => {
    if (!deps.trustSnapshots || closed) return;
    extent = (await snapshots.load(db, tier, moreThan))?.extent ?? extent;
  };
  /** Adds to the graph what it lacks of the scan, read from the database, since only that has the exact numbers. */
  const grow = async (db: Database, lease?: Lease): Promise<void> => {
    if (!extent.graphGrows) await load(db, 'hnsw', 0);
    for (;;) {
      if (extent.behind === 0 || closed) return;
      const after = extent.graphGrows ? extent.graphThroughId : 0; // from the start, where there is no graph or only its links
      const { rows, throughId } = await readPage(db, space, after, extent.lastId, sizes.grown);
      extent = await host.grow(rows, throughId);
      await lease?.renew();
    }
  };
  /** Takes a better graph that was saved, at first by its links. */
  const adopt = async (db: Database): Promise<void> => {
    await load(db, 'links', extent.graphCount);
    // The graph of which the links were lost, or are of an earlier state.
    if (isMuch(extent, sizes)) await load(db, 'hnsw', extent.graphCount);
  };
  const save = async (db: Database, tier: IndexTier, isSame: () => Promise<boolean>): Promise<void> => {
    const count = tier === 'int8' ? extent.count : extent.graphCount;
    if (db.readOnly || closed || count - snapshots.saved(tier) < Math.max(sizes.unsaved, count / 20)) return;
    saving = inTurn('save', () => snapshots.save(db, tier, isSame));
    await saving;
  };
  const improve: HeldIndex['improve'] = async (db, isSame) => {
    await save(db, 'int8', isSame);
    if (graphProblem !== null || closed) return;
    if ((isMuch(extent, sizes) || extent.graphCount === 0) && runtime.ticks() >= adoptAgainAt) {
      adoptAgainAt = runtime.ticks() + PAUSE_MS;
      await adopt(db);
    }
    if (extent.behind >= sizes.lag) {
      if (extent.graphGrows && !isMuch(extent, sizes)) await grow(db);
      else if (!db.readOnly) {
        await inTurn('grow', async (lease) => {
          await adopt(db); // another process may have saved a better one since
          if (extent.behind >= sizes.lag) await grow(db, lease);
        });
      }
    }
    if (extent.behind >= sizes.lag || !extent.graphGrows) return;
    await save(db, 'hnsw', isSame);
    await save(db, 'links', isSame);
  };
  const index: HeldIndex = {
    get extent() {
      return extent;
    },
    get problems() {
      const { graphCount, count } = extent;
      if (graphProblem !== null) return [`hnswlib-node does not load (${graphProblem})`, ...snapshots.problems];
      if (!isMuch(extent, sizes)) return snapshots.problems;
      return [`the graph of hnswlib-node has ${graphCount} of ${count} vectors so far`, ...snapshots.problems];
    },
    add: async (rows) => {
      extent = await host.add(rows);
    },
    search: (vector, count) => host.search(vector, count),
    improve,
    [Symbol.asyncDispose]: async () => {
      closed = true;
      // A snapshot that is nearly there saves the next process a second or a minute.
      const patience = new AbortController();
      await Promise.race([saving, runtime.sleep(MOST_WAIT_MS, patience.signal)]).catch(() => undefined);
      patience.abort();
      await host[Symbol.asyncDispose]();
    },
  };
  return { index, last: loaded?.last ?? null };
}
