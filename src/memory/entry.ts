import { z } from 'zod';
import type { Row } from '../store/database.ts';
import { numberOf, numberOrNull, textOf } from '../store/row.ts';
import { decodeValue, type JsonValue } from './value.ts';

/** What is known of an entry besides its value. Times are milliseconds since the epoch. */
export interface EntryHead {
  readonly namespace: string;
  readonly key: string;
  /** Unique in the database, never used again. */
  readonly id: number;
  /** How the value is stored. */
  readonly format: 'json' | 'text';
  /** UTF-8 bytes of the stored value. */
  readonly bytes: number;
  readonly tags: readonly string[];
  readonly createdAt: number;
  readonly updatedAt: number;
  /** From this millisecond on the entry is gone; `null`: it stays. */
  readonly expiresAt: number | null;
}

export interface MemoryEntry extends EntryHead {
  readonly value: JsonValue;
}

export interface ListedEntry extends EntryHead {
  /** The first 200 characters of the stored value. */
  readonly preview: string;
}

const PREVIEW_CHARACTERS = 200;

const HEAD = 'id, namespace, key, format, octet_length(value) AS bytes, tags, created_at, updated_at, expires_at';
/** Columns for {@link toEntry}. */
export const ENTRY_COLUMNS = `${HEAD}, value`;
/** Columns for {@link toListedEntry}. */
export const LISTED_COLUMNS = `${HEAD}, substr(value, 1, ${PREVIEW_CHARACTERS}) AS preview`;

const tagList = z.array(z.string());

export function parseTags(json: string): readonly string[] {
  return tagList.parse(JSON.parse(json));
}

function toHead(row: Row): EntryHead {
  return {
    namespace: textOf(row, 'namespace'),
    key: textOf(row, 'key'),
    id: numberOf(row, 'id'),
    format: textOf(row, 'format') === 'json' ? 'json' : 'text',
    bytes: numberOf(row, 'bytes'),
    tags: parseTags(textOf(row, 'tags')),
    createdAt: numberOf(row, 'created_at'),
    updatedAt: numberOf(row, 'updated_at'),
    expiresAt: numberOrNull(row, 'expires_at'),
  };
}

export function toEntry(row: Row): MemoryEntry {
  return { ...toHead(row), value: decodeValue(textOf(row, 'format'), textOf(row, 'value')) };
}

export function toListedEntry(row: Row): ListedEntry {
  return { ...toHead(row), preview: textOf(row, 'preview') };
}
