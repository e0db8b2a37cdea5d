import { DatabaseDamagedError, SkillflowError } from '../../errors.ts';
import type { Database, Queries } from '../../store/database.ts';
import { numberOf } from '../../store/row.ts';
import { dropObject, type ExpectedSchema } from '../../store/schema.ts';
import { fold } from '../fold.ts';
import type { Examined } from './examined.ts';

const INDEX = 'memory_fts';
const SOURCE = 'memory_text';
/** What says which entries are in the index, and the trigger that takes in those that it passes. */
const MARK = 'memory_fts_folded';
const MARK_TRIGGER = 'memory_fts_fold';
const SOME = 3;

/** Whether an object of the schema is the full-text index, part of it, or what it is made from. */
export function isFullText(name: string): boolean {
  return name === SOURCE || name.startsWith(INDEX);
}

/** Whether it is one of the tables that the index consists of: their text is its module's affair. */
export function isPart(name: string): boolean {
  return isFullText(name) && ![INDEX, SOURCE, MARK, MARK_TRIGGER].includes(name);
}

/**
 * Takes the index's name out of the schema, for when its module refuses to load what is left of it, also to be dropped.
 * A virtual table has no pages of its own, so none are lost.
 */
async function forgetIndex(queries: Queries): Promise<void> {
  await queries.run('PRAGMA writable_schema = ON');
  try {
    await queries.run(`DELETE FROM sqlite_schema WHERE name = ? AND type = 'table' AND rootpage = 0`, [INDEX]);
  } finally {
    await queries.run('PRAGMA writable_schema = RESET'); // also reads the schema again
  }
}

async function dropIndex(queries: Queries, parts: readonly string[]): Promise<void> {
  try {
    await dropObject(queries, INDEX);
  } catch (error) {
    if (!(error instanceof DatabaseDamagedError)) throw error;
    await forgetIndex(queries);
  }
  for (const part of parts) await dropObject(queries, part); // where they went with the index, there are none
}

/**
 * Makes the full-text index anew from the entries, whatever is left of it, in the open transaction.
 * Errors: `DatabaseDamagedError` when the new one does not agree with the entries.
 */
async function remakeIndex(queries: Queries, { objects, indexSettings, mostPending }: ExpectedSchema): Promise<void> {
  const named = objects.filter(({ name }) => isFullText(name));
  await dropIndex(
    queries,
    named.map(({ name }) => name).filter((name) => isPart(name)),
  );
  for (const name of [SOURCE, MARK_TRIGGER, MARK]) await dropObject(queries, name);
  for (const wanted of [MARK, SOURCE, INDEX, MARK_TRIGGER]) {
    for (const { sql } of named.filter(({ name }) => name === wanted)) await queries.run(sql);
  }
  await queries.run(
    `INSERT INTO memory_fts_folded (id, entry_id, most_pending) SELECT 1, coalesce(max(id), 0), ? FROM memory_entry`,
    [mostPending],
  );
  for (const { k = null, v = null } of indexSettings) {
    await queries.run(`INSERT INTO memory_fts (memory_fts, rank) VALUES (?, ?)`, [k, v]);
  }
  await queries.run(`INSERT INTO memory_fts (memory_fts) VALUES ('rebuild')`);
  await queries.run(`INSERT INTO memory_fts (memory_fts, rank) VALUES ('integrity-check', 1)`);
}

/**
 * Segments whose pages no word leads to, which the index's own check passes over (source of the bits of an id:
 * FTS5_SEGMENT_ROWID in SQLite's fts5_index.c).
 */
const LOST_SEGMENTS = `SELECT count(*) AS n FROM (SELECT DISTINCT id >> 37 AS segment FROM memory_fts_data WHERE id >= 1 << 37)
  WHERE segment NOT IN (SELECT segid FROM memory_fts_idx)`;

const MARKED = `SELECT 1 FROM memory_fts_folded WHERE typeof(entry_id) = 'integer' AND typeof(most_pending) = 'integer'`;

/** What is wrong with the index; empty when nothing is, `null` when it cannot be checked. */
async function faultOf(db: Database): Promise<string | null> {
  const lost = numberOf((await db.get(LOST_SEGMENTS)) ?? {}, 'n');
  if (lost > 0) return `${lost} of its parts cannot be reached`;
  if ((await db.get(MARKED)) === undefined) return 'nobody knows which entries are in it';
  if (db.readOnly) return null;
  await fold(db);
  // With rank 1 the index is compared with the entries too (source: sqlite.org/fts5.html#the_integrity_check_command).
  await db.run(`INSERT INTO memory_fts (memory_fts, rank) VALUES ('integrity-check', 1)`);
  return '';
}

interface KnownFaults {
  /** What the check of the pages said of the index. */
  readonly reported: readonly string[];
  /** What the schema lacks of it. */
  readonly schema: readonly string[];
  /** Whether the pages of everything else are sound. */
  readonly intact: boolean;
}

/** @param known what other checks have said of the index already */
export async function checkFullText(db: Database, expected: ExpectedSchema, known: KnownFaults): Promise<Examined> {
  const { reported, schema, intact } = known;
  const repair = async (queries: Queries): Promise<string> => {
    await remakeIndex(queries, expected);
    return 'the index was made anew from the entries';
  };
  const wrong = (detail: string): Examined => ({
    check: 'full-text',
    status: 'wrong',
    detail: `${intact ? 'the entries are intact; ' : ''}the full-text index ${detail}`,
    repair,
  });
  const faults = [...schema, ...reported];
  if (faults.length > 0) return wrong(`is damaged: ${faults.slice(0, SOME).join('; ')}`);
  try {
    const fault = await faultOf(db);
    if (fault === null) return { check: 'full-text', status: 'not checked', detail: 'the database is open read-only' };
    if (fault !== '') return wrong(`is damaged: ${fault}`);
    return { check: 'full-text', status: 'ok', detail: 'the full-text index agrees with the entries' };
  } catch (error) {
    if (error instanceof DatabaseDamagedError) return wrong('is damaged or disagrees with them');
    if (!(error instanceof SkillflowError)) throw error;
    return { check: 'full-text', status: 'not checked', detail: error.message };
  }
}
