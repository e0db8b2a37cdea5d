import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inject, onTestFinished } from 'vitest';
import { createRuntime, type Runtime } from '../../src/runtime.ts';
import type { Database } from '../../src/store/database.ts';
import { openDatabase, type OpenDatabaseOptions } from '../../src/store/open-database.ts';
import { openLocation } from './open-location.ts';
import { startSqld } from './sqld.ts';

/**
 * Whether these tests keep in a libSQL server what users may keep in a file: they are run once by vitest's project
 * `file`, and once by its project `server`. `test.skipIf(onServer())` is for what is by nature about a file.
 */
export const onServer = (): boolean => inject('serverTemplate') !== undefined;

const servers = new Map<string, Promise<string>>();

async function startServer(path: string): Promise<string> {
  const server = await startSqld({}, inject('serverTemplate'));
  onTestFinished(async () => {
    servers.delete(path);
    await server.stop();
  });
  return server.url;
}

/**
 * What stands for a database file in these tests: its path, or the URL of a server, which has the tables and no rows,
 * and is the path's until the test is over. Called in a test, or before each.
 */
export async function locationOf(path: string): Promise<string> {
  if (!onServer()) return path;
  const url = servers.get(path) ?? startServer(path);
  servers.set(path, url);
  return url;
}

/** As `openDatabase` of the product, at {@link locationOf} the path. */
export async function openTestDatabase(path: string, options: OpenDatabaseOptions): Promise<Database> {
  return options.key === undefined ? openLocation(await locationOf(path), options) : openDatabase(path, options);
}

/** A place where one database can be opened several times. */
export interface DatabasePlace {
  /** A path, or the URL of a server. */
  readonly location: string;
  /** Another connection to the same database, closed after the test. */
  open(runtime?: Runtime, options?: { readonly readOnly?: boolean }): Promise<Database>;
}

export interface DatabaseBackend {
  readonly name: 'file' | 'sqld';
  readonly isRemote: boolean;
  /** A new and empty database that goes after the test. */
  fresh(): Promise<DatabasePlace>;
}

const silent = createRuntime('silent');

async function fresh(): Promise<DatabasePlace> {
  const folder = await mkdtemp(join(tmpdir(), 'skillflow-db-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const location = await locationOf(join(folder, 'skillflow.db'));
  return {
    location,
    open: async (runtime = silent, options = {}) => {
      const db = await openLocation(location, { runtime, ...options });
      onTestFinished(() => db.close());
      return db;
    },
  };
}

/** The databases of these tests: `describe.each(databaseBackends())('$name', ({ fresh }) => …)`. */
export function databaseBackends(): readonly DatabaseBackend[] {
  const isRemote = onServer();
  return [{ name: isRemote ? 'sqld' : 'file', isRemote, fresh }];
}
