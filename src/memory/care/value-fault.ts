import { DatabaseDamagedError } from '../../errors.ts';
import { contentHash } from '../../store/content-hash.ts';
import type { Row } from '../../store/database.ts';
import { textOf } from '../../store/row.ts';
import { isTagList } from '../entry.ts';
import type { EntryVersionName } from './care.ts';
import { ENTRY_TIMES, TIMES, wrongTimes } from './entry-times.ts';

/** A value, of an entry or of an earlier version, that is not what was stored. */
export interface ValueFault extends EntryVersionName {
  readonly table: 'memory_entry' | 'memory_version';
  /** Of the entry. */
  readonly id: number;
  readonly fault: Fault;
}

/** What is wrong with it; all of it may be. */
export interface Fault {
  /** Whether the hash is that of another text. */
  readonly isOther: boolean;
  /** Whether the value or the tags are not what they are stored as. */
  readonly isUnreadable: boolean;
  /** Columns that hold no time though they should. */
  readonly times: ReturnType<typeof wrongTimes>;
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

/** What is wrong with a row that has the columns of {@link CHECKED}; `null`: nothing. */
export function faultOf(row: Row): Fault | null {
  const [value, format, tags] = ['value', 'format', 'tags'].map((column) => readableText(row, column));
  const hash = row['hash'];
  const isOther = typeof value !== 'string' || !(hash instanceof Uint8Array) || Buffer.compare(hash, contentHash(value)) !== 0;
  const isReadable =
    typeof value === 'string' && (format === 'text' || (format === 'json' && isJson(value))) && isTagList(tags ?? '');
  const times = wrongTimes(row);
  return isOther || !isReadable || times.length > 0 ? { isOther, isUnreadable: !isReadable, times } : null;
}

const CHECKED_OF_BOTH = ['value', 'format', 'tags', 'hash', ...TIMES] as const;
/** Columns for {@link faultOf}, by table. */
export const CHECKED = { memory_entry: [...CHECKED_OF_BOTH, ...ENTRY_TIMES], memory_version: CHECKED_OF_BOTH } as const;

/** `namespace/key version 3`. */
function shownName({ namespace, key, version }: EntryVersionName): string {
  return `${namespace}/${key} version ${version}`;
}

/** The first few of so many names, as part of a sentence. */
export function shownNames(names: readonly EntryVersionName[]): string {
  const more = names.length > SOME ? `, and ${names.length - SOME} more` : '';
  return `${names.slice(0, SOME).map(shownName).join(', ')}${more}`;
}
