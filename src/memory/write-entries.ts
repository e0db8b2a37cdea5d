import { ConflictError, InternalError } from '../errors.ts';
import type { Queries, Row, SqlValue } from '../store/database.ts';
import { numberOf, textOf } from '../store/row.ts';
import { isCached } from './cached.ts';
import {
  COMPARED_COLUMNS,
  CONTENT_COLUMNS,
  contentParams,
  onTopOf,
  readColumns,
  readRow,
  saysTheSame,
  type Content,
  type Prepared,
} from './content.ts';
import type { Stored } from './duplicates.ts';
import { nameOf } from './entry-name.ts';
import { allRows, insertRows } from '../store/many-rows.ts';
import { removeEntries } from './superseded.ts';

const FOUND = ['id', 'namespace', 'key', 'version', 'updated_at', 'expires_at', 'deleted_at', ...COMPARED_COLUMNS];
const LOOK_UP = (rows: string): string =>
  `WITH w (namespace, key) AS (VALUES ${rows}) SELECT ${readColumns(FOUND, 'e.')}
    FROM w CROSS JOIN memory_entry e ON e.namespace = w.namespace AND e.key = w.key`;

const INSERT = (rows: string): string =>
  `INSERT INTO memory_entry (namespace, key, created_at, updated_at, expires_at, ${CONTENT_COLUMNS.join(', ')}) VALUES ${rows}`;

/** A new version; a name that was free comes back with its history. */
const UPDATE = (rows: string): string =>
  `WITH w (id, created_at, updated_at, expires_at, ${CONTENT_COLUMNS.join(', ')}) AS (VALUES ${rows})
    UPDATE memory_entry SET version = version + 1, deleted_at = NULL, created_at = coalesce(w.created_at, memory_entry.created_at),
      updated_at = w.updated_at, expires_at = w.expires_at, ${CONTENT_COLUMNS.map((column) => `${column} = w.${column}`).join(', ')}
    FROM w WHERE memory_entry.id = w.id`;

/** What is to be done for one input. */
interface Plan {
  readonly input: Prepared;
  /** What the entry says then. */
  readonly content: Content;
  /** The row that has the name, also when its entry is gone. */
  readonly old: Row | undefined;
  readonly isThere: boolean;
  /** Whether the entry that is there says the same already. */
  readonly isSame: boolean;
  readonly expiresAt: number | null;
}

/** The rows that have the names of the inputs, by name. */
async function lookUp(queries: Queries, inputs: readonly Prepared[]): Promise<ReadonlyMap<string, Row>> {
  const names = inputs.map(({ namespace, key }) => [namespace, key]);
  const rows = (await allRows(queries, LOOK_UP, names)).map(readRow);
  return new Map(rows.map((row) => [nameOf(textOf(row, 'namespace'), textOf(row, 'key')), row]));
}

/**
 * What is there, after removing what has expired: nobody is to read that any more, so its name begins anew, without its
 * history. What it superseded may be among the rest, and is another version then.
 */
async function lookUpLasting(queries: Queries, now: number, inputs: readonly Prepared[]): Promise<ReadonlyMap<string, Row>> {
  const found = await lookUp(queries, inputs);
  const expired = [...found.values()].filter(({ expires_at: expiry }) => typeof expiry === 'number' && expiry <= now);
  if (expired.length === 0) return found;
  const ids = expired.map((row) => numberOf(row, 'id'));
  await removeEntries(queries, ids, now);
  return lookUp(queries, inputs);
}

function checkIfVersion({ namespace, key, ifVersion }: Prepared, version: number, at: string): void {
  if (ifVersion === null || ifVersion === version) return;
  const found = version === 0 ? 'does not exist' : `has version ${version}`;
  throw new ConflictError(
    `${at}the entry ${JSON.stringify(key)} in ${JSON.stringify(namespace)} ${found}, not version ${ifVersion}; nothing was stored`,
    { hint: 'Read it again, then decide.', details: { namespace, key, version, ifVersion } },
  );
}

/** Refuses to put what may be lost in the place of what is remembered, also where that was deleted and can come back. */
function checkKept({ namespace, key, content }: Prepared, old: Row, at: string): void {
  const kind = textOf(old, 'kind');
  if (!isCached(namespace, content.kind) || isCached(namespace, kind)) return;
  const how = old['deleted_at'] === null ? '' : ', which was deleted and can be brought back';
  throw new ConflictError(
    `${at}the entry ${JSON.stringify(key)} in ${JSON.stringify(namespace)} is remembered, not cached (its kind is ${JSON.stringify(kind)})${how}; nothing was stored`,
    {
      hint: 'Cache it under another key, or delete the entry with memory_delete and purge first.',
      details: { namespace, key, kind },
    },
  );
}

function planOf(input: Prepared, old: Row | undefined, now: number, at: string): Plan {
  const expiry = old?.['expires_at'];
  const isThere = old !== undefined && old['deleted_at'] === null && (typeof expiry !== 'number' || expiry > now);
  checkIfVersion(input, isThere ? numberOf(old, 'version') : 0, at);
  if (old !== undefined) checkKept(input, old, at);
  const content = isThere ? onTopOf(old, input) : input.content;
  const isSame = isThere && saysTheSame(old, content);
  return { input, content, old, isThere, isSame, expiresAt: input.ttlMs === null ? null : now + input.ttlMs };
}

/** Stores names that are new. @returns their ids, by name */
async function insert(queries: Queries, now: number, plans: readonly Plan[]): Promise<ReadonlyMap<string, number>> {
  const rows = plans.map(({ input, content, expiresAt }): SqlValue[] => [
    input.namespace,
    input.key,
    now,
    now,
    expiresAt,
    ...contentParams(content),
  ]);
  const ids = await insertRows(queries, INSERT, rows);
  const named = new Map<string, number>();
  for (const [at, id] of ids.entries()) {
    const input = plans[at]?.input;
    if (input !== undefined) named.set(nameOf(input.namespace, input.key), id);
  }
  return named;
}

/** Changes rows that have the names already. */
async function update(queries: Queries, now: number, plans: readonly Plan[]): Promise<void> {
  const rows: SqlValue[][] = [];
  for (const { content, old, isThere, isSame, expiresAt } of plans) {
    if (old === undefined || (isSame && old['expires_at'] === expiresAt)) continue;
    const id = numberOf(old, 'id');
    if (isSame) await queries.run('UPDATE memory_entry SET expires_at = ? WHERE id = ?', [expiresAt, id]);
    else rows.push([id, isThere ? null : now, now, expiresAt, ...contentParams(content)]);
  }
  await allRows(queries, UPDATE, rows);
}

function resultOf(plan: Plan, now: number, ids: ReadonlyMap<string, number>): Stored {
  const { input, content, old, isThere, isSame, expiresAt } = plan;
  const { namespace, key, bytes } = input;
  const id = old === undefined ? ids.get(nameOf(namespace, key)) : numberOf(old, 'id');
  if (id === undefined) throw new InternalError(`the database gave no id to the new entry ${JSON.stringify(key)}`);
  return {
    namespace,
    key,
    id,
    version: old === undefined ? 1 : numberOf(old, 'version') + (isSame ? 0 : 1),
    created: !isThere,
    bytes,
    updatedAt: old !== undefined && isSame ? numberOf(old, 'updated_at') : now,
    expiresAt,
    hash: content.hash,
  };
}

/**
 * Stores inputs whose names differ, in the open transaction.
 * @param at what stands before the message of an error about an input
 */
export async function writeEntries(
  queries: Queries,
  now: number,
  inputs: readonly Prepared[],
  at: (index: number) => string,
): Promise<readonly Stored[]> {
  const rows = await lookUpLasting(queries, now, inputs);
  const plans = inputs.map((input, index) => {
    return planOf(input, rows.get(nameOf(input.namespace, input.key)), now, at(index));
  });
  const fresh = plans.filter(({ old }) => old === undefined);
  const ids = await insert(queries, now, fresh);
  if (fresh.length < plans.length) await update(queries, now, plans);
  return plans.map((plan) => resultOf(plan, now, ids));
}
