import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { AbsorbReport, Care } from '../../../src/memory/care/care.ts';
import { createCare } from '../../../src/memory/care/create-care.ts';
import { encodeValue, type JsonValue } from '../../../src/memory/value.ts';
import { contentHash } from '../../../src/store/content-hash.ts';
import type { Database, Queries, Row } from '../../../src/store/database.ts';
import { openDatabase } from '../../../src/store/open-database.ts';
import { openTestDatabase } from '../../helpers/databases.ts';
import { numberOf } from '../../../src/store/row.ts';
import { hurried, testRuntime } from '../../store/scratch.ts';

export const NOW = 1_700_000_000_000;

/** A project with a memory, and what looks after it. */
export interface Place {
  readonly root: string;
  readonly path: string;
  readonly db: Database;
  readonly care: Care;
}

export interface Scratch {
  folder(): Promise<string>;
  onCleanUp(action: () => Promise<unknown>): void;
}

/**
 * @param options.isFile in a file also where the tests are run on a server: what is merged or backed up is one
 * @param options.hurry how often faster its time runs: what pauses after some time does so after few entries
 */
export async function openPlace(
  scratch: Scratch,
  options: { root?: string; key?: string; now?: () => number; isFile?: boolean; hurry?: number } = {},
): Promise<Place> {
  const root = options.root ?? (await scratch.folder());
  const path = join(root, '.skillflow', 'skillflow.db');
  const runtime = testRuntime({ ...hurried(options.hurry ?? 1), now: options.now ?? (() => NOW) });
  const open = options.isFile === true ? openDatabase : openTestDatabase;
  const db = await open(path, { runtime, key: options.key });
  scratch.onCleanUp(() => db.close());
  const care = createCare({ open: async () => db, runtime, projectRoot: root, databasePath: path, key: options.key });
  return { root, path, db, care };
}

export interface Said {
  readonly value?: JsonValue;
  readonly at?: number;
  readonly tags?: readonly string[];
  readonly agent?: string | null;
  readonly kind?: string;
  readonly importance?: number;
  readonly expiresAt?: number | null;
  readonly validFrom?: number | null;
  readonly validTo?: number | null;
}

/** Writes an entry as the tables say it: an insert, or a new version of what is there. */
export async function put(queries: Queries, namespace: string, key: string, said: Said): Promise<number> {
  const { format, text, words } = encodeValue(said.value ?? 'v');
  const content = [
    text,
    format,
    words,
    contentHash(text),
    JSON.stringify(said.tags ?? []),
    said.kind ?? 'note',
    said.importance ?? 0.5,
    said.agent ?? null,
    said.at ?? NOW - 1000,
    said.expiresAt ?? null,
    said.validFrom ?? null,
    said.validTo ?? null,
  ];
  const old = await queries.get('SELECT id FROM memory_entry WHERE namespace = ? AND key = ?', [namespace, key]);
  if (old !== undefined) {
    await queries.run(
      `UPDATE memory_entry SET value = ?, format = ?, words = ?, hash = ?, tags = ?, kind = ?, importance = ?, agent = ?,
        updated_at = ?, expires_at = ?, valid_from = ?, valid_to = ?, version = version + 1, deleted_at = NULL WHERE id = ?`,
      [...content, numberOf(old, 'id')],
    );
    return numberOf(old, 'id');
  }
  const row = await queries.get(
    `INSERT INTO memory_entry (value, format, words, hash, tags, kind, importance, agent, updated_at, expires_at, valid_from,
      valid_to, namespace, key, created_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING id`,
    [...content, namespace, key, said.at ?? NOW - 1000],
  );
  return numberOf(row ?? {}, 'id');
}

/** As {@link put}, alone. */
export async function say(
  place: Place,
  key: string,
  value: JsonValue,
  said: Said & { namespace?: string } = {},
): Promise<number> {
  return place.db.write((queries) => put(queries, said.namespace ?? 'default', key, { ...said, value }));
}

export async function link(place: Place, from: number, to: number, kind: string, reason: string | null = null): Promise<void> {
  await place.db.run('INSERT INTO memory_link (from_id, to_id, kind, reason, created_at) VALUES (?, ?, ?, ?, ?)', [
    from,
    to,
    kind,
    reason,
    NOW - 5,
  ]);
}

const CONTENT = `value, format, words, hex(hash) AS hash, tags, kind, importance, agent, session, run, updated_at, expires_at, valid_from, valid_to`;

/** Everything that the memory says, without ids: equal for equal memories. */
export async function everything(
  queries: Queries,
): Promise<{ entries: readonly Row[]; versions: readonly Row[]; links: readonly Row[] }> {
  return {
    entries: await queries.all(
      `SELECT namespace, key, version, created_at, deleted_at, ${CONTENT} FROM memory_entry ORDER BY namespace, key`,
    ),
    versions: await queries
      .all(
        `SELECT e.namespace AS namespace, e.key AS key, v.* FROM
        (SELECT entry_id, version, ${CONTENT} FROM memory_version) v JOIN memory_entry e ON e.id = entry_id
        ORDER BY e.namespace, e.key, v.version`,
      )
      .then((rows) => rows.map((row) => Object.fromEntries(Object.entries(row).filter(([column]) => column !== 'entry_id')))),
    links: await queries.all(
      `SELECT f.namespace AS fn, f.key AS fk, t.namespace AS tn, t.key AS tk, l.kind, l.reason, l.created_at
        FROM memory_link l JOIN memory_entry f ON f.id = from_id JOIN memory_entry t ON t.id = to_id ORDER BY 1, 2, 3, 4, 5`,
    ),
  };
}

/** What must hold of every database at any time. */
export async function faults(db: Database): Promise<readonly string[]> {
  const found: string[] = [];
  const integrity = await db.integrity();
  if (integrity !== 'ok') found.push(integrity);
  found.push(...(await db.all('PRAGMA foreign_key_check')).map((row) => JSON.stringify(row)));
  await db.run(`INSERT INTO memory_fts (memory_fts, rank) VALUES ('integrity-check', 1)`).catch((error: unknown) => {
    found.push(String(error));
  });
  const unlogged = await db.all('SELECT key FROM memory_entry WHERE id NOT IN (SELECT entry_id FROM chg)');
  return [...found, ...unlogged.map((row) => `not logged: ${String(row['key'])}`)];
}

export function noReport(parts: Partial<AbsorbReport> = {}): AbsorbReport {
  return {
    added: 0,
    updated: 0,
    kept: 0,
    unchanged: 0,
    deleted: 0,
    removed: 0,
    expired: 0,
    versions: 0,
    links: 0,
    linksLeftOut: 0,
    conflicts: [],
    ...parts,
  };
}

/** Files below a folder, relative, but the database's own. */
export function filesBelow(root: string): readonly string[] {
  if (!existsSync(root)) return [];
  return readdirSync(root, { recursive: true, encoding: 'utf8' })
    .filter((name) => statSync(join(root, name)).isFile() && !/skillflow\.db(-wal|-shm)?$|\.gitignore$/.test(name))
    .sort();
}
