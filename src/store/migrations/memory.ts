import { contentHash } from '../content-hash.ts';
import type { Queries } from '../database.ts';
import { numberOf, textOf } from '../row.ts';
import type { Migration } from './index.ts';
import { ENTRIES_1, SEARCH_1 } from './tables.ts';

/** What an entry says, and where it comes from; the same columns in its current and in its earlier versions. */
const CONTENT = `
    value TEXT NOT NULL,
    format TEXT NOT NULL CHECK (format IN ('json', 'text')),
    words TEXT, -- the words of a JSON value, without its punctuation and escapes
    hash BLOB NOT NULL, -- contentHash(value)
    tags TEXT NOT NULL DEFAULT '[]', -- json
    kind TEXT NOT NULL DEFAULT 'note',
    importance REAL NOT NULL DEFAULT 0.5 CHECK (importance BETWEEN 0 AND 1),
    agent TEXT,
    session TEXT,
    run TEXT,
    updated_at INTEGER NOT NULL,
    expires_at INTEGER,
    -- NULL: always was, still is
    valid_from INTEGER,
    valid_to INTEGER`;

const CONTENT_COLUMNS =
  'value, format, words, hash, tags, kind, importance, agent, session, run, updated_at, expires_at, valid_from, valid_to';

const ENTRIES = [
  `CREATE TABLE memory_entry (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    namespace TEXT NOT NULL,
    key TEXT NOT NULL,
    version INTEGER NOT NULL DEFAULT 1,
    created_at INTEGER NOT NULL,
    deleted_at INTEGER, -- deleted, and may still be brought back
    ${CONTENT},
    UNIQUE (namespace, key)
  ) STRICT`,
  'CREATE INDEX memory_entry_expires_at ON memory_entry (expires_at) WHERE expires_at IS NOT NULL',
  'CREATE INDEX memory_entry_deleted_at ON memory_entry (deleted_at) WHERE deleted_at IS NOT NULL',
  // Neighbours in a conversation: entries of one session in the order of their ids.
  'CREATE INDEX memory_entry_session ON memory_entry (session, id) WHERE session IS NOT NULL',
  'CREATE INDEX memory_entry_hash ON memory_entry (hash, namespace)',
  // Versions before the current one. The trigger below fills it, so no write can forget to.
  `CREATE TABLE memory_version (
    entry_id INTEGER NOT NULL REFERENCES memory_entry (id) ON DELETE CASCADE,
    version INTEGER NOT NULL,
    ${CONTENT},
    PRIMARY KEY (entry_id, version)
  ) STRICT, WITHOUT ROWID`,
  `CREATE TABLE memory_link (
    from_id INTEGER NOT NULL REFERENCES memory_entry (id) ON DELETE CASCADE,
    to_id INTEGER NOT NULL REFERENCES memory_entry (id) ON DELETE CASCADE,
    kind TEXT NOT NULL, -- 'supersedes': to_id is no longer valid since from_id; any other word of the caller
    reason TEXT,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (from_id, to_id, kind)
  ) STRICT, WITHOUT ROWID`,
  'CREATE INDEX memory_link_to_id ON memory_link (to_id)',
];

/** Versions kept of an entry besides the current one. */
const VERSIONS_KEPT = 100;

/** What is deleted is not in the full-text index; what is only expired or no longer valid still is. */
export const TEXT_2 = `CREATE VIEW memory_text AS
    SELECT id, key, coalesce(words, value) AS value, tags FROM memory_entry WHERE deleted_at IS NULL`;

/** Triggers that keep the full-text index as the entries are. Of version 2, which undoing version 4 makes again. */
export const INDEXING_2 = [
  `CREATE TRIGGER memory_entry_insert AFTER INSERT ON memory_entry BEGIN
    INSERT INTO memory_fts (rowid, key, value, tags)
      SELECT new.id, new.key, coalesce(new.words, new.value), new.tags WHERE new.deleted_at IS NULL;
    INSERT INTO chg (entry_id, op) VALUES (new.id, 'insert');
  END`,
  // One trigger for both statements: SQLite promises no order between triggers.
  `CREATE TRIGGER memory_entry_reindex AFTER UPDATE OF key, value, words, tags, deleted_at ON memory_entry BEGIN
    INSERT INTO memory_fts (memory_fts, rowid, key, value, tags)
      SELECT 'delete', old.id, old.key, coalesce(old.words, old.value), old.tags WHERE old.deleted_at IS NULL;
    INSERT INTO memory_fts (rowid, key, value, tags)
      SELECT new.id, new.key, coalesce(new.words, new.value), new.tags WHERE new.deleted_at IS NULL;
  END`,
  `CREATE TRIGGER memory_entry_delete AFTER DELETE ON memory_entry BEGIN
    INSERT INTO memory_fts (memory_fts, rowid, key, value, tags)
      SELECT 'delete', old.id, old.key, coalesce(old.words, old.value), old.tags WHERE old.deleted_at IS NULL;
    INSERT INTO chg (entry_id, op) VALUES (old.id, 'delete');
  END`,
];

const SEARCH = [
  TEXT_2,
  `CREATE VIRTUAL TABLE memory_fts USING fts5 (
    key, value, tags, content = 'memory_text', content_rowid = 'id', tokenize = 'porter unicode61 remove_diacritics 2'
  )`,
  // Leaves that fit into a page of a new database; a small write makes one of its own.
  `INSERT INTO memory_fts (memory_fts, rank) VALUES ('pgsz', 2000)`,
  ...INDEXING_2,
  `CREATE TRIGGER memory_entry_keep_version BEFORE UPDATE OF version ON memory_entry WHEN new.version > old.version BEGIN
    INSERT INTO memory_version (entry_id, version, ${CONTENT_COLUMNS})
      VALUES (old.id, old.version, ${CONTENT_COLUMNS.replaceAll(/\w+/g, 'old.$&')});
    DELETE FROM memory_version WHERE entry_id = new.id AND version < new.version - ${VERSIONS_KEPT};
  END`,
  `CREATE TRIGGER memory_entry_update AFTER UPDATE ON memory_entry BEGIN
    INSERT INTO chg (entry_id, op) VALUES (new.id, CASE WHEN new.deleted_at IS NULL THEN 'update' ELSE 'delete' END);
  END`,
];

/** Vectors belong to contents, not to entries: a row is never changed, and an entry finds its vector by its hash. */
const VECTORS = [
  `CREATE TABLE embedding_space (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    uid TEXT NOT NULL UNIQUE, -- tells spaces of different databases apart
    provider TEXT NOT NULL,
    model TEXT NOT NULL,
    dimensions INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    UNIQUE (provider, model, dimensions)
  ) STRICT`,
  // Ids only grow, so that what an index lacks is what comes after the last id that it holds.
  `CREATE TABLE embedding (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    space_id INTEGER NOT NULL REFERENCES embedding_space (id) ON DELETE CASCADE,
    hash BLOB NOT NULL, -- of memory_entry
    vector BLOB NOT NULL, -- float32, little endian, of length 1
    UNIQUE (space_id, hash)
  ) STRICT`,
];

const DROP_SEARCH = ['DROP TABLE memory_fts', 'DROP VIEW memory_text'];

/** Ids are never used again, also not after the table was made anew. */
const KEEP_SEQUENCE = [
  `DELETE FROM sqlite_sequence WHERE name = 'memory_entry'`,
  `UPDATE sqlite_sequence SET name = 'memory_entry' WHERE name = 'memory_entry_old'`,
];

const COLUMNS_1 = 'id, namespace, key, value, format, words, tags, created_at, updated_at, expires_at';

async function hashValues(queries: Queries): Promise<void> {
  for (const row of await queries.all('SELECT id FROM memory_entry')) {
    const id = numberOf(row, 'id');
    const value = textOf((await queries.get('SELECT value FROM memory_entry WHERE id = ?', [id])) ?? {}, 'value');
    await queries.run('UPDATE memory_entry SET hash = ? WHERE id = ?', [contentHash(value), id]);
  }
}

/** Entries with versions, links, provenance, validity and soft deletion; vectors. */
export const memory: Migration = {
  version: 2,
  name: 'memory',
  up: [
    ...DROP_SEARCH,
    'DROP TRIGGER memory_entry_insert',
    'DROP TRIGGER memory_entry_update',
    'DROP TRIGGER memory_entry_delete',
    'DROP INDEX memory_entry_expires_at',
    'ALTER TABLE memory_entry RENAME TO memory_entry_old',
    ...ENTRIES,
    `INSERT INTO memory_entry (${COLUMNS_1}, hash) SELECT ${COLUMNS_1}, x'' FROM memory_entry_old`,
    ...KEEP_SEQUENCE,
    'DROP TABLE memory_entry_old',
    ...VECTORS,
  ],
  finish: async (queries) => {
    await hashValues(queries);
    for (const statement of SEARCH) await queries.run(statement);
    await queries.run(`INSERT INTO memory_fts (memory_fts) VALUES ('rebuild')`);
  },
  down: [
    'DROP TABLE embedding',
    'DROP TABLE embedding_space',
    'DROP TABLE memory_link',
    'DROP TABLE memory_version',
    ...DROP_SEARCH,
    'DROP TRIGGER memory_entry_insert',
    'DROP TRIGGER memory_entry_keep_version',
    'DROP TRIGGER memory_entry_reindex',
    'DROP TRIGGER memory_entry_update',
    'DROP TRIGGER memory_entry_delete',
    'DROP INDEX memory_entry_expires_at',
    'ALTER TABLE memory_entry RENAME TO memory_entry_old',
    ...ENTRIES_1,
    `INSERT INTO memory_entry (${COLUMNS_1}) SELECT ${COLUMNS_1} FROM memory_entry_old WHERE deleted_at IS NULL`,
    ...KEEP_SEQUENCE,
    'DROP TABLE memory_entry_old',
    ...SEARCH_1,
    `INSERT INTO memory_fts (memory_fts) VALUES ('rebuild')`,
  ],
};
