import { setMaxListeners } from 'node:events';
import { parseDatabaseUrl } from '../config/database-url.ts';
import { ConflictError, NotFoundError, UnavailableError } from '../errors.ts';
import type { Runtime } from '../runtime.ts';
import type { Database } from './database.ts';
import { checkIdentity, migrateTo, readIdentity, SCHEMA_VERSION } from './migration.ts';
import { createRemoteDatabase } from './remote-database.ts';
import { numberOf } from './row.ts';
import { createServerReach, type ServerReach } from './server-reach.ts';
import { createServerFetch, RequestFailure, type Fetch } from './server-request.ts';
import { inTime } from './server-retry.ts';

/** Milliseconds for the first answer of a server, and for the next one of a server that left a request without any. */
const FIRST_ANSWER_MS = 10_000;
const REQUEST_TIMEOUT_MS = 20_000;
const PATIENCE_MS = 10_000;
/** Milliseconds for opening, all requests and tries together. */
const OPEN_MS = 30_000;

export interface OpenRemoteOptions {
  /** As `parseDatabaseUrl` takes it. */
  readonly url: string;
  readonly authToken?: string | undefined;
  readonly runtime: Runtime;
  /** Refuse writes, and do not bring the schema up to date; default `false`. */
  readonly readOnly?: boolean;
  /**
   * Milliseconds for one request with its answer; default 20,000, and 10,000 while the server has not answered yet, not
   * the last time, or nothing else meanwhile.
   */
  readonly timeoutMs?: number;
  /** Milliseconds that a call keeps trying; default 10,000. */
  readonly patienceMs?: number;
  /** What other databases on the same server have seen of it; default: nothing. */
  readonly reach?: ServerReach;
  /** Gives up opening, and closes what was opened. */
  readonly signal?: AbortSignal | undefined;
  /** Default: Node's. */
  readonly fetch?: Fetch;
}

/** A controller that aborts with a signal, and can do so by itself. */
function followed(signal: AbortSignal | undefined): AbortController {
  const stop = new AbortController();
  setMaxListeners(0, stop.signal); // each request on its way listens, and there may be many
  const onAbort = (): void => stop.abort();
  if (signal?.aborted === true) onAbort();
  signal?.addEventListener('abort', onAbort, { once: true });
  stop.signal.addEventListener('abort', () => signal?.removeEventListener('abort', onAbort), { once: true });
  return stop;
}

async function connectServer(options: OpenRemoteOptions, stop: AbortController): Promise<Database> {
  const { authToken, runtime, readOnly = false, timeoutMs, patienceMs = PATIENCE_MS } = options;
  const { href } = parseDatabaseUrl(options.url, 'the database URL');
  const { createClient } = await import('@libsql/client/http');
  const fetch = createServerFetch({
    href,
    authToken,
    runtime,
    timeoutMs: timeoutMs ?? REQUEST_TIMEOUT_MS,
    firstAnswerMs: timeoutMs ?? FIRST_ANSWER_MS,
    reach: options.reach ?? createServerReach(runtime),
    signal: stop.signal,
    fetch: options.fetch ?? ((request) => globalThis.fetch(request)),
  });
  // Relative paths replace what follows the last slash.
  const client = createClient({ url: `${href}/`, intMode: 'bigint', fetch, ...(authToken === undefined ? {} : { authToken }) });
  return createRemoteDatabase({ client, href, runtime, readOnly, patienceMs, stop });
}

/** What the schema relies on, and a server may do otherwise. */
async function checkAbilities(db: Database): Promise<void> {
  const row = (await db.get('SELECT foreign_keys AS foreignKeys FROM pragma_foreign_keys')) ?? {};
  if (numberOf(row, 'foreignKeys') === 1) return;
  throw new UnavailableError(`the database server ${db.path} does not enforce foreign keys`, {
    hint: 'Use a libSQL server with its default settings.',
    details: { url: db.path },
  });
}

async function checkReadable(db: Database): Promise<void> {
  const identity = await readIdentity(db, db);
  checkIdentity(db.path, identity);
  const { version } = identity;
  if (version === 0) {
    throw new NotFoundError(`there is nothing of Skillflow at ${db.path} yet`, {
      hint: 'It is made by the first command that stores something.',
      details: { url: db.path },
    });
  }
  if (version < SCHEMA_VERSION) {
    throw new ConflictError(`${db.path} has schema version ${version}, older than ${SCHEMA_VERSION}, and is to be read only`, {
      hint: 'Open it once writable (any command that stores something), which brings it up to date.',
      details: { url: db.path, version, expected: SCHEMA_VERSION },
    });
  }
}

/**
 * Opens a database on a libSQL server or Turso, and brings its schema up to date.
 *
 * Errors: `InvalidInputError` for the URL; `UnavailableError` when the server cannot be reached for about 10 s;
 * `ForbiddenError` when it refuses the token; `NotFoundError` when it knows no such database, or with `readOnly`
 * nothing is stored there; `ConflictError` (another program's database; with `readOnly` also an older schema);
 * `SchemaTooNewError`; those of `Database.write`.
 */
export async function openRemoteDatabase(options: OpenRemoteOptions): Promise<Database> {
  const { runtime, readOnly = false, timeoutMs = 0 } = options;
  const stop = followed(options.signal);
  const db = await connectServer(options, stop);
  const prepare = async (): Promise<void> => {
    if (readOnly) return checkReadable(db);
    checkIdentity(db.path, await readIdentity(db, db));
    await checkAbilities(db);
    return migrateTo(db);
  };
  try {
    await inTime(runtime, db.path, Math.max(OPEN_MS, timeoutMs), prepare());
    return db;
  } catch (error) {
    stop.abort();
    await db.close();
    throw error instanceof RequestFailure ? error.error : error;
  }
}
