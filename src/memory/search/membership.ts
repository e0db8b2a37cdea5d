import type { Queries } from '../../store/database.ts';
import { textOf } from '../../store/row.ts';
import { createBits, type Bits } from './bits.ts';
import type { SearchScope } from './filter.ts';

/** Scopes of which is remembered who is in them: those used last. */
const MAX_SCOPES = 8;
/** Entries asked for by one statement. */
const READ_AT_ONCE = 20_000;

interface Known {
  readonly inside: Bits;
  readonly outside: Bits;
}

/**
 * Which entries are in a scope. That of entries without times of expiry or validity is remembered until they change, so
 * that most searches need not ask.
 */
export interface Membership {
  /** Those of the ids that are in scope, in their order. */
  inScope(queries: Queries, ids: readonly number[], scope: SearchScope): Promise<readonly number[]>;
  /** How many of the ids are in scope. */
  count(queries: Queries, ids: Uint32Array, scope: SearchScope): Promise<number>;
  /** Forgets entries that have changed; all of them for `null`. */
  forget(ids: readonly number[] | null): void;
}

/** `id * 4 + inside * 2 + timeless`, in no order; without entries that do not exist. */
async function ask(queries: Queries, ids: readonly number[], scope: SearchScope): Promise<readonly number[]> {
  const row = await queries.get(
    `SELECT json_group_array(m.id * 4 + coalesce(${scope.sql}, 0) * 2
      + (m.expires_at IS NULL AND m.valid_from IS NULL AND m.valid_to IS NULL)) AS states
    FROM json_each(?) wanted CROSS JOIN memory_entry m ON m.id = wanted.value`,
    [...scope.params, JSON.stringify(ids)],
  );
  const states: readonly number[] = JSON.parse(textOf(row ?? {}, 'states'));
  return states;
}

export function createMembership(): Membership {
  const scopes = new Map<string, Known>();
  let changes = 0;
  const knownOf = (name: string): Known => {
    const known = scopes.get(name) ?? { inside: createBits(), outside: createBits() };
    scopes.delete(name);
    scopes.set(name, known);
    const oldest = scopes.keys().next();
    if (scopes.size > MAX_SCOPES && oldest.done !== true) scopes.delete(oldest.value);
    return known;
  };
  /** Those of the ids, none of which is known, that are in scope. */
  const askAll = async (
    queries: Queries,
    unknown: readonly number[],
    scope: SearchScope,
    known: Known | null,
  ): Promise<ReadonlySet<number>> => {
    const before = changes;
    const asked = new Set<number>();
    for (let first = 0; first < unknown.length; first += READ_AT_ONCE) {
      for (const state of await ask(queries, unknown.slice(first, first + READ_AT_ONCE), scope)) {
        const id = Math.floor(state / 4);
        const inside = state % 4 >= 2;
        if (inside) asked.add(id);
        // What another search has heard to have changed meanwhile may have been read too early.
        if (known !== null && state % 2 === 1 && before === changes) (inside ? known.inside : known.outside).add(id);
      }
    }
    return asked;
  };
  return {
    inScope: async (queries, ids, scope) => {
      const known = scope.name === null ? null : knownOf(scope.name);
      const unknown = known === null ? ids : ids.filter((id) => !known.inside.has(id) && !known.outside.has(id));
      if (unknown.length === 0) return known === null ? ids : ids.filter((id) => known.inside.has(id));
      const asked = await askAll(queries, unknown, scope, known);
      return ids.filter((id) => known?.inside.has(id) === true || asked.has(id));
    },
    count: async (queries, ids, scope) => {
      const known = scope.name === null ? null : knownOf(scope.name);
      const unknown: number[] = [];
      let inside = 0;
      for (const id of ids) {
        if (known?.inside.has(id) === true) inside += 1;
        else if (known?.outside.has(id) !== true) unknown.push(id);
      }
      return unknown.length === 0 ? inside : inside + (await askAll(queries, unknown, scope, known)).size;
    },
    forget: (ids) => {
      changes += 1;
      if (ids === null) scopes.clear();
      else {
        for (const { inside, outside } of scopes.values()) {
          for (const id of ids) {
            inside.delete(id);
            outside.delete(id);
          }
        }
      }
    },
  };
}
