import { contentHash } from '../store/content-hash.ts';
import type { Row, SqlValue } from '../store/database.ts';
import { bytesOf, bytesOnly, numberOf, numberOnly, numberOrNull, textBytes, textOf, textOrNull } from '../store/row.ts';
import { isCached } from './cached.ts';
import { checkImportance, checkName, checkTags, checkTtl, checkValidity, checkVersion, checkWord } from './limits.ts';
import type { StoreInput } from './memory.ts';
import { withoutMark } from './entry.ts';
import { encodeValue } from './value.ts';

/** What a version of an entry says and where it comes from, as the columns of the tables hold it. */
export interface Content {
  readonly value: string;
  readonly format: string;
  readonly words: string | null;
  readonly hash: Uint8Array;
  /** JSON. */
  readonly tags: string;
  readonly kind: string;
  readonly importance: number;
  readonly agent: string | null;
  readonly session: string | null;
  readonly run: string | null;
  readonly validFrom: number | null;
  readonly validTo: number | null;
}

/** What describes an entry rather than the act of writing it, so that it stays until something else is given. */
const DESCRIPTION = ['tags', 'kind', 'importance'] as const;
type Description = (typeof DESCRIPTION)[number];

/** An input that was found valid, with everything done that needs no database. */
export interface Prepared {
  readonly namespace: string;
  readonly key: string;
  /** For an entry that is new. */
  readonly content: Content;
  /** What was not given, and comes from the entry where there is one. */
  readonly inherits: readonly Description[];
  /** UTF-8 bytes of the value. */
  readonly bytes: number;
  readonly ttlMs: number | null;
  readonly ifVersion: number | null;
}

/** Columns of {@link Content}, in the order of {@link contentParams}. */
export const CONTENT_COLUMNS = [
  'value',
  'format',
  'words',
  'hash',
  'tags',
  'kind',
  'importance',
  'agent',
  'session',
  'run',
  'valid_from',
  'valid_to',
] as const;

/** The columns that {@link saysTheSame} reads. */
export const COMPARED_COLUMNS = CONTENT_COLUMNS.filter((column) => column !== 'value' && column !== 'words');

export function contentParams(content: Content): SqlValue[] {
  const { value, format, words, hash, tags, kind, importance, agent, session, run, validFrom, validTo } = content;
  return [value, format, words, hash, tags, kind, importance, agent, session, run, validFrom, validTo];
}

const TEXTS: ReadonlySet<string> = new Set([
  'namespace',
  'key',
  'value',
  'format',
  'words',
  'tags',
  'kind',
  'agent',
  'session',
  'run',
  'reason',
]);

function readable(column: string, expression: string): string {
  if (column === 'id') return expression; // a rowid
  if (TEXTS.has(column)) return `${textBytes(expression)} AS ${column}`;
  return `${column === 'hash' ? bytesOnly(expression) : numberOnly(expression)} AS ${column}`;
}

/**
 * Columns of the memory's tables as SQL, for rows that {@link readRow} reads: what damage has made unreadable is an error
 * then, not the end of the process.
 * @param table put before each, with its dot
 */
export function readColumns(columns: readonly string[], table = ''): string {
  return columns.map((column) => readable(column, `${table}${column}`)).join(', ');
}

/** A row of {@link readColumns} with its texts. Throws `DatabaseDamagedError` for what is not what its column is for. */
export function readRow(row: Row): Row {
  const read: Record<string, SqlValue> = {};
  for (const [column, value] of Object.entries(row)) {
    if (TEXTS.has(column)) read[column] = textOrNull(row, column);
    else read[column] = typeof value === 'string' ? numberOf(row, column) : value;
  }
  return read;
}

/** The hash in a row. Errors: those of {@link bytesOf}. */
export function hashOf(row: Row): Uint8Array {
  return bytesOf(row, 'hash');
}

/** The content in a row with all of {@link CONTENT_COLUMNS}. */
export function contentOf(row: Row): Content {
  return {
    value: textOf(row, 'value'),
    format: textOf(row, 'format'),
    words: textOrNull(row, 'words'),
    hash: hashOf(row),
    tags: textOf(row, 'tags'),
    kind: textOf(row, 'kind'),
    importance: numberOf(row, 'importance'),
    agent: textOrNull(row, 'agent'),
    session: textOrNull(row, 'session'),
    run: textOrNull(row, 'run'),
    validFrom: numberOrNull(row, 'valid_from'),
    validTo: numberOrNull(row, 'valid_to'),
  };
}

/** Whether a row, which need not have the value itself, says what the content says. */
export function saysTheSame(row: Row, content: Content): boolean {
  return (
    Buffer.compare(hashOf(row), content.hash) === 0 &&
    row['format'] === content.format &&
    row['tags'] === content.tags &&
    row['kind'] === content.kind &&
    row['importance'] === content.importance &&
    row['agent'] === content.agent &&
    row['session'] === content.session &&
    row['run'] === content.run &&
    row['valid_from'] === content.validFrom &&
    row['valid_to'] === content.validTo
  );
}

/**
 * What an entry is to say whose row, with {@link COMPARED_COLUMNS}, is there already. That something was cached is not
 * passed on: who stores without saying so wants it remembered.
 */
export function onTopOf(row: Row, { namespace, content, inherits }: Prepared): Content {
  if (inherits.length === 0) return content;
  const kind = textOf(row, 'kind');
  return {
    ...content,
    ...(inherits.includes('tags') ? { tags: withoutMark(textOf(row, 'tags')) } : {}),
    ...(inherits.includes('kind') && !isCached(namespace, kind) ? { kind } : {}),
    ...(inherits.includes('importance') ? { importance: numberOf(row, 'importance') } : {}),
  };
}

function optionalName(parameter: string, name: string | undefined): string | null {
  if (name === undefined) return null;
  checkName(parameter, name);
  return name;
}

/** Throws `InvalidInputError` naming what is wrong. */
export function prepare(input: StoreInput): Prepared {
  const { namespace = 'default', key, ttlSeconds, tags, kind = 'note', importance = 0.5, ifVersion } = input;
  checkName('namespace', namespace);
  checkName('key', key);
  const { format, text, words, bytes } = encodeValue(input.value);
  const checkedTags = tags === undefined ? [] : checkTags(tags);
  checkWord('kind', kind);
  checkImportance(importance);
  checkValidity(input.validFrom, input.validTo);
  if (ifVersion !== undefined) checkVersion('ifVersion', ifVersion, 0);
  return {
    namespace,
    key,
    content: {
      value: text,
      format,
      words,
      hash: contentHash(text),
      tags: checkedTags.length === 0 ? '[]' : JSON.stringify(checkedTags),
      kind,
      importance,
      agent: optionalName('agent', input.agent),
      session: optionalName('session', input.session),
      run: optionalName('run', input.run),
      validFrom: input.validFrom ?? null,
      validTo: input.validTo ?? null,
    },
    inherits: DESCRIPTION.filter((field) => input[field] === undefined),
    bytes,
    ttlMs: ttlSeconds === undefined ? null : checkTtl(ttlSeconds),
    ifVersion: ifVersion ?? null,
  };
}
