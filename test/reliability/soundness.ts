import { createRuntime } from '../../src/runtime.ts';
import { connect, type Connection } from '../../src/store/connection.ts';
import { contentHash } from '../../src/store/content-hash.ts';
import type { Row } from '../../src/store/database.ts';
import { openRemoteDatabase } from '../../src/store/open-remote.ts';
import { numberOf, textOf } from '../../src/store/row.ts';
import type { Call, Write } from './ledger.ts';
import { openMemory } from './open-memory.ts';
import { COUNTER, SHARED } from './writer.ts';

/** Earlier versions that an entry keeps. */
const VERSIONS_KEPT = 100;

/** The last change of each entry; `op` is that of the row with the maximum (source: sqlite.org/lang_select.html#bareagg). */
const LAST_CHANGES = 'SELECT entry_id, op, max(seq) FROM chg GROUP BY entry_id';

/** Queries whose rows are all faults; each names them. */
const NONE_OF: Readonly<Record<string, string>> = {
  'an entry that is neither in the full text nor pending': `SELECT id FROM memory_entry WHERE deleted_at IS NULL
    AND id <= (SELECT entry_id FROM memory_fts_folded) AND id NOT IN (SELECT id FROM memory_fts_docsize)`,
  'an entry that is in the full text and pending':
    'SELECT id FROM memory_fts_docsize WHERE id > (SELECT entry_id FROM memory_fts_folded)',
  'full text without its entry':
    'SELECT id FROM memory_fts_docsize WHERE id NOT IN (SELECT id FROM memory_entry WHERE deleted_at IS NULL)',
  'no mark of what is pending': "SELECT 1 WHERE (SELECT typeof(entry_id) FROM memory_fts_folded) IS NOT 'integer'",
  'more pending than allowed': `SELECT count(*) AS pending, most_pending FROM memory_fts_folded JOIN memory_entry e ON e.id > entry_id
    GROUP BY most_pending HAVING pending >= most_pending`,
  'an entry whose last change is not in the log': `SELECT e.id, e.deleted_at, c.op FROM memory_entry e
    LEFT JOIN (${LAST_CHANGES}) c ON c.entry_id = e.id WHERE c.op IS NULL OR (c.op = 'delete') <> (e.deleted_at IS NOT NULL)`,
  'a removed entry that is not removed in the log': `SELECT entry_id, op FROM (${LAST_CHANGES})
    WHERE op <> 'delete' AND entry_id NOT IN (SELECT id FROM memory_entry)`,
  'a gap in the change log':
    'SELECT 1 FROM (SELECT count(*) AS n, max(seq) - min(seq) + 1 AS span FROM chg) WHERE n <> span AND n > 0',
  'a version without its entry':
    'SELECT entry_id, version FROM memory_version WHERE entry_id NOT IN (SELECT id FROM memory_entry)',
  'a gap in the versions': `SELECT e.id, e.version, count(v.version) AS kept, max(v.version) AS newest, min(v.version) AS oldest
    FROM memory_entry e LEFT JOIN memory_version v ON v.entry_id = e.id GROUP BY e.id
    HAVING (e.version > 1 AND newest IS NOT e.version - 1) OR newest - oldest + 1 <> kept
      OR kept < min(e.version - 1, ${VERSIONS_KEPT}) OR kept > ${VERSIONS_KEPT}`,
  'a link without its entry': `SELECT from_id, to_id FROM memory_link
    WHERE from_id NOT IN (SELECT id FROM memory_entry) OR to_id NOT IN (SELECT id FROM memory_entry)`,
};

const INDEX_CHECK = `INSERT INTO memory_fts (memory_fts, rank) VALUES ('integrity-check', 1)`;

/** A database that is looked at, past our own way of opening files. */
interface Looked {
  all(sql: string): Promise<readonly Row[]>;
  run(sql: string): Promise<unknown>;
}

async function hashFaults({ all }: Looked): Promise<readonly string[]> {
  const faultsOf = async (table: string): Promise<readonly string[]> =>
    (await all(`SELECT value, hex(hash) AS hash FROM ${table}`))
      .filter(
        (row) =>
          Buffer.from(contentHash(textOf(row, 'value')))
            .toString('hex')
            .toUpperCase() !== textOf(row, 'hash'),
      )
      .map((row) => `${table}: a value whose hash is not its own: ${textOf(row, 'value').slice(0, 80)}`);
  return [...(await faultsOf('memory_entry')), ...(await faultsOf('memory_version'))];
}

async function withConnection<T>(path: string, work: (connection: Connection) => T | Promise<T>): Promise<T> {
  const connection = await connect(path, 'write');
  try {
    return await work(connection);
  } finally {
    connection.close();
  }
}

async function faultsOf(db: Looked): Promise<readonly string[]> {
  const faults: string[] = [];
  const integrity = (await db.all('PRAGMA integrity_check')).map((row) => textOf(row, 'integrity_check'));
  if (integrity.join() !== 'ok') faults.push(`integrity_check: ${integrity.join('; ')}`);
  try {
    await db.run(INDEX_CHECK);
  } catch (error) {
    faults.push(`the full-text index and the table differ: ${String(error)}`);
  }
  for (const [what, sql] of Object.entries(NONE_OF)) {
    const rows = await db.all(sql);
    if (rows.length > 0) faults.push(`${what}, ${rows.length} times: ${JSON.stringify(rows.slice(0, 3))}`);
  }
  return [...faults, ...(await hashFaults(db))];
}

/** What must be nothing once somebody has searched. */
const NONE_AFTER_SEARCH: Readonly<Record<string, string>> = {
  'an entry that is pending after a search': 'SELECT id FROM memory_entry WHERE id > (SELECT entry_id FROM memory_fts_folded)',
  'an entry without its full text':
    'SELECT id FROM memory_entry WHERE deleted_at IS NULL AND id NOT IN (SELECT id FROM memory_fts_docsize)',
};

async function faultsAfterSearch(location: string): Promise<readonly string[]> {
  await using opened = await openMemory(location, createRuntime('silent'));
  const { vectors } = await opened.memory.search({ query: 'anything' });
  const faults: string[] = vectors === 'off' ? [] : [`a search says: ${vectors}`];
  for (const [what, sql] of Object.entries(NONE_AFTER_SEARCH)) {
    const rows = await opened.db.all(sql);
    if (rows.length > 0) faults.push(`${what}, ${rows.length} times: ${JSON.stringify(rows.slice(0, 3))}`);
  }
  await opened.db.run(INDEX_CHECK).catch((error: unknown) => faults.push(`after a search: ${String(error)}`));
  return faults;
}

/**
 * What is wrong with a database of memory, by SQL alone; empty when it is sound. Nobody else may write meanwhile. A search
 * is made at the end, which takes what is pending into the index.
 * @param location a file's path, or the URL of a server
 */
export async function soundnessFaults(location: string): Promise<readonly string[]> {
  if (location.startsWith('http')) {
    await using db = await openRemoteDatabase({ url: location, runtime: createRuntime('silent') });
    return [...(await faultsOf(db)), ...(await faultsAfterSearch(location))];
  }
  const faults = await withConnection(location, (connection) =>
    faultsOf({ all: async (sql) => connection.all(sql), run: async (sql) => connection.exec(sql) }),
  );
  return faults.length > 0 ? faults : faultsAfterSearch(location);
}

interface Stored {
  /** Namespace and key → the entry that is there or was deleted. */
  readonly entries: ReadonlyMap<string, Row>;
  /** Namespace and key → version → value, the current one included. */
  readonly versions: ReadonlyMap<string, ReadonlyMap<number, string>>;
  /** `<from> supersedes <to>`. */
  readonly links: ReadonlySet<string>;
}

const nameOf = (namespace: string, key: string): string => `${namespace} ${key}`;
const rowName = (row: Row): string => nameOf(textOf(row, 'namespace'), textOf(row, 'key'));

function readStored(connection: Connection): Stored {
  const entries = new Map<string, Row>();
  const versions = new Map<string, Map<number, string>>();
  const add = (row: Row): void => {
    const known = versions.get(rowName(row)) ?? new Map<number, string>();
    versions.set(rowName(row), known.set(numberOf(row, 'version'), textOf(row, 'value')));
  };
  for (const row of connection.all('SELECT namespace, key, version, value, deleted_at, valid_to FROM memory_entry')) {
    entries.set(rowName(row), row);
    add(row);
  }
  const older = `SELECT e.namespace, e.key, v.version, v.value FROM memory_version v JOIN memory_entry e ON e.id = v.entry_id`;
  for (const row of connection.all(older)) add(row);
  const links = connection.all(`SELECT f.namespace || ' ' || f.key AS one, t.namespace || ' ' || t.key AS other
    FROM memory_link l JOIN memory_entry f ON f.id = l.from_id JOIN memory_entry t ON t.id = l.to_id WHERE l.kind = 'supersedes'`);
  return { entries, versions, links: new Set(links.map((row) => `${textOf(row, 'one')} supersedes ${textOf(row, 'other')}`)) };
}

/** Whether a write has arrived, as the last one of its entry. */
function isCurrent({ entries, links }: Stored, { namespace, key, value, by }: Write): boolean {
  const row = entries.get(nameOf(namespace, key));
  if (row === undefined) return value === null;
  if (by !== undefined)
    return (
      // What superseded it may have been deleted since, which makes it valid again.
      (row['valid_to'] !== null || entries.get(nameOf(namespace, by))?.['deleted_at'] !== null) &&
      links.has(`${nameOf(namespace, by)} supersedes ${nameOf(namespace, key)}`)
    );
  return value === null ? row['deleted_at'] !== null : row['deleted_at'] === null && row['value'] === value;
}

/** Acknowledged writes of values that are found nowhere, neither as an entry nor as a version that must be kept. */
function lostVersions(stored: Stored, calls: readonly Call[]): readonly string[] {
  return calls.flatMap(({ kind, writes, outcome, versions }) => {
    if (outcome !== 'acknowledged' || versions.length === 0) return [];
    return writes.flatMap(({ namespace, key, value }, at) => {
      const version = versions[at] ?? 0;
      const name = nameOf(namespace, key);
      const current = Number(stored.entries.get(name)?.['version'] ?? 0);
      const kept = stored.versions.get(name)?.get(version);
      if (kept === value || (kept === undefined && current > version + VERSIONS_KEPT)) return [];
      return [`${kind} of ${name} was acknowledged as version ${version}, which says ${JSON.stringify(kept)}, not ${value}`];
    });
  });
}

/** Own entries whose last acknowledged write is not what is there, unless the one that was under way when it ended is. */
function lostStates(stored: Stored, name: string, calls: readonly Call[]): readonly string[] {
  const last = new Map<string, Write>();
  for (const { outcome, writes } of calls)
    if (outcome === 'acknowledged') for (const write of writes) last.set(nameOf(write.namespace, write.key), write);
  const begun = calls.at(-1);
  const open = begun?.outcome === 'unknown' ? begun.writes : [];
  const faults: string[] = [];
  for (const [key, write] of last) {
    if (write.namespace === SHARED || isCurrent(stored, write)) continue;
    const under = open.find((other) => nameOf(other.namespace, other.key) === key);
    if (under !== undefined && isCurrent(stored, under)) continue;
    faults.push(`${name}: ${JSON.stringify(write)} was acknowledged, but there is ${JSON.stringify(stored.entries.get(key))}`);
  }
  const arrived = open.filter((write) => isCurrent(stored, write)).length;
  if (open.length > 1 && arrived !== 0 && arrived !== open.length)
    faults.push(`${name}: a batch of ${open.length} has arrived in part: ${arrived}`);
  return faults;
}

/** Entries in a writer's own namespace that it never wrote. */
function strangers({ entries }: Stored, name: string, calls: readonly Call[]): readonly string[] {
  const written = new Set(calls.flatMap(({ writes }) => writes.map(({ namespace, key }) => nameOf(namespace, key))));
  return [...entries.values()]
    .filter((row) => row['namespace'] === name && !written.has(rowName(row)))
    .map((row) => `${name}: nobody wrote ${rowName(row)}`);
}

function counterFaults({ entries }: Stored, ledgers: readonly (readonly Call[])[]): readonly string[] {
  const counts = ledgers.flat().filter(({ kind }) => kind === 'count');
  const sure = counts.filter(({ outcome }) => outcome === 'acknowledged').length;
  const unknown = counts.filter(({ outcome }) => outcome === 'unknown').length;
  const counted = Number(entries.get(nameOf(SHARED, COUNTER))?.['value'] ?? 0);
  return counted >= sure && counted <= sure + unknown
    ? []
    : [`the counter says ${counted}; acknowledged ${sure}, unknown ${unknown}`];
}

/** Two writers told that theirs is the same version of a shared entry. */
function twiceTold(ledgers: readonly (readonly Call[])[]): readonly string[] {
  const seen = new Set<string>();
  return ledgers.flat().flatMap(({ kind, writes, versions }) => {
    if (kind !== 'share' || versions.length === 0) return [];
    const name = `${writes[0]?.key} version ${versions[0]}`;
    if (seen.has(name)) return [`two writers were told that they wrote ${name}`];
    seen.add(name);
    return [];
  });
}

/** What writers were promised and is not in the database; empty when all of it is. */
export function ledgerFaults(path: string, ledgers: ReadonlyMap<string, readonly Call[]>): Promise<readonly string[]> {
  return withConnection(path, (connection) => {
    const stored = readStored(connection);
    const all = [...ledgers.values()];
    return [
      ...[...ledgers].flatMap(([name, calls]) => [
        ...lostVersions(stored, calls),
        ...lostStates(stored, name, calls),
        ...strangers(stored, name, calls),
      ]),
      ...counterFaults(stored, all),
      ...twiceTold(all),
    ];
  });
}
