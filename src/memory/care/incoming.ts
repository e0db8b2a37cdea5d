import type { Connection } from '../../store/connection.ts';
import type { Row, SqlValue } from '../../store/database.ts';
import { numberColumns, numberOf, numberOrNull, textBytes, textColumns, textOf, textOrNull } from '../../store/row.ts';
import { isRemembered } from '../cached.ts';
import { CONTENT_COLUMNS as WRITTEN_COLUMNS, readColumns, readRow } from '../content.ts';

/** The columns that an entry and its earlier versions share. */
const CONTENT = [...WRITTEN_COLUMNS, 'updated_at', 'expires_at'] as const;
export const CONTENT_COLUMNS = CONTENT.join(', ');
/** Of {@link CONTENT_COLUMNS} those that are small; the hash stands for the value and its words. */
export const SMALL = CONTENT.filter((column) => column !== 'value' && column !== 'words');
/** Of {@link SMALL} those that say something: not who said it, and when. */
const MEANING = SMALL.filter((column) => !['agent', 'session', 'run', 'updated_at'].includes(column));

/** What an entry says, or said in an earlier version. */
export interface Content {
  readonly version: number;
  /** Of {@link CONTENT_COLUMNS}, in their order. */
  readonly values: readonly SqlValue[];
  /** Of {@link SMALL}: equal for equal contents. */
  signature(): string;
  /** Equal for contents that say the same, whoever said it, and when. */
  meaning(): string;
  /** Agent, session and run. */
  readonly provenance: readonly SqlValue[];
  /** Names a version wherever it is kept: the hash of its value and when it was written. */
  readonly identity: string;
  readonly updatedAt: number;
  readonly expiresAt: number | null;
  readonly validTo: number | null;
  /** Characters of the value. */
  readonly size: number;
}

/** An entry that comes from elsewhere. */
export interface Incoming {
  readonly namespace: string;
  readonly key: string;
  readonly createdAt: number;
  readonly deletedAt: number | null;
  readonly current: Content;
  /** Earlier versions, oldest first. */
  readonly history: readonly Content[];
}

/** A link between entries that come from elsewhere, by their names. */
export interface IncomingLink {
  readonly from: readonly [namespace: string, key: string];
  readonly to: readonly [namespace: string, key: string];
  readonly kind: string;
  readonly reason: string | null;
  readonly createdAt: number;
}

/** Where entries come from. It is read once, entries first. Reading is synchronous, so that a transaction may do it. */
export interface Source {
  /** How many entries it has, for those who watch. */
  readonly size: number;
  entries(): Iterable<Incoming>;
  links(): Iterable<IncomingLink>;
}

function printed(value: SqlValue | undefined): string {
  return value instanceof Uint8Array ? Buffer.from(value).toString('hex') : JSON.stringify(value ?? null);
}

export function signatureOf(row: Row): string {
  return SMALL.map((column) => printed(row[column])).join(' ');
}

export function meaningOf(row: Row): string {
  return MEANING.map((column) => printed(row[column])).join(' ');
}

export function identityOf(row: Row): string {
  return `${printed(row['hash'])} ${printed(row['updated_at'])}`;
}

/** The content in a row that has `version` and {@link CONTENT_COLUMNS}. */
export function toContent(row: Row): Content {
  return {
    version: numberOf(row, 'version'),
    values: CONTENT.map((column) => row[column] ?? null),
    signature: () => signatureOf(row),
    meaning: () => meaningOf(row),
    provenance: [row['agent'] ?? null, row['session'] ?? null, row['run'] ?? null],
    identity: identityOf(row),
    updatedAt: numberOf(row, 'updated_at'),
    expiresAt: numberOrNull(row, 'expires_at'),
    validTo: numberOrNull(row, 'valid_to'),
    size: textOf(row, 'value').length,
  };
}

/** Entries read at once; each may have 1 MiB. */
const PAGE = 32;
const LINKS_PAGE = 500;

/** {@link CONTENT_COLUMNS} for rows that `readRow` reads. */
export const READ_CONTENT = readColumns(CONTENT);

/** The columns that entries have besides, for rows that `readRow` reads. */
export const READ_NAMES = `${readColumns(['namespace', 'key'])}, ${numberColumns(['version', 'created_at', 'deleted_at'])}`;
/** A link `l` with the names of its entries `f` and `t`. */
export const READ_LINK = `from_id, to_id, ${textColumns(['kind'], 'l.')}, ${textColumns(['reason'])}, ${numberColumns(['created_at'], 'l.')},
  ${textBytes('f.namespace')} AS from_namespace, ${textBytes('f.key')} AS from_key,
  ${textBytes('t.namespace')} AS to_namespace, ${textBytes('t.key')} AS to_key`;

const ENTRIES = `SELECT id, ${READ_NAMES}, ${READ_CONTENT},
    EXISTS (SELECT 1 FROM memory_version WHERE entry_id = memory_entry.id) AS has_history
  FROM memory_entry WHERE id > ? AND ${isRemembered()} ORDER BY id LIMIT ${PAGE}`;
const SIZE = `SELECT count(*) AS size FROM memory_entry WHERE ${isRemembered()}`;
const HISTORY = `SELECT version, ${READ_CONTENT} FROM memory_version WHERE entry_id = ? ORDER BY version`;
const LINKS = `SELECT ${READ_LINK}
  FROM memory_link l JOIN memory_entry f ON f.id = from_id JOIN memory_entry t ON t.id = to_id
  WHERE (from_id, to_id, l.kind) > (?, ?, ?) AND ${isRemembered('f.')} AND ${isRemembered('t.')}
  ORDER BY from_id, to_id, l.kind LIMIT ${LINKS_PAGE}`;

function* entriesOf(connection: Connection): Generator<Incoming> {
  for (let after = 0; ;) {
    const page = connection.all(ENTRIES, [after]).map(readRow);
    for (const row of page) {
      after = numberOf(row, 'id');
      yield {
        namespace: textOf(row, 'namespace'),
        key: textOf(row, 'key'),
        createdAt: numberOf(row, 'created_at'),
        deletedAt: numberOrNull(row, 'deleted_at'),
        current: toContent(row),
        history: row['has_history'] === 0 ? [] : connection.all(HISTORY, [after]).map(readRow).map(toContent),
      };
    }
    if (page.length < PAGE) return;
  }
}

function toLink(row: Row): IncomingLink {
  return {
    from: [textOf(row, 'from_namespace'), textOf(row, 'from_key')],
    to: [textOf(row, 'to_namespace'), textOf(row, 'to_key')],
    kind: textOf(row, 'kind'),
    reason: textOrNull(row, 'reason'),
    createdAt: numberOf(row, 'created_at'),
  };
}

function* linksOf(connection: Connection): Generator<IncomingLink> {
  for (let after: readonly SqlValue[] = [0, 0, '']; ;) {
    const page = connection.all(LINKS, after);
    for (const row of page) {
      after = [numberOf(row, 'from_id'), numberOf(row, 'to_id'), textOf(row, 'kind')];
      yield toLink(row);
    }
    if (page.length < LINKS_PAGE) return;
  }
}

/** What a database of the current schema remembers, without its cache; its connection has a read transaction open. */
export function databaseSource(connection: Connection): Source {
  const size = numberOf(connection.get(SIZE) ?? {}, 'size');
  return { size, entries: () => entriesOf(connection), links: () => linksOf(connection) };
}
