import type { Queries } from './database.ts';
import { numberOf } from './row.ts';

/** A server refuses to set `application_id`; there, the existence of this table says whose the database is. */
const TABLE = 'skillflow_database';

const SQL = `SELECT user_version AS version,
  (SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = '${TABLE}') AS marked,
  (SELECT count(*) FROM sqlite_schema WHERE name NOT GLOB 'sqlite_*' AND name NOT GLOB 'libsql_*' AND name NOT GLOB '_litestream_*') AS objects
  FROM pragma_user_version`;

/** What a server's database, or a replica of it, says of itself; `objects` without those of SQLite and the server. */
export async function readServerMark(
  queries: Queries,
): Promise<{ readonly marked: boolean; readonly version: number; readonly objects: number }> {
  const row = (await queries.get(SQL)) ?? {};
  return { marked: numberOf(row, 'marked') === 1, version: numberOf(row, 'version'), objects: numberOf(row, 'objects') };
}

/** Marks a server's database as Skillflow's, at a version; version 0 takes the mark away. */
export async function markServer(queries: Queries, version: number): Promise<void> {
  await queries.run(
    version === 0 ? `DROP TABLE IF EXISTS ${TABLE}` : `CREATE TABLE IF NOT EXISTS ${TABLE} (at INTEGER NOT NULL) STRICT`,
  );
  await queries.run(`PRAGMA user_version = ${version}`);
}
