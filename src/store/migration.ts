import { ConflictError, InternalError, InvalidInputError, SchemaTooNewError } from '../errors.ts';
import type { Database, Queries } from './database.ts';
import { MIGRATIONS, type Migration } from './migrations/index.ts';
import { numberOf } from './row.ts';
import { markServer, readServerMark } from './server-marker.ts';
import { damaged } from './sqlite-failure.ts';

/** Marks a file as Skillflow's: "SKFL" in ASCII (source: sqlite.org/pragma.html#pragma_application_id). */
const APPLICATION_ID = 0x53_4b_46_4c;

/** The version that this Skillflow writes. */
export const SCHEMA_VERSION = MIGRATIONS.length;

/** What tells whose a database file is. */
export interface Identity {
  readonly applicationId: number;
  /** The schema's version; 0 before the first migration. */
  readonly version: number;
  /** Number of tables, indexes, views and triggers, without those of SQLite itself. */
  readonly objects: number;
}

export const IDENTITY_SQL = `SELECT application_id AS applicationId, user_version AS version,
  (SELECT count(*) FROM sqlite_schema WHERE name NOT GLOB 'sqlite_*') AS objects FROM pragma_application_id, pragma_user_version`;

/**
 * Throws `ConflictError` for a database of another program, `SchemaTooNewError` for one of a newer Skillflow, and
 * `DatabaseDamagedError` for tables of ours without a version. An empty database without an owner is ours to take.
 */
export function checkIdentity(path: string, identity: Identity): void {
  const { applicationId, version, objects } = identity;
  const unowned = applicationId === 0 && version === 0 && objects === 0;
  if (applicationId !== APPLICATION_ID && !unowned) {
    throw new ConflictError(`${path} is a database of another program (application id ${applicationId})`, {
      hint: 'Give Skillflow another path; this file was left as it is.',
      details: { path, applicationId },
    });
  }
  if (version === 0 && objects > 0) throw damaged(path, 'its header names no schema version, and it has tables');
  if (version > SCHEMA_VERSION) {
    throw new SchemaTooNewError(`${path} has schema version ${version}; this Skillflow knows versions up to ${SCHEMA_VERSION}`, {
      hint: 'Upgrade Skillflow; the file was left as it is.',
      details: { path, version, known: SCHEMA_VERSION },
    });
  }
}

const isOnServer = ({ kind }: Pick<Database, 'kind'>): boolean => kind === 'remote' || kind === 'replica';

/** What a database says of itself: a file in its header, a server, which refuses the pragma, by a table. */
export async function readIdentity(db: Pick<Database, 'kind'>, queries: Queries): Promise<Identity> {
  if (isOnServer(db)) {
    const { marked, version, objects } = await readServerMark(queries);
    return { applicationId: marked ? APPLICATION_ID : 0, version, objects };
  }
  const row = (await queries.get(IDENTITY_SQL)) ?? {};
  return {
    applicationId: numberOf(row, 'applicationId'),
    version: numberOf(row, 'version'),
    objects: numberOf(row, 'objects'),
  };
}

async function mark(db: Database, queries: Queries, version: number): Promise<void> {
  if (isOnServer(db)) {
    await markServer(queries, version);
    return;
  }
  await queries.run(`PRAGMA application_id = ${APPLICATION_ID}`);
  await queries.run(`PRAGMA user_version = ${version}`);
}

/** Runs a migration; that its statements cannot be right for the tables there are says that those are not of the version named. */
async function apply(
  path: string,
  queries: Queries,
  { up, down, finish }: Migration,
  from: number,
  goUp: boolean,
): Promise<void> {
  try {
    for (const sql of goUp ? up : down) await queries.run(sql);
    if (goUp) await finish?.(queries);
  } catch (error) {
    if (!(error instanceof InternalError)) throw error;
    throw damaged(path, `its tables are not those of schema version ${from}, which it names (${error.message})`, error);
  }
}

/** One migration towards `target` in one transaction, if one is still needed when the lock is ours. */
async function step(db: Database, target: number): Promise<boolean> {
  return db.write(async (queries) => {
    const identity = await readIdentity(db, queries); // again under the lock: another process may have been faster
    checkIdentity(db.path, identity);
    const { version } = identity;
    if (version === target) return false;
    const up = version < target;
    const migration = MIGRATIONS[up ? version : version - 1];
    if (migration === undefined) return false;
    await apply(db.path, queries, migration, version, up);
    await mark(db, queries, up ? version + 1 : version - 1);
    return true;
  });
}

/**
 * Brings a database to a schema version, up or down, one transaction a migration; a failure leaves it at the last
 * version reached. Going down deletes what the undone migrations stored.
 * @param version 0 (no tables) to {@link SCHEMA_VERSION}; default the latest
 * Errors: `InvalidInputError` for another version, those of {@link checkIdentity}, those of `Database.write`.
 */
export async function migrateTo(db: Database, version: number = SCHEMA_VERSION): Promise<void> {
  if (!Number.isInteger(version) || version < 0 || version > SCHEMA_VERSION) {
    throw new InvalidInputError(`there is no schema version ${version}; expected 0 to ${SCHEMA_VERSION}`);
  }
  const identity = await readIdentity(db, db);
  if (identity.version === version && identity.applicationId === APPLICATION_ID) return;
  while (await step(db, version));
}
