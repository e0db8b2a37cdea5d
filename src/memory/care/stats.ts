import { statSync } from 'node:fs';
import type { Database, Row, SqlValue } from '../../store/database.ts';
import { numberOf, numberOnly, numberOrNull, textColumns, textOf } from '../../store/row.ts';
import { VISIBLE } from '../entry.ts';
import { checkName } from '../limits.ts';
import type { MemoryStats } from './care.ts';
import type { CareDeps } from './care-deps.ts';
import { vectorModels } from './vector-models.ts';

const DAY_MS = 24 * 3600 * 1000;
const LARGEST = 10;

/** Bytes of a local database with its log; `null` for one without a file. */
export function fileBytes(db: Database): number | null {
  if (db.kind !== 'file') return null;
  const size = (path: string): number => statSync(path, { throwIfNoEntry: false })?.size ?? 0;
  return size(db.path) + size(`${db.path}-wal`);
}

/** Asks about the visible entries of the namespace in `scope`, or of all. `before`: parameters before those of `from`. */
async function visible(
  db: Database,
  sql: (from: string) => string,
  now: number,
  scope: readonly SqlValue[],
  before: readonly SqlValue[] = [],
): Promise<readonly Row[]> {
  const from = `memory_entry WHERE ${VISIBLE}${scope.length === 0 ? '' : ' AND namespace = ?'}`;
  return db.all(sql(from), [...before, now, ...scope]);
}

async function hidden(db: Database, now: number, scope: readonly SqlValue[]): Promise<Row> {
  const inScope = scope.length === 0 ? '' : 'AND namespace = ?';
  const ofScope = scope.length === 0 ? '' : 'WHERE e.namespace = ?';
  const row = await db.get(
    `SELECT
      (SELECT count(*) FROM memory_version v JOIN memory_entry e ON e.id = v.entry_id ${ofScope}) AS versions,
      (SELECT count(*) FROM memory_link l JOIN memory_entry e ON e.id = l.from_id ${ofScope}) AS links,
      (SELECT count(*) FROM memory_entry WHERE deleted_at IS NOT NULL ${inScope}) AS deleted,
      (SELECT count(*) FROM memory_entry WHERE deleted_at IS NULL AND expires_at <= ? ${inScope}) AS expired`,
    [...scope, ...scope, ...scope, now, ...scope],
  );
  return row ?? {};
}

async function byAge(db: Database, now: number, scope: readonly SqlValue[]): Promise<Row> {
  const [day = now, week = now, month = now] = [1, 7, 30].map((days) => now - days * DAY_MS);
  const rows = await visible(
    db,
    (
      from,
    ) => `SELECT count(*) AS entries, coalesce(sum(octet_length(value)), 0) AS bytes, count(DISTINCT namespace) AS namespaces,
      ${numberOnly('min(updated_at)')} AS oldest, ${numberOnly('max(updated_at)')} AS newest,
      count(*) FILTER (WHERE updated_at > ?) AS day,
      count(*) FILTER (WHERE updated_at <= ? AND updated_at > ?) AS week,
      count(*) FILTER (WHERE updated_at <= ? AND updated_at > ?) AS month,
      count(*) FILTER (WHERE updated_at <= ?) AS older FROM ${from}`,
    now,
    scope,
    [day, day, week, week, month, month],
  );
  return rows[0] ?? {};
}

/** See `Care.stats`. */
export async function stats({ open, runtime }: CareDeps, namespace?: string): Promise<MemoryStats> {
  if (namespace !== undefined) checkName('namespace', namespace);
  const scope = namespace === undefined ? [] : [namespace];
  const now = runtime.now();
  const db = await open('read');
  const total = await byAge(db, now, scope);
  const rest = await hidden(db, now, scope);
  const ask = (sql: (from: string) => string): Promise<readonly Row[]> => visible(db, sql, now, scope);
  const namespaces = await ask(
    (from) => `SELECT ${textColumns(['namespace'])}, count(*) AS entries, sum(octet_length(value)) AS bytes FROM ${from}
      GROUP BY memory_entry.namespace ORDER BY entries DESC, memory_entry.namespace`,
  );
  const kinds = await ask(
    (from) => `SELECT ${textColumns(['kind'])}, count(*) AS entries FROM ${from}
      GROUP BY memory_entry.kind ORDER BY entries DESC, memory_entry.kind`,
  );
  const largest = await ask(
    (from) =>
      `SELECT ${textColumns(['namespace', 'key'])}, octet_length(value) AS bytes FROM ${from} ORDER BY bytes DESC, id LIMIT ${LARGEST}`,
  );
  return {
    entries: numberOf(total, 'entries'),
    namespaces: numberOf(total, 'namespaces'),
    versions: numberOf(rest, 'versions'),
    links: numberOf(rest, 'links'),
    deleted: numberOf(rest, 'deleted'),
    expired: numberOf(rest, 'expired'),
    valueBytes: numberOf(total, 'bytes'),
    fileBytes: fileBytes(db),
    byNamespace: namespaces.map((row) => ({
      namespace: textOf(row, 'namespace'),
      entries: numberOf(row, 'entries'),
      bytes: numberOf(row, 'bytes'),
    })),
    byKind: kinds.map((row) => ({ kind: textOf(row, 'kind'), entries: numberOf(row, 'entries') })),
    byAge: {
      day: numberOf(total, 'day'),
      week: numberOf(total, 'week'),
      month: numberOf(total, 'month'),
      older: numberOf(total, 'older'),
    },
    oldestAt: numberOrNull(total, 'oldest'),
    newestAt: numberOrNull(total, 'newest'),
    largest: largest.map((row) => ({
      namespace: textOf(row, 'namespace'),
      key: textOf(row, 'key'),
      bytes: numberOf(row, 'bytes'),
    })),
    vectors: await vectorModels(db),
  };
}
