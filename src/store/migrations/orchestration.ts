import type { Migration } from './index.ts';

/** A run that waits has no owner; one that nobody waits for has `waiting` NULL. */
const RUNS = [
  `ALTER TABLE run ADD COLUMN spec TEXT`, // json: what another process needs to go on with it; NULL: made before there was one
  `ALTER TABLE run ADD COLUMN waiting TEXT CHECK (waiting IN ('host', 'budget', 'approval'))`,
  `ALTER TABLE run ADD COLUMN cancel_asked_at INTEGER`,
  `ALTER TABLE run ADD COLUMN swarm_id TEXT`,
  // What a run looks at, kept for steps that are done again: packed json of a ChangeSet.
  `CREATE TABLE run_input (
    run_id TEXT PRIMARY KEY NOT NULL REFERENCES run (id) ON DELETE CASCADE,
    body BLOB NOT NULL
  ) STRICT`,
  // A step is claimed by a lease; every claim raises the epoch, and only who holds the newest epoch may end the step.
  `ALTER TABLE step ADD COLUMN owner TEXT`,
  `ALTER TABLE step ADD COLUMN epoch INTEGER NOT NULL DEFAULT 0`,
  `ALTER TABLE step ADD COLUMN lease_until INTEGER`,
  `ALTER TABLE step ADD COLUMN not_before INTEGER`, // no attempt before this time
  `ALTER TABLE step ADD COLUMN code TEXT`, // of the reason
  `CREATE INDEX step_status ON step (status, run_id) WHERE status IN ('waiting', 'running')`,
];

/** Tokens and money, one row an attempt that used a model; `cost_usd` is NULL where the model's price is not known. */
const SPENDING = [
  `CREATE TABLE spend (
    id INTEGER PRIMARY KEY,
    run_id TEXT NOT NULL,
    step_id TEXT NOT NULL,
    agent_id TEXT NOT NULL,
    at INTEGER NOT NULL,
    provider TEXT NOT NULL,
    model TEXT NOT NULL,
    input_tokens INTEGER NOT NULL,
    output_tokens INTEGER NOT NULL,
    cache_read_tokens INTEGER NOT NULL DEFAULT 0,
    cache_write_tokens INTEGER NOT NULL DEFAULT 0,
    requests INTEGER NOT NULL DEFAULT 1,
    cost_usd REAL
  ) STRICT`,
  'CREATE INDEX spend_run ON spend (run_id, agent_id)',
  'CREATE INDEX spend_at ON spend (at)',
];

/** Mail between agents. `place` is a run's id or a swarm's; names of agents mean something within it. */
const MAIL = [
  `CREATE TABLE message (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    place TEXT NOT NULL,
    sender TEXT NOT NULL,
    address TEXT NOT NULL, -- 'agent:<id>', 'role:<role>' or 'all'
    body TEXT NOT NULL,
    created_at INTEGER NOT NULL
  ) STRICT`,
  'CREATE INDEX message_place ON message (place, id)',
  // One row a recipient, made with the message: who joins later gets no old mail.
  `CREATE TABLE delivery (
    agent TEXT NOT NULL,
    place TEXT NOT NULL,
    message_id INTEGER NOT NULL, -- of message; no reference: each deleted message would look through all of these
    read_at INTEGER,
    acked_at INTEGER,
    PRIMARY KEY (place, agent, message_id)
  ) STRICT, WITHOUT ROWID`,
  'CREATE INDEX delivery_open ON delivery (place, agent, message_id) WHERE acked_at IS NULL',
];

/** Votes that callers hold: secret until they are closed. */
const POLLS = [
  `CREATE TABLE poll (
    id TEXT PRIMARY KEY NOT NULL,
    place TEXT, -- a run's or a swarm's id
    question TEXT NOT NULL,
    options TEXT NOT NULL, -- json
    rule TEXT NOT NULL, -- json: the rule with what it asks for
    eligible TEXT NOT NULL, -- json: ids of voters
    status TEXT NOT NULL CHECK (status IN ('open', 'closed')),
    created_at INTEGER NOT NULL,
    closes_at INTEGER,
    closed_at INTEGER,
    result TEXT -- json
  ) STRICT`,
  `CREATE TABLE poll_ballot (
    poll_id TEXT NOT NULL REFERENCES poll (id) ON DELETE CASCADE,
    voter TEXT NOT NULL,
    ballot TEXT NOT NULL, -- json
    at INTEGER NOT NULL,
    PRIMARY KEY (poll_id, voter)
  ) STRICT, WITHOUT ROWID`,
  // How often who voted was right, where that came out: the weights of weighted votes.
  `CREATE TABLE voter_record (
    voter TEXT PRIMARY KEY NOT NULL, -- a role
    votes INTEGER NOT NULL DEFAULT 0,
    correct INTEGER NOT NULL DEFAULT 0
  ) STRICT, WITHOUT ROWID`,
];

/** Steps that any process can take up, spending, mail and votes. */
export const orchestration: Migration = {
  version: 3,
  name: 'orchestration',
  up: [...RUNS, ...SPENDING, ...MAIL, ...POLLS],
  down: [
    'DROP TABLE voter_record',
    'DROP TABLE poll_ballot',
    'DROP TABLE poll',
    'DROP TABLE delivery',
    'DROP TABLE message',
    'DROP TABLE spend',
    'DROP INDEX step_status',
    ...['code', 'not_before', 'lease_until', 'epoch', 'owner'].map((column) => `ALTER TABLE step DROP COLUMN ${column}`),
    'DROP TABLE run_input',
    ...['swarm_id', 'cancel_asked_at', 'waiting', 'spec'].map((column) => `ALTER TABLE run DROP COLUMN ${column}`),
  ],
};
