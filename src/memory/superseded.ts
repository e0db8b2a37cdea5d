import type { Queries } from '../store/database.ts';
import { numberColumns, numberOf } from '../store/row.ts';
import { VISIBLE } from './entry.ts';

/** The kind of link from an entry to one that is no longer valid since. */
export const SUPERSEDES = 'supersedes';

/** Ends the validity of an entry, as a new version of it; nothing when it has already ended. */
export const END_VALIDITY = `UPDATE memory_entry SET version = version + 1, updated_at = ?, valid_to = ?
  WHERE id = ? AND (valid_to IS NULL OR valid_to > ?)`;

/** Entries that `?` (a JSON list of ids) supersede, directly or through deleted ones. */
const EARLIER = `WITH RECURSIVE earlier (id) AS (
    SELECT l.to_id FROM json_each(?) s JOIN memory_link l ON l.from_id = s.value AND l.kind = '${SUPERSEDES}'
    UNION SELECT l.to_id FROM earlier JOIN memory_entry m ON m.id = earlier.id AND m.deleted_at IS NOT NULL
      JOIN memory_link l ON l.from_id = m.id AND l.kind = '${SUPERSEDES}'
  ) SELECT ${numberColumns(['id'])} FROM earlier`;

/** Whether `id` is superseded by `by`, directly or through others. */
export async function isSupersededBy(queries: Queries, id: number, by: number): Promise<boolean> {
  const row = await queries.get(
    `WITH RECURSIVE later (id) AS (
      SELECT from_id FROM memory_link WHERE to_id = ? AND kind = '${SUPERSEDES}'
      UNION SELECT l.from_id FROM later JOIN memory_link l ON l.to_id = later.id AND l.kind = '${SUPERSEDES}'
    ) SELECT 1 AS found FROM later WHERE id = ?`,
    [id, by],
  );
  return row !== undefined;
}

/** Whether an entry that is there at `?` (now) supersedes the entry `?`, directly or through others. */
const HAS_LATER = `WITH RECURSIVE later (id) AS (
    SELECT from_id FROM memory_link WHERE to_id = ? AND kind = '${SUPERSEDES}'
    UNION SELECT l.from_id FROM later JOIN memory_link l ON l.to_id = later.id AND l.kind = '${SUPERSEDES}'
  ) SELECT 1 AS found FROM later WHERE EXISTS (SELECT 1 FROM memory_entry m WHERE m.id = later.id AND ${VISIBLE})`;

/** The last version of `memory_entry` that said something else: the later ones only tell that it was deleted in between. */
const BEFORE = `(SELECT max(o.version) FROM memory_version o WHERE o.entry_id = memory_entry.id
    AND (o.valid_to IS NOT memory_entry.valid_to OR o.hash <> memory_entry.hash))`;
/** When what it says was written for the first time. */
const SAID_AT = `coalesce((SELECT v.updated_at FROM memory_version v WHERE v.entry_id = memory_entry.id
    AND v.version > coalesce(${BEFORE}, 0) ORDER BY v.version LIMIT 1), updated_at)`;
const VALID_TO_BEFORE = `(SELECT v.valid_to FROM memory_version v WHERE v.entry_id = memory_entry.id AND v.version = ${BEFORE})`;

/** Makes valid again what was written when its validity ended, which is what superseding does: the version before counts. */
const REVIVE = `UPDATE memory_entry SET version = version + 1, updated_at = ?, valid_to = ${VALID_TO_BEFORE}
  WHERE id = ? AND valid_to = ${SAID_AT} AND ${VALID_TO_BEFORE} IS NOT valid_to`;

/** Whether the entry `?` says since `?` (ms) what {@link REVIVE} made of it. */
const WAS_REVIVED = `SELECT 1 AS found FROM memory_entry m JOIN memory_version v ON v.entry_id = m.id AND v.version = m.version - 1
  WHERE m.id = ? AND m.updated_at = ? AND v.valid_to IS NOT m.valid_to AND v.hash = m.hash
    AND EXISTS (SELECT 1 FROM memory_version o WHERE o.entry_id = m.id AND o.valid_to = o.updated_at AND o.valid_to = v.valid_to)`;

/** The entries that these supersede. Ask before their links are removed. */
export async function supersededBy(queries: Queries, ids: readonly number[]): Promise<readonly number[]> {
  if (ids.length === 0) return [];
  return (await queries.all(EARLIER, [JSON.stringify(ids)])).map((row) => numberOf(row, 'id'));
}

/** Makes those of the entries valid again that nothing supersedes any more, each as a new version, at `at` (ms). */
export async function reviveSuperseded(queries: Queries, ids: readonly number[], at: number): Promise<void> {
  for (const id of ids) {
    if ((await queries.get(HAS_LATER, [id, at])) === undefined) await queries.run(REVIVE, [at, id]);
  }
}

/** Ends the validity of what became valid when the entry was deleted at `deletedAt` (ms), and was not written since. */
export async function supersedeAgain(queries: Queries, id: number, deletedAt: number, now: number): Promise<void> {
  for (const earlier of await supersededBy(queries, [id])) {
    const revived = await queries.get(WAS_REVIVED, [earlier, deletedAt]);
    if (revived !== undefined) await queries.run(END_VALIDITY, [now, now, earlier, now]);
  }
}

/** What superseded the entry in between supersedes what that had superseded: for when it is removed for good. */
async function bridgeSuperseded(queries: Queries, id: number): Promise<void> {
  await queries.run(
    `INSERT INTO memory_link (from_id, to_id, kind, reason, created_at)
      SELECT later.from_id, earlier.to_id, '${SUPERSEDES}', earlier.reason, earlier.created_at
      FROM memory_link later JOIN memory_link earlier ON earlier.from_id = later.to_id AND earlier.kind = '${SUPERSEDES}'
      WHERE later.to_id = ? AND later.kind = '${SUPERSEDES}' AND later.from_id <> earlier.to_id ON CONFLICT DO NOTHING`,
    [id],
  );
}

/** SQL: whether a row of `memory_entry` supersedes another. */
export const SUPERSEDES_ANOTHER = `EXISTS (SELECT 1 FROM memory_link s WHERE s.from_id = memory_entry.id AND s.kind = '${SUPERSEDES}')`;

/**
 * Removes entries for good, at `at` (ms). What superseded them supersedes from then on what they superseded, and what
 * nothing supersedes any more is valid again.
 */
export async function removeEntries(queries: Queries, ids: readonly number[], at: number): Promise<void> {
  const earlier = await supersededBy(queries, ids);
  if (earlier.length === 0) {
    await queries.run('DELETE FROM memory_entry WHERE id IN (SELECT value FROM json_each(?))', [JSON.stringify(ids)]);
    return;
  }
  for (const id of ids) {
    await bridgeSuperseded(queries, id);
    await queries.run('DELETE FROM memory_entry WHERE id = ?', [id]);
  }
  await reviveSuperseded(queries, earlier, at);
}
