import type { Runtime } from '../runtime.ts';
import type { Database } from '../store/database.ts';
import { numberColumns, numberOf } from '../store/row.ts';
import { createEntryCache, type EntryCacheLimits } from './entry-cache.ts';
import { ENTRY_COLUMNS, toEntry, toStoredEntry, VISIBLE, type MemoryEntry } from './entry.ts';
import { nameOf } from './entry-name.ts';
import { checkEntryName } from './limits.ts';
import type { EntryName } from './memory.ts';

const CACHE_LIMITS: EntryCacheLimits = { maxBytes: 8 * 1024 * 1024, maxEntries: 8192 };
/** Names of entries that were read, kept to tell the second reading from the first. */
const MOST_READ = 8192;
/** Changes that are followed one by one; after more, all is read anew. */
const MOST_CHANGES = 1000;

const READ = `SELECT ${ENTRY_COLUMNS} FROM memory_entry WHERE namespace = ? AND key = ? AND deleted_at IS NULL`;
const CHANGES = `SELECT seq, ${numberColumns(['entry_id'])} FROM chg WHERE seq >= ? ORDER BY seq LIMIT ${MOST_CHANGES + 1}`;
const LAST_CHANGE = 'SELECT coalesce(max(seq), 0) AS seq FROM chg';

/** An entry without the cache: of a server, to ask whether something has changed takes as long as to read it. */
async function readEntry(db: Database, namespace: string, key: string, now: number): Promise<MemoryEntry | undefined> {
  const row = await db.get(`SELECT ${ENTRY_COLUMNS} FROM memory_entry WHERE namespace = ? AND key = ? AND ${VISIBLE}`, [
    namespace,
    key,
    now,
  ]);
  return row === undefined ? undefined : toEntry(row);
}

export interface CachedEntries {
  get(name: EntryName): Promise<MemoryEntry | undefined>;
}

/**
 * Reads entries through a cache that is as fresh as the database: every call asks whether anyone has committed since the
 * last one, and if so drops what the change log names. The cache never holds what is newer or older than its place in
 * the log.
 */
export function createCachedEntries(open: () => Promise<Database>, runtime: Runtime, limits = CACHE_LIMITS): CachedEntries {
  const cache = createEntryCache(limits);
  /** Only what is read again is worth its place: to read all entries once must not push the others out. */
  const read = new Set<string>();
  let source: Database | undefined;
  /** The last change that the cache knows of; -1: none yet. */
  let seq = -1;
  let seenVersion = NaN;
  let seenCommits = NaN;

  const startOver = (db: Database): void => {
    cache.clear();
    read.clear();
    source = db;
    seq = -1;
    seenVersion = NaN;
    seenCommits = NaN;
  };
  /** Drops what has changed since `seq`, or all when the log does not reach back to it. */
  const followChanges = async (db: Database): Promise<void> => {
    const rows = seq > 0 ? await db.all(CHANGES, [seq]) : [];
    if (db !== source) return;
    const [anchor] = rows;
    if (anchor === undefined || numberOf(anchor, 'seq') > seq || rows.length > MOST_CHANGES) {
      const last = numberOf((await db.get(LAST_CHANGE)) ?? {}, 'seq');
      if (db !== source || last === seq) return;
      cache.clear();
      seq = last;
      return;
    }
    for (const row of rows) {
      const changed = numberOf(row, 'seq');
      if (changed <= seq) continue; // known, or dropped by a call that overtook this one
      cache.dropId(numberOf(row, 'entry_id'));
      seq = changed;
    }
  };
  /** @param commits and `version`, as they were before the log is read: what comes later is looked for again */
  const refresh = async (db: Database, commits: number, version: number): Promise<void> => {
    if (db !== source) startOver(db);
    await followChanges(db);
    if (db !== source) return;
    seenVersion = version;
    seenCommits = commits;
  };
  const remember = (name: string): void => {
    if (read.size >= MOST_READ) read.clear();
    read.add(name);
  };
  const ifLasting = (entry: MemoryEntry): MemoryEntry | undefined =>
    entry.expiresAt !== null && entry.expiresAt <= runtime.now() ? undefined : entry;
  return {
    // One function, since each that is awaited takes its time. What is read for the first time does not ask what has changed.
    get: async (asked) => {
      const [namespace, key] = checkEntryName(asked);
      const db = await open();
      if (db.kind === 'remote' || db.kind === 'replica') return readEntry(db, namespace, key, runtime.now());
      const name = nameOf(namespace, key);
      const isReadAgain = read.has(name) || cache.has(name);
      if (isReadAgain) {
        const { commits } = db;
        const version = await db.dataVersion();
        if (db !== source || version !== seenVersion || commits !== seenCommits) await refresh(db, commits, version);
        const kept = db === source ? cache.get(name) : undefined;
        if (kept !== undefined) return ifLasting(kept);
      }
      const before = seq;
      const row = await db.get(READ, [namespace, key]);
      if (row === undefined) return undefined;
      const { entry, text } = toStoredEntry(row);
      if (!isReadAgain) remember(name);
      // Had the log moved on meanwhile, a change of this entry might have been passed over.
      else if (db === source && seq === before) cache.put(entry, text);
      return ifLasting(entry);
    },
  };
}
