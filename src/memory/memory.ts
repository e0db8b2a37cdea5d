import type { Runtime } from '../runtime.ts';
import type { Database, Queries, SqlValue } from '../store/database.ts';
import { numberOf, textOf } from '../store/row.ts';
import { ENTRY_COLUMNS, LISTED_COLUMNS, toEntry, toListedEntry, type ListedEntry, type MemoryEntry } from './entry.ts';
import { checkName, checkRange, checkTags, checkText, checkTtl } from './limits.ts';
import { searchEntries, type SearchAnswer, type SearchInput } from './search.ts';
import { encodeValue, type JsonValue } from './value.ts';

/** Names one entry. */
export interface EntryName {
  /** 1 to 512 bytes; default `default`. */
  readonly namespace?: string | undefined;
  /** 1 to 512 bytes. */
  readonly key: string;
}

export interface StoreInput extends EntryName {
  /** At most 1 MiB as stored. Text comes back as the same text, also when it looks like JSON. */
  readonly value: JsonValue;
  /** Seconds until the entry is gone, 0.001 to a hundred years, exact to the millisecond; default: it stays. */
  readonly ttlSeconds?: number | undefined;
  /** At most 64, each 1 to 512 bytes; default none. */
  readonly tags?: readonly string[] | undefined;
}

export interface StoreResult {
  readonly namespace: string;
  readonly key: string;
  readonly id: number;
  /** `false` when an entry of that name was replaced. */
  readonly created: boolean;
  /** UTF-8 bytes of the stored value. */
  readonly bytes: number;
  readonly updatedAt: number;
  readonly expiresAt: number | null;
}

export interface ListInput {
  /** Default: all. */
  readonly namespace?: string | undefined;
  /** Only keys that start with this; default all. */
  readonly prefix?: string | undefined;
  /** 1 to 1,000; default 50. */
  readonly limit?: number | undefined;
  /** Entries skipped; default 0. */
  readonly offset?: number | undefined;
}

export interface ListAnswer {
  /** By namespace, then key; without values. Empty when nothing matches. */
  readonly entries: readonly ListedEntry[];
  /** Entries without `limit` and `offset`. */
  readonly total: number;
}

export interface NamespaceSummary {
  readonly namespace: string;
  readonly entries: number;
  /** UTF-8 bytes of the stored values. */
  readonly bytes: number;
  /** Of the newest entry. */
  readonly updatedAt: number;
}

/**
 * A project's memory: named values that every process of the project shares. An entry is invisible from the millisecond
 * it expires. Errors: `InvalidInputError` naming the parameter; those of {@link Database}.
 */
export interface Memory {
  /** Stores a value; replaces a whole entry of that name, also its tags and expiry. */
  store(input: StoreInput): Promise<StoreResult>;
  /** The entry, or `undefined`. */
  get(name: EntryName): Promise<MemoryEntry | undefined>;
  list(input?: ListInput): Promise<ListAnswer>;
  /** Whether there was such an entry. */
  delete(name: EntryName): Promise<boolean>;
  /** Looks for words in keys, values and tags. */
  search(input: SearchInput): Promise<SearchAnswer>;
  /** The namespaces that have entries, by name. */
  namespaces(): Promise<readonly NamespaceSummary[]>;
}

export interface MemoryDeps {
  /** Opens the project's database, once a call has been found valid. */
  readonly open: () => Promise<Database>;
  readonly runtime: Runtime;
}

/** Expired entries removed by one write: enough to keep up, too few to be felt. */
const PURGED_AT_ONCE = 200;
/** Changes kept for those who follow `chg`; who comes later than that must start over from the entries. */
const CHANGES_KEPT = 100_000;

const VISIBLE = '(expires_at IS NULL OR expires_at > ?)';

const REPLACE = 'UPDATE memory_entry SET value = ?, format = ?, words = ?, tags = ?, updated_at = ?, expires_at = ? WHERE id = ?';

function checkEntryName({ namespace = 'default', key }: EntryName): readonly [namespace: string, key: string] {
  checkName('namespace', namespace);
  checkName('key', key);
  return [namespace, key];
}

/** Removes what has expired, the named entry in any case. */
async function purge(queries: Queries, now: number, name: readonly [string, string]): Promise<void> {
  await queries.run('DELETE FROM memory_entry WHERE namespace = ? AND key = ? AND expires_at <= ?', [...name, now]);
  await queries.run(
    `DELETE FROM memory_entry WHERE id IN (SELECT id FROM memory_entry WHERE expires_at <= ? LIMIT ${PURGED_AT_ONCE})`,
    [now],
  );
  await queries.run(`DELETE FROM chg WHERE seq <= (SELECT max(seq) FROM chg) - ${CHANGES_KEPT}`);
}

async function store({ open, runtime }: MemoryDeps, input: StoreInput): Promise<StoreResult> {
  const name = checkEntryName(input);
  const { format, text, words, bytes } = encodeValue(input.value);
  const tags = JSON.stringify(checkTags(input.tags ?? []));
  const ttlMs = input.ttlSeconds === undefined ? undefined : checkTtl(input.ttlSeconds);
  const db = await open();
  return db.write(async (queries) => {
    const now = runtime.now(); // under the lock: the time to live starts when the entry is there
    const expiresAt = ttlMs === undefined ? null : now + ttlMs;
    await purge(queries, now, name);
    const old = await queries.get('SELECT id FROM memory_entry WHERE namespace = ? AND key = ?', name);
    const values = [text, format, words, tags, now, expiresAt];
    const id = old === undefined ? await insert(queries, [...name, ...values, now]) : numberOf(old, 'id');
    if (old !== undefined) await queries.run(REPLACE, [...values, id]);
    return { namespace: name[0], key: name[1], id, created: old === undefined, bytes, updatedAt: now, expiresAt };
  });
}

async function insert(queries: Queries, params: readonly SqlValue[]): Promise<number> {
  const row = await queries.get(
    `INSERT INTO memory_entry (namespace, key, value, format, words, tags, updated_at, expires_at, created_at)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING id`,
    params,
  );
  return numberOf(row ?? {}, 'id');
}

async function get({ open, runtime }: MemoryDeps, name: EntryName): Promise<MemoryEntry | undefined> {
  const checked = checkEntryName(name);
  const db = await open();
  const row = await db.get(`SELECT ${ENTRY_COLUMNS} FROM memory_entry WHERE namespace = ? AND key = ? AND ${VISIBLE}`, [
    ...checked,
    runtime.now(),
  ]);
  return row === undefined ? undefined : toEntry(row);
}

async function list({ open, runtime }: MemoryDeps, input: ListInput): Promise<ListAnswer> {
  const { namespace, prefix = '', limit = 50, offset = 0 } = input;
  if (namespace !== undefined) checkName('namespace', namespace);
  checkText('prefix', prefix);
  checkRange('limit', limit, 1, 1000);
  checkRange('offset', offset, 0, Number.MAX_SAFE_INTEGER);
  const where = `${VISIBLE} AND instr(key, ?) = 1${namespace === undefined ? '' : ' AND namespace = ?'}`;
  const params = [runtime.now(), prefix, ...(namespace === undefined ? [] : [namespace])];
  const db = await open();
  const count = await db.get(`SELECT count(*) AS total FROM memory_entry WHERE ${where}`, params);
  const rows = await db.all(
    `SELECT ${LISTED_COLUMNS} FROM memory_entry WHERE ${where} ORDER BY namespace, key LIMIT ? OFFSET ?`,
    [...params, limit, offset],
  );
  return { entries: rows.map(toListedEntry), total: numberOf(count ?? {}, 'total') };
}

async function remove({ open, runtime }: MemoryDeps, name: EntryName): Promise<boolean> {
  const checked = checkEntryName(name);
  const db = await open();
  return db.write(async (queries) => {
    await purge(queries, runtime.now(), checked);
    return (await queries.run('DELETE FROM memory_entry WHERE namespace = ? AND key = ?', checked)).changes > 0;
  });
}

async function namespaces({ open, runtime }: MemoryDeps): Promise<readonly NamespaceSummary[]> {
  const db = await open();
  const rows = await db.all(
    `SELECT namespace, count(*) AS entries, sum(octet_length(value)) AS bytes, max(updated_at) AS updated_at
    FROM memory_entry WHERE ${VISIBLE} GROUP BY namespace ORDER BY namespace`,
    [runtime.now()],
  );
  return rows.map((row) => ({
    namespace: textOf(row, 'namespace'),
    entries: numberOf(row, 'entries'),
    bytes: numberOf(row, 'bytes'),
    updatedAt: numberOf(row, 'updated_at'),
  }));
}

/** The memory of the project whose database `open` opens. */
export function createMemory(deps: MemoryDeps): Memory {
  return {
    store: (input) => store(deps, input),
    get: (name) => get(deps, name),
    list: (input = {}) => list(deps, input),
    delete: (name) => remove(deps, name),
    search: (input) => searchEntries(deps.open, input, deps.runtime.now()),
    namespaces: () => namespaces(deps),
  };
}
