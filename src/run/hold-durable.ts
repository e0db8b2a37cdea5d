import type { Database } from '../store/database.ts';

/** Who wants every commit of a database on the disk at once, counted. */
const holders = new WeakMap<Database, { count: number; set: Promise<unknown> }>();

/**
 * Has a file's commits reach the disk before they count (`PRAGMA synchronous = FULL`), so that not even a loss of power
 * takes back a result that was paid for. The setting is the connection's: it holds until all who asked have let go, then
 * commits are synced at checkpoints again. Nothing changes for a database that is no file of this process.
 * @returns lets go; call it once
 */
export async function holdDurable(db: Database): Promise<() => Promise<void>> {
  if (db.kind !== 'file') return async () => undefined;
  const held = holders.get(db) ?? { count: 0, set: Promise.resolve() };
  holders.set(db, held);
  const change = (by: 1 | -1): Promise<unknown> => {
    held.count += by;
    // In turn, each for the count as it is then. Within a transaction SQLite refuses the change: this form runs as a read.
    held.set = held.set
      .catch(() => undefined)
      .then(() => db.all(held.count > 0 ? 'PRAGMA synchronous(FULL)' : 'PRAGMA synchronous(NORMAL)'));
    return held.set;
  };
  await change(1);
  return async () => {
    await change(-1);
  };
}
