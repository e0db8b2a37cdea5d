import { DatabaseDamagedError } from '../errors.ts';
import type { Row } from '../store/database.ts';
import { splitText, textBytes } from '../store/row.ts';
import { decodeValue, type JsonValue } from './value.ts';

/** Where an entry comes from; `null` where that is not known. */
export interface Provenance {
  /** Who wrote it, e.g. `reviewer`. */
  readonly agent: string | null;
  /** The conversation it belongs to. Entries of one session are an ordered sequence by their ids. */
  readonly session: string | null;
  /** The run that wrote it. */
  readonly run: string | null;
}

/** What is known of an entry besides its value. Times are milliseconds since the epoch. */
export interface EntryHead extends Provenance {
  readonly namespace: string;
  readonly key: string;
  /** Unique in the database, never used again. */
  readonly id: number;
  /** 1 for the first, one more with every change of what the entry says. */
  readonly version: number;
  /** What sort of thing it is, one word: `note` (the default), `fact`, `decision`, `message` … */
  readonly kind: string;
  /** 0 (trivia) to 1 (vital); 0.5 unless it was given. */
  readonly importance: number;
  /** How the value is stored. */
  readonly format: 'json' | 'text';
  /** UTF-8 bytes of the stored value. */
  readonly bytes: number;
  readonly tags: readonly string[];
  readonly createdAt: number;
  /** When this version was written. */
  readonly updatedAt: number;
  /** From this millisecond on the entry is gone; `null`: it stays. */
  readonly expiresAt: number | null;
  /** What it says holds from this millisecond on; `null`: it always did. */
  readonly validFrom: number | null;
  /** What it says holds until before this millisecond; `null`: it still does. */
  readonly validTo: number | null;
}

export interface MemoryEntry extends EntryHead {
  readonly value: JsonValue;
}

export interface ListedEntry extends EntryHead {
  /** The first 200 characters of the stored value. */
  readonly preview: string;
}

const PREVIEW_CHARACTERS = 200;
const LINE_BREAK = 10;

/** Columns of text, then those of whole numbers, in the order of their list; after them comes the importance. */
const TEXTS = ['namespace', 'key', 'kind', 'format', 'tags', 'agent', 'session', 'run'] as const;
const NUMBERS = ['id', 'version', 'created_at', 'updated_at', 'expires_at', 'valid_from', 'valid_to'] as const;
const LISTED = [...TEXTS, ...NUMBERS, 'importance'];

/**
 * SQL of what an entry or one of its versions says, as one text: a JSON list on the first line, and what `rest` is. Each
 * column for itself would cost more. The importance is quoted, since a number in a list has fewer of its digits; what most
 * have is not worked out.
 */
const asOne = (rest: string, ...more: readonly string[]): string => {
  const list = [...TEXTS, ...NUMBERS, "iif(importance = 0.5, '0.5', quote(importance))", ...more].join(', ');
  return textBytes(`json_array(${list}) || char(10) || ${rest}`);
};
/** Columns of `memory_entry` for {@link toEntry}; unqualified. */
export const ENTRY_COLUMNS = `${asOne('value')} AS entry`;
/** Columns of `memory_entry` for {@link toListedEntry}; unqualified. */
export const LISTED_COLUMNS = `${asOne(`substr(value, 1, ${PREVIEW_CHARACTERS})`, 'octet_length(value)')} AS entry`;

/** An entry is there for its readers at `?` (now, ms): neither deleted nor expired. One parameter. */
export const VISIBLE = 'deleted_at IS NULL AND (expires_at IS NULL OR expires_at > ?)';

function damaged(what: string, cause?: unknown): DatabaseDamagedError {
  return new DatabaseDamagedError(`the database is damaged: ${what}`, {
    cause,
    hint: 'Look at the damage with skillflow memory doctor, and restore a backup.',
  });
}

/** Marks what damage has changed: a repair that cannot bring back what was stored leaves it. */
export const DAMAGED_TAG = 'skillflow-damaged';
const DAMAGED_TAGS: readonly string[] = [DAMAGED_TAG];

function readTags(json: string): readonly string[] | undefined {
  if (json === '[]') return [];
  try {
    const tags: unknown = JSON.parse(json);
    return Array.isArray(tags) && tags.every((tag) => typeof tag === 'string') ? tags : undefined;
  } catch {
    return undefined;
  }
}

/** Whether they are stored as tags are. */
export function isTagList(json: string): boolean {
  return readTags(json) !== undefined;
}

/**
 * Tags as they are stored. Where damage has made something else of them, they are the one tag `skillflow-damaged`, as after a repair:
 * one entry must not keep the others from being read.
 */
export function parseTags(json: string): readonly string[] {
  return readTags(json) ?? DAMAGED_TAGS;
}

/** Stored tags without the mark of damage, for what is stored anew; none when they cannot be read. */
export function withoutMark(json: string): string {
  const tags = readTags(json) ?? [];
  return tags.includes(DAMAGED_TAG) || !isTagList(json) ? JSON.stringify(tags.filter((tag) => tag !== DAMAGED_TAG)) : json;
}

/** Whether {@link parseTags} could not read them. */
export function areDamaged(tags: readonly string[]): boolean {
  return tags === DAMAGED_TAGS;
}

type Listed = readonly (string | number | null)[];

function textAt(list: Listed, at: number): string | null {
  const value = list[at] ?? null;
  if (typeof value === 'number') throw damaged(`the ${LISTED[at]} of an entry is a number`);
  return value;
}

function numberAt(list: Listed, at: number): number | null {
  const value = list[at] ?? null;
  if (typeof value === 'string') throw damaged(`the ${LISTED[at]} of an entry is no number`);
  return value;
}

function there<T>(value: T | null): T {
  if (value === null) throw damaged('an entry lacks what every entry has');
  return value;
}

function importanceAt(list: Listed, at: number): number {
  const importance = Number(there(textAt(list, at)));
  if (Number.isNaN(importance)) throw damaged('the importance of an entry is no number');
  return importance;
}

/** @param bytes of the stored value */
function toHead(list: Listed, bytes: number): EntryHead {
  return {
    namespace: there(textAt(list, 0)),
    key: there(textAt(list, 1)),
    id: there(numberAt(list, 8)),
    version: there(numberAt(list, 9)),
    kind: there(textAt(list, 2)),
    importance: importanceAt(list, 15),
    format: there(textAt(list, 3)) === 'json' ? 'json' : 'text',
    bytes,
    tags: parseTags(there(textAt(list, 4))),
    agent: textAt(list, 5),
    session: textAt(list, 6),
    run: textAt(list, 7),
    createdAt: there(numberAt(list, 10)),
    updatedAt: there(numberAt(list, 11)),
    expiresAt: numberAt(list, 12),
    validFrom: numberAt(list, 13),
    validTo: numberAt(list, 14),
  };
}

/** The two parts of what {@link asOne} gives; JSON has no line break of its own. */
function parts(row: Row): { readonly list: Listed; readonly rest: string; readonly bytes: number } {
  const { first, rest, bytes } = splitText(row, 'entry', LINE_BREAK);
  return { list: JSON.parse(first), rest, bytes };
}

/** An entry with its value as it is stored. */
export interface StoredEntry {
  readonly entry: MemoryEntry;
  readonly text: string;
}

export function toStoredEntry(row: Row): StoredEntry {
  const { list, rest: text, bytes } = parts(row);
  const head = toHead(list, bytes);
  try {
    // Assigned, since to spread an object of so many members takes as long as to read it from the file.
    return { entry: Object.assign(head, { value: decodeValue(head.format, text) }), text };
  } catch (error) {
    throw damaged(`the value of the entry ${head.namespace}/${head.key} is marked as JSON and is none`, error);
  }
}

export function toEntry(row: Row): MemoryEntry {
  return toStoredEntry(row).entry;
}

export function toListedEntry(row: Row): ListedEntry {
  const { list, rest: preview } = parts(row);
  return Object.assign(toHead(list, there(numberAt(list, 16))), { preview });
}
