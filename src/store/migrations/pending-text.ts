import type { Migration } from './index.ts';
import { INDEXING_2, TEXT_2 } from './memory.ts';

/**
 * Entries that wait for their place in the full-text index, at most: to add one to it takes longer than all the rest of
 * storing it, to add many at once hardly more than one.
 */
const MOST_PENDING = 64;

/** Whether the database is on a server (the table marks it), where readers often may not write, and each call is a journey. */
const IS_ON_SERVER = `EXISTS (SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'skillflow_database')`;

/**
 * Without its number nobody knows what is in the index: nothing is changed until it is made anew. `sqliteFailure` knows the
 * message.
 */
const CHECK_MARK = `SELECT RAISE(ABORT, 'memory_fts_folded does not say what is indexed')
      WHERE NOT EXISTS (SELECT 1 FROM memory_fts_folded WHERE typeof(entry_id) = 'integer');`;

/** Whether an entry is in the index, or nobody knows. */
const isFolded = (id: string): string => `${id} <= coalesce((SELECT entry_id FROM memory_fts_folded), ${id})`;

const MARK = [
  // One row. Ids only grow, so what the index lacks is what comes after the last id that it holds.
  `CREATE TABLE memory_fts_folded (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    entry_id INTEGER NOT NULL, -- entries up to this one are in memory_fts, later ones are pending
    most_pending INTEGER NOT NULL -- with so many pending the next one stored takes them all into the index
  ) STRICT`,
  `INSERT INTO memory_fts_folded (id, entry_id, most_pending)
    SELECT 1, coalesce(max(id), 0), CASE WHEN ${IS_ON_SERVER} THEN 1 ELSE ${MOST_PENDING} END FROM memory_entry`,
  // To move the mark is to take in what it passes.
  `CREATE TRIGGER memory_fts_fold BEFORE UPDATE OF entry_id ON memory_fts_folded BEGIN
    INSERT INTO memory_fts (rowid, key, value, tags)
      SELECT id, key, coalesce(words, value), tags FROM memory_entry
      WHERE id > old.entry_id AND id <= new.entry_id AND deleted_at IS NULL ORDER BY id;
  END`,
];

/** What is in the index, or was before it was deleted there. */
const TEXT = `CREATE VIEW memory_text AS
    SELECT id, key, coalesce(words, value) AS value, tags FROM memory_entry
    WHERE deleted_at IS NULL AND id <= (SELECT entry_id FROM memory_fts_folded)`;

const INDEXING = [
  `CREATE TRIGGER memory_entry_insert AFTER INSERT ON memory_entry BEGIN
    INSERT INTO chg (entry_id, op) VALUES (new.id, 'insert');
  END`,
  // An id that is not above the mark, which only a statement by hand gives, goes into the index at once.
  `CREATE TRIGGER memory_entry_fold AFTER INSERT ON memory_entry
  WHEN coalesce((SELECT new.id - entry_id NOT BETWEEN 1 AND most_pending - 1 FROM memory_fts_folded), 1) BEGIN
    ${CHECK_MARK}
    INSERT INTO memory_fts (rowid, key, value, tags)
      SELECT new.id, new.key, coalesce(new.words, new.value), new.tags
      WHERE new.deleted_at IS NULL AND new.id <= (SELECT entry_id FROM memory_fts_folded);
    UPDATE memory_fts_folded SET entry_id = new.id WHERE entry_id < new.id;
  END`,
  // One trigger for both statements: SQLite promises no order between triggers.
  `CREATE TRIGGER memory_entry_reindex AFTER UPDATE OF key, value, words, tags, deleted_at ON memory_entry
  WHEN ${isFolded('old.id')} BEGIN
    ${CHECK_MARK}
    INSERT INTO memory_fts (memory_fts, rowid, key, value, tags)
      SELECT 'delete', old.id, old.key, coalesce(old.words, old.value), old.tags WHERE old.deleted_at IS NULL;
    INSERT INTO memory_fts (rowid, key, value, tags)
      SELECT new.id, new.key, coalesce(new.words, new.value), new.tags WHERE new.deleted_at IS NULL;
  END`,
  `CREATE TRIGGER memory_entry_unindex AFTER DELETE ON memory_entry
  WHEN old.deleted_at IS NULL AND ${isFolded('old.id')} BEGIN
    ${CHECK_MARK}
    INSERT INTO memory_fts (memory_fts, rowid, key, value, tags)
      VALUES ('delete', old.id, old.key, coalesce(old.words, old.value), old.tags);
  END`,
  `CREATE TRIGGER memory_entry_delete AFTER DELETE ON memory_entry BEGIN
    INSERT INTO chg (entry_id, op) VALUES (old.id, 'delete');
  END`,
];

const DROP_INDEXING_2 = ['memory_entry_insert', 'memory_entry_reindex', 'memory_entry_delete'].map(
  (name) => `DROP TRIGGER ${name}`,
);

/** Entries wait for others before they are taken into the full-text index together. */
export const pendingText: Migration = {
  version: 4,
  name: 'pending-text',
  up: [...DROP_INDEXING_2, 'DROP VIEW memory_text', ...MARK, TEXT, ...INDEXING],
  down: [
    'UPDATE memory_fts_folded SET entry_id = max(entry_id, coalesce((SELECT max(id) FROM memory_entry), 0))',
    ...DROP_INDEXING_2,
    'DROP TRIGGER memory_entry_fold',
    'DROP TRIGGER memory_entry_unindex',
    'DROP VIEW memory_text',
    'DROP TABLE memory_fts_folded', // and its trigger
    TEXT_2,
    ...INDEXING_2,
  ],
};
