import { contentHash } from '../../store/content-hash.ts';
import type { Queries, Row, SqlValue } from '../../store/database.ts';
import { textOrNull } from '../../store/row.ts';
import { readColumns } from '../content.ts';
import { DAMAGED_TAG, isTagList } from '../entry.ts';
import { encodeValue, type JsonValue } from '../value.ts';
import { isTimeOfDeed } from './entry-times.ts';
import { CHECKED, faultOf, isJson, readableText, shownNames, type Fault, type ValueFault } from './value-fault.ts';

const MOST_TAGS = 64;

/** What a row says after it was mended: the columns that are set. */
interface Mended {
  readonly columns: Readonly<Record<string, SqlValue>>;
  /** Whether value and tags are as they were stored. */
  readonly isWhole: boolean;
}

/** A text that has the hash, from another entry or another version of this one. */
async function rightText(queries: Queries, { id }: ValueFault, hash: SqlValue): Promise<Mended['columns'] | undefined> {
  const columns = readColumns(['value', 'format', 'words']);
  const rows = await queries.all(
    `SELECT ${columns} FROM memory_entry WHERE hash = ? UNION ALL SELECT ${columns} FROM memory_version WHERE entry_id = ? AND hash = ?`,
    [hash, id, hash],
  );
  for (const row of rows) {
    const [value, format] = [readableText(row, 'value'), readableText(row, 'format')];
    if (value === null || format === null || !(hash instanceof Uint8Array)) continue;
    if (Buffer.compare(contentHash(value), hash) !== 0 || (format === 'json' && !isJson(value))) continue;
    return { value, format, words: textOrNull(row, 'words') };
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

/** The time of writing of the version before. */
const BEFORE = `SELECT ${readColumns(['updated_at'])} FROM memory_version WHERE entry_id = ? AND version < ? ORDER BY version DESC LIMIT 1`;

/**
 * What stands for times that are none. For one of something that was done the last one before it that is known, so that a
 * copy which has it whole is newer; for a limit none.
 */
async function rightTimes(
  queries: Queries,
  { id, version }: ValueFault,
  row: Row,
  { times }: Fault,
): Promise<Readonly<Record<string, SqlValue>>> {
  if (times.length === 0) return {};
  const before = (await queries.get(BEFORE, [id, version]))?.['updated_at'];
  const written = [row['updated_at'], before, row['created_at']].find(isTimeOfDeed) ?? 0;
  const instead = { updated_at: written, deleted_at: written, created_at: isTimeOfDeed(before) ? before : written };
  const none = { expires_at: null, valid_from: null, valid_to: null };
  const all: Readonly<Record<string, SqlValue>> = { ...instead, ...none };
  return Object.fromEntries(times.map((column) => [column, all[column] ?? null]));
}

async function mended(queries: Queries, of: ValueFault, row: Row, fault: Fault): Promise<Mended> {
  const { isOther, isUnreadable, times } = fault;
  const found = isOther ? await rightText(queries, of, row['hash'] ?? null) : undefined;
  const text = found ?? (isOther || isUnreadable ? asItIs(row) : {});
  const tags = readableText(row, 'tags') ?? '';
  const isList = isTagList(tags);
  const isWhole = isList && (found !== undefined || (!isOther && !isUnreadable));
  const columns = { ...text, ...(await rightTimes(queries, of, row, fault)) };
  if (isWhole && times.length === 0) return { columns, isWhole };
  const known: readonly string[] = isList ? JSON.parse(tags) : [];
  const kept = known.filter((tag) => tag !== DAMAGED_TAG).slice(0, MOST_TAGS - 1);
  return { columns: { ...columns, tags: JSON.stringify([...kept, DAMAGED_TAG]) }, isWhole };
}

/** @returns what was done to it; `undefined` when it was changed or removed since it was examined */
async function mendOne(
  queries: Queries,
  fault: ValueFault,
): Promise<{ readonly isWhole: boolean; readonly hadTimes: boolean } | undefined> {
  const { table, id, version } = fault;
  const where = table === 'memory_entry' ? 'id = ? AND version = ?' : 'entry_id = ? AND version = ?';
  const row = await queries.get(`SELECT ${readColumns(CHECKED[table])} FROM ${table} WHERE ${where}`, [id, version]);
  const now = row === undefined ? null : faultOf(row);
  if (row === undefined || now === null) return undefined;
  const { columns, isWhole } = await mended(queries, fault, row, now);
  const set = Object.keys(columns).map((column) => `${column} = ?`);
  await queries.run(`UPDATE ${table} SET ${set.join(', ')} WHERE ${where}`, [...Object.values(columns), id, version]);
  return { isWhole, hadTimes: now.times.length > 0 };
}

/**
 * Brings back what another entry or version still holds with the right hash. What none does stays as it is, readable, and
 * gets the tag `skillflow-damaged`, so that nobody takes it for what was stored; so does what had a time that was none.
 * @returns what was done, with names
 */
export async function mendValues(queries: Queries, faults: readonly ValueFault[]): Promise<string> {
  const [whole, marked, timed]: [ValueFault[], ValueFault[], ValueFault[]] = [[], [], []];
  for (const fault of faults) {
    const done = await mendOne(queries, fault);
    if (done === undefined) continue;
    if (done.hadTimes) timed.push(fault);
    if (!done.isWhole) marked.push(fault);
    else if (!done.hadTimes || fault.fault.isOther) whole.push(fault);
  }
  const parts = [
    ...(whole.length === 0 ? [] : [`${whole.length} came back from where the same text is still whole: ${shownNames(whole)}`]),
    ...(marked.length === 0
      ? []
      : [
          `${marked.length} are kept as they are now, with the tag "${DAMAGED_TAG}", since nothing here says what they were: ${shownNames(marked)}. ` +
            'Look at each, then store it anew, revert it or take it from an older backup; the backup made before has them untouched',
        ]),
    ...(timed.length === 0
      ? []
      : [
          `${timed.length} have the last time that is known instead of one that was none, without a limit where that was none, and the tag "${DAMAGED_TAG}": ${shownNames(timed)}`,
        ]),
  ];
  return parts.length === 0 ? 'they were changed meanwhile' : parts.join('; ');
}
