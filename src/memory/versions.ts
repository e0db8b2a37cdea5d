import { NotFoundError } from '../errors.ts';
import type { Queries, Row } from '../store/database.ts';
import { numberOf, numberOrNull, textOf, textOrNull } from '../store/row.ts';
import { withDuplicates } from './duplicates.ts';
import { contentOf, contentParams, CONTENT_COLUMNS, hashOf, readColumns, readRow, saysTheSame } from './content.ts';
import type { MemoryContext } from './memory-context.ts';
import { ENTRY_COLUMNS, LISTED_COLUMNS, toEntry, toListedEntry, VISIBLE, type ListedEntry, type MemoryEntry } from './entry.ts';
import { checkEntryName, checkVersion } from './limits.ts';
import { lineDiff } from './line-diff.ts';
import { decodeValue } from './value.ts';
import type { EntryName, EntryVersion, StoreResult, Superseding, VersionDiff } from './memory.ts';
import { SUPERSEDES } from './superseded.ts';
import { visibleRow } from './visible-row.ts';

type Name = readonly [namespace: string, key: string];

/** Levels times lines up to which JSON is shown indented: a deep and long one would be mostly spaces. */
const MAX_INDENTED = 4_000_000;

/** The columns of an entry with those of one of its versions in their place. */
const VERSION_SOURCE = `(SELECT e.id, e.namespace, e.key, e.created_at, v.version, v.updated_at, v.expires_at,
  ${CONTENT_COLUMNS.map((column) => `v.${column}`).join(', ')} FROM memory_entry e JOIN memory_version v ON v.entry_id = e.id WHERE e.id = ?)`;

export function missingEntry([namespace, key]: Name): NotFoundError {
  return new NotFoundError(`there is no entry ${JSON.stringify(key)} in the namespace ${JSON.stringify(namespace)}`, {
    hint: 'Look it up with a search or a list; if it was deleted, bring it back first.',
    details: { namespace, key },
  });
}

function missingVersion([namespace, key]: Name, version: number): NotFoundError {
  return new NotFoundError(`the entry ${JSON.stringify(key)} has no version ${version}, or it is no longer kept`, {
    hint: 'See which versions there are in its history; at most 100 earlier ones are kept.',
    details: { namespace, key, version },
  });
}

/** The named version, the current one included; throws `NotFoundError` without the entry. */
async function versionRow(queries: Queries, columns: string, name: Name, version: number, now: number): Promise<Row | undefined> {
  const current = await visibleRow(queries, readColumns(['id', 'version']), name, now);
  if (current === undefined) throw missingEntry(name);
  const id = numberOf(current, 'id');
  if (numberOf(current, 'version') === version) return queries.get(`SELECT ${columns} FROM memory_entry WHERE id = ?`, [id]);
  return queries.get(`SELECT ${columns} FROM ${VERSION_SOURCE} WHERE version = ?`, [id, version]);
}

export async function getVersion(
  { open, runtime }: MemoryContext,
  entry: EntryName,
  version: number,
): Promise<MemoryEntry | undefined> {
  const name = checkEntryName(entry);
  checkVersion('version', version);
  try {
    const row = await versionRow(await open(), ENTRY_COLUMNS, name, version, runtime.now());
    return row === undefined ? undefined : toEntry(row);
  } catch (error) {
    if (error instanceof NotFoundError) return undefined;
    throw error;
  }
}

/** What superseded an entry, also what was deleted since; oldest link first. */
const SUCCESSORS = `SELECT ${readColumns(['reason', 'created_at'], 'l.')}, ${readColumns(['namespace', 'key'], 'e.')}
  FROM memory_link l JOIN memory_entry e ON e.id = l.from_id
  WHERE l.to_id = ? AND l.kind = '${SUPERSEDES}' AND (e.expires_at IS NULL OR e.expires_at > ?) ORDER BY l.created_at, e.id`;

interface Successor extends Superseding {
  readonly at: number;
}

async function successorsOf(queries: Queries, id: number, now: number): Promise<readonly Successor[]> {
  const rows = await queries.all(SUCCESSORS, [id, now]);
  return rows.map((row) => ({
    namespace: textOf(row, 'namespace'),
    key: textOf(row, 'key'),
    reason: textOrNull(row, 'reason'),
    at: numberOf(row, 'created_at'),
  }));
}

/** Superseding ends the validity of an entry in a version of that time, of which later ones may be copies. */
function supersedingOf(
  { validTo, version }: Pick<ListedEntry, 'validTo' | 'version'>,
  versions: readonly Pick<ListedEntry, 'validTo' | 'updatedAt' | 'version'>[],
  successors: readonly Successor[],
): Superseding | null {
  if (validTo === null) return null;
  const ended = versions.some((one) => one.validTo === validTo && one.updatedAt === validTo && one.version <= version);
  const successor = ended ? successors.findLast(({ at }) => at <= validTo) : undefined;
  if (successor === undefined) return null;
  const { at: _at, ...superseding } = successor;
  return superseding;
}

export async function history({ open, runtime }: MemoryContext, entry: EntryName): Promise<readonly EntryVersion[]> {
  const name = checkEntryName(entry);
  const db = await open();
  const current = await db.get(`SELECT ${LISTED_COLUMNS} FROM memory_entry WHERE namespace = ? AND key = ? AND ${VISIBLE}`, [
    ...name,
    runtime.now(),
  ]);
  if (current === undefined) throw missingEntry(name);
  const { id, version } = toListedEntry(current);
  const earlier = await db.all(`SELECT ${LISTED_COLUMNS} FROM ${VERSION_SOURCE} WHERE version < ? ORDER BY version DESC`, [
    id,
    version,
  ]);
  const successors = await successorsOf(db, id, runtime.now());
  const versions = [current, ...earlier].map(toListedEntry);
  return versions.map(({ createdAt: _createdAt, ...listed }) => ({
    ...listed,
    current: listed.version === version,
    supersededBy: supersedingOf(listed, versions, successors),
  }));
}

/** How deep and how long JSON text is at most, without reading it as JSON. */
function isIndentable(json: string): boolean {
  let depth = 0;
  let deepest = 0;
  let lines = 0;
  for (const [bracket] of json.matchAll(/[[\]{},]/g)) {
    lines += 1;
    if (bracket === '[' || bracket === '{') depth += 1;
    else if (bracket !== ',') depth -= 1;
    deepest = Math.max(deepest, depth);
  }
  return lines * deepest <= MAX_INDENTED;
}

/** A stored value for people: text as it is, JSON indented. */
function shownValue(row: Row): string {
  const value = textOf(row, 'value');
  if (textOf(row, 'format') === 'text' || !isIndentable(value)) return value;
  return JSON.stringify(decodeValue('json', value), null, 2);
}

/** Columns beside the value, by the names that callers know. */
const COMPARED: Readonly<Record<string, string>> = {
  format: 'format',
  kind: 'kind',
  importance: 'importance',
  tags: 'tags',
  agent: 'agent',
  session: 'session',
  run: 'run',
  expiresAt: 'expires_at',
  validFrom: 'valid_from',
  validTo: 'valid_to',
};

export async function diff({ open, runtime }: MemoryContext, entry: EntryName, from: number, to: number): Promise<VersionDiff> {
  const name = checkEntryName(entry);
  checkVersion('from', from);
  checkVersion('to', to);
  const db = await open();
  const columns = readColumns([...CONTENT_COLUMNS, 'expires_at']);
  const read = async (version: number): Promise<Row> => {
    const row = await versionRow(db, columns, name, version, runtime.now());
    if (row === undefined) throw missingVersion(name, version);
    return readRow(row);
  };
  const [before, after] = [await read(from), await read(to)];
  const sameValue = Buffer.compare(hashOf(before), hashOf(after)) === 0;
  const others = Object.keys(COMPARED).filter((field) => {
    const column = COMPARED[field] ?? '';
    return before[column] !== after[column];
  });
  return {
    from,
    to,
    changed: sameValue ? others : ['value', ...others],
    value: sameValue ? '' : lineDiff(shownValue(before), shownValue(after)),
  };
}

/** What an entry says and where it comes from becomes that of the earlier version; how long it stays does not change. */
const REVERT = `UPDATE memory_entry SET version = version + 1, updated_at = ?,
  ${CONTENT_COLUMNS.map((column) => `${column} = ?`).join(', ')} WHERE id = ?`;

export async function revert({ write }: MemoryContext, entry: EntryName, version: number): Promise<StoreResult> {
  const name = checkEntryName(entry);
  checkVersion('version', version);
  return write(1, async (queries, now) => {
    const earlier = await versionRow(queries, readColumns(CONTENT_COLUMNS), name, version, now);
    if (earlier === undefined) throw missingVersion(name, version);
    const content = contentOf(earlier);
    const others = CONTENT_COLUMNS.filter((column) => column !== 'value');
    const columns = readColumns(['id', 'version', 'updated_at', 'expires_at', ...others]);
    const current = await visibleRow(queries, columns, name, now);
    if (current === undefined) throw missingEntry(name);
    const isSame = saysTheSame(readRow(current), content);
    const id = numberOf(current, 'id');
    if (!isSame) await queries.run(REVERT, [now, ...contentParams(content), id]);
    const stored = {
      namespace: name[0],
      key: name[1],
      id,
      version: numberOf(current, 'version') + (isSame ? 0 : 1),
      created: false,
      bytes: Buffer.byteLength(content.value),
      updatedAt: isSame ? numberOf(current, 'updated_at') : now,
      expiresAt: numberOrNull(current, 'expires_at'),
      hash: content.hash,
    };
    const [result = { ...stored, duplicates: [] }] = await withDuplicates(queries, now, [stored]);
    return result;
  });
}
