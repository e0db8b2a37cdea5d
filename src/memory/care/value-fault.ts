import { DatabaseDamagedError } from '../../errors.ts';
import { contentHash } from '../../store/content-hash.ts';
import type { Row } from '../../store/database.ts';
import { textOf } from '../../store/row.ts';
import { isTagList } from '../entry.ts';
import type { EntryVersionName } from './care.ts';

/** A value, of an entry or of an earlier version, that is not what was stored. */
export interface ValueFault extends EntryVersionName {
  readonly table: 'memory_entry' | 'memory_version';
  /** Of the entry. */
  readonly id: number;
  /** Whether the hash is that of another text. */
  readonly isOther: boolean;
}

/** Named in a sentence. */
const SOME = 5;

export function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

/** The text in a column, or `null` when damage has made it unreadable. */
export function readableText(row: Row, column: string): string | null {
  try {
    return textOf(row, column);
  } catch (error) {
    if (error instanceof DatabaseDamagedError) return null;
    throw error;
  }
}

/** What is wrong with a row that has the columns of {@link VALUE}; `null`: nothing. */
export function faultOf(row: Row): { readonly isOther: boolean } | null {
  const [value, format, tags] = ['value', 'format', 'tags'].map((column) => readableText(row, column));
  const hash = row['hash'];
  const isOther = typeof value !== 'string' || !(hash instanceof Uint8Array) || Buffer.compare(hash, contentHash(value)) !== 0;
  const isReadable =
    typeof value === 'string' && (format === 'text' || (format === 'json' && isJson(value))) && isTagList(tags ?? '');
  return isOther || !isReadable ? { isOther } : null;
}

/** Columns for {@link faultOf}. */
export const VALUE = ['value', 'format', 'tags', 'hash'] as const;

/** `namespace/key version 3`. */
function shownName({ namespace, key, version }: EntryVersionName): string {
  return `${namespace}/${key} version ${version}`;
}

/** The first few of so many names, as part of a sentence. */
export function shownNames(names: readonly EntryVersionName[]): string {
  const more = names.length > SOME ? `, and ${names.length - SOME} more` : '';
  return `${names.slice(0, SOME).map(shownName).join(', ')}${more}`;
}
