import { InvalidInputError } from '../../errors.ts';
import type { SqlValue } from '../../store/database.ts';
import { isRemembered } from '../cached.ts';
import { checkName, keyGlob } from '../limits.ts';
import type { Scope } from '../scope.ts';
import type { SearchFilter } from './answer.ts';

/** A {@link Scope} of which it can be remembered who is in it. */
export interface SearchScope extends Scope {
  /**
   * Names the conditions that only a change of the entry changes, so all but those on its times of expiry and validity;
   * `null`: nothing can be remembered.
   */
  readonly name: string | null;
}

const MAX_NAMES = 100;

function names(parameter: string, list: readonly string[]): string {
  if (!Array.isArray(list) || list.length > MAX_NAMES) {
    throw new InvalidInputError(`${parameter} is ${Array.isArray(list) ? `${list.length} long` : 'not a list'}`, {
      hint: `Pass a list of at most ${MAX_NAMES}.`,
      details: { parameter },
    });
  }
  for (const [index, name] of list.entries()) checkName(`${parameter}[${index}]`, name);
  return JSON.stringify(list);
}

function time(parameter: string, value: number): number {
  if (Number.isSafeInteger(value)) return value;
  throw new InvalidInputError(`${parameter} is ${value}; expected milliseconds since the epoch`, {
    hint: `Pass ${parameter} as a whole number of milliseconds, or leave it out.`,
    details: { parameter },
  });
}

function checkSpan(since: number, until: number): void {
  if (time('since', since) < time('until', until)) return;
  throw new InvalidInputError('until is not after since, so nothing lies between them', {
    hint: 'Swap them, or leave one of them out.',
    details: { parameter: 'until' },
  });
}

/**
 * The entries that a search is about: what is there at `now` (ms) and passes the filter.
 * Throws `InvalidInputError` naming the parameter.
 */
export function toScope(filter: SearchFilter, now: number): SearchScope {
  const conditions: string[] = ['m.deleted_at IS NULL'];
  const params: SqlValue[] = [];
  const add = (sql: string, ...values: readonly SqlValue[]): void => {
    conditions.push(sql);
    params.push(...values);
  };
  add('(m.expires_at IS NULL OR m.expires_at > ?)', now);
  const { namespaces, tags, kind, agent, session, keys, since, until, validAt = now } = filter;
  if (validAt !== null) {
    const at = time('validAt', validAt);
    add('(m.valid_from IS NULL OR m.valid_from <= ?) AND (m.valid_to IS NULL OR m.valid_to > ?)', at, at);
  }
  const timed = params.length;
  if (namespaces === undefined && kind === undefined) add(isRemembered('m.'));
  if (namespaces !== undefined) {
    const list = names('namespaces', namespaces);
    if (namespaces.length === 1) add('m.namespace = ?', namespaces[0] ?? '');
    else add('m.namespace IN (SELECT value FROM json_each(?))', list);
  }
  if (tags !== undefined) {
    names('tags', tags);
    for (const tag of new Set(tags))
      add(`EXISTS (SELECT 1 FROM json_each(CASE WHEN json_valid(m.tags) THEN m.tags ELSE '[]' END) WHERE value = ?)`, tag);
  }
  for (const [column, value] of Object.entries({ kind, agent, session })) {
    if (value === undefined) continue;
    checkName(column, value);
    add(`m.${column} = ?`, value);
  }
  if (keys !== undefined) add('m.key GLOB ?', keyGlob('keys', keys));
  if (since !== undefined && until !== undefined) checkSpan(since, until);
  if (since !== undefined) add('m.updated_at >= ?', time('since', since));
  if (until !== undefined) add('m.updated_at < ?', time('until', until));
  const sql = conditions.join(' AND ');
  return { sql, params, name: JSON.stringify([sql, ...params.slice(timed).map(String)]) };
}
