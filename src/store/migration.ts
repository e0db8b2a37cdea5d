import { ConflictError, InvalidInputError, SchemaTooNewError } from '../errors.ts';
import type { Database, Queries } from './database.ts';
import { MIGRATIONS } from './migrations/index.ts';
import { numberOf } from './row.ts';
import { markServer, readServerMark } from './server-marker.ts';

/** Marks a file as Skillflow's: "SKFL" in ASCII (source: sqlite.org/pragma.html#pragma_application_id). */
const APPLICATION_ID = 0x53_4b_46_4c;

/** The version that this Skillflow writes. */
export const SCHEMA_VERSION = MIGRATIONS.length;

/** What tells whose a database file is. */
export interface Identity {
  readonly applicationId: number;
  /** The schema's version; 0 before the first migration. */
  readonly version: number;
  /** Number of tables, indexes, views and triggers. */
  readonly objects: number;
}

export const IDENTITY_SQL = `SELECT application_id AS applicationId, user_version AS version,
  (SELECT count(*) FROM sqlite_schema) AS objects FROM pragma_application_id, pragma_user_version`;

/**
 * Throws `ConflictError` for a database of another program and `SchemaTooNewError` for one of a newer Skillflow. An
 * empty database without an owner is ours to take.
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
    for (const sql of up ? migration.up : migration.down) await queries.run(sql);
    if (up) await migration.finish?.(queries);
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
