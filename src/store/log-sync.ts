import { close, fdatasync, openSync } from 'node:fs';

/** Rows written between two times, about half a megabyte of log. */
const ROWS_BETWEEN = 256;

/**
 * Has the write-ahead log of a database brought to the disk while it grows, by a thread of Node's pool. SQLite waits for
 * that when the log is full, before it moves the pages into the file; what is there already it need not wait for.
 *
 * Nothing depends on it: SQLite syncs what it needs, and hears of its errors, by itself. It locks the file and its index,
 * never the log, so closing this one loses no lock of the process.
 */
export interface LogSync {
  /** Says that a transaction has written so many rows. */
  wrote(rows: number): void;
  /** Resolves when nothing is under way any more, and the file is closed. */
  close(): Promise<void>;
}

/** @param path of the database, whose log is open */
export function createLogSync(path: string): LogSync {
  let fd: number | null | undefined;
  let rows = 0;
  let underWay = 0;
  /** Whether the process would have heard by now that the last one has ended; in a loop of promises it does not. */
  let wouldKnow = false;
  let closed = false;
  let whenIdle: (() => void) | undefined;

  const opened = (): number | null => {
    try {
      return openSync(`${path}-wal`, 'r+');
    } catch {
      return null; // no log, as on a file system without shared memory
    }
  };
  const begin = (file: number): void => {
    underWay += 1;
    wouldKnow = false;
    setImmediate(() => {
      wouldKnow = true;
    }).unref();
    fdatasync(file, () => {
      underWay -= 1;
      if (underWay === 0) whenIdle?.();
    });
  };
  return {
    wrote: (count) => {
      rows += count;
      if (rows < ROWS_BETWEEN || closed || (underWay > 0 && wouldKnow)) return;
      rows = 0;
      fd ??= opened();
      if (fd !== null) begin(fd);
    },
    close: async () => {
      closed = true;
      if (underWay > 0) await new Promise<void>((resolve) => void (whenIdle = resolve));
      const file = fd;
      if (typeof file === 'number') await new Promise<void>((resolve) => close(file, () => resolve()));
    },
  };
}
