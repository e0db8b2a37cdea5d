import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach } from 'vitest';
import { createRuntime, type Runtime } from '../../src/runtime.ts';
import type { Database } from '../../src/store/database.ts';
import { openDatabase } from '../../src/store/open-database.ts';
import { openRemoteDatabase } from '../../src/store/open-remote.ts';
import { hasSqld, startSqld } from './sqld.ts';

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

/**
 * The databases that everything stored must work on: `describe.each(databaseBackends())('$name', ({ fresh }) => …)`.
 * Call it at the top of a test file. Where there is no libSQL
 * server, its suites do not appear; those of test/store/remote*.test.ts are shown as skipped there.
 */
export function databaseBackends(): readonly DatabaseBackend[] {
  const cleaning: (() => Promise<unknown>)[] = [];
  afterEach(async () => {
    const failures: unknown[] = [];
    for (const clean of cleaning.splice(0).reverse()) await clean().catch((error: unknown) => failures.push(error));
    if (failures.length > 0) throw failures[0]; // after all, so that no server stays behind
  });
  const place = (
    location: string,
    connect: (options: { readonly runtime: Runtime; readonly readOnly?: boolean }) => Promise<Database>,
  ): DatabasePlace => ({
    location,
    open: async (runtime = silent, options = {}) => {
      const db = await connect({ runtime, ...options });
      cleaning.push(() => db.close());
      return db;
    },
  });
  const file: DatabaseBackend = {
    name: 'file',
    isRemote: false,
    fresh: async () => {
      const folder = await mkdtemp(join(tmpdir(), 'skillflow-db-'));
      cleaning.push(() => rm(folder, { recursive: true, force: true }));
      const path = join(folder, 'skillflow.db');
      return place(path, (options) => openDatabase(path, options));
    },
  };
  const sqld: DatabaseBackend = {
    name: 'sqld',
    isRemote: true,
    fresh: async () => {
      const server = await startSqld();
      cleaning.push(() => server.stop());
      return place(server.url, (options) => openRemoteDatabase({ url: server.url, ...options }));
    },
  };
  return hasSqld ? [file, sqld] : [file];
}
