import { DatabaseDamagedError, SkillflowError } from '../../errors.ts';
import type { Database, Queries } from '../../store/database.ts';
import { numberOf } from '../../store/row.ts';
import { dropObject, type ExpectedSchema } from '../../store/schema.ts';
import type { Examined } from './examined.ts';

const INDEX = 'memory_fts';
const SOURCE = 'memory_text';
const SOME = 3;

/** Whether an object of the schema is the full-text index, one of the tables it consists of, or what it is made from. */
export function isFullText(name: string): boolean {
  return name === SOURCE || name.startsWith(INDEX);
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
async function remakeIndex(queries: Queries, { objects, indexSettings }: ExpectedSchema): Promise<void> {
  const named = objects.filter(({ name }) => isFullText(name));
  const parts = named.map(({ name }) => name).filter((name) => name !== INDEX && name !== SOURCE);
  await dropIndex(queries, parts);
  await dropObject(queries, SOURCE);
  for (const wanted of [SOURCE, INDEX]) {
    for (const { sql } of named.filter(({ name }) => name === wanted)) await queries.run(sql);
  }
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

/** What is wrong with the index; empty when nothing is, `null` when it cannot be checked. */
async function faultOf(db: Database): Promise<string | null> {
  const lost = numberOf((await db.get(LOST_SEGMENTS)) ?? {}, 'n');
  if (lost > 0) return `${lost} of its parts cannot be reached`;
  if (db.readOnly) return null;
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
