import { InternalError, SkillflowError } from '../../errors.ts';
import type { Database } from '../../store/database.ts';
import { probeSpace } from './embedding-rows.ts';
import { IndexError } from './index-error.ts';
import type { IndexHost } from './index-host.ts';
import { createSpaceIndex, type SpaceIndex, type SpaceIndexDeps } from './space-index.ts';

/** Times that an index may be lost before this process does without. */
const MOST_LOSSES = 3;
interface Current {
  readonly spaceId: number;
  readonly index: Promise<SpaceIndex>;
}

/** The index of the space that was last asked for, made anew when it was lost or the database was replaced. */
export interface CurrentIndex {
  /** Why it was lost the last time; `null`: it never was. */
  readonly lastLoss: string | null;
  /**
   * Does something with the up-to-date index, then improves it in the background; says why when there is no index.
   * Errors: those of the database.
   */
  use<T>(db: Database, spaceId: number, work: (index: SpaceIndex) => Promise<T>): Promise<Use<T>>;
  /** Resolves when nothing is left to improve. */
  settled(db: Database): Promise<void>;
  close(): Promise<void>;
}

export type Use<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly reason: string };

export function createCurrentIndex(deps: Omit<SpaceIndexDeps, 'space' | 'trustSnapshots'>): CurrentIndex {
  const { runtime } = deps;
  let current: Current | undefined;
  let losses = 0;
  let lastLoss: string | null = null;
  let trustSnapshots = true;
  let closed = false;
  const dropping = new Set<Promise<void>>();

  const createHost = (): IndexHost => {
    if (losses >= MOST_LOSSES) throw new IndexError(`it was lost ${losses} times, the last time because ${lastLoss}`);
    return deps.createHost();
  };
  const create = async (db: Database, spaceId: number): Promise<SpaceIndex> => {
    const space = await probeSpace(db, spaceId, 0);
    if (space === undefined) throw new IndexError('its space is no longer in the database');
    return createSpaceIndex({ ...deps, space: { ...space, id: spaceId }, createHost, trustSnapshots });
  };
  const drop = async (which: Current | undefined): Promise<void> => {
    if (current === which) current = undefined;
    const dispose = async (): Promise<void> => {
      const index = await which?.index.catch(() => undefined); // it told whoever asked for it
      await index?.[Symbol.asyncDispose]();
    };
    const done = dispose();
    dropping.add(done);
    await done.finally(() => dropping.delete(done));
  };
  const take = (db: Database, spaceId: number): Current => {
    if (closed) throw new InternalError('the vector search is closed');
    if (current?.spaceId !== spaceId) {
      const before = current;
      const mine = { spaceId, index: create(db, spaceId) };
      mine.index.catch(() => void drop(mine)); // told to whoever asked for it; the next one tries again
      current = mine;
      void drop(before);
      return mine;
    }
    return current;
  };
  /** Gives up an index that failed; what the database refused is no fault of the index. */
  const lose = async (which: Current, error: unknown): Promise<string> => {
    if (error instanceof SkillflowError) throw error;
    const reason = error instanceof Error ? error.message : String(error);
    const wasMade = await which.index.then(
      () => true,
      () => false,
    );
    if (current === which && wasMade) {
      losses += 1;
      lastLoss = reason;
      if (error instanceof IndexError && error.isWrong) trustSnapshots = false;
      runtime.log('warn', `vector index: lost: ${reason}`);
    }
    await drop(which);
    return reason;
  };
  const improve = async (which: Current, db: Database): Promise<void> => {
    try {
      await (await which.index).improve(db);
    } catch (error) {
      if (current !== which) return; // it was cut off
      await lose(which, error).catch(() => runtime.log('debug', `vector index: ${String(error)}`));
    }
  };
  return {
    get lastLoss() {
      return lastLoss;
    },
    async use<T>(db: Database, spaceId: number, work: (index: SpaceIndex) => Promise<T>): Promise<Use<T>> {
      for (let tries = 0; ; tries += 1) {
        const mine = take(db, spaceId);
        try {
          const index = await mine.index;
          if (await index.refresh(db)) {
            const value = await work(index);
            void improve(mine, db);
            return { ok: true, value };
          }
          if (tries === 2) throw new IndexError('the database is being replaced again and again');
          await drop(mine);
        } catch (error) {
          return { ok: false, reason: await lose(mine, error) };
        }
      }
    },
    async settled(db: Database): Promise<void> {
      if (current !== undefined) await improve(current, db);
    },
    async close(): Promise<void> {
      closed = true;
      await drop(current);
      await Promise.all(dropping);
    },
  };
}
