import { unlink } from 'node:fs/promises';
import { join } from 'node:path';
import type { Runtime } from '../../runtime.ts';
import type { Database } from '../../store/database.ts';
import { makeFolder } from '../../store/folder.ts';
import { countVectors, newestId, presentWitnesses, spaceUids, witnesses, type Space, type Witness } from './embedding-rows.ts';
import type { Extent, IndexHost, IndexTier } from './index-host.ts';
import { takeLease, type Lease } from './lease-file.ts';
import { readSnapshot, stemOf, temporaryData, writeSnapshot, type SnapshotHead } from './snapshot-file.ts';

/** The snapshots of one space's index. What goes wrong with them is kept for people to read; it never rejects. */
export interface Snapshots {
  /** What is wrong with them now. */
  readonly problems: readonly string[];
  /** Rows in the one on the disk, as far as this process knows. */
  saved(tier: IndexTier): number;
  /**
   * Makes the host load one, if there is one of more than `moreThan` rows that is whole and belongs to the database.
   * @param isReady whether the host can load it, if that is not known yet
   */
  load(
    db: Database,
    tier: IndexTier,
    moreThan?: number,
    isReady?: Promise<boolean>,
  ): Promise<{ readonly extent: Extent; readonly last: Witness | null } | undefined>;
  /** Saves the host's index, unless `isSame` says that the database is no longer the one it was made of. */
  save(db: Database, tier: IndexTier, isSame: () => Promise<boolean>): Promise<void>;
  /** The right to work for all processes; `undefined` while another has it. */
  lease(): Promise<Lease | undefined>;
}

export interface SnapshotsDeps {
  readonly runtime: Runtime;
  /** Made when something is saved. */
  readonly folder: string;
  readonly space: Space;
  readonly host: IndexHost;
}

/** Rows by which a snapshot is recognised. A database that was restored differs from some row on, so the last ones tell. */
const WITNESSES = 32;
/** The share of a snapshot's rows that may be gone from the database before it is made again. */
const MOST_GONE = 0.2;

/** Whether a snapshot was made of this database as it is now, or was before rows were added and some removed. */
async function belongs(db: Database, space: Space, head: SnapshotHead): Promise<boolean> {
  if ((await newestId(db)) < head.throughId) return false;
  const hashes = new Map(head.witnesses.map(({ id, hash }) => [id, hash]));
  const present = await presentWitnesses(db, [...hashes.keys()]);
  if (present.length === 0) return false;
  if (present.some(({ id, hash, spaceId }) => spaceId !== space.id || hashes.get(id) !== hash)) return false;
  const count = await countVectors(db, space.id, undefined, head.throughId);
  return count <= head.count && count >= head.count * (1 - MOST_GONE);
}

export function createSnapshots({ runtime, folder, space, host }: SnapshotsDeps): Snapshots {
  const problems = new Map<string, string>();
  const saved: Record<IndexTier, number> = { hnsw: 0, int8: 0, links: 0 };
  const note = (about: string, problem: string, error: unknown): void => {
    const text = `${problem}: ${error instanceof Error ? error.message : String(error)}`;
    if (problems.get(about) !== text) runtime.log('warn', `vector index: ${text}`);
    problems.set(about, text);
  };

  const tryLoad = async (
    db: Database,
    tier: IndexTier,
    moreThan: number,
    isReady: Promise<boolean> | undefined,
  ): ReturnType<Snapshots['load']> => {
    const snapshot = await readSnapshot(folder, space, tier);
    if (snapshot === undefined || snapshot.head.count <= moreThan) return undefined;
    const { head, ids, data } = snapshot;
    if (!(await belongs(db, space, head))) throw new Error('it is of another state of the database');
    if (isReady !== undefined && !(await isReady)) return undefined;
    const extent = await host.load({ tier, ids, data });
    saved[tier] = head.count;
    return { extent, last: head.witnesses[0] ?? null };
  };

  const write = async (db: Database, tier: IndexTier, isSame: () => Promise<boolean>, temporary: string): Promise<void> => {
    await makeFolder(folder);
    const { ids, throughId, bytes, sha256 } = await host.save(tier, temporary);
    const last = await witnesses(db, space.id, throughId, WITNESSES);
    const uids = await spaceUids(db);
    // Asked last: else the rows just read could vouch for an index of other ones.
    if (!(await isSame())) return;
    const { uid, dimensions } = space;
    const head = { tier, uid, dimensions, count: ids.length, throughId, witnesses: [...last], bytes, sha256 };
    await writeSnapshot(folder, head, ids, temporary, uids);
    saved[tier] = ids.length;
    problems.delete(tier);
  };

  return {
    get problems() {
      return [...problems.values()];
    },
    saved: (tier) => saved[tier],
    load: async (db, tier, moreThan = 0, isReady) => {
      for (let tries = 0; tries < 2; tries += 1) {
        try {
          return await tryLoad(db, tier, moreThan, isReady);
        } catch (error) {
          // A second look: another process may have replaced the snapshot between the reading of its two files.
          if (tries > 0) note(tier, `the ${tier} snapshot cannot be used and is made again`, error);
        }
      }
      return undefined;
    },
    save: async (db, tier, isSame) => {
      const temporary = temporaryData(folder, space.uid, runtime.id(tier));
      try {
        await write(db, tier, isSame, temporary);
        problems.delete('save');
      } catch (error) {
        note('save', 'no snapshot can be saved', error);
      }
      await unlink(temporary).catch(() => undefined); // it has its name by now, or is of no use
    },
    lease: async () => {
      try {
        await makeFolder(folder);
        return await takeLease(join(folder, `${stemOf(space.uid)}.lock`), runtime);
      } catch (error) {
        note('save', 'no snapshot can be saved', error);
        return undefined;
      }
    },
  };
}
