import { closeSync, existsSync, openSync, readFileSync, statSync, unlinkSync, writeSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname } from 'node:path';
import { BusyError, StorageError, UnavailableError } from '../errors.ts';
import type { Runtime } from '../runtime.ts';
import { writeFileAtomic } from './atomic-file.ts';
import type { ServerIndex } from './server-index.ts';
import { codeOf, storageError } from './storage-error.ts';

/** Files of a replica: the database with its log, what the driver remembers of the server, and our stamp. */
const PARTS = ['', '-wal', '-shm', '-client_wal_index', '-info', '-synced'];
/** What the driver says when its files do not fit the server's database, or each other. */
const UNUSABLE = /wal_index|meta file|log id|incompatible|malformed|not a database|Invalid replication path/i;
/** Milliseconds between looks at another process's synchronization. */
const LOOK_MS = 50;
/** Milliseconds for the question which change is the server's last. */
const INDEX_MS = 2_000;

/**
 * Runs in a process of its own, because the driver blocks its thread while it waits for the network, without a limit,
 * and prints its errors on stdout, which may be a protocol's. Its input holds the token, so that no list of processes
 * shows it.
 */
const SCRIPT = `const { driver, path, syncUrl, authToken } = JSON.parse(require('node:fs').readFileSync(0, 'utf8'));
const say = (answer) => process.stdout.write('\\n' + JSON.stringify(answer));
try {
  const Database = require(driver);
  const database = new Database(path, { syncUrl, authToken });
  database.sync();
  database.close();
  say({ ok: true });
} catch (error) {
  say({ ok: false, message: String(error && error.message) });
}`;

export interface ReplicaSyncOptions {
  /** The replica's file. */
  readonly path: string;
  /** The server's URL. */
  readonly href: string;
  readonly authToken: string | undefined;
  readonly runtime: Runtime;
  /** Milliseconds for one synchronization. */
  readonly timeoutMs: number;
  readonly index: ServerIndex;
}

/** Brings a local copy of a server's database up to date. */
export interface ReplicaSync {
  /** When the last synchronization with this server began, ms since the epoch; `null` without one that ended well. */
  syncedAtMs(): number | null;
  /** Which change was the server's last when that began; `null` when that is not known. */
  syncedIndex(): string | null;
  /**
   * Fetches what the server has more than the copy, once nobody else does. Errors: `UnavailableError` (not reached, or
   * not a server that replicates), `DeadlineError`, `BusyError` (another process is at it), `CancelledError`,
   * `StorageError`.
   */
  run(signal?: AbortSignal): Promise<void>;
}

interface Stamp {
  readonly url: string;
  readonly atMs: number;
  readonly index: string | null;
}

function readStamp(path: string): Stamp | undefined {
  try {
    const data: unknown = JSON.parse(readFileSync(`${path}-synced`, 'utf8'));
    if (typeof data !== 'object' || data === null || !('url' in data) || !('atMs' in data)) return undefined;
    if (typeof data.url !== 'string' || typeof data.atMs !== 'number') return undefined;
    const index = 'index' in data && typeof data.index === 'string' ? data.index : null;
    return { url: data.url, atMs: data.atMs, index };
  } catch {
    return undefined; // absent or torn: the copy counts as never synchronized
  }
}

/** The file lock of whoever synchronizes; of a process that is gone, or far too old, it is taken over. */
function tryLock(path: string, runtime: Runtime, maxAgeMs: number): (() => void) | undefined {
  const lock = `${path}-lock`;
  const holder = `${runtime.host} ${runtime.pid}`;
  try {
    const file = openSync(lock, 'wx');
    writeSync(file, holder);
    closeSync(file);
    return () => unlinkSync(lock);
  } catch (error) {
    if (codeOf(error) !== 'EEXIST') throw storageError(error, 'lock the replica', lock);
  }
  try {
    const [host, pid] = readFileSync(lock, 'utf8').split(' ');
    const isGone = host === runtime.host && pid !== undefined && !runtime.alive(Number(pid));
    // Two that find it stale at once may both go on: the driver's own locks keep the file whole.
    if (isGone || runtime.now() - statSync(lock).mtimeMs > maxAgeMs) unlinkSync(lock);
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') throw storageError(error, 'look at the lock of the replica', lock);
  }
  return undefined;
}

async function fetchChanges(options: ReplicaSyncOptions, signal: AbortSignal | undefined): Promise<string | undefined> {
  const { path, href, authToken = '', runtime, timeoutMs } = options;
  const driver = createRequire(import.meta.url).resolve('libsql');
  const { stdout, stderr } = await runtime.exec(process.execPath, ['-e', SCRIPT], {
    cwd: dirname(path),
    input: JSON.stringify({ driver, path, syncUrl: href, authToken }),
    env: { RUST_LOG: 'off' },
    timeoutMs,
    signal,
  });
  const last = stdout.toString('utf8').trimEnd().split('\n').at(-1) ?? '';
  try {
    const answer: unknown = JSON.parse(last);
    if (typeof answer === 'object' && answer !== null && 'ok' in answer) {
      if (answer.ok === true) return undefined;
      if ('message' in answer) return String(answer.message);
    }
  } catch {
    // The process was ended from outside, or the driver aborted it; what it printed says more.
  }
  return `its process ended without an answer: ${stderr.trim().slice(0, 500)}`;
}

/** Forgets the copy; the next synchronization fetches all of it. */
async function discard(path: string): Promise<void> {
  for (const part of PARTS) await rm(`${path}${part}`, { force: true });
}

export function createReplicaSync(options: ReplicaSyncOptions): ReplicaSync {
  const { path, href, runtime, timeoutMs } = options;
  const stampOfServer = (): Stamp | undefined => {
    const stamp = readStamp(path);
    return stamp?.url === href && existsSync(path) ? stamp : undefined;
  };
  const syncedAtMs = (): number | null => stampOfServer()?.atMs ?? null;
  /** Asked before the changes are fetched, so that the copy holds at least that one. */
  const askIndex = async (signal: AbortSignal | undefined): Promise<string | null> => {
    const stop = new AbortController();
    const timer = new AbortController();
    const onAbort = (): void => stop.abort();
    signal?.addEventListener('abort', onAbort, { once: true });
    runtime.sleep(INDEX_MS, timer.signal).then(onAbort, () => undefined); // the answer came first
    try {
      return await options.index(stop.signal);
    } catch (error) {
      runtime.log('debug', `${href} does not say which change is its last: ${String(error)}`);
      return null; // the driver says why it cannot be reached
    } finally {
      timer.abort();
      signal?.removeEventListener('abort', onAbort);
    }
  };
  const lock = async (signal: AbortSignal | undefined): Promise<() => void> => {
    for (let waited = 0; ; waited += LOOK_MS) {
      const release = tryLock(path, runtime, 2 * timeoutMs);
      if (release !== undefined) return release;
      if (waited >= timeoutMs) {
        throw new BusyError(`another process has been synchronizing ${path} for ${timeoutMs} ms`, { details: { path } });
      }
      await runtime.sleep(LOOK_MS, signal);
    }
  };
  const fetchAll = async (signal: AbortSignal | undefined): Promise<void> => {
    if (syncedAtMs() === null) await discard(path); // another server's, or a first copy that was never finished
    const atMs = runtime.now();
    const index = await askIndex(signal);
    let problem = await fetchChanges(options, signal);
    if (problem !== undefined && UNUSABLE.test(problem)) {
      runtime.log('warn', `the replica ${path} does not fit its server (${problem}): it is fetched anew`);
      await discard(path);
      problem = await fetchChanges(options, signal);
    }
    if (problem !== undefined) {
      throw new UnavailableError(`the replica cannot be synchronized with ${href}: ${problem}`, {
        retryable: true,
        hint: 'Check the network and that the server runs; without SKILLFLOW_DB_REPLICA it is read directly.',
        details: { url: href, path },
      });
    }
    await writeFileAtomic(`${path}-synced`, JSON.stringify({ url: href, atMs, index } satisfies Stamp));
  };
  return {
    syncedAtMs,
    syncedIndex: () => stampOfServer()?.index ?? null,
    run: async (signal) => {
      const release = await lock(signal);
      try {
        await fetchAll(signal);
      } catch (error) {
        throw codeOf(error).startsWith('E') && !(error instanceof StorageError)
          ? storageError(error, 'write the replica', path)
          : error;
      } finally {
        release();
      }
    },
  };
}
