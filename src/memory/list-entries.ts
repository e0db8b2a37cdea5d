import type { SqlValue } from '../store/database.ts';
import { numberOf, numberOnly, textOf } from '../store/row.ts';
import { readColumns } from './content.ts';
import type { MemoryContext } from './memory-context.ts';
import { areDamaged, LISTED_COLUMNS, toListedEntry, VISIBLE } from './entry.ts';
import { checkName, checkRange, checkText, checkWord, keyGlob } from './limits.ts';
import type { ListAnswer, ListInput, NamespaceSummary } from './memory.ts';

/** Deleted, and may still be brought back at `?` (now, ms). */
const RECOVERABLE = 'deleted_at IS NOT NULL AND (expires_at IS NULL OR expires_at > ?)';

/** Damaged ones have none: one entry must not keep the others from being listed. */
const TAGS = `CASE WHEN json_valid(tags) THEN tags ELSE '[]' END`;

/** The condition of a list, and its parameters. Throws `InvalidInputError`. */
function condition(input: ListInput, now: number): { readonly where: string; readonly params: readonly SqlValue[] } {
  const { namespace, prefix = '', keys, kind, tag, deleted = false } = input;
  const parts = [deleted ? RECOVERABLE : VISIBLE];
  const params: SqlValue[] = [now];
  if (namespace !== undefined) {
    checkName('namespace', namespace);
    parts.push('namespace = ?');
    params.push(namespace);
  }
  checkText('prefix', prefix);
  if (prefix !== '') {
    parts.push('key >= ?', 'instr(key, ?) = 1'); // the first lets the index skip what comes before
    params.push(prefix, prefix);
  }
  if (keys !== undefined) {
    parts.push('key GLOB ?');
    params.push(keyGlob('keys', keys));
  }
  if (kind !== undefined) {
    checkWord('kind', kind);
    parts.push('kind = ?');
    params.push(kind);
  }
  if (tag !== undefined) {
    checkName('tag', tag);
    parts.push(`EXISTS (SELECT 1 FROM json_each(${TAGS}) WHERE value = ?)`);
    params.push(tag);
  }
  return { where: parts.join(' AND '), params };
}

export async function listEntries({ open, runtime }: MemoryContext, input: ListInput): Promise<ListAnswer> {
  const { limit = 50, offset = 0 } = input;
  const { where, params } = condition(input, runtime.now());
  checkRange('limit', limit, 1, 1000);
  checkRange('offset', offset, 0, Number.MAX_SAFE_INTEGER);
  const db = await open();
  const count = await db.get(`SELECT count(*) AS total FROM memory_entry WHERE ${where}`, params);
  const rows = await db.all(
    `SELECT ${LISTED_COLUMNS} FROM memory_entry WHERE ${where} ORDER BY namespace, key LIMIT ? OFFSET ?`,
    [...params, limit, offset],
  );
  const entries = rows.map(toListedEntry);
  for (const { namespace, key, tags } of entries) {
    if (!areDamaged(tags)) continue;
    runtime.log('warn', `the tags of the entry ${namespace}/${key} are damaged; mend them with skillflow memory doctor --repair`);
  }
  return { entries, total: numberOf(count ?? {}, 'total') };
}

export async function listNamespaces({ open, runtime }: MemoryContext): Promise<readonly NamespaceSummary[]> {
  const db = await open();
  const rows = await db.all(
    `SELECT ${readColumns(['namespace'])}, count(*) AS entries, sum(octet_length(value)) AS bytes, ${numberOnly('max(updated_at)')} AS updated_at
    FROM memory_entry WHERE ${VISIBLE} GROUP BY memory_entry.namespace ORDER BY memory_entry.namespace`,
    [runtime.now()],
  );
  return rows.map((row) => ({
    namespace: textOf(row, 'namespace'),
    entries: numberOf(row, 'entries'),
    bytes: numberOf(row, 'bytes'),
    updatedAt: numberOf(row, 'updated_at'),
  }));
}
