import { NotFoundError } from '../errors.ts';
import { numberOf, numberOrNull, textOf } from '../store/row.ts';
import { hashOf, readColumns } from './content.ts';
import { withDuplicates } from './duplicates.ts';
import type { MemoryContext } from './memory-context.ts';
import { VISIBLE } from './entry.ts';
import { checkEntryName, checkName, checkWord } from './limits.ts';
import type { EntryName, StoreResult } from './memory.ts';
import { removeEntries, reviveSuperseded, supersedeAgain, supersededBy } from './superseded.ts';

/** Entries of a namespace deleted by one transaction: others get their turn in between. */
const DELETED_AT_ONCE = 500;

export async function deleteEntry({ write }: MemoryContext, entry: EntryName): Promise<boolean> {
  const name = checkEntryName(entry);
  return write(1, async (queries, now) => {
    const sql = `UPDATE memory_entry SET deleted_at = ? WHERE namespace = ? AND key = ? AND ${VISIBLE} RETURNING id`;
    const row = await queries.get(sql, [now, ...name, now]);
    if (row === undefined) return false;
    await reviveSuperseded(queries, await supersededBy(queries, [numberOf(row, 'id')]), now);
    return true;
  });
}

/**
 * A change with a time, as a version that says the same: a copy made while the entry was deleted is older, and does not
 * delete it again when it is merged.
 */
const UNDELETE = 'UPDATE memory_entry SET deleted_at = NULL, version = version + 1, updated_at = max(?, deleted_at + 1)';

export async function undeleteEntry({ write }: MemoryContext, entry: EntryName): Promise<StoreResult> {
  const name = checkEntryName(entry);
  const [namespace, key] = name;
  return write(1, async (queries, now) => {
    const row = await queries.get(
      `SELECT ${readColumns(['id', 'version', 'hash', 'expires_at', 'deleted_at'])}, octet_length(value) AS bytes FROM memory_entry
      WHERE namespace = ? AND key = ? AND deleted_at IS NOT NULL AND (expires_at IS NULL OR expires_at > ?)`,
      [...name, now],
    );
    if (row === undefined) {
      throw new NotFoundError(`there is no deleted entry ${JSON.stringify(key)} in the namespace ${JSON.stringify(namespace)}`, {
        hint: 'List the deleted entries; what was purged or has expired does not come back.',
        details: { namespace, key },
      });
    }
    const id = numberOf(row, 'id');
    const deletedAt = numberOf(row, 'deleted_at');
    await queries.run(`${UNDELETE} WHERE id = ?`, [now, id]);
    await supersedeAgain(queries, id, deletedAt, now);
    const stored = {
      namespace,
      key,
      id,
      version: numberOf(row, 'version') + 1,
      created: false,
      bytes: numberOf(row, 'bytes'),
      updatedAt: Math.max(now, deletedAt + 1),
      expiresAt: numberOrNull(row, 'expires_at'),
      hash: hashOf(row),
    };
    const [result = { ...stored, duplicates: [] }] = await withDuplicates(queries, now, [stored]);
    return result;
  });
}

export async function purgeEntry(
  { write }: MemoryContext,
  entry: EntryName & { readonly kind?: string | undefined },
): Promise<boolean> {
  const name = checkEntryName(entry);
  const { kind } = entry;
  if (kind !== undefined) checkWord('kind', kind);
  return write(1, async (queries, now) => {
    const row = await queries.get(
      `SELECT ${readColumns(['id', 'kind', 'expires_at'])} FROM memory_entry WHERE namespace = ? AND key = ?`,
      name,
    );
    if (row === undefined || (kind !== undefined && textOf(row, 'kind') !== kind)) return false;
    await removeEntries(queries, [numberOf(row, 'id')], now);
    const expiresAt = numberOrNull(row, 'expires_at');
    return expiresAt === null || expiresAt > now; // what has expired was gone before
  });
}

export async function deleteNamespace({ open, write, runtime }: MemoryContext, namespace: string): Promise<number> {
  checkName('namespace', namespace);
  const db = await open();
  // What is stored under a new name from here on stays, or this might never end.
  const newest = await db.get('SELECT max(id) AS id FROM memory_entry WHERE namespace = ?', [namespace]);
  const lastId = numberOrNull(newest ?? { id: null }, 'id');
  if (lastId === null) return 0;
  const begun = runtime.now();
  const sql = `UPDATE memory_entry SET deleted_at = ? WHERE id IN (
    SELECT id FROM memory_entry WHERE namespace = ? AND id <= ? AND ${VISIBLE} LIMIT ${DELETED_AT_ONCE}) RETURNING id`;
  let deleted = 0;
  for (let changes = DELETED_AT_ONCE; changes === DELETED_AT_ONCE; deleted += changes) {
    changes = await write(DELETED_AT_ONCE, async (queries, now) => {
      const at = Math.max(begun, now);
      const rows = await queries.all(sql, [at, namespace, lastId, now]);
      const ids = rows.map((row) => numberOf(row, 'id'));
      await reviveSuperseded(queries, await supersededBy(queries, ids), at);
      return rows.length;
    });
  }
  return deleted;
}

export async function undeleteNamespace({ open, write }: MemoryContext, namespace: string): Promise<number> {
  checkName('namespace', namespace);
  const db = await open();
  const newest = await db.get('SELECT max(id) AS id FROM memory_entry WHERE namespace = ? AND deleted_at IS NOT NULL', [
    namespace,
  ]);
  const lastId = numberOrNull(newest ?? { id: null }, 'id');
  if (lastId === null) return 0;
  const sql = `SELECT ${readColumns(['id', 'deleted_at'])} FROM memory_entry WHERE namespace = ? AND id <= ? AND id > ?
    AND deleted_at IS NOT NULL AND (expires_at IS NULL OR expires_at > ?) ORDER BY id LIMIT ${DELETED_AT_ONCE}`;
  let back = 0;
  for (let after = 0, size = DELETED_AT_ONCE; size === DELETED_AT_ONCE; back += size) {
    const ids = await write(DELETED_AT_ONCE, async (queries, now) => {
      const rows = await queries.all(sql, [namespace, lastId, after, now]);
      const some = rows.map((row) => numberOf(row, 'id'));
      await queries.run(`${UNDELETE} WHERE id IN (SELECT value FROM json_each(?))`, [now, JSON.stringify(some)]);
      if ((await supersededBy(queries, some)).length === 0) return some;
      for (const row of rows) await supersedeAgain(queries, numberOf(row, 'id'), numberOf(row, 'deleted_at'), now);
      return some;
    });
    size = ids.length;
    after = ids.at(-1) ?? after;
  }
  return back;
}
