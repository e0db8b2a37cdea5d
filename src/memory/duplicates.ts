import type { Queries } from '../store/database.ts';
import { numberOf, textOf } from '../store/row.ts';
import { readColumns } from './content.ts';
import { allRows } from '../store/many-rows.ts';
import type { StoreResult } from './memory.ts';

/** A result that still lacks its duplicates. */
export interface Stored extends Omit<StoreResult, 'duplicates'> {
  readonly hash: Uint8Array;
}

/** Keys reported for an entry. */
const MAX_DUPLICATES = 10;

const ALL = (rows: string): string =>
  `WITH w (hash, namespace, id, now, place) AS (VALUES ${rows}) SELECT w.place, ${readColumns(['key'], 'e.')} FROM w CROSS JOIN memory_entry e
    ON e.id IN (
      SELECT id FROM memory_entry WHERE hash = w.hash AND namespace = w.namespace AND id <> w.id AND deleted_at IS NULL
        AND (expires_at IS NULL OR expires_at > w.now) LIMIT ${MAX_DUPLICATES}
    ) ORDER BY w.place, e.id`;

/** The keys of the other entries with the same value, by place among the stored. */
async function duplicatesOf(
  queries: Queries,
  now: number,
  stored: readonly Stored[],
): Promise<ReadonlyMap<number, readonly string[]>> {
  const keys = new Map<number, string[]>();
  const params = stored.map(({ hash, namespace, id }, place) => [hash, namespace, id, now, place]);
  for (const row of await allRows(queries, ALL, params)) {
    const place = numberOf(row, 'place');
    const found = keys.get(place) ?? [];
    keys.set(place, found);
    found.push(textOf(row, 'key'));
  }
  return keys;
}

/** @param duplicates the keys of other entries with the same value */
export function toResult(stored: Stored, duplicates: readonly string[]): StoreResult {
  const { namespace, key, id, version, created, bytes, updatedAt, expiresAt } = stored;
  return { namespace, key, id, version, created, bytes, updatedAt, expiresAt, duplicates };
}

/** Adds the keys of other entries with the same value. */
export async function withDuplicates(queries: Queries, now: number, stored: readonly Stored[]): Promise<readonly StoreResult[]> {
  const keys = await duplicatesOf(queries, now, stored);
  return stored.map((one, place) => toResult(one, keys.get(place) ?? []));
}
