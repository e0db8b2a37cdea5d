import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { ConflictError, InvalidInputError, NotFoundError } from '../../errors.ts';
import { nearest } from '../../nearest.ts';
import type { Connection } from '../../store/connection.ts';
import type { Queries } from '../../store/database.ts';
import { makeProjectFolder } from '../../store/project-database.ts';
import { numberColumns, numberOrNull, textColumns, textOf, textOrNull } from '../../store/row.ts';
import { codeOf, storageError } from '../../store/storage-error.ts';
import { replaceAll } from './absorb.ts';
import type { SnapshotDifference, SnapshotInfo, Watch } from './care.ts';
import { openLocal, type CareDeps } from './care-deps.ts';
import { copyDatabase, freeName, timeName } from './copy.ts';
import { isTaken } from './care-path.ts';
import { databaseSource } from './incoming.ts';
import { readManifest, type Manifest } from './manifest.ts';
import { replaceSafely } from './restore.ts';
import { withSourceFile } from './source-file.ts';
import { stopWhenCancelled } from './watch.ts';

const NAME = /^[A-Za-z0-9._-]{1,64}$/;
const ENDING = '.db';

/** What a snapshot holds besides the memory, parents first. */
const TABLES = [
  { table: 'swarm', what: 'swarms' },
  { table: 'agent', what: 'agents' },
  { table: 'task', what: 'tasks' },
] as const;

function folderOf({ projectRoot }: CareDeps): string {
  return join(projectRoot, '.skillflow', 'snapshots');
}

function checkSnapshotName(name: string): void {
  if (NAME.test(name)) return;
  throw new InvalidInputError(`name: ${JSON.stringify(name)} is no name of a snapshot`, {
    hint: 'Use 1 to 64 letters, digits, dots, dashes and underscores.',
    details: { parameter: 'name' },
  });
}

function toInfo(name: string, path: string, { createdAt, entries, bytes }: Manifest): SnapshotInfo {
  return { name, path, createdAt, entries, bytes };
}

/** See `Care.snapshot`. */
export async function snapshot(deps: CareDeps, name?: string): Promise<SnapshotInfo> {
  if (name !== undefined) checkSnapshotName(name);
  const db = await openLocal(deps, 'read', 'A snapshot');
  await makeProjectFolder(join(deps.projectRoot, '.skillflow'));
  const folder = folderOf(deps);
  const given = join(folder, `${name ?? ''}${ENDING}`);
  if (name !== undefined && isTaken(given)) {
    throw new ConflictError(`there is a snapshot ${name} already`, { hint: 'Give another name.', details: { name } });
  }
  const time = timeName(deps.runtime.now());
  const path = name === undefined ? freeName((suffix) => join(folder, `${time}${suffix}${ENDING}`)) : given;
  return toInfo(path.slice(folder.length + 1, -ENDING.length), path, await copyDatabase(deps, db.path, path, { cache: false }));
}

async function names(deps: CareDeps): Promise<readonly string[]> {
  const folder = folderOf(deps);
  try {
    const files = await readdir(folder);
    return files
      .filter((file) => file.endsWith(ENDING) && !file.startsWith('.skillflow-'))
      .map((file) => file.slice(0, -ENDING.length));
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return [];
    throw storageError(error, 'list the folder', folder);
  }
}

/** See `Care.snapshots`. Files without a manifest, which a crash may leave, are no snapshots. */
export async function snapshots(deps: CareDeps): Promise<readonly SnapshotInfo[]> {
  const found: SnapshotInfo[] = [];
  for (const name of await names(deps)) {
    const path = join(folderOf(deps), `${name}${ENDING}`);
    const manifest = await readManifest(path).catch((error: unknown) => {
      deps.runtime.log('warn', error instanceof Error ? error.message : String(error));
      return undefined;
    });
    if (manifest !== undefined) found.push(toInfo(name, path, manifest));
  }
  return found.sort((a, b) => b.createdAt - a.createdAt || a.name.localeCompare(b.name));
}

interface Column {
  readonly name: string;
  readonly isText: boolean;
}

/** The columns of one of our tables, of text or of numbers. */
async function columnsOf(queries: Queries, table: string): Promise<readonly Column[]> {
  const rows = await queries.all(`SELECT ${textColumns(['name', 'type'])} FROM pragma_table_info(?)`, [table]);
  return rows.map((row) => ({ name: textOf(row, 'name'), isText: textOf(row, 'type') === 'TEXT' }));
}

/** Adds and changes rows of a table to what they are in the snapshot. */
async function bringRows(
  queries: Queries,
  table: string,
  from: Connection,
): Promise<{ readonly added: number; readonly changed: number }> {
  const found = await columnsOf(queries, table);
  const columns = found.map(({ name }) => `"${name}"`);
  const list = columns.join(', ');
  const read = found.map(({ name, isText }) => (isText ? textColumns : numberColumns)([name])).join(', ');
  const marks = columns.map(() => '?').join(', ');
  const set = columns.map((column) => `${column} = excluded.${column}`).join(', ');
  const differs = columns.map((column) => `${table}.${column} IS NOT excluded.${column}`).join(' OR ');
  const upsert = `INSERT INTO ${table} (${list}) VALUES (${marks}) ON CONFLICT (id) DO UPDATE SET ${set} WHERE ${differs}`;
  let added = 0;
  let changed = 0;
  for (const row of from.all(`SELECT ${read} FROM ${table}`)) {
    const known = (await queries.get(`SELECT 1 AS one FROM ${table} WHERE id = ?`, [textOf(row, 'id')])) !== undefined;
    const values = found.map(({ name, isText }) => (isText ? textOrNull : numberOrNull)(row, name));
    const { changes } = await queries.run(upsert, values);
    if (!known) added += 1;
    else changed += changes;
  }
  return { added, changed };
}

async function dropRows(queries: Queries, table: string, from: Connection): Promise<number> {
  const ids = `SELECT ${textColumns(['id'])} FROM ${table}`;
  const wanted = new Set(from.all(ids).map((row) => textOf(row, 'id')));
  let removed = 0;
  for (const row of await queries.all(ids)) {
    const id = textOf(row, 'id');
    if (!wanted.has(id)) removed += (await queries.run(`DELETE FROM ${table} WHERE id = ?`, [id])).changes;
  }
  return removed;
}

async function bringTables(queries: Queries, from: Connection): Promise<readonly SnapshotDifference[]> {
  const brought = new Map<string, { readonly added: number; readonly changed: number }>();
  for (const { table } of TABLES) brought.set(table, await bringRows(queries, table, from));
  const differences: SnapshotDifference[] = [];
  for (const { table, what } of TABLES.toReversed()) {
    const { added, changed } = brought.get(table) ?? { added: 0, changed: 0 };
    differences.unshift({ what, added, changed, removed: await dropRows(queries, table, from) });
  }
  return differences;
}

/** See `Care.restoreSnapshot`. */
export async function restoreSnapshot(
  deps: CareDeps,
  name: string,
  watch: Watch = {},
): Promise<{ readonly differences: readonly SnapshotDifference[]; readonly safety: string }> {
  checkSnapshotName(name);
  const known = await names(deps);
  if (!known.includes(name)) {
    const near = nearest(name, known);
    throw new NotFoundError(`there is no snapshot ${name}`, {
      hint: near.length > 0 ? `Did you mean ${near.join(' or ')}?` : 'List the snapshots there are.',
      details: { name, near },
    });
  }
  return withSourceFile(deps, join(folderOf(deps), `${name}${ENDING}`), async (source) => {
    stopWhenCancelled(watch, 'restoring');
    const { replaced, safety } = await replaceSafely(deps, 'Restoring a snapshot', async (queries) => {
      const report = await replaceAll(queries, databaseSource(source.connection), { runtime: deps.runtime, watch });
      const { added, updated, removed } = report;
      const tables = await bringTables(queries, source.connection);
      source.checkUnchanged();
      return [{ what: 'memory' as const, added, changed: updated, removed }, ...tables];
    });
    return { differences: replaced, safety };
  });
}
