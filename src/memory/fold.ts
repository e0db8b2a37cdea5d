import { BusyError, ForbiddenError, OutcomeUnknownError, StorageError, UnavailableError } from '../errors.ts';
import type { Runtime } from '../runtime.ts';
import type { Database, Queries } from '../store/database.ts';

/** Why a database cannot be written to, while it can be read. */
const UNWRITABLE = [BusyError, ForbiddenError, OutcomeUnknownError, StorageError, UnavailableError] as const;
/** Milliseconds that opening and closing wait for their turn to write. */
const PATIENCE_MS = 500;

/**
 * Takes the entries that are pending into the full-text index: those after the mark in `memory_fts_folded`, which storing
 * has left out to be quick. Moving the mark does it, by a trigger. Whoever reads the index does this first; nothing is
 * lost when it fails.
 */
export async function fold(queries: Pick<Queries, 'run'>): Promise<void> {
  await queries.run(
    'UPDATE memory_fts_folded SET entry_id = (SELECT max(id) FROM memory_entry) WHERE entry_id < (SELECT max(id) FROM memory_entry)',
  );
}

/** Folds; resolves with `null`, or why the database cannot be written to. Errors: the others of the database. */
export async function tryFold(db: Database): Promise<string | null> {
  try {
    await fold(db);
    return null;
  } catch (error) {
    if (UNWRITABLE.some((kind) => error instanceof kind) && error instanceof Error) return error.message;
    throw error;
  }
}

/** What folding resolves with, or after some milliseconds that the database is locked, while it goes on. */
export async function foldWithin(
  ms: number,
  folding: Promise<string | null>,
  db: Database,
  runtime: Pick<Runtime, 'sleep'>,
): Promise<string | null> {
  const timer = new AbortController();
  const late = runtime.sleep(ms, timer.signal).then(
    () => `others have kept the database ${db.path} locked for ${ms / 1000} s`,
    () => null, // it was in time
  );
  try {
    return await Promise.race([folding, late]);
  } finally {
    timer.abort();
  }
}

const PENDING = 'SELECT 1 FROM memory_fts_folded WHERE entry_id < (SELECT max(id) FROM memory_entry)';

/** Folds if there is anything to fold, and it is soon this one's turn. Never rejects: who searches next makes up for it. */
async function foldInPassing(db: Database, runtime: Pick<Runtime, 'sleep' | 'log'>, when: string): Promise<void> {
  if (db.readOnly || db.kind !== 'file') return;
  const tell = (why: string): void => runtime.log('debug', `the full-text index is not up to date ${when}: ${why}`);
  try {
    if ((await db.get(PENDING)) === undefined) return;
    const why = await foldWithin(PATIENCE_MS, tryFold(db), db, runtime);
    if (why !== null) tell(why);
  } catch (error) {
    tell(error instanceof Error ? error.message : String(error));
  }
}

/** Folds what a process left pending that was killed, when the database is opened. Never rejects. */
export async function foldAfterOpen(db: Database, runtime: Pick<Runtime, 'sleep' | 'log'>): Promise<void> {
  await foldInPassing(db, runtime, 'after opening');
}

/** Folds what this process may have stored, before its database is closed, for those who can only read it. Never rejects. */
export async function foldBeforeClose(db: Database, runtime: Pick<Runtime, 'sleep' | 'log'>): Promise<void> {
  if (db.commits > 0) await foldInPassing(db, runtime, 'at close');
}
