import type { Queries, SqlValue } from '../../store/database.ts';
import { numberOf, numberOrNull, textOf } from '../../store/row.ts';
import { isRemembered } from '../cached.ts';
import { hashOf, readColumns } from '../content.ts';
import { VISIBLE } from '../entry.ts';
import { isSupersededBy, reviveSuperseded, supersededBy, SUPERSEDES } from '../superseded.ts';
import type { RepeatedEntry } from './care.ts';

/** One of the entries of a namespace that have the same value. */
interface Copy {
  readonly id: number;
  readonly namespace: string;
  readonly key: string;
  readonly updatedAt: number;
  /** Milliseconds since the epoch; without a limit: infinite. */
  readonly expiresAt: number;
  readonly validFrom: number;
  readonly validTo: number;
}

/** An entry that is deleted, and the one that says the same from then on. */
interface Repeated {
  readonly gone: Copy;
  readonly kept: Copy;
}

const COLUMNS = ['id', 'namespace', 'key', 'format', 'hash', 'updated_at', 'expires_at', 'valid_from', 'valid_to'];

/** Ids handled by one statement. */
const TOGETHER = 500;

/** Copies of the values that more than one remembered entry of a namespace has. Cached values may repeat: each has its key. */
async function findCopies(queries: Queries, now: number, scope: readonly SqlValue[]): Promise<readonly (readonly Copy[])[]> {
  const inScope = scope.length === 0 ? '' : 'AND namespace = ?';
  const rows = await queries.all(
    `SELECT ${readColumns(COLUMNS)} FROM memory_entry WHERE ${VISIBLE} AND ${isRemembered()} ${inScope}
      AND EXISTS (SELECT 1 FROM memory_entry o WHERE o.hash = memory_entry.hash AND o.namespace = memory_entry.namespace
        AND o.id <> memory_entry.id AND o.deleted_at IS NULL) ORDER BY id`,
    [now, ...scope],
  );
  const groups = new Map<string, Copy[]>();
  for (const row of rows) {
    const namespace = textOf(row, 'namespace');
    const value = `${Buffer.from(hashOf(row)).toString('hex')} ${textOf(row, 'format')} ${namespace}`;
    const copies = groups.get(value) ?? [];
    groups.set(value, copies);
    copies.push({
      id: numberOf(row, 'id'),
      namespace,
      key: textOf(row, 'key'),
      updatedAt: numberOf(row, 'updated_at'),
      expiresAt: numberOrNull(row, 'expires_at') ?? Infinity,
      validFrom: numberOrNull(row, 'valid_from') ?? -Infinity,
      validTo: numberOrNull(row, 'valid_to') ?? Infinity,
    });
  }
  return [...groups.values()];
}

/** Whether one is there, and holds, whenever the other does. */
function covers(one: Copy, other: Copy): boolean {
  return one.expiresAt >= other.expiresAt && one.validFrom <= other.validFrom && one.validTo >= other.validTo;
}

function isNewer(one: Copy, other: Copy): boolean {
  return one.updatedAt === other.updatedAt ? one.id > other.id : one.updatedAt > other.updatedAt;
}

/** Whether one makes the other needless, if it holds now; of two that hold as long the newer one does. */
function makesNeedless(one: Copy, other: Copy): boolean {
  return covers(one, other) && (!covers(other, one) || isNewer(one, other));
}

/** Which of the copies of one value are needless. */
function repeatedOf(copies: readonly Copy[], now: number): readonly Repeated[] {
  const holding = copies.filter(({ validFrom, validTo }) => validFrom <= now && validTo > now);
  // Few: they differ in how long they hold.
  let needed: readonly Copy[] = [];
  for (const copy of holding) {
    if (needed.some((other) => makesNeedless(other, copy))) continue;
    needed = [...needed.filter((other) => !makesNeedless(copy, other)), copy];
  }
  return copies.flatMap((gone): readonly Repeated[] => {
    const kept = needed.find((one) => makesNeedless(one, gone));
    return kept === undefined ? [] : [{ gone, kept }];
  });
}

const TAKE_OVER = `INSERT INTO memory_link (from_id, to_id, kind, reason, created_at)
  SELECT ?, to_id, kind, reason, created_at FROM memory_link WHERE from_id = ? AND to_id = ? AND kind = '${SUPERSEDES}'
  ON CONFLICT DO NOTHING`;

/** What is kept supersedes what the other one did, unless that leads back to it. */
async function takeOver(queries: Queries, { gone, kept }: Repeated): Promise<void> {
  for (const earlier of await supersededBy(queries, [gone.id])) {
    if (earlier === kept.id || (await isSupersededBy(queries, kept.id, earlier))) continue;
    await queries.run(TAKE_OVER, [kept.id, gone.id, earlier]);
  }
}

/**
 * Deletes entries that say what another one of their namespace says for at least as long, and now: of such the newest stays.
 * What they superseded is superseded by that one. @param scope a namespace, or none for all
 */
export async function deleteRepeated(
  queries: Queries,
  now: number,
  scope: readonly SqlValue[],
): Promise<readonly RepeatedEntry[]> {
  const repeated = (await findCopies(queries, now, scope)).flatMap((copies) => repeatedOf(copies, now));
  for (let at = 0; at < repeated.length; at += TOGETHER) {
    const some = repeated.slice(at, at + TOGETHER);
    const ids = some.map(({ gone }) => gone.id);
    const earlier = await supersededBy(queries, ids);
    if (earlier.length > 0) for (const one of some) await takeOver(queries, one);
    await queries.run('UPDATE memory_entry SET deleted_at = ? WHERE id IN (SELECT value FROM json_each(?))', [
      now,
      JSON.stringify(ids),
    ]);
    await reviveSuperseded(queries, earlier, now);
  }
  return repeated.map(({ gone, kept }) => ({ namespace: gone.namespace, key: gone.key, kept: kept.key }));
}
