import { nameOf } from '../entry-name.ts';
import type { Queries, Row, SqlValue } from '../../store/database.ts';
import { numberOf, numberOrNull, textOf } from '../../store/row.ts';
import { readColumns, readRow } from '../content.ts';
import { allRows, type RowStatement } from '../../store/many-rows.ts';
import { removeEntries } from '../superseded.ts';
import { CONTENT_COLUMNS, identityOf, meaningOf, signatureOf, SMALL, type Content, type Incoming } from './incoming.ts';
import type { Tally } from './tally.ts';

/** Versions of an entry kept besides the current one. */
const VERSIONS_KEPT = 100;

const COLUMNS = `version, ${CONTENT_COLUMNS}`;
const SET_CONTENT = COLUMNS.replaceAll(/\w+/g, '$& = ?');

const PRESENT: RowStatement = (names) => `WITH w (namespace, key) AS (VALUES ${names})
  SELECT ${readColumns(['id', 'version', 'created_at', 'deleted_at', 'namespace', 'key', ...SMALL], 'e.')}
  FROM w CROSS JOIN memory_entry e ON e.namespace = w.namespace AND e.key = w.key`;
const VERSIONS: RowStatement = (ids) => `SELECT ${readColumns(['entry_id', 'version', ...SMALL])} FROM memory_version
  WHERE entry_id IN (VALUES ${ids}) ORDER BY entry_id, version`;
const INSERT_VERSIONS: RowStatement = (rows) => `INSERT INTO memory_version (entry_id, ${COLUMNS}) VALUES ${rows}`;
const INSERT_ENTRIES: RowStatement = (rows) =>
  `INSERT INTO memory_entry (namespace, key, created_at, deleted_at, ${COLUMNS}) VALUES ${rows} RETURNING id, namespace, key`;

/** An entry of ours that an incoming one meets. */
interface Present {
  readonly id: number;
  readonly version: number;
  readonly createdAt: number;
  readonly deletedAt: number | null;
  readonly updatedAt: number;
  readonly expiresAt: number | null;
  readonly validTo: number | null;
  /** As those of `Content`. */
  signature(): string;
  meaning(): string;
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
    validTo: numberOrNull(row, 'valid_to'),
    signature: () => signatureOf(row),
    meaning: () => meaningOf(row),
    identity: identityOf(row),
  };
}

async function present(queries: Queries, batch: readonly Incoming[]): Promise<ReadonlyMap<string, Present>> {
  const names = batch.map(({ namespace, key }) => [namespace, key]);
  const rows = (await allRows(queries, PRESENT, names)).map(readRow);
  return new Map(rows.map((row) => [nameOf(textOf(row, 'namespace'), textOf(row, 'key')), toPresent(row)]));
}

async function insertVersions(queries: Queries, id: number, versions: readonly Content[]): Promise<number> {
  const rows = versions.map(({ version, values }) => [id, version, ...values]);
  await allRows(queries, INSERT_VERSIONS, rows);
  return versions.length;
}

/** @returns the new entries' ids */
async function insertEntries(queries: Queries, fresh: readonly Incoming[], tally: Tally): Promise<readonly number[]> {
  const values = fresh.map(({ namespace, key, createdAt, deletedAt, current }): readonly SqlValue[] => [
    namespace,
    key,
    createdAt,
    deletedAt,
    current.version,
    ...current.values,
  ]);
  const rows = await allRows(queries, INSERT_ENTRIES, values);
  const ids = new Map(rows.map((row) => [nameOf(textOf(row, 'namespace'), textOf(row, 'key')), numberOf(row, 'id')]));
  for (const { namespace, key, history } of fresh) {
    tally.versions += await insertVersions(queries, ids.get(nameOf(namespace, key)) ?? 0, history);
  }
  tally.added += fresh.length;
  return [...ids.values()];
}

/** The earlier versions of entries of ours, without their values, oldest first. */
async function versionsOf(queries: Queries, ids: readonly number[]): Promise<ReadonlyMap<number, readonly Row[]>> {
  const params = ids.map((id) => [id]);
  const rows = await allRows(queries, VERSIONS, params);
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

/** Whether an entry that says the same as before came or went. */
function countEqual(ours: Present, deletedAt: number | null, tally: Tally): void {
  tally[(deletedAt === null) === (ours.deletedAt === null) ? 'unchanged' : 'updated'] += 1;
}

/**
 * Both say the same. Of when and by whom it was said the later counts, so that a third memory which is merged afterwards
 * meets the time that it would meet in theirs.
 */
async function mergeEqual(queries: Queries, ours: Present, theirs: Incoming, tally: Tally): Promise<void> {
  const deletedAt = mergedDeletion(ours, theirs);
  const { provenance, updatedAt } = theirs.current;
  if (updatedAt > ours.updatedAt) {
    await queries.run('UPDATE memory_entry SET agent = ?, session = ?, run = ?, updated_at = ?, deleted_at = ? WHERE id = ?', [
      ...provenance,
      updatedAt,
      deletedAt,
      ours.id,
    ]);
  } else if (deletedAt !== ours.deletedAt) {
    await queries.run('UPDATE memory_entry SET deleted_at = ? WHERE id = ?', [deletedAt, ours.id]);
  }
  countEqual(ours, deletedAt, tally);
}

/** @returns whether ours holds on, and is newer */
async function mergeEntry(queries: Queries, { ours, theirs, earlier }: Meeting, tally: Tally): Promise<boolean> {
  const known = new Set([ours.identity, ...earlier.map(identityOf)]);
  if (known.has(theirs.current.identity)) {
    const deletedAt = mergedDeletion(ours, theirs);
    const isNewer = theirs.current.identity !== ours.identity;
    // What was written on top of a deletion in the same millisecond came after it.
    if (deletedAt === null || ours.deletedAt !== null || (isNewer && deletedAt === ours.updatedAt)) {
      tally.unchanged += 1;
    } else {
      await queries.run('UPDATE memory_entry SET deleted_at = ? WHERE id = ?', [deletedAt, ours.id]);
      tally.updated += 1;
    }
    return isNewer;
  }
  const missing = theirs.history.filter(({ identity }) => !known.has(identity));
  const isEqual = ours.meaning() === theirs.current.meaning();
  const follows = theirs.history.some(({ identity }) => identity === ours.identity);
  if (isEqual && missing.length === 0 && !follows) {
    await mergeEqual(queries, ours, theirs, tally);
    return false;
  }
  const theirsWin = theirs.current.updatedAt > ours.updatedAt || (follows && theirs.current.updatedAt === ours.updatedAt);
  const take = theirsWin ? takeTheirs : keepOurs;
  tally.versions += await take(queries, ours, theirs, missing);
  if (isEqual) countEqual(ours, mergedDeletion(ours, theirs), tally);
  else tally[theirsWin ? 'updated' : 'kept'] += 1;
  await queries.run(
    `DELETE FROM memory_version WHERE entry_id = ? AND version NOT IN
      (SELECT version FROM memory_version WHERE entry_id = ? ORDER BY version DESC LIMIT ${VERSIONS_KEPT})`,
    [ours.id, ours.id],
  );
  if (!isEqual && !(theirsWin && follows)) {
    tally.conflicts.push({ namespace: theirs.namespace, key: theirs.key, kept: theirsWin ? 'theirs' : 'ours' });
  }
  return !theirsWin;
}

/** Whether what theirs says no longer holds, while ours says that it does. */
function saysThatItHolds(ours: Present, { current }: Incoming): boolean {
  return current.validTo !== null && (ours.validTo === null || ours.validTo > current.validTo);
}

export interface BatchOptions {
  /** Milliseconds since the epoch; ours that has expired by then is nothing. */
  readonly now: number;
  /** Make each entry exactly what the incoming one is, instead of keeping the newer and the other as its earlier version. */
  readonly replace: boolean;
  /** Takes the names of entries that hold by ours, which is newer, while theirs says that they were superseded. */
  readonly holding?: Set<string>;
}

/** Ours of the names in a batch. What has expired is removed before, unless it is to be replaced. */
async function lasting(
  queries: Queries,
  batch: readonly Incoming[],
  { now, replace }: Pick<BatchOptions, 'now' | 'replace'>,
): Promise<ReadonlyMap<string, Present>> {
  const found = await present(queries, batch);
  const expired = replace ? [] : [...found.values()].filter(({ expiresAt }) => expiresAt !== null && expiresAt <= now);
  if (expired.length === 0) return found;
  const ids = expired.map(({ id }) => id);
  await removeEntries(queries, ids, now);
  return present(queries, batch); // what that superseded may be another version now
}

/** Brings in entries of different names. @returns the ids that they have here */
export async function absorbBatch(
  queries: Queries,
  batch: readonly Incoming[],
  { now, replace, holding }: BatchOptions,
  tally: Tally,
): Promise<readonly number[]> {
  const found = await lasting(queries, batch, { now, replace });
  tally.deleted += batch.filter(({ deletedAt }) => deletedAt !== null).length;
  const fresh: Incoming[] = [];
  const known: { readonly ours: Present; readonly theirs: Incoming }[] = [];
  for (const theirs of batch) {
    const ours = found.get(nameOf(theirs.namespace, theirs.key));
    if (ours === undefined) fresh.push(theirs);
    else known.push({ ours, theirs });
  }
  const differing = known.filter(({ ours, theirs }) => replace || ours.identity !== theirs.current.identity);
  const versions = await versionsOf(
    queries,
    differing.map(({ ours }) => ours.id),
  );
  for (const { ours, theirs } of known) {
    const meeting = { ours, theirs, earlier: versions.get(ours.id) ?? [] };
    if (replace) await replaceEntry(queries, meeting, tally);
    else if ((await mergeEntry(queries, meeting, tally)) && saysThatItHolds(ours, theirs)) {
      holding?.add(nameOf(theirs.namespace, theirs.key));
    }
  }
  return [...known.map(({ ours }) => ours.id), ...(await insertEntries(queries, fresh, tally))];
}
