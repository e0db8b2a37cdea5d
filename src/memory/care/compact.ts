import { BusyError, InvalidInputError, StorageError } from '../../errors.ts';
import type { Database, Queries, SqlValue } from '../../store/database.ts';
import { numberOf } from '../../store/row.ts';
import { runApart } from '../../store/run-apart.ts';
import { VISIBLE } from '../entry.ts';
import { fold } from '../fold.ts';
import { checkName, checkRange } from '../limits.ts';
import { removeEntries, SUPERSEDES_ANOTHER } from '../superseded.ts';
import type { CompactReport } from './care.ts';
import { openLocal, type CareDeps } from './care-deps.ts';
import { deleteRepeated } from './delete-repeated.ts';
import { fileBytes } from './stats.ts';
import { dropVectors } from './vector-models.ts';

export interface CompactOptions {
  readonly namespace?: string | undefined;
  readonly deletedDays?: number | undefined;
  readonly keepVersions?: number | undefined;
  readonly dedupe?: boolean | undefined;
  readonly dropModel?: string | undefined;
}

const DAY_MS = 24 * 3600 * 1000;
/** A hundred years. */
const MAX_DAYS = 36_500;
/** Changes kept for those who follow `chg`; who comes later than that starts over from the entries. */
const CHANGES_KEPT = 100_000;
/** Repeated entries named in the report. */
const MOST_NAMED = 20;
const PATIENCE_MS = 10_000;
const PAUSE_MS = 50;

/** Runs a statement of its own while others hold the lock now and then, for about 10 s. */
async function runWhenFree(deps: CareDeps, path: string, sql: string): Promise<ReturnType<typeof runApart>> {
  for (let paused = 0; ; paused += PAUSE_MS) {
    try {
      return await runApart({ path, mode: 'write', key: deps.key }, sql);
    } catch (error) {
      if (!(error instanceof BusyError) || paused >= PATIENCE_MS) throw error;
    }
    await deps.runtime.sleep(PAUSE_MS);
  }
}

/** Removes the entries that a condition picks. @returns how many */
async function removeWhere(queries: Queries, now: number, condition: string, params: readonly SqlValue[]): Promise<number> {
  const rows = await queries.all(`SELECT id FROM memory_entry WHERE ${condition} AND ${SUPERSEDES_ANOTHER}`, params);
  const ids = rows.map((row) => numberOf(row, 'id'));
  if (ids.length > 0) await removeEntries(queries, ids, now);
  return ids.length + (await queries.run(`DELETE FROM memory_entry WHERE ${condition}`, params)).changes;
}

async function remove(
  queries: Queries,
  now: number,
  options: CompactOptions,
): Promise<Omit<CompactReport, 'bytesBefore' | 'bytesAfter'>> {
  const { namespace, deletedDays = 30, keepVersions = 100, dedupe = false } = options;
  const scope = namespace === undefined ? [] : [namespace];
  const inScope = namespace === undefined ? '' : 'AND namespace = ?';
  const run = async (sql: string, params: readonly SqlValue[]): Promise<number> => (await queries.run(sql, params)).changes;
  const expired = await removeWhere(queries, now, `expires_at <= ? ${inScope}`, [now, ...scope]);
  const deletedBy = Math.floor(now - deletedDays * DAY_MS);
  const purged = await removeWhere(queries, now, `deleted_at <= ? ${inScope}`, [deletedBy, ...scope]);
  const repeated = dedupe ? await deleteRepeated(queries, now, scope) : [];
  const versions = await run(
    `DELETE FROM memory_version WHERE (entry_id, version) IN (SELECT entry_id, version FROM (
      SELECT entry_id, v.version, row_number() OVER (PARTITION BY entry_id ORDER BY v.version DESC) AS age
        FROM memory_version v JOIN memory_entry e ON e.id = entry_id ${namespace === undefined ? '' : 'WHERE e.namespace = ?'}
    ) WHERE age > ?)`,
    [...scope, keepVersions],
  );
  const dropped = options.dropModel === undefined ? 0 : await dropVectors(queries, options.dropModel);
  const unused = await run(
    'DELETE FROM embedding WHERE NOT EXISTS (SELECT 1 FROM memory_entry e WHERE e.hash = embedding.hash)',
    [],
  );
  await queries.run(`DELETE FROM chg WHERE seq <= (SELECT max(seq) FROM chg) - ${CHANGES_KEPT}`);
  await fold(queries);
  await queries.run(`INSERT INTO memory_fts (memory_fts) VALUES ('optimize')`);
  return {
    expired,
    purged,
    versions,
    duplicates: repeated.length,
    repeated: repeated.slice(0, MOST_NAMED),
    vectors: dropped + unused,
  };
}

/** Writes the file anew without its gaps, then empties the log. Others may read and write meanwhile, or wait shortly. */
async function giveBack(deps: CareDeps, db: Database): Promise<void> {
  try {
    await runWhenFree(deps, db.path, 'VACUUM');
    await runWhenFree(deps, db.path, 'PRAGMA wal_checkpoint(TRUNCATE)');
  } catch (error) {
    if (!(error instanceof StorageError || error instanceof BusyError)) throw error;
    throw new StorageError(`what is not needed was removed, but its space could not be given back: ${error.message}`, {
      cause: error,
      hint: 'Compacting needs as much free space as the database has; free some, then compact again.',
      details: { path: db.path },
    });
  }
}

/** See `Care.compact`. */
export async function compact(deps: CareDeps, options: CompactOptions = {}): Promise<CompactReport> {
  const { namespace, deletedDays = 30, keepVersions = 100 } = options;
  if (namespace !== undefined) checkName('namespace', namespace);
  if (!(deletedDays >= 0 && deletedDays <= MAX_DAYS)) {
    throw new InvalidInputError(`deletedDays is ${deletedDays}; expected 0 to ${MAX_DAYS}`, {
      hint: 'Pass deletedDays within that range.',
      details: { parameter: 'deletedDays' },
    });
  }
  checkRange('keepVersions', keepVersions, 0, Number.MAX_SAFE_INTEGER);
  const db = await deps.open('write');
  const bytesBefore = fileBytes(db);
  const removed = await db.write((queries) => remove(queries, deps.runtime.now(), options));
  if (db.kind === 'file') await giveBack(deps, db);
  return { ...removed, bytesBefore, bytesAfter: fileBytes(db) };
}

/** See `Care.persist`. */
export async function persist(
  deps: CareDeps,
): Promise<{ readonly entries: number; readonly framesLeft: number; readonly bytes: number }> {
  const db = await openLocal(deps, 'write', 'Writing the log into the file');
  // The checkpoint syncs the log before and the file after it. Opening the file here to sync it once more would drop the
  // locks that SQLite holds on it in this process.
  const row = (await runWhenFree(deps, db.path, 'PRAGMA wal_checkpoint(TRUNCATE)'))[0] ?? {};
  const total = await db.get(`SELECT count(*) AS entries FROM memory_entry WHERE ${VISIBLE}`, [deps.runtime.now()]);
  return {
    entries: numberOf(total ?? {}, 'entries'),
    framesLeft: Math.max(0, numberOf(row, 'log') - numberOf(row, 'checkpointed')),
    bytes: fileBytes(db) ?? 0,
  };
}
