import { existsSync } from 'node:fs';
import { InvalidInputError, NotFoundError, StorageError } from '../errors.ts';
import type { Database } from '../store/database.ts';
import { fileSize } from '../store/file-size.ts';
import { createServerReach } from '../store/server-reach.ts';
import type { Access } from '../tools/tool.ts';
import { once } from './closing.ts';
import type { Closing } from './closing.ts';
import type { CreateAppOptions } from './options.ts';

/** The project's database, wherever it is. */
export interface Databases {
  /** Looking must not leave anything behind: a reader of a project that has no database yet sees an empty one. */
  readonly open: (access: Access) => Promise<Database>;
  /** Whether there may be one, also a damaged one; of a server that is only known once it was asked. */
  readonly exists: () => boolean;
}

/** The empty one instead of one that is not there. */
async function orEmpty(opening: Promise<Database>, empty: () => Promise<Database>): Promise<Database> {
  try {
    return await opening;
  } catch (error) {
    if (!(error instanceof NotFoundError)) throw error;
    return empty();
  }
}

function localDatabases({ config, runtime }: CreateAppOptions, closing: Closing, empty: () => Promise<Database>): Databases {
  const open = (readOnly: boolean) => async (): Promise<Database> => {
    const { openProjectDatabase } = await import('../store/project-database.ts');
    const db = closing.add(
      await openProjectDatabase(config.databasePath, { runtime, readOnly, key: config.databaseKey?.reveal() }),
    );
    const { foldAfterOpen, foldBeforeClose } = await import('../memory/fold.ts');
    closing.add({ [Symbol.asyncDispose]: () => foldBeforeClose(db, runtime) });
    await foldAfterOpen(db, runtime);
    return db;
  };
  const real = once(open(config.readOnly));
  const unchanged = once(open(true));
  // A log without its file is a database that was damaged, not one that is not there yet.
  const exists = (): boolean => existsSync(config.databasePath) || fileSize(`${config.databasePath}-wal`) > 0;
  return {
    exists,
    open: async (access) => {
      if (access === 'write') return real();
      if (!exists()) return empty();
      const reading = real().catch((error: unknown) => {
        if (!(error instanceof StorageError)) throw error;
        return unchanged(); // a place that cannot be written to can still be read
      });
      return orEmpty(reading, empty); // the file may hold no database yet
    },
  };
}

function remoteDatabases(
  { config, runtime }: CreateAppOptions,
  url: string,
  closing: Closing,
  empty: () => Promise<Database>,
): Databases {
  const stop = new AbortController();
  const opened: Database[] = [];
  const opening = new Set<Promise<unknown>>();
  const reach = createServerReach(runtime); // one server: what one connection learns of it the other knows
  closing.add({
    [Symbol.asyncDispose]: async () => {
      await Promise.all(opened.splice(0).map((db) => db.close()));
      stop.abort();
      await Promise.allSettled(opening);
    },
  });
  const connect = async (readOnly: boolean): Promise<Database> => {
    if (config.databaseKey !== null) {
      throw new InvalidInputError('SKILLFLOW_DB_KEY encrypts the local file, and this project uses a server', {
        hint: 'Unset SKILLFLOW_DB_KEY, or the URL of the server: neither the server nor a local replica would be encrypted by it.',
      });
    }
    const options = { url, authToken: config.databaseToken?.reveal(), runtime, readOnly, reach, signal: stop.signal };
    if (!config.databaseReplica) {
      const { openRemoteDatabase } = await import('../store/open-remote.ts');
      return openRemoteDatabase(options);
    }
    const { openReplicaDatabase } = await import('../store/open-replica.ts');
    return openReplicaDatabase({ ...options, path: config.replicaPath });
  };
  const open = (readOnly: boolean) => async (): Promise<Database> => {
    const connecting = connect(readOnly);
    opening.add(connecting);
    try {
      const db = await connecting;
      if (stop.signal.aborted) await db.close();
      else opened.push(db);
      return db;
    } finally {
      opening.delete(connecting);
    }
  };
  let written: Database | undefined;
  const real = once(open(config.readOnly));
  const unchanged = once(open(true));
  return {
    exists: () => true,
    open: async (access) => {
      if (access === 'write') {
        written = await real();
        return written;
      }
      // The one that writes knows best what was written.
      return written ?? orEmpty(unchanged(), empty);
    },
  };
}

/** Opens each of the databases that are needed once, on first use. */
export function createDatabases(options: CreateAppOptions, closing: Closing): Databases {
  const { config, runtime } = options;
  const empty = once(async () => {
    const { openEmptyDatabase } = await import('../store/project-database.ts');
    return closing.add(await openEmptyDatabase(runtime));
  });
  return config.databaseUrl === null
    ? localDatabases(options, closing, empty)
    : remoteDatabases(options, config.databaseUrl, closing, empty);
}
