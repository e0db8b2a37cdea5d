import { setImmediate } from 'node:timers/promises';
import type { Database, Queries, Row, SqlValue } from '../../store/database.ts';
import { numberOf, numberOnly } from '../../store/row.ts';
import { readColumns } from '../content.ts';
import type { EntryVersionName } from './care.ts';
import type { Examined } from './examined.ts';
import { mendValues } from './mend-values.ts';
import { faultOf, readableText, shownNames, VALUE, type ValueFault } from './value-fault.ts';

const ABOUT = 'values';
const PAGE = 64;
/** Named in the list beside the sentence. */
const MOST_NAMED = 100;

function examineRow(row: Row, table: ValueFault['table'], faults: ValueFault[]): void {
  const fault = faultOf(row);
  if (fault === null) return;
  const [namespace, key] = [readableText(row, 'namespace') ?? '?', readableText(row, 'key') ?? '?'];
  faults.push({ table, id: numberOf(row, 'id'), namespace, key, version: numberOf(row, 'version'), ...fault });
}

/** Reads every value once, a page at a time. */
async function examineValues(queries: Queries): Promise<readonly ValueFault[]> {
  const faults: ValueFault[] = [];
  for (let after = 0, size = PAGE; size === PAGE;) {
    const page = await queries.all(
      `SELECT ${readColumns(['id', 'namespace', 'key', 'version', ...VALUE])}
        FROM memory_entry WHERE id > ? ORDER BY id LIMIT ${PAGE}`,
      [after],
    );
    for (const row of page) examineRow(row, 'memory_entry', faults);
    await setImmediate(); // others of this process may go on
    size = page.length;
    after = numberOf(page.at(-1) ?? { id: after }, 'id');
  }
  for (let after: readonly SqlValue[] = [0, 0], size = PAGE; size === PAGE;) {
    const page: readonly Row[] = await queries.all(
      `SELECT ${numberOnly('entry_id')} AS id, ${readColumns(['namespace', 'key'])}, ${readColumns(['version', ...VALUE], 'v.')}
        FROM memory_version v JOIN memory_entry e ON e.id = entry_id
        WHERE (entry_id, v.version) > (?, ?) ORDER BY entry_id, v.version LIMIT ${PAGE}`,
      after,
    );
    for (const row of page) examineRow(row, 'memory_version', faults);
    await setImmediate();
    size = page.length;
    const last = page.at(-1);
    if (last !== undefined) after = [numberOf(last, 'id'), numberOf(last, 'version')];
  }
  return faults;
}

function nameOf({ namespace, key, version }: ValueFault): EntryVersionName {
  return { namespace, key, version };
}

async function examine(db: Database): Promise<readonly Examined[]> {
  const faults = await examineValues(db);
  if (faults.length === 0) return [{ check: ABOUT, status: 'ok', detail: 'every value can be read and has its hash' }];
  const [others, unreadable] = [faults.filter(({ isOther }) => isOther), faults.filter(({ isOther }) => !isOther)];
  const sentences = [
    ...(others.length === 0 ? [] : [`${others.length} values do not have their hash: ${shownNames(others)}`]),
    ...(unreadable.length === 0
      ? []
      : [`${unreadable.length} values or tags are not what they are stored as: ${shownNames(unreadable)}`]),
  ];
  return [
    {
      check: ABOUT,
      status: 'wrong',
      detail: sentences.join('; '),
      entries: faults.slice(0, MOST_NAMED).map(nameOf),
      repair: (queries) => mendValues(queries, faults),
    },
  ];
}

/** Compares every value with its hash and its format, also those of earlier versions, and names what is damaged. */
export const checkValues = Object.assign(examine, { about: ABOUT } as const);
