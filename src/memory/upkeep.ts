import type { Runtime } from '../runtime.ts';
import type { Queries } from '../store/database.ts';
import { numberOf } from '../store/row.ts';
import { removeEntries, SUPERSEDES_ANOTHER } from './superseded.ts';

/** Expired entries removed by one write: enough to keep up, too few to be felt. */
const PURGED_AT_ONCE = 200;
/** Milliseconds between looking for expired entries, unless the last look found as many as it could remove. */
const PURGE_EVERY_MS = 1000;
/** Changes kept for those who follow `chg`; who comes later than that must start over from the entries. */
const CHANGES_KEPT = 100_000;
/** Rows written between prunings of `chg`, on average over all processes. */
const PRUNE_EVERY_ROWS = 1000;

const EXPIRED = `SELECT id, ${SUPERSEDES_ANOTHER} AS supersedes FROM memory_entry WHERE expires_at <= ? LIMIT ${PURGED_AT_ONCE}`;

/** Removes entries that have expired. @returns how many: at most {@link PURGED_AT_ONCE} */
async function purge(queries: Queries, now: number): Promise<number> {
  const expired = await queries.all(EXPIRED, [now]);
  if (expired.length === 0) return 0;
  const superseding = expired.filter((row) => numberOf(row, 'supersedes') === 1).map((row) => numberOf(row, 'id'));
  if (superseding.length > 0) await removeEntries(queries, superseding, now);
  const ids = JSON.stringify(expired.map((row) => numberOf(row, 'id')));
  await queries.run('DELETE FROM memory_entry WHERE id IN (SELECT value FROM json_each(?))', [ids]);
  return expired.length;
}

/** What writes do besides, so that nothing has to run in the background. Call it at the end of a transaction. */
export function createUpkeep(runtime: Runtime): (queries: Queries, now: number, rows: number) => Promise<void> {
  let dueAt = 0;
  return async (queries, now, rows) => {
    // A clock that was set back must not put it off.
    if (now >= dueAt || dueAt - now > PURGE_EVERY_MS) {
      dueAt = (await purge(queries, now)) < PURGED_AT_ONCE ? now + PURGE_EVERY_MS : now;
    }
    // By chance, since a process that writes once would never reach a count.
    if (runtime.random() * PRUNE_EVERY_ROWS < rows) {
      await queries.run(`DELETE FROM chg WHERE seq <= (SELECT max(seq) FROM chg) - ${CHANGES_KEPT}`);
    }
  };
}
