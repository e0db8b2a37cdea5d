import type { Queries, Row, SqlValue } from '../../store/database.ts';
import { numberOf, numberOrNull, textOf } from '../../store/row.ts';
import type { AbsorbReport } from './care.ts';
import {
  CONTENT_COLUMNS,
  identityOf,
  signatureOf,
  SMALL,
  type Content,
  type Incoming,
  type IncomingLink,
  type Source,
} from './incoming.ts';
import { readColumns, readRow } from '../content.ts';
import { withRows } from './insert-rows.ts';

export interface AbsorbOptions {
  /** Milliseconds since the epoch; what has expired by then is left out. */
  readonly now: number;
  /** Make the memory exactly what the source holds, instead of bringing the source's entries into it. */
  readonly replace: boolean;
  /** Only entries of this namespace. */
  readonly namespace?: string | undefined;
}

/** Entries handled at once, and characters of their values. */
const BATCH = 64;
const BATCH_CHARACTERS = 4 * 1024 * 1024;
/** Versions of an entry kept besides the current one. */
const VERSIONS_KEPT = 100;
const CONFLICTS_NAMED = 20;

const COLUMNS = `version, ${CONTENT_COLUMNS}`;
const SET_CONTENT = COLUMNS.replaceAll(/\w+/g, '$& = ?');

type Tally = { -readonly [Name in keyof AbsorbReport]: AbsorbReport[Name] } & { conflicts: AbsorbReport['conflicts'][number][] };

function newTally(): Tally {
  return { added: 0, updated: 0, kept: 0, unchanged: 0, removed: 0, expired: 0, versions: 0, links: 0, conflicts: [] };
}

function nameOf(namespace: string, key: string): string {
  return `${namespace}\0${key}`;
}

/** An entry of ours that an incoming one meets. */
interface Present {
  readonly id: number;
  readonly version: number;
  readonly createdAt: number;
  readonly deletedAt: number | null;
  readonly updatedAt: number;
  readonly expiresAt: number | null;
  /** As that of `Content`; only known when the memory is replaced. */
  signature(): string;
  readonly identity: string;
}

/** An entry of ours and an incoming one of the same name. */
interface Meeting {
  readonly ours: Present;
  readonly theirs: Incoming;
  /** Our earlier versions, oldest first, without their values. */
  readonly earlier: readonly Row[];
}

function toPresent(row: Row): Present {
  return {
    id: numberOf(row, 'id'),
    version: numberOf(row, 'version'),
    createdAt: numberOf(row, 'created_at'),
    deletedAt: numberOrNull(row, 'deleted_at'),
    updatedAt: numberOf(row, 'updated_at'),
    expiresAt: numberOrNull(row, 'expires_at'),
    signature: () => signatureOf(row),
    identity: identityOf(row),
  };
}

async function present(queries: Queries, batch: readonly Incoming[], replace: boolean): Promise<Map<string, Present>> {
  const columns = readColumns(['namespace', 'key', ...(replace ? SMALL : ['hash', 'updated_at', 'expires_at'])], 'e.');
  const rows = await withRows(
    queries,
    batch.map(({ namespace, key }) => [namespace, key]),
    (names) => `WITH w (namespace, key) AS (VALUES ${names})
      SELECT e.id, e.version, e.created_at, e.deleted_at, ${columns}
      FROM w CROSS JOIN memory_entry e ON e.namespace = w.namespace AND e.key = w.key`,
  );
  const read = rows.map(readRow);
  return new Map(read.map((row) => [nameOf(textOf(row, 'namespace'), textOf(row, 'key')), toPresent(row)]));
}

async function insertVersions(queries: Queries, id: number, versions: readonly Content[]): Promise<number> {
  await withRows(
    queries,
    versions.map(({ version, values }) => [id, version, ...values]),
    (rows) => `INSERT INTO memory_version (entry_id, ${COLUMNS}) VALUES ${rows}`,
  );
  return versions.length;
}

/** @returns the new entries' ids */
async function insertEntries(queries: Queries, fresh: readonly Incoming[], tally: Tally): Promise<readonly number[]> {
  const rows = await withRows(
    queries,
    fresh.map(({ namespace, key, createdAt, deletedAt, current }) => [
      namespace,
      key,
      createdAt,
      deletedAt,
      current.version,
      ...current.values,
    ]),
    (values) => `INSERT INTO memory_entry (namespace, key, created_at, deleted_at, ${COLUMNS}) VALUES ${values}
      RETURNING id, namespace, key`,
  );
  const ids = new Map(rows.map((row) => [nameOf(textOf(row, 'namespace'), textOf(row, 'key')), numberOf(row, 'id')]));
  for (const { namespace, key, history } of fresh) {
    tally.versions += await insertVersions(queries, ids.get(nameOf(namespace, key)) ?? 0, history);
  }
  tally.added += fresh.length;
  return [...ids.values()];
}

/** The earlier versions of entries of ours, without their values, oldest first. */
async function versionsOf(queries: Queries, ids: readonly number[]): Promise<ReadonlyMap<number, readonly Row[]>> {
  const rows = await withRows(
    queries,
    ids.map((id) => [id]),
    (some) => `SELECT entry_id, version, ${readColumns(SMALL)} FROM memory_version WHERE entry_id IN (VALUES ${some})
      ORDER BY entry_id, version`,
  );
  const versions = new Map<number, Row[]>(ids.map((id) => [id, []]));
  for (const row of rows) versions.get(numberOf(row, 'entry_id'))?.push(readRow(row));
  return versions;
}

/** Makes an entry of ours exactly what the incoming one is. */
async function replaceEntry(queries: Queries, { ours, theirs, earlier }: Meeting, tally: Tally): Promise<void> {
  const { current, history } = theirs;
  const versions = earlier.map((row) => `${numberOf(row, 'version')} ${signatureOf(row)}`);
  const same =
    ours.version === current.version &&
    ours.signature() === current.signature() &&
    ours.createdAt === theirs.createdAt &&
    ours.deletedAt === theirs.deletedAt &&
    versions.join('\n') === history.map((content) => `${content.version} ${content.signature()}`).join('\n');
  if (same) {
    tally.unchanged += 1;
    return;
  }
  await queries.run(`UPDATE memory_entry SET created_at = ?, deleted_at = ?, ${SET_CONTENT} WHERE id = ?`, [
    theirs.createdAt,
    theirs.deletedAt,
    current.version,
    ...current.values,
    ours.id,
  ]);
  await queries.run('DELETE FROM memory_version WHERE entry_id = ?', [ours.id]); // also what the update has just kept
  tally.versions += await insertVersions(queries, ours.id, history);
  tally.updated += 1;
}

function latest(a: number | null, b: number | null): number | null {
  if (a === null || b === null) return a ?? b;
  return Math.max(a, b);
}

/** A deletion counts unless something was written after it. */
function mergedDeletion(ours: Present, theirs: Incoming): number | null {
  const deletedAt = latest(ours.deletedAt, theirs.deletedAt);
  return deletedAt !== null && deletedAt >= Math.max(ours.updatedAt, theirs.current.updatedAt) ? deletedAt : null;
}

/** Numbers for versions that follow another one: their own where those are free. */
function numbered(versions: readonly Content[], after: number): readonly Content[] {
  let last = after;
  return versions.map((content) => {
    last = Math.max(last + 1, content.version);
    return { ...content, version: last };
  });
}

/** Theirs is newer: ours becomes an earlier version. @returns versions added to the history */
async function takeTheirs(queries: Queries, ours: Present, theirs: Incoming, missing: readonly Content[]): Promise<number> {
  const history = numbered(missing, ours.version);
  const version = Math.max((history.at(-1)?.version ?? ours.version) + 1, theirs.current.version);
  await queries.run(`UPDATE memory_entry SET deleted_at = ?, ${SET_CONTENT} WHERE id = ?`, [
    mergedDeletion(ours, theirs),
    version,
    ...theirs.current.values,
    ours.id,
  ]);
  return 1 + (await insertVersions(queries, ours.id, history));
}

/** Ours is newer: theirs becomes an earlier version. Ours keeps what it says, and moves up by as many numbers. */
async function keepOurs(queries: Queries, ours: Present, theirs: Incoming, missing: readonly Content[]): Promise<number> {
  const history = [...missing, theirs.current].map((content, index) => ({ ...content, version: ours.version + index }));
  await queries.run('UPDATE memory_entry SET deleted_at = ?, version = ? WHERE id = ?', [
    mergedDeletion(ours, theirs),
    ours.version + history.length,
    ours.id,
  ]);
  // What the update has kept of ours is what ours still says.
  await queries.run('DELETE FROM memory_version WHERE entry_id = ? AND version = ?', [ours.id, ours.version]);
  return insertVersions(queries, ours.id, history);
}

async function mergeEntry(queries: Queries, { ours, theirs, earlier }: Meeting, tally: Tally): Promise<void> {
  const known = new Set([ours.identity, ...earlier.map(identityOf)]);
  if (known.has(theirs.current.identity)) {
    const deletedAt = mergedDeletion(ours, theirs);
    if (deletedAt === null || ours.deletedAt !== null) {
      tally.unchanged += 1;
      return;
    }
    await queries.run('UPDATE memory_entry SET deleted_at = ? WHERE id = ?', [deletedAt, ours.id]);
    tally.updated += 1;
    return;
  }
  const missing = theirs.history.filter(({ identity }) => !known.has(identity));
  const follows = theirs.history.some(({ identity }) => identity === ours.identity);
  const theirsWin = theirs.current.updatedAt > ours.updatedAt || (follows && theirs.current.updatedAt === ours.updatedAt);
  const take = theirsWin ? takeTheirs : keepOurs;
  tally.versions += await take(queries, ours, theirs, missing);
  tally[theirsWin ? 'updated' : 'kept'] += 1;
  await queries.run(
    `DELETE FROM memory_version WHERE entry_id = ? AND version NOT IN
      (SELECT version FROM memory_version WHERE entry_id = ? ORDER BY version DESC LIMIT ${VERSIONS_KEPT})`,
    [ours.id, ours.id],
  );
  if ((theirsWin && follows) || tally.conflicts.length >= CONFLICTS_NAMED) return;
  tally.conflicts.push({ namespace: theirs.namespace, key: theirs.key, kept: theirsWin ? 'theirs' : 'ours' });
}

/** Brings in entries of different names. @returns the ids that they have here */
async function absorbBatch(
  queries: Queries,
  batch: readonly Incoming[],
  { now, replace }: AbsorbOptions,
  tally: Tally,
): Promise<readonly number[]> {
  const found = await present(queries, batch, replace);
  const fresh: Incoming[] = [];
  const known: { readonly ours: Present; readonly theirs: Incoming }[] = [];
  for (const theirs of batch) {
    const ours = found.get(nameOf(theirs.namespace, theirs.key));
    if (ours !== undefined && (replace || ours.expiresAt === null || ours.expiresAt > now)) {
      known.push({ ours, theirs });
    } else {
      if (ours !== undefined) await queries.run('DELETE FROM memory_entry WHERE id = ?', [ours.id]);
      fresh.push(theirs);
    }
  }
  const differing = known.filter(({ ours, theirs }) => replace || ours.identity !== theirs.current.identity);
  const versions = await versionsOf(
    queries,
    differing.map(({ ours }) => ours.id),
  );
  for (const { ours, theirs } of known) {
    await (replace ? replaceEntry : mergeEntry)(queries, { ours, theirs, earlier: versions.get(ours.id) ?? [] }, tally);
  }
  return [...known.map(({ ours }) => ours.id), ...(await insertEntries(queries, fresh, tally))];
}

/** Entries in groups that hold no name twice and not much text. */
function* batches(entries: Iterable<Incoming>): Generator<readonly Incoming[]> {
  let batch = new Map<string, Incoming>();
  let characters = 0;
  for (const entry of entries) {
    const name = nameOf(entry.namespace, entry.key);
    if (batch.size >= BATCH || characters >= BATCH_CHARACTERS || batch.has(name)) {
      yield [...batch.values()];
      batch = new Map();
      characters = 0;
    }
    batch.set(name, entry);
    characters += entry.current.size + entry.history.reduce((sum, { size }) => sum + size, 0);
  }
  if (batch.size > 0) yield [...batch.values()];
}

async function insertLinks(queries: Queries, links: readonly IncomingLink[]): Promise<number> {
  const added = await withRows(
    queries,
    links.map(({ from, to, kind, reason, createdAt }) => [...from, ...to, kind, reason, createdAt]),
    (rows) => `WITH l (from_namespace, from_key, to_namespace, to_key, kind, reason, created_at) AS (VALUES ${rows})
      INSERT OR IGNORE INTO memory_link (from_id, to_id, kind, reason, created_at)
      SELECT f.id, t.id, l.kind, l.reason, l.created_at FROM l
        CROSS JOIN memory_entry f ON f.namespace = l.from_namespace AND f.key = l.from_key
        CROSS JOIN memory_entry t ON t.namespace = l.to_namespace AND t.key = l.to_key
      RETURNING from_id`,
  );
  return added.length;
}

async function absorbLinks(queries: Queries, source: Source, { namespace }: AbsorbOptions, tally: Tally): Promise<void> {
  let batch: IncomingLink[] = [];
  for (const link of source.links()) {
    if (namespace !== undefined && (link.from[0] !== namespace || link.to[0] !== namespace)) continue;
    batch.push(link);
    if (batch.length < BATCH) continue;
    tally.links += await insertLinks(queries, batch);
    batch = [];
  }
  tally.links += await insertLinks(queries, batch);
}

async function removeOthers(queries: Queries, kept: ReadonlySet<number>): Promise<number> {
  let removed = 0;
  for (let after: SqlValue = 0; ;) {
    const page: readonly Row[] = await queries.all('SELECT id FROM memory_entry WHERE id > ? ORDER BY id LIMIT 1000', [after]);
    for (const row of page) {
      after = numberOf(row, 'id');
      if (!kept.has(after)) removed += (await queries.run('DELETE FROM memory_entry WHERE id = ?', [after])).changes;
    }
    if (page.length < 1000) return removed;
  }
}

/**
 * Brings the entries of a source into the memory, inside a transaction. Of two entries with one name the newer by
 * `updated_at` is what holds from then on (on a tie ours, unless theirs came after it), and the other becomes an earlier version of it, so bringing
 * in the same source again changes nothing. Errors: those of the source and of the queries.
 */
export async function absorb(queries: Queries, source: Source, options: AbsorbOptions): Promise<AbsorbReport> {
  const { now, replace, namespace } = options;
  const tally = newTally();
  const kept = new Set<number>();
  function* wanted(): Generator<Incoming> {
    for (const entry of source.entries()) {
      if (namespace !== undefined && entry.namespace !== namespace) continue;
      if (entry.current.expiresAt === null || entry.current.expiresAt > now) yield entry;
      else tally.expired += 1;
    }
  }
  for (const batch of batches(wanted())) {
    const ids = await absorbBatch(queries, batch, options, tally);
    if (replace) for (const id of ids) kept.add(id);
  }
  if (replace) {
    tally.removed = await removeOthers(queries, kept);
    await queries.run('DELETE FROM memory_link');
  }
  await absorbLinks(queries, source, options, tally);
  return tally;
}
