import { setImmediate } from 'node:timers/promises';
import type { Database, Queries, Row, SqlValue } from '../../store/database.ts';
import { numberOf, numberOnly } from '../../store/row.ts';
import { readColumns } from '../content.ts';
import { MAX_TIME_MS } from '../limits.ts';
import type { EntryVersionName } from './care.ts';
import type { Examined } from './examined.ts';
import { mendValues } from './mend-values.ts';
import { CHECKED, faultOf, readableText, shownNames, type Fault, type ValueFault } from './value-fault.ts';

const ABOUT = 'values';
const PAGE = 64;
/** Named in the list beside the sentence. */
const MOST_NAMED = 100;

function examineRow(row: Row, table: ValueFault['table'], faults: ValueFault[]): void {
  const fault = faultOf(row);
  if (fault === null) return;
  const [namespace, key] = [readableText(row, 'namespace') ?? '?', readableText(row, 'key') ?? '?'];
  faults.push({ table, id: numberOf(row, 'id'), namespace, key, version: numberOf(row, 'version'), fault });
}

/** Reads every value once, a page at a time. */
async function examineValues(queries: Queries): Promise<readonly ValueFault[]> {
  const faults: ValueFault[] = [];
  for (let after = 0, size = PAGE; size === PAGE;) {
    const page = await queries.all(
      `SELECT ${readColumns(['id', 'namespace', 'key', 'version', ...CHECKED.memory_entry])}
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
      `SELECT ${numberOnly('entry_id')} AS id, ${readColumns(['namespace', 'key'])}, ${readColumns(['version', ...CHECKED.memory_version], 'v.')}
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

/** How many have such a fault, and which. */
function sentence(faults: readonly ValueFault[], what: string, isSuch: (fault: Fault) => boolean): readonly string[] {
  const such = faults.filter(({ fault }) => isSuch(fault));
  return such.length === 0 ? [] : [`${such.length} ${what}: ${shownNames(such)}`];
}

const UNTIMED_LINKS = `memory_link WHERE created_at NOT BETWEEN 0 AND ${MAX_TIME_MS}`;

async function examineLinks(queries: Queries): Promise<readonly Examined[]> {
  const links = numberOf((await queries.get(`SELECT count(*) AS n FROM ${UNTIMED_LINKS}`)) ?? {}, 'n');
  if (links === 0) return [];
  const repair = async (inside: Queries): Promise<string> => {
    await inside.run(
      `UPDATE memory_link SET created_at = coalesce((SELECT created_at FROM memory_entry e WHERE e.id = from_id), 0)
        WHERE (from_id, to_id, kind) IN (SELECT from_id, to_id, kind FROM ${UNTIMED_LINKS})`,
    );
    return 'they have the time of the entry that they begin at';
  };
  return [{ check: ABOUT, status: 'wrong', detail: `${links} links have a time that is none`, repair }];
}

async function examine(db: Database): Promise<readonly Examined[]> {
  const faults = await examineValues(db);
  const links = await examineLinks(db);
  if (faults.length + links.length === 0) {
    return [{ check: ABOUT, status: 'ok', detail: 'every value can be read and has its hash, and every time is one' }];
  }
  if (faults.length === 0) return links;
  const sentences = [
    ...sentence(faults, 'values do not have their hash', ({ isOther }) => isOther),
    ...sentence(
      faults,
      'values or tags are not what they are stored as',
      ({ isOther, isUnreadable }) => isUnreadable && !isOther,
    ),
    ...sentence(faults, 'have a time that is none', ({ times }) => times.length > 0),
  ];
  return [
    {
      check: ABOUT,
      status: 'wrong',
      detail: sentences.join('; '),
      entries: faults.slice(0, MOST_NAMED).map(nameOf),
      repair: (queries) => mendValues(queries, faults),
    },
    ...links,
  ];
}

/** Compares every value with its hash and its format, looks at the times, also of earlier versions, and names what is damaged. */
export const checkValues = Object.assign(examine, { about: ABOUT } as const);
