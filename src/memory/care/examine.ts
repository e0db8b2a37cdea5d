import { setImmediate } from 'node:timers/promises';
import { DatabaseDamagedError, SkillflowError } from '../../errors.ts';
import { contentHash } from '../../store/content-hash.ts';
import { NOT_CHECKED, type Database, type Queries, type Row, type SqlValue } from '../../store/database.ts';
import { numberOf, numberOnly, textOf } from '../../store/row.ts';
import { checkPages, type PagesVerdict } from '../../store/check-pages.ts';
import { runApart } from '../../store/run-apart.ts';
import { isIndexDamage } from '../../store/sqlite-failure.ts';
import { readColumns } from '../content.ts';
import type { Finding } from './care.ts';
import type { Examined } from './examined.ts';

interface Check {
  (db: Database): Promise<readonly Examined[]>;
  readonly about: Finding['check'];
}

type Outcome = Omit<Examined, 'check'>;

function check(about: Finding['check'], examine: (db: Database) => Promise<Outcome | readonly Outcome[]>): Check {
  const run = async (db: Database): Promise<readonly Examined[]> =>
    [await examine(db)].flat().map((outcome) => ({ check: about, ...outcome }));
  return Object.assign(run, { about });
}

async function count(queries: Queries, sql: string, params: readonly SqlValue[] = []): Promise<number> {
  return numberOf((await queries.get(`SELECT count(*) AS n FROM ${sql}`, params)) ?? {}, 'n');
}

const SOME = 5;

/** What SQLite's check says; of a file on a thread of its own, since it reads all of it. */
async function verdictOf(db: Database, key: string | undefined): Promise<PagesVerdict | undefined> {
  if (db.kind === 'file') {
    return checkPages('integrity_check', (sql, params) => runApart({ path: db.path, mode: 'read', key }, sql, params));
  }
  const lines = (await db.integrity()).split('\n').filter((line) => line !== 'ok');
  if (lines[0] === NOT_CHECKED) return undefined;
  const isFullText = (line: string): boolean => line.includes('memory_fts');
  return { damage: lines.filter((line) => !isFullText(line)), fullText: lines.filter(isFullText) };
}

/** SQLite's own check of every page and index. The full-text index is reported apart, since it can be made anew. */
export async function checkIntegrity(
  db: Database,
  key: string | undefined,
): Promise<{ readonly finding: Examined; readonly fullText: readonly string[] }> {
  const finding = (status: Finding['status'], detail: string): Examined => ({ check: 'integrity', status, detail });
  try {
    const verdict = await verdictOf(db, key);
    if (verdict === undefined) return { finding: finding('not checked', NOT_CHECKED), fullText: [] };
    const { damage, fullText } = verdict;
    if (damage.length === 0) return { finding: finding('ok', 'every page and index is sound'), fullText };
    const detail = `SQLite reports damage, which is not repaired: ${damage.slice(0, SOME).join('; ')}. Restore a backup into a new database; one made now is only kept if the copy is sound.`;
    return { finding: finding('wrong', detail), fullText };
  } catch (error) {
    if (!(error instanceof SkillflowError)) throw error;
    if (isIndexDamage(error)) return { finding: finding('not checked', error.message), fullText: [error.message] };
    if (!(error instanceof DatabaseDamagedError)) return { finding: finding('not checked', error.message), fullText: [] };
    return { finding: finding('wrong', `${error.message}. ${error.hint ?? ''}`), fullText: [] };
  }
}

const VERSION_ORPHANS = 'memory_version WHERE NOT EXISTS (SELECT 1 FROM memory_entry e WHERE e.id = entry_id)';
const LINK_ORPHANS = `memory_link WHERE NOT EXISTS (SELECT 1 FROM memory_entry e WHERE e.id = from_id)
  OR NOT EXISTS (SELECT 1 FROM memory_entry e WHERE e.id = to_id)`;
const SPACE_ORPHANS = 'embedding WHERE NOT EXISTS (SELECT 1 FROM embedding_space s WHERE s.id = space_id)';

export const checkOrphans = check('orphans', async (db) => {
  const versions = await count(db, VERSION_ORPHANS);
  const links = await count(db, LINK_ORPHANS);
  const vectors = await count(db, SPACE_ORPHANS);
  if (versions + links + vectors === 0) return { status: 'ok', detail: 'every version, link and vector belongs to something' };
  return {
    status: 'wrong',
    detail: `${versions} versions, ${links} links and ${vectors} vectors belong to nothing`,
    repair: async (queries) => {
      for (const orphans of [VERSION_ORPHANS, LINK_ORPHANS, SPACE_ORPHANS]) await queries.run(`DELETE FROM ${orphans}`);
      return 'they were removed';
    },
  };
});

/** Entries without any change, as long as the log has all of them; and those whose last change is a wrong one. */
const UNLOGGED = `memory_entry e LEFT JOIN (SELECT entry_id, max(seq) AS seq FROM chg GROUP BY entry_id) last ON last.entry_id = e.id
  LEFT JOIN chg ON chg.seq = last.seq
  WHERE CASE WHEN chg.seq IS NULL THEN coalesce((SELECT min(seq) FROM chg), 1) <= 1
    ELSE (chg.op = 'delete') <> (e.deleted_at IS NOT NULL) END`;
const VANISHED = `(SELECT entry_id, max(seq) AS seq FROM chg GROUP BY entry_id) last JOIN chg ON chg.seq = last.seq
  WHERE chg.op <> 'delete' AND NOT EXISTS (SELECT 1 FROM memory_entry e WHERE e.id = last.entry_id)`;

export const checkChanges = check('change log', async (db) => {
  const unlogged = await count(db, UNLOGGED);
  const vanished = await count(db, VANISHED);
  if (unlogged + vanished === 0) return { status: 'ok', detail: 'the log of changes agrees with the entries' };
  return {
    status: 'wrong',
    detail: `the last change of ${unlogged} entries is not logged, and ${vanished} vanished without one`,
    repair: async (queries) => {
      await queries.run(
        `INSERT INTO chg (entry_id, op) SELECT e.id, CASE WHEN e.deleted_at IS NULL THEN 'update' ELSE 'delete' END FROM ${UNLOGGED}`,
      );
      await queries.run(`INSERT INTO chg (entry_id, op) SELECT last.entry_id, 'delete' FROM ${VANISHED}`);
      return 'the changes were logged';
    },
  };
});

const MISSHAPEN = `embedding WHERE EXISTS (
  SELECT 1 FROM embedding_space s WHERE s.id = space_id AND octet_length(vector) <> 4 * s.dimensions)`;
const UNUSED = 'embedding WHERE NOT EXISTS (SELECT 1 FROM memory_entry e WHERE e.hash = embedding.hash)';

export const checkVectors = check('vectors', async (db) => {
  const misshapen = await count(db, MISSHAPEN);
  const unused = await count(db, UNUSED);
  const note = unused === 0 ? '' : `; ${unused} belong to no current value (compacting removes them)`;
  if (misshapen === 0) return { status: 'ok', detail: `every vector has the length of its space${note}` };
  return {
    status: 'wrong',
    detail: `${misshapen} vectors do not have the length of their space${note}`,
    repair: async (queries) => {
      await queries.run(`DELETE FROM ${MISSHAPEN}`);
      return 'they were removed, and will be made anew';
    },
  };
});

interface Faults {
  /** Values whose hash is not theirs. */
  readonly hashes: { readonly table: 'memory_entry' | 'memory_version'; readonly id: number; readonly version: number }[];
  /** Names of what holds no JSON where it should, or bytes that are no text. */
  readonly unreadable: string[];
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

/** The text in a column, or `null` when damage has made it unreadable. */
function readableText(row: Row, column: string): string | null {
  try {
    return textOf(row, column);
  } catch (error) {
    if (error instanceof DatabaseDamagedError) return null;
    throw error;
  }
}

function examineRow(row: Row, table: 'memory_entry' | 'memory_version', name: string, faults: Faults): void {
  const version = numberOf(row, 'version');
  const [value, format, tags] = ['value', 'format', 'tags'].map((column) => readableText(row, column));
  if (typeof value !== 'string' || typeof format !== 'string' || typeof tags !== 'string') {
    faults.unreadable.push(`${name} version ${version}`);
    return;
  }
  const hash = row['hash'];
  if (!(hash instanceof Uint8Array) || Buffer.compare(hash, contentHash(value)) !== 0) {
    faults.hashes.push({ table, id: numberOf(row, 'id'), version });
  }
  const unreadable = (format === 'json' && !isJson(value)) || !isJson(tags);
  if (unreadable) faults.unreadable.push(`${name} version ${version}`);
}

const PAGE = 64;

/** Reads every value once, a page at a time. */
async function examineValues(queries: Queries): Promise<Faults> {
  const faults: Faults = { hashes: [], unreadable: [] };
  const name = (row: Row): string => `${readableText(row, 'namespace') ?? '?'}/${readableText(row, 'key') ?? '?'}`;
  for (let after = 0, size = PAGE; size === PAGE;) {
    const page = await queries.all(
      `SELECT ${readColumns(['id', 'namespace', 'key', 'version', 'value', 'format', 'tags', 'hash'])}
        FROM memory_entry WHERE id > ? ORDER BY id LIMIT ${PAGE}`,
      [after],
    );
    for (const row of page) examineRow(row, 'memory_entry', name(row), faults);
    await setImmediate(); // others of this process may go on
    size = page.length;
    after = numberOf(page.at(-1) ?? { id: after }, 'id');
  }
  for (let after: readonly SqlValue[] = [0, 0], size = PAGE; size === PAGE;) {
    const page: readonly Row[] = await queries.all(
      `SELECT ${numberOnly('entry_id')} AS id, ${readColumns(['namespace', 'key'])}, ${readColumns(['version', 'value', 'format', 'tags', 'hash'], 'v.')}
        FROM memory_version v JOIN memory_entry e ON e.id = entry_id
        WHERE (entry_id, v.version) > (?, ?) ORDER BY entry_id, v.version LIMIT ${PAGE}`,
      after,
    );
    for (const row of page) examineRow(row, 'memory_version', name(row), faults);
    await setImmediate();
    size = page.length;
    const last = page.at(-1);
    if (last !== undefined) after = [numberOf(last, 'id'), numberOf(last, 'version')];
  }
  return faults;
}

async function hashAnew(queries: Queries, { hashes }: Faults): Promise<string> {
  for (const { table, id, version } of hashes) {
    const where = table === 'memory_entry' ? 'id = ? AND version = ?' : 'entry_id = ? AND version = ?';
    const row = await queries.get(`SELECT ${readColumns(['value'])} FROM ${table} WHERE ${where}`, [id, version]);
    if (row === undefined) continue; // changed or removed since it was examined
    await queries.run(`UPDATE ${table} SET hash = ? WHERE ${where}`, [contentHash(textOf(row, 'value')), id, version]);
  }
  return 'the hashes were made anew';
}

export const checkValues = check('values', async (db) => {
  const faults = await examineValues(db);
  const { hashes, unreadable } = faults;
  if (hashes.length + unreadable.length === 0) return { status: 'ok', detail: 'every value can be read and has its hash' };
  const names = unreadable.slice(0, SOME).join(', ');
  const outcomes: Outcome[] = [];
  if (hashes.length > 0) {
    const detail = `${hashes.length} values do not have their hash`;
    outcomes.push({ status: 'wrong', detail, repair: (queries) => hashAnew(queries, faults) });
  }
  if (unreadable.length > 0) {
    const detail = `${unreadable.length} values or tags are no JSON; they are not repaired, only stored anew or reverted: ${names}`;
    outcomes.push({ status: 'wrong', detail });
  }
  return outcomes;
});
