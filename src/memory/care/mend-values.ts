import { contentHash } from '../../store/content-hash.ts';
import type { Queries, Row, SqlValue } from '../../store/database.ts';
import { textOrNull } from '../../store/row.ts';
import { readColumns } from '../content.ts';
import { DAMAGED_TAG, isTagList } from '../entry.ts';
import { encodeValue, type JsonValue } from '../value.ts';
import { faultOf, isJson, readableText, shownNames, VALUE, type ValueFault } from './value-fault.ts';

const MOST_TAGS = 64;

/** What a row says after it was mended: the columns that are set. */
interface Mended {
  readonly columns: Readonly<Record<string, SqlValue>>;
  /** Whether all is as it was stored; else it has the tag that says that it is not. */
  readonly isWhole: boolean;
}

/** A text that has the hash, from another entry or another version of this one. */
async function rightText(queries: Queries, { id }: ValueFault, hash: SqlValue): Promise<Mended | undefined> {
  const columns = readColumns(['value', 'format', 'words']);
  const rows = await queries.all(
    `SELECT ${columns} FROM memory_entry WHERE hash = ? UNION ALL SELECT ${columns} FROM memory_version WHERE entry_id = ? AND hash = ?`,
    [hash, id, hash],
  );
  for (const row of rows) {
    const [value, format] = [readableText(row, 'value'), readableText(row, 'format')];
    if (value === null || format === null || !(hash instanceof Uint8Array)) continue;
    if (Buffer.compare(contentHash(value), hash) !== 0 || (format === 'json' && !isJson(value))) continue;
    return { columns: { value, format, words: textOrNull(row, 'words') }, isWhole: true };
  }
  return undefined;
}

/** Words for the full-text index, of a text that is to stay as it is. */
function wordsOf(text: string, format: string): string | null {
  if (format === 'text') return null;
  const value: JsonValue = JSON.parse(text);
  return encodeValue(value).words;
}

/** What there is, made readable: bytes that are no text become U+FFFD, what is no JSON becomes text. */
function asItIs(row: Row): Readonly<Record<string, SqlValue>> {
  const bytes = row['value'];
  const text = readableText(row, 'value') ?? (bytes instanceof Uint8Array ? Buffer.from(bytes).toString('utf8') : '');
  const value = text.replaceAll('\0', '\u{fffd}');
  const format = readableText(row, 'format') === 'json' && isJson(value) ? 'json' : 'text';
  return { value, format, words: wordsOf(value, format), hash: contentHash(value) };
}

async function mended(queries: Queries, fault: ValueFault, row: Row): Promise<Mended> {
  const found = fault.isOther ? await rightText(queries, fault, row['hash'] ?? null) : undefined;
  const { columns, isWhole } = found ?? { columns: asItIs(row), isWhole: false };
  const tags = readableText(row, 'tags') ?? '';
  const isList = isTagList(tags);
  if (isWhole && isList) return { columns, isWhole };
  const known: readonly string[] = isList ? JSON.parse(tags) : [];
  const kept = known.filter((tag) => tag !== DAMAGED_TAG).slice(0, MOST_TAGS - 1);
  return { columns: { ...columns, tags: JSON.stringify([...kept, DAMAGED_TAG]) }, isWhole: false };
}

/** @returns whether all is as it was stored; `undefined` when it was changed or removed since it was examined */
async function mendOne(queries: Queries, fault: ValueFault): Promise<boolean | undefined> {
  const { table, id, version } = fault;
  const where = table === 'memory_entry' ? 'id = ? AND version = ?' : 'entry_id = ? AND version = ?';
  const row = await queries.get(`SELECT ${readColumns(VALUE)} FROM ${table} WHERE ${where}`, [id, version]);
  const now = row === undefined ? null : faultOf(row);
  if (row === undefined || now === null) return undefined;
  const { columns, isWhole } = await mended(queries, { ...fault, ...now }, row);
  const set = Object.keys(columns).map((column) => `${column} = ?`);
  await queries.run(`UPDATE ${table} SET ${set.join(', ')} WHERE ${where}`, [...Object.values(columns), id, version]);
  return isWhole;
}

/**
 * Brings back what another entry or version still holds with the right hash. What none does stays as it is, readable, and
 * gets the tag `skillflow-damaged`, so that nobody takes it for what was stored. @returns what was done, with names
 */
export async function mendValues(queries: Queries, faults: readonly ValueFault[]): Promise<string> {
  const [whole, marked]: [ValueFault[], ValueFault[]] = [[], []];
  for (const fault of faults) {
    const isWhole = await mendOne(queries, fault);
    if (isWhole !== undefined) (isWhole ? whole : marked).push(fault);
  }
  const parts = [
    ...(whole.length === 0 ? [] : [`${whole.length} came back from where the same text is still whole: ${shownNames(whole)}`]),
    ...(marked.length === 0
      ? []
      : [
          `${marked.length} are kept as they are now, with the tag "${DAMAGED_TAG}", since nothing here says what they were: ${shownNames(marked)}. ` +
            'Look at each, then store it anew, revert it or take it from an older backup; the backup made before has them untouched',
        ]),
  ];
  return parts.length === 0 ? 'they were changed meanwhile' : parts.join('; ');
}
