import { NotFoundError, NotSupportedError } from '../../errors.ts';
import type { Runtime } from '../../runtime.ts';
import type { Database } from '../../store/database.ts';

export interface CareDeps {
  /** Opens the project's database; a reader of a project without one gets an empty one in memory. */
  readonly open: (access: 'read' | 'write') => Promise<Database>;
  readonly runtime: Runtime;
  /** Absolute. Files that a caller names lie in it. */
  readonly projectRoot: string;
  /** Of the local database file, absolute; of no use when the database is remote. */
  readonly databasePath: string;
  /** Of an encrypted database. */
  readonly key?: string | undefined;
}

/** Whether a database is on a server, where there is no file to copy. */
export function isRemote({ kind }: Pick<Database, 'kind'>): boolean {
  return kind === 'remote' || kind === 'replica';
}

/** Whether a database stands for one that has not been made yet. */
export function isAbsent({ kind }: Pick<Database, 'kind'>): boolean {
  return kind === 'memory';
}

/**
 * The project's database, when it is a local file.
 * Errors: `NotSupportedError` for a remote one, `NotFoundError` when there is none yet, those of opening it.
 */
export async function openLocal(
  deps: CareDeps,
  access: 'read' | 'write',
  what: string,
  hint = 'Use `memory export`, which works with any database, or what the server offers.',
): Promise<Database> {
  const db = await deps.open(access);
  if (isRemote(db)) {
    throw new NotSupportedError(`${what} works on a local database, and this one is remote (${db.path})`, {
      hint,
    });
  }
  if (isAbsent(db)) {
    throw new NotFoundError(`there is no database at ${deps.databasePath}`, {
      hint: 'It is made by the first command that stores something; check the project folder.',
      details: { path: deps.databasePath },
    });
  }
  return db;
}
