import type { Runtime } from '../runtime.ts';
import type { Queries, Row } from './database.ts';
import { openEmptyDatabase } from './project-database.ts';
import { numberOf, textColumns, textOf } from './row.ts';

/** A table, index, trigger or view. */
export interface SchemaObject {
  readonly type: string;
  readonly name: string;
  /** Of an index or trigger: what it belongs to. Of a table or view: its own name. */
  readonly table: string;
  /** The statement that makes it. */
  readonly sql: string;
}

/** The schema as the migrations make it. */
export interface ExpectedSchema {
  readonly objects: readonly SchemaObject[];
  /** Settings of the full-text index, which are no part of its statement. */
  readonly indexSettings: readonly Row[];
  /** Entries that wait for their place in the full-text index, at most. */
  readonly mostPending: number;
}

/** All that has a name, but what SQLite makes by itself: its own tables, and indexes of keys. */
export async function readSchema(queries: Queries): Promise<readonly SchemaObject[]> {
  const rows = await queries.all(
    `SELECT ${textColumns(['type', 'name', 'tbl_name', 'sql'])} FROM sqlite_schema WHERE sql IS NOT NULL AND name NOT GLOB 'sqlite_*'`,
  );
  return rows.map((row) => ({
    type: textOf(row, 'type'),
    name: textOf(row, 'name'),
    table: textOf(row, 'tbl_name'),
    sql: textOf(row, 'sql'),
  }));
}

/** What a database of the current version has, found by making an empty one in memory: the migrations alone say it. */
export async function expectedSchema(runtime: Runtime): Promise<ExpectedSchema> {
  await using db = await openEmptyDatabase(runtime);
  return {
    objects: await readSchema(db),
    indexSettings: await db.all(`SELECT k, v FROM memory_fts_config WHERE k <> 'version'`),
    mostPending: numberOf((await db.get('SELECT most_pending FROM memory_fts_folded')) ?? {}, 'most_pending'),
  };
}

/** SQLite and servers keep the text of a statement, but for quotes and blanks. */
function plain(sql: string): string {
  return sql.replaceAll('"', '').replaceAll(/\s+/g, ' ').trim();
}

/** Whether two objects of one name are the same. */
export function isSameObject(a: SchemaObject, b: SchemaObject): boolean {
  return a.type === b.type && a.table === b.table && plain(a.sql) === plain(b.sql);
}

/** Removes whatever has a name, if anything has; the schema's own tables are never named here. */
export async function dropObject(queries: Queries, name: string): Promise<void> {
  const row = await queries.get(
    `SELECT ${textColumns(['type'])} FROM sqlite_schema WHERE name = ? AND type IN ('table', 'view', 'index', 'trigger')`,
    [name],
  );
  if (row !== undefined) await queries.run(`DROP ${textOf(row, 'type')} "${name.replaceAll('"', '""')}"`);
}
