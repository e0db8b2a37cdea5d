import type { Migration } from './index.ts';

/** Times are milliseconds since the epoch; columns that say json hold JSON text. */
const RUNS = [
  `CREATE TABLE run (
    id TEXT PRIMARY KEY NOT NULL,
    skill TEXT NOT NULL,
    task TEXT NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('running', 'completed', 'failed', 'cancelled')),
    provider TEXT NOT NULL,
    selection TEXT, -- json
    owner_pid INTEGER,
    owner_host TEXT,
    lease_until INTEGER,
    created_at INTEGER NOT NULL,
    ended_at INTEGER,
    summary TEXT -- json
  ) STRICT`,
  'CREATE INDEX run_created_at ON run (created_at)',
  `CREATE TABLE step (
    run_id TEXT NOT NULL REFERENCES run (id) ON DELETE CASCADE,
    id TEXT NOT NULL,
    agent_id TEXT NOT NULL,
    kind TEXT NOT NULL,
    round INTEGER NOT NULL DEFAULT 0,
    status TEXT NOT NULL,
    attempt INTEGER NOT NULL DEFAULT 0,
    started_at INTEGER,
    ended_at INTEGER,
    output TEXT, -- json
    reason TEXT,
    PRIMARY KEY (run_id, id)
  ) STRICT`,
  `CREATE TABLE event (
    run_id TEXT NOT NULL REFERENCES run (id) ON DELETE CASCADE,
    seq INTEGER NOT NULL,
    type TEXT NOT NULL,
    at INTEGER NOT NULL,
    body TEXT NOT NULL, -- json
    PRIMARY KEY (run_id, seq)
  ) STRICT, WITHOUT ROWID`,
  `CREATE TRIGGER event_no_update BEFORE UPDATE ON event BEGIN
    SELECT RAISE(ABORT, 'the journal is append-only: an event cannot be changed');
  END`,
  // When a run is deleted its row is gone before the cascade reaches here, so only a lone delete finds it.
  `CREATE TRIGGER event_no_delete BEFORE DELETE ON event WHEN EXISTS (SELECT 1 FROM run WHERE id = old.run_id) BEGIN
    SELECT RAISE(ABORT, 'the journal is append-only: an event goes only with its run');
  END`,
];

/** Of version 1, which undoing version 2 makes again. */
export const ENTRIES_1 = [
  `CREATE TABLE memory_entry (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    namespace TEXT NOT NULL,
    key TEXT NOT NULL,
    value TEXT NOT NULL,
    format TEXT NOT NULL CHECK (format IN ('json', 'text')),
    words TEXT, -- the words of a JSON value, without its punctuation and escapes
    tags TEXT NOT NULL DEFAULT '[]', -- json
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    expires_at INTEGER,
    UNIQUE (namespace, key)
  ) STRICT`,
  'CREATE INDEX memory_entry_expires_at ON memory_entry (expires_at) WHERE expires_at IS NOT NULL',
];

/** The words that search reads: `words` where it is set, else the value itself. FTS5 reads them back from this view. */
export const SEARCH_1 = [
  `CREATE VIEW memory_text AS SELECT id, key, coalesce(words, value) AS value, tags FROM memory_entry`,
  `CREATE VIRTUAL TABLE memory_fts USING fts5 (
    key, value, tags, content = 'memory_text', content_rowid = 'id', tokenize = 'porter unicode61 remove_diacritics 2'
  )`,
  `CREATE TRIGGER memory_entry_insert AFTER INSERT ON memory_entry BEGIN
    INSERT INTO memory_fts (rowid, key, value, tags) VALUES (new.id, new.key, coalesce(new.words, new.value), new.tags);
    INSERT INTO chg (entry_id, op) VALUES (new.id, 'insert');
  END`,
  `CREATE TRIGGER memory_entry_update AFTER UPDATE ON memory_entry BEGIN
    INSERT INTO memory_fts (memory_fts, rowid, key, value, tags)
      VALUES ('delete', old.id, old.key, coalesce(old.words, old.value), old.tags);
    INSERT INTO memory_fts (rowid, key, value, tags) VALUES (new.id, new.key, coalesce(new.words, new.value), new.tags);
    INSERT INTO chg (entry_id, op) VALUES (new.id, 'update');
  END`,
  `CREATE TRIGGER memory_entry_delete AFTER DELETE ON memory_entry BEGIN
    INSERT INTO memory_fts (memory_fts, rowid, key, value, tags)
      VALUES ('delete', old.id, old.key, coalesce(old.words, old.value), old.tags);
    INSERT INTO chg (entry_id, op) VALUES (old.id, 'delete');
  END`,
];

const CHANGES = `CREATE TABLE chg (seq INTEGER PRIMARY KEY AUTOINCREMENT, entry_id INTEGER NOT NULL, op TEXT NOT NULL) STRICT`;

const SWARMS = [
  `CREATE TABLE swarm (
    id TEXT PRIMARY KEY NOT NULL,
    topology TEXT NOT NULL,
    strategy TEXT NOT NULL,
    max_agents INTEGER NOT NULL,
    status TEXT NOT NULL,
    config TEXT, -- json
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
  ) STRICT`,
  `CREATE TABLE agent (
    id TEXT PRIMARY KEY NOT NULL,
    swarm_id TEXT NOT NULL REFERENCES swarm (id) ON DELETE CASCADE,
    type TEXT NOT NULL,
    role TEXT,
    name TEXT,
    capabilities TEXT NOT NULL DEFAULT '[]', -- json
    status TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
  ) STRICT`,
  'CREATE INDEX agent_swarm_id ON agent (swarm_id)',
  `CREATE TABLE task (
    id TEXT PRIMARY KEY NOT NULL,
    swarm_id TEXT REFERENCES swarm (id) ON DELETE SET NULL,
    description TEXT NOT NULL,
    strategy TEXT NOT NULL,
    priority TEXT NOT NULL,
    dependencies TEXT NOT NULL DEFAULT '[]', -- json
    status TEXT NOT NULL,
    reason TEXT,
    run_id TEXT,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
  ) STRICT`,
  'CREATE INDEX task_swarm_id ON task (swarm_id)',
];

const CALLS = [
  `CREATE TABLE call (
    id INTEGER PRIMARY KEY,
    at INTEGER NOT NULL,
    tool TEXT NOT NULL,
    surface TEXT NOT NULL,
    ok INTEGER NOT NULL CHECK (ok IN (0, 1)),
    code TEXT,
    duration_ms REAL NOT NULL
  ) STRICT`,
  'CREATE INDEX call_at ON call (at)',
];

/** The first schema: runs with their journal, memory with its full-text index, swarms, the log of calls. */
export const tables: Migration = {
  version: 1,
  name: 'tables',
  up: [...RUNS, CHANGES, ...ENTRIES_1, ...SEARCH_1, ...SWARMS, ...CALLS],
  down: [
    'DROP TABLE call',
    'DROP TABLE task',
    'DROP TABLE agent',
    'DROP TABLE swarm',
    'DROP TABLE memory_fts',
    'DROP VIEW memory_text',
    'DROP TABLE memory_entry',
    'DROP TABLE chg',
    'DROP TRIGGER event_no_delete', // or dropping the table would be refused as a delete
    'DROP TABLE event',
    'DROP TABLE step',
    'DROP TABLE run',
  ],
};
