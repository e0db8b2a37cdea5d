import { dirname } from 'node:path';
import { parseDatabaseUrl } from '../config/database-url.ts';
import { SkillflowError } from '../errors.ts';
import type { Runtime } from '../runtime.ts';
import type { Database } from './database.ts';
import { checkIdentity, readIdentity, SCHEMA_VERSION } from './migration.ts';
import { openRemoteDatabase, type OpenRemoteOptions } from './open-remote.ts';
import { makeProjectFolder } from './project-database.ts';
import { ageText, createReplicaDatabase, openReplicaFile } from './replica-database.ts';
import { createReplicaNews } from './replica-news.ts';
import { createReplicaSync, type ReplicaSync } from './replica-sync.ts';
import { createServerIndex } from './server-index.ts';
import { createServerReach } from './server-reach.ts';

const SYNC_TIMEOUT_MS = 60_000;
/** How long opening waits for news when there is a copy to read. */
const NEWS_TIMEOUT_MS = 5_000;
const INTERVAL_MS = 5_000;

export interface OpenReplicaOptions extends OpenRemoteOptions {
  /** The replica's file; its folder is made. */
  readonly path: string;
  /** Milliseconds after which a read asks for a synchronization in the background; default 5,000. */
  readonly intervalMs?: number;
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Whether there is a copy of this server's database with the schema that this Skillflow reads. */
async function isReadable(path: string, sync: ReplicaSync, runtime: Runtime): Promise<boolean> {
  if (sync.syncedAtMs() === null) return false;
  let identity: Awaited<ReturnType<typeof readIdentity>>;
  try {
    await using db = await openReplicaFile(path, runtime);
    identity = await readIdentity({ kind: 'replica' }, db);
  } catch (error) {
    if (!(error instanceof SkillflowError)) throw error;
    runtime.log('warn', `the replica ${path} cannot be read, and is fetched anew: ${error.message}`);
    return false;
  }
  checkIdentity(path, identity);
  return identity.version === SCHEMA_VERSION;
}

/** Brings a readable copy up to date, if the server answers soon; says how old it is, if not. */
async function refresh(options: OpenReplicaOptions, sync: ReplicaSync): Promise<void> {
  const { runtime, path, intervalMs = INTERVAL_MS } = options;
  const at = sync.syncedAtMs();
  if (at === null || runtime.now() - at < intervalMs) return;
  const soon = new AbortController();
  const { signal } = options;
  const onAbort = (): void => soon.abort();
  if (signal?.aborted === true) onAbort();
  signal?.addEventListener('abort', onAbort, { once: true });
  const timer = new AbortController();
  runtime.sleep(NEWS_TIMEOUT_MS, timer.signal).then(
    () => soon.abort(),
    () => undefined, // the server was faster
  );
  try {
    await sync.run(soon.signal);
  } catch (error) {
    const reason = soon.signal.aborted ? `the server did not answer within ${NEWS_TIMEOUT_MS} ms` : reasonOf(error);
    runtime.log('warn', `${reason}; reading the replica ${path}, which is ${ageText(runtime.now() - at)} old`);
  } finally {
    timer.abort();
    signal?.removeEventListener('abort', onAbort);
  }
}

/**
 * Opens a server's database with a local replica that is read, shared by all processes of the project. With a copy
 * that was synchronized before, it opens without the server too. Where a copy cannot be made, the log says so and the
 * server is read directly. Errors: those of `openRemoteDatabase`, unless there is a copy.
 */
export async function openReplicaDatabase(options: OpenReplicaOptions): Promise<Database> {
  const { path, runtime, authToken, readOnly = false, intervalMs = INTERVAL_MS } = options;
  const { href } = parseDatabaseUrl(options.url, 'the database URL');
  await makeProjectFolder(dirname(path));
  const { signal: given, reach = createServerReach(runtime), fetch = (request) => globalThis.fetch(request) } = options;
  const index = createServerIndex(href, authToken, fetch);
  const sync = createReplicaSync({ path, href, authToken, runtime, timeoutMs: SYNC_TIMEOUT_MS, index });
  const connect = (signal: AbortSignal | undefined): Promise<Database> => openRemoteDatabase({ ...options, reach, signal });
  const over = (server: (signal: AbortSignal) => Promise<Database>): Database => {
    const news = createReplicaNews({ href, runtime, index, held: () => sync.syncedIndex() });
    return createReplicaDatabase({ path, href, sync, news, server, runtime, readOnly, intervalMs });
  };
  if (await isReadable(path, sync, runtime)) {
    await refresh(options, sync);
    if (await isReadable(path, sync, runtime)) return over(connect);
  }
  const server = await connect(given);
  try {
    await sync.run(given);
    if (await isReadable(path, sync, runtime)) return over(async () => server);
    runtime.log('warn', `the replica ${path} did not become readable; reading the server directly`);
  } catch (error) {
    runtime.log('warn', `${reasonOf(error)}; reading the server directly`);
  }
  return server;
}
