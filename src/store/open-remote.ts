import { parseDatabaseUrl } from '../config/database-url.ts';
import { ConflictError, NotFoundError, UnavailableError } from '../errors.ts';
import type { Runtime } from '../runtime.ts';
import type { Database } from './database.ts';
import { checkIdentity, migrateTo, readIdentity, SCHEMA_VERSION } from './migration.ts';
import { createRemoteDatabase } from './remote-database.ts';
import { numberOf } from './row.ts';
import { createServerFetch, type Fetch } from './server-request.ts';

const PATIENCE_MS = 10_000;
const REQUEST_TIMEOUT_MS = 30_000;

export interface OpenRemoteOptions {
  /** As `parseDatabaseUrl` takes it. */
  readonly url: string;
  readonly authToken?: string | undefined;
  readonly runtime: Runtime;
  /** Refuse writes, and do not bring the schema up to date; default `false`. */
  readonly readOnly?: boolean;
  /** Milliseconds for one request with its answer; default 30,000. */
  readonly timeoutMs?: number;
  /** Milliseconds that a call keeps trying; default 10,000. */
  readonly patienceMs?: number;
  /** Default: Node's. */
  readonly fetch?: Fetch;
}

async function connectServer(options: OpenRemoteOptions): Promise<Database> {
  const { authToken, runtime, readOnly = false, timeoutMs = REQUEST_TIMEOUT_MS, patienceMs = PATIENCE_MS } = options;
  const { href } = parseDatabaseUrl(options.url, 'the database URL');
  const { createClient } = await import('@libsql/client/http');
  const fetch = createServerFetch({
    href,
    authToken,
    runtime,
    timeoutMs,
    fetch: options.fetch ?? ((request) => globalThis.fetch(request)),
  });
  // Relative paths replace what follows the last slash.
  const client = createClient({ url: `${href}/`, intMode: 'bigint', fetch, ...(authToken === undefined ? {} : { authToken }) });
  return createRemoteDatabase({ client, href, runtime, readOnly, patienceMs });
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
  const db = await connectServer(options);
  try {
    if (options.readOnly === true) {
      await checkReadable(db);
    } else {
      checkIdentity(db.path, await readIdentity(db, db));
      await checkAbilities(db);
      await migrateTo(db);
    }
    return db;
  } catch (error) {
    await db.close();
    throw error;
  }
}
