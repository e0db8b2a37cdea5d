import type { Runtime } from '../runtime.ts';
import type { ApartConnection, Connection } from './connection.ts';
import type { Lock } from './lock.ts';

/** A process is busy when so many transactions take no longer than {@link BUSY_MS}. */
const BUSY_COMMITS = 400;
const BUSY_MS = 2000;
/** Milliseconds from the end of one checkpoint to the next. */
const APART_MS = 1000;
/** Pages in the log at which the connection that writes moves them after all: 128 MB of them. */
const LAST_RESORT_PAGES = 64_000;
const CHECKPOINT = 'PRAGMA wal_checkpoint(PASSIVE)';

/** Checkpoints beside the transactions of a busy process. */
export interface Checkpoints {
  /** To be called after each commit. */
  committed(): void;
  /** Waits for what is under way, and begins nothing more. */
  end(): Promise<void>;
}

/**
 * Moving the log into the file waits for the disk. SQLite does that within a commit: some 25 ms for 16 MB, with everything
 * else of the process. A process that writes much has it done on a thread of the driver instead: first while transactions
 * go on, then, with this process's transactions waiting for some milliseconds, what they have added meanwhile; the log
 * begins anew only when nothing is left in it. When that fails once, SQLite does it as it did before.
 */
export function createCheckpoints(connection: Connection, lock: Lock, runtime: Runtime): Checkpoints {
  let commits = 0;
  let since = runtime.ticks();
  let endedAt = -Infinity;
  let isOver = connection.path === ':memory:';
  let running: Promise<void> | undefined;
  let apart: ApartConnection | undefined;
  let usualPages: number | undefined;

  const setPages = (pages: number): void => connection.exec(`PRAGMA wal_autocheckpoint = ${pages}`);
  const run = async (): Promise<void> => {
    usualPages ??= Number(connection.get('PRAGMA wal_autocheckpoint')?.['wal_autocheckpoint']);
    setPages(LAST_RESORT_PAGES);
    apart ??= await connection.apart();
    await apart.exec(CHECKPOINT);
    const release = await lock.acquire();
    try {
      await apart.exec(CHECKPOINT);
    } finally {
      release();
    }
  };
  const start = async (): Promise<void> => {
    try {
      await run();
    } catch (error) {
      isOver = true;
      if (usualPages !== undefined) setPages(usualPages);
      runtime.log('debug', `no checkpoint beside transactions: ${error instanceof Error ? error.message : String(error)}`);
    }
    endedAt = runtime.ticks();
    running = undefined;
  };
  return {
    committed: () => {
      commits += 1;
      if (commits < BUSY_COMMITS || isOver || running !== undefined) return;
      const now = runtime.ticks();
      const isBusy = now - since <= BUSY_MS;
      commits = 0;
      since = now;
      if (isBusy && now - endedAt >= APART_MS) running = start();
    },
    end: async () => {
      isOver = true;
      await running;
      apart?.close();
      apart = undefined;
    },
  };
}
