import { statSync } from 'node:fs';
import { BusyError, ForbiddenError, InternalError, StorageError } from '../errors.ts';
import type { Runtime } from '../runtime.ts';
import type { Connection } from './connection.ts';
import type { Database, Queries } from './database.ts';
import { createLock } from './lock.ts';
import { createLogSync } from './log-sync.ts';
import { textOf } from './row.ts';

/** Milliseconds that a call keeps trying while others hold the lock. */
const PATIENCE_MS = 10_000;
const FIRST_PAUSE_MS = 5;
const LONGEST_PAUSE_MS = 100;

/** Statements that only read; the rest gets a transaction of its own. */
export const READS =
  /^\s*(?:select|values|explain|pragma(?![\s\S]*=)|with(?![\s\S]*\b(?:insert\s|replace\s+into|update\s|delete\s+from)))\b/i;

/**
 * Runs `attempt` until it does not throw `BusyError`, with growing jittered pauses, for about 10 s. Time is the larger
 * of the clock's and the sum of pauses, so a runtime with a fixed clock ends too.
 */
export async function retryWhileBusy<T>(
  runtime: Runtime,
  attempt: () => T,
  sleep: (ms: number) => Promise<void> = (ms) => runtime.sleep(ms),
): Promise<T> {
  const begun = runtime.ticks();
  let paused = 0;
  for (let tries = 0; ; tries += 1) {
    try {
      return attempt();
    } catch (error) {
      if (!(error instanceof BusyError) || Math.max(runtime.ticks() - begun, paused) >= PATIENCE_MS) throw error;
    }
    const pause = Math.min(FIRST_PAUSE_MS * 2 ** tries, LONGEST_PAUSE_MS) * (0.5 + runtime.random());
    paused += pause;
    await sleep(pause);
  }
}

/** Milliseconds for which a look at the file counts for the writes that follow at once, and for all reads. */
const LOOK_COUNTS_MS = 10;
const LOOK_COUNTS_FOR_READS_MS = 250;

/** Each throws `StorageError` when the file at the path is no longer the opened one. */
interface FileWatch {
  beforeRead(): void;
  beforeWrite(): void;
}

/**
 * Watches whether the file at the path is the opened one: writes to a deleted file would vanish silently, and reads of it
 * tell what is no longer so. Writes that follow each other without anything else having run in this process (a loop) look
 * every 10 ms only; reads look four times a second, which costs them nothing.
 */
function watchFile(path: string, runtime: Runtime): FileWatch {
  const opened = statSync(path, { bigint: true });
  let lookedAt = -Infinity;
  let countsForWrites = false;
  const look = (): void => {
    const now = statSync(path, { bigint: true, throwIfNoEntry: false });
    if (now?.ino !== opened.ino || now.dev !== opened.dev) {
      throw new StorageError(`the database ${path} was ${now === undefined ? 'deleted' : 'replaced'} while it was open`, {
        hint: 'Restart Skillflow; it will use the file that is there now, or create one.',
        details: { path },
      });
    }
    lookedAt = runtime.ticks();
  };
  return {
    beforeRead: () => {
      if (runtime.ticks() - lookedAt >= LOOK_COUNTS_FOR_READS_MS) look();
    },
    beforeWrite: () => {
      if (countsForWrites && runtime.ticks() - lookedAt < LOOK_COUNTS_MS) return;
      look();
      countsForWrites = true;
      process.nextTick(() => {
        countsForWrites = false; // timers and messages come after this, promises before
      });
    },
  };
}

interface Transaction {
  readonly queries: Queries;
  /** Rows changed, about: those of statements that return rows count once. */
  readonly rows: number;
  /** Ends the transaction: commits, unless a statement's failure has already ended it. */
  commit(): void;
  rollback(): void;
}

/** The statements of one open transaction; they refuse to run outside of it. */
function transaction(connection: Connection): Transaction {
  let over = false;
  let failure: unknown;
  let rows = 0;
  const inside = <T>(work: () => T): T => {
    if (over) throw new InternalError('a query was sent to a transaction that is over', { hint: 'Await every query inside it.' });
    if (failure !== undefined) throw failure;
    try {
      return work();
    } catch (error) {
      if (!connection.inTransaction()) failure = error; // SQLite rolled back by itself (full disk): nothing may follow
      throw error;
    }
  };
  return {
    queries: {
      all: async (sql, params) => {
        rows += 1;
        return inside(() => connection.all(sql, params));
      },
      get: async (sql, params) => inside(() => connection.get(sql, params)),
      run: async (sql, params) => {
        const done = inside(() => connection.run(sql, params));
        rows += done.changes;
        return done;
      },
    },
    get rows() {
      return rows;
    },
    commit: () => {
      inside(() => connection.exec('COMMIT'));
      over = true;
    },
    rollback: () => {
      over = true;
      if (connection.inTransaction()) connection.exec('ROLLBACK');
    },
  };
}

/** Moves the log into the file, so that a copy of the one file is whole. Best effort: the log stays valid without it. */
function checkpoint(connection: Connection, runtime: Runtime): void {
  try {
    connection.exec('PRAGMA busy_timeout = 0');
    connection.all('PRAGMA wal_checkpoint(TRUNCATE)');
  } catch (error) {
    runtime.log('debug', `no checkpoint at close: ${error instanceof Error ? error.message : String(error)}`);
  }
}

const readVersion = (connection: Connection): number => connection.dataVersion();

/** Queries that each stand alone: reads at once, everything else in a transaction of its own. */
function standalone(read: <T>(work: (connection: Connection) => T) => Promise<T>, write: Database['write']): Queries {
  return {
    all: (sql, params) => (READS.test(sql) ? read((c) => c.all(sql, params)) : write((q) => q.all(sql, params))),
    get: (sql, params) => (READS.test(sql) ? read((c) => c.get(sql, params)) : write((q) => q.get(sql, params))),
    run: (sql, params) => write((q) => q.run(sql, params)),
  };
}

/**
 * The {@link Database} over one open connection. Tasks of this process take turns: while one has a transaction open,
 * the queries of the others wait for it, since they share the connection.
 */
export function createLocalDatabase(connection: Connection, runtime: Runtime, readOnly: boolean): Database {
  const { path } = connection;
  const lock = createLock(runtime, PATIENCE_MS);
  const watch = path === ':memory:' ? undefined : watchFile(path, runtime);
  const logSync = path === ':memory:' || readOnly ? undefined : createLogSync(path);
  let closed = false;
  let commits = 0;

  const open = (): Connection => {
    if (closed) throw new InternalError(`the database ${path} is closed`);
    return connection;
  };
  const checked = (): Connection => {
    const opened = open();
    watch?.beforeRead();
    return opened;
  };
  /** Runs `attempt` when it is this task's turn; while another process holds the lock, the other tasks may go first. */
  const inTurn = async <T>(attempt: () => T): Promise<{ readonly value: T; readonly release: () => void }> => {
    let release = await lock.acquire();
    const giveWay = async (ms: number): Promise<void> => {
      release();
      await runtime.sleep(ms);
      release = await lock.acquire();
    };
    try {
      return { value: attempt(), release };
    } catch (error) {
      if (!(error instanceof BusyError)) {
        release();
        throw error;
      }
    }
    try {
      await giveWay(FIRST_PAUSE_MS);
      return { value: await retryWhileBusy(runtime, attempt, giveWay), release };
    } catch (error) {
      release();
      throw error;
    }
  };
  const read = async <T>(work: (connection: Connection) => T): Promise<T> => {
    if (!lock.held) {
      try {
        return work(checked()); // nothing else can run in between
      } catch (error) {
        if (!(error instanceof BusyError)) throw error;
      }
    }
    const { value, release } = await inTurn(() => work(checked()));
    release();
    return value;
  };
  const write: Database['write'] = async (body) => {
    if (readOnly) throw new ForbiddenError(`the database ${path} is open read-only`, { hint: 'Open it writable to change it.' });
    const { release } = await inTurn(() => {
      open();
      watch?.beforeWrite();
      connection.exec('BEGIN IMMEDIATE');
    });
    const current = transaction(connection);
    try {
      const result = await body(current.queries);
      current.commit();
      commits += 1;
      logSync?.wrote(current.rows);
      return result;
    } catch (error) {
      current.rollback();
      throw error;
    } finally {
      release();
    }
  };
  const close = async (): Promise<void> => {
    if (closed) return;
    const release = await lock.acquire();
    try {
      if (closed) return;
      closed = true;
      await logSync?.close();
      if (commits > 0) checkpoint(connection, runtime);
      connection.close();
    } finally {
      release();
    }
  };
  return {
    kind: path === ':memory:' ? 'memory' : 'file',
    path,
    readOnly,
    ...standalone(read, write),
    write,
    get commits() {
      return commits;
    },
    dataVersion: () => read(readVersion),
    integrity: () =>
      read((c) =>
        c
          .all('PRAGMA integrity_check')
          .map((row) => textOf(row, 'integrity_check'))
          .join('\n'),
      ),
    close,
    [Symbol.asyncDispose]: close,
  };
}
