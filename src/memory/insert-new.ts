import type { Queries, SqlValue } from '../store/database.ts';
import { placeholders } from '../store/many-rows.ts';
import { CONTENT_COLUMNS, contentParams, type Content, type Prepared } from './content.ts';

/** What a row of {@link insertNew} has; the columns of the content that no input gives are left out, as binding takes time. */
const NAMED = ['namespace', 'key', 'now', 'expires_at'];
const WIDEST = 2 ** CONTENT_COLUMNS.length;

/** Statements by their number of rows and the columns of the content that they bind, a bit for each. */
const statements = new Map<number, string>();

/**
 * One row is either new, or wants the id of an entry that has its name or value, which is a conflict and takes no new id.
 * Without a SELECT for the rows, SQLite makes no table for them on the way.
 */
function statementForOne(content: readonly string[]): string {
  const at = (column: string): string => `?${[...NAMED, ...content].indexOf(column) + 1}`;
  const idWith = (column: string): string =>
    `(SELECT e.id FROM memory_entry e WHERE e.${column} = ${at(column)} AND e.namespace = ${at('namespace')})`;
  const values = ['namespace', 'key', 'now', 'now', 'expires_at', ...content].map(at).join(', ');
  return `INSERT INTO memory_entry (id, namespace, key, created_at, updated_at, expires_at, ${content.join(', ')})
    VALUES (coalesce(${idWith('key')}, ${idWith('hash')}), ${values}) ON CONFLICT DO NOTHING`;
}

/** Either all rows or none. */
function statementForMany(rows: number, contentColumns: readonly string[]): string {
  const content = contentColumns.join(', ');
  const there = (same: string): string => `EXISTS (SELECT 1 FROM w CROSS JOIN memory_entry e ON ${same})`;
  return `WITH w (${NAMED.join(', ')}, ${content}) AS (VALUES ${placeholders(rows, NAMED.length + contentColumns.length)})
    INSERT INTO memory_entry (namespace, key, created_at, updated_at, expires_at, ${content})
      SELECT namespace, key, now, now, expires_at, ${content} FROM w
      WHERE NOT ${there('e.namespace = w.namespace AND e.key = w.key')}
        AND NOT ${there('e.hash = w.hash AND e.namespace = w.namespace')}`;
}

function makeStatement(rows: number, bound: number): string {
  const content = CONTENT_COLUMNS.filter((_, at) => (bound & (1 << at)) !== 0);
  return rows === 1 ? statementForOne(content) : statementForMany(rows, content);
}

function statementFor(rows: number, bound: number): string {
  const known = statements.get(rows * WIDEST + bound);
  if (known !== undefined) return known;
  const made = makeStatement(rows, bound);
  statements.set(rows * WIDEST + bound, made);
  return made;
}

/** The columns that at least one of the contents gives, a bit for each. */
function columnsGiven(contents: readonly (readonly SqlValue[])[]): number {
  let bound = 0;
  for (const values of contents) {
    for (let at = 0; at < values.length; at += 1) if (values[at] !== null) bound |= 1 << at;
  }
  return bound;
}

/** Whether no two contents have the same value. */
function differ(inputs: readonly Prepared[]): boolean {
  if (inputs.length === 1) return true;
  const text = ({ hash }: Content): string => Buffer.prototype.latin1Slice.call(hash, 0, hash.length);
  return new Set(inputs.map(({ content }) => text(content))).size === inputs.length;
}

/**
 * Stores entries of which neither the name nor the value is in its namespace yet, which is what most are, by one statement
 * in the open transaction. Their names must differ.
 * @returns the id of the first, which the others follow; `null` when any name or value is there already, be it deleted or
 *   expired, or is wanted to be there, and then nothing was stored
 */
export async function insertNew(queries: Queries, now: number, inputs: readonly Prepared[]): Promise<number | null> {
  if (!inputs.every(({ ifVersion }) => ifVersion === null || ifVersion === 0) || !differ(inputs)) return null;
  const contents = inputs.map(({ content }) => contentParams(content));
  const bound = columnsGiven(contents);
  const params: SqlValue[] = [];
  for (const [row, { namespace, key, ttlMs }] of inputs.entries()) {
    params.push(namespace, key, now, ttlMs === null ? null : now + ttlMs);
    const values = contents[row] ?? [];
    for (let at = 0; at < values.length; at += 1) if ((bound & (1 << at)) !== 0) params.push(values[at] ?? null);
  }
  const { changes, lastId } = await queries.run(statementFor(inputs.length, bound), params);
  return changes === inputs.length ? lastId - inputs.length + 1 : null;
}
