import { statSync } from 'node:fs';
import { OutcomeUnknownError, UnavailableError } from '../errors.ts';
import type { Runtime } from '../runtime.ts';
import { connect } from './connection.ts';
import type { Database, Queries } from './database.ts';
import { createLocalDatabase, READS } from './local-database.ts';
import type { ReplicaNews } from './replica-news.ts';
import type { ReplicaSync } from './replica-sync.ts';

export interface ReplicaDatabaseOptions {
  /** The replica's file; it exists. */
  readonly path: string;
  /** The server's URL, for messages. */
  readonly href: string;
  readonly sync: ReplicaSync;
  /** Closed with the database. */
  readonly news: ReplicaNews;
  /** The server's database, opened when the first write, or a read of something new, needs it; the signal gives that up. */
  readonly server: (signal: AbortSignal) => Promise<Database>;
  readonly runtime: Runtime;
  readonly readOnly: boolean;
  /** Milliseconds after which a read asks for a synchronization in the background. */
  readonly intervalMs: number;
}

/** Milliseconds between synchronizations while others keep writing; until then the server is read. */
const SOON_MS = 250;
/** Milliseconds after which a server that has not answered a read is asked whether it answers at all. */
const DOUBT_MS = 2_000;

interface Reader {
  /** The open replica; opened again when the file was replaced. */
  get(): Promise<Database>;
  /** Changes with each file. */
  generation(): number;
  close(): Promise<void>;
}

/** Opens a replica's file only to read it: the synchronizing process alone writes to it. */
export async function openReplicaFile(path: string, runtime: Runtime): Promise<Database> {
  return createLocalDatabase(await connect(path, 'read'), runtime, true);
}

function createReader(path: string, runtime: Runtime): Reader {
  let opened: { readonly db: Promise<Database>; readonly inode: bigint | undefined } | undefined;
  let generation = 0;
  const inode = (): bigint | undefined => statSync(path, { bigint: true, throwIfNoEntry: false })?.ino;
  const close = async (): Promise<void> => {
    const old = opened;
    opened = undefined;
    await old?.db.then(
      (db) => db.close(),
      () => undefined, // it never opened
    );
  };
  return {
    get: async () => {
      const now = inode();
      if (opened === undefined || (now !== undefined && now !== opened.inode)) {
        await close();
        generation += 1;
        opened = { db: openReplicaFile(path, runtime), inode: now };
      }
      return opened.db;
    },
    generation: () => generation,
    close,
  };
}

/** `3 minutes`, for people. */
export function ageText(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1000));
  if (seconds < 120) return `${seconds} s`;
  if (seconds < 7_200) return `${Math.round(seconds / 60)} minutes`;
  return seconds < 172_800 ? `${Math.round(seconds / 3_600)} hours` : `${Math.round(seconds / 86_400)} days`;
}

interface Syncing {
  /** Starts one in the background, unless one is on its way. */
  start(): void;
  /** Starts one when the last began longer ago than that; default: the interval. */
  refresh(olderThanMs?: number): void;
  problem(): string | null;
  /** Takes note of what another call learned of the server: why it could not be reached, or `null`. */
  learn(problem: string | null): void;
  stop(): Promise<void>;
}

/** @param onDone called with what `before` gave when the synchronization began, when it has ended well */
function createSyncing(
  { sync, runtime, intervalMs }: ReplicaDatabaseOptions,
  before: () => number,
  onDone: (began: number) => void,
): Syncing {
  const stopped = new AbortController();
  let running: Promise<void> | undefined;
  let again = false;
  let problem: string | null = null;
  let lastTry = -Infinity;
  const once = async (): Promise<void> => {
    const began = before();
    lastTry = runtime.ticks();
    try {
      await sync.run(stopped.signal);
      if (problem !== null) runtime.log('warn', 'the database server is reached again');
      problem = null;
      onDone(began);
    } catch (error) {
      if (stopped.signal.aborted) return;
      const message = error instanceof Error ? error.message : String(error);
      const at = sync.syncedAtMs();
      const age = at === null ? 'never synchronized' : `${ageText(runtime.now() - at)} old`;
      runtime.log(problem === null ? 'warn' : 'debug', `${message}; reading the replica, which is ${age}`);
      problem = message;
    }
  };
  const start = (): void => {
    if (stopped.signal.aborted) return;
    if (running !== undefined) {
      again = true; // what is on its way may have begun before the write that asks
      return;
    }
    running = once().finally(() => {
      running = undefined;
      const more = again && problem === null;
      again = false;
      if (more) start();
    });
  };
  return {
    start,
    refresh: (olderThanMs = intervalMs) => {
      if (running === undefined && runtime.ticks() - lastTry >= olderThanMs) start();
    },
    problem: () => problem,
    learn: (news) => {
      problem = news;
    },
    stop: async () => {
      stopped.abort();
      await running;
    },
  };
}

/**
 * The {@link Database} of a server that is read from a local replica. Writes go to the server. Before each read the
 * server is asked which change is its last: a replica that lacks it is brought up to date, and until then the server is
 * read, so that a read sees what others stored before. A server that does not say so within 250 ms, or cannot be
 * reached, is not waited for: reads go on from the replica, `replica()` and the log say so, and writes fail. What this
 * connection wrote itself is read from the server without asking; one that falls silent then is noticed after about 2 s.
 * A server that never says which change is its last is synchronized with once an interval.
 */
export function createReplicaDatabase(options: ReplicaDatabaseOptions): Database {
  const { path, href, sync, news, server, runtime, readOnly } = options;
  const reader = createReader(path, runtime);
  let writes = 0;
  let replicated = 0;
  let versions = 0;
  let lastVersion = '';
  let opened: Promise<Database> | undefined;
  let isOpening = false;
  const stopped = new AbortController();
  const syncing = createSyncing(
    options,
    () => writes,
    (began) => (replicated = Math.max(replicated, began)),
  );
  const isBehind = (): boolean => replicated < writes;
  const remote = (): Promise<Database> => {
    if (opened !== undefined) return opened;
    isOpening = true;
    opened = server(stopped.signal)
      .catch((error: unknown) => {
        opened = undefined;
        throw error;
      })
      .finally(() => (isOpening = false));
    return opened;
  };
  /** Whether the server has what the replica lacks; what it lacks is fetched in the background. */
  const isLacking = async (): Promise<boolean> => {
    if (isBehind()) return syncing.problem() === null;
    if (!(await news.lacking())) return false;
    syncing.refresh(syncing.problem() === null ? SOON_MS : undefined);
    return true;
  };
  /** Resolves when a read has taken long of a server that does not answer anything else either. */
  const silence = async (signal: AbortSignal): Promise<'silent' | 'slow'> => {
    try {
      await runtime.sleep(DOUBT_MS, signal);
    } catch {
      return 'slow'; // it has answered
    }
    await news.lacking();
    return news.problem() === null ? 'slow' : 'silent';
  };
  /** Throws `UnavailableError` also for a server that is silent. */
  const fromServer = async <T>(work: (db: Database) => Promise<T>): Promise<T> => {
    const timer = new AbortController();
    const answer = remote().then(work);
    try {
      const first = await Promise.race([answer.then((value) => ({ value })), silence(timer.signal)]);
      if (first === 'silent') {
        throw new UnavailableError(`the database server ${href} did not answer within ${DOUBT_MS} ms`, {
          retryable: true,
          hint: 'Check the network, and that the server runs.',
        });
      }
      return first === 'slow' ? await answer : first.value;
    } finally {
      timer.abort();
    }
  };
  const read = async <T>(work: (db: Database) => Promise<T>): Promise<T> => {
    if (await isLacking()) {
      try {
        return await fromServer(work);
      } catch (error) {
        if (!(error instanceof UnavailableError)) throw error;
        runtime.log('warn', `${error.message}; reading the replica, which lacks the last writes`);
        syncing.learn(error.message);
      }
    }
    syncing.refresh();
    return work(await reader.get());
  };
  const change = async <T>(work: (db: Database) => Promise<T>): Promise<T> => {
    const db = await remote();
    try {
      const result = await work(db);
      writes += 1;
      syncing.learn(null);
      return result;
    } catch (error) {
      if (error instanceof OutcomeUnknownError) writes += 1;
      throw error;
    } finally {
      if (isBehind()) syncing.start();
    }
  };
  const either = <T>(sql: string, work: (db: Queries) => Promise<T>): Promise<T> => (READS.test(sql) ? read(work) : change(work));
  const close = async (): Promise<void> => {
    news.close();
    // A server that is still being opened is given up; one that is open closes in its own time.
    const closing = opened?.then(
      (db) => db.close(),
      () => undefined, // it never opened
    );
    await syncing.stop();
    await reader.close();
    if (isOpening) stopped.abort();
    await closing;
  };
  return {
    kind: 'replica',
    path: href,
    readOnly,
    all: (sql, params) => either(sql, (db) => db.all(sql, params)),
    get: (sql, params) => either(sql, (db) => db.get(sql, params)),
    run: (sql, params) => change((db) => db.run(sql, params)),
    write: (body) => change((db) => db.write(body)),
    get commits() {
      return writes;
    },
    dataVersion: async () => {
      const db = await reader.get();
      const now = `${reader.generation()} ${await db.dataVersion()}`;
      if (isBehind() || (await isLacking()) || now !== lastVersion) versions += 1;
      lastVersion = now;
      syncing.refresh();
      return versions;
    },
    integrity: async () => {
      await isLacking(); // whoever asks how the database is wants to know of the server too
      return (await reader.get()).integrity();
    },
    replica: () => ({
      syncedAtMs: sync.syncedAtMs(),
      problem: news.problem() ?? syncing.problem(),
      behindOwnWrites: isBehind(),
    }),
    close,
    [Symbol.asyncDispose]: close,
  };
}
