import { ConflictError, InvalidInputError } from '../errors.ts';
import type { Queries } from '../store/database.ts';
import { numberOf, numberOnly, numberOrNull, textOf, textOrNull } from '../store/row.ts';
import { readColumns } from './content.ts';
import type { MemoryContext } from './memory-context.ts';
import { checkEntryName, checkReason, checkWord } from './limits.ts';
import type { EntryLink, EntryName } from './memory.ts';
import { END_VALIDITY, isSupersededBy, reviveSuperseded, SUPERSEDES } from './superseded.ts';
import { visibleRow } from './visible-row.ts';
import { missingEntry } from './versions.ts';

type Name = readonly [namespace: string, key: string];

function checkDifferent(one: Name, other: Name, parameter: string, problem: string): void {
  if (one[0] !== other[0] || one[1] !== other[1]) return;
  throw new InvalidInputError(problem, { hint: 'Name two entries.', details: { parameter } });
}

async function idOf(queries: Queries, name: Name, now: number): Promise<number> {
  const row = await visibleRow(queries, 'id', name, now);
  if (row === undefined) throw missingEntry(name);
  return numberOf(row, 'id');
}

const LINK = `INSERT INTO memory_link (from_id, to_id, kind, reason, created_at) VALUES (?, ?, ?, ?, ?)
  ON CONFLICT (from_id, to_id, kind) DO UPDATE SET reason = coalesce(excluded.reason, reason)`;

export async function supersede({ write }: MemoryContext, entry: EntryName, by: EntryName, reason?: string): Promise<void> {
  const name = checkEntryName(entry);
  const later = checkEntryName(by, 'by.');
  checkDifferent(name, later, 'by', 'an entry cannot be superseded by itself');
  const why = reason === undefined ? null : checkReason(reason);
  await write(2, async (queries, now) => {
    const id = await idOf(queries, name, now);
    const laterId = await idOf(queries, later, now);
    if (await isSupersededBy(queries, laterId, id)) {
      throw new ConflictError(
        `the entry ${JSON.stringify(name[1])} cannot be superseded by ${JSON.stringify(later[1])}: it supersedes that one already`,
        {
          hint: 'Remove that link first: memory_link from the one that supersedes to the other, kind supersedes, remove.',
          details: { namespace: name[0], key: name[1] },
        },
      );
    }
    await queries.run(END_VALIDITY, [now, now, id, now]);
    await queries.run(LINK, [laterId, id, SUPERSEDES, why, now]);
  });
}

function checkKind(kind: string): void {
  checkWord('kind', kind);
  if (kind !== SUPERSEDES) return;
  throw new InvalidInputError(`kind is ${SUPERSEDES}, which is for entries that are no longer valid`, {
    hint: 'Say that one entry supersedes another, which makes this link and ends the validity of the other.',
    details: { parameter: 'kind' },
  });
}

export async function link(
  { write }: MemoryContext,
  from: EntryName,
  to: EntryName,
  kind: string,
  reason?: string,
): Promise<boolean> {
  const [start, end] = [checkEntryName(from, 'from.'), checkEntryName(to, 'to.')];
  checkKind(kind);
  checkDifferent(start, end, 'to', 'an entry cannot be linked to itself');
  const why = reason === undefined ? null : checkReason(reason);
  return write(1, async (queries, now) => {
    const [fromId, toId] = [await idOf(queries, start, now), await idOf(queries, end, now)];
    const known = await queries.get('SELECT 1 AS found FROM memory_link WHERE from_id = ? AND to_id = ? AND kind = ?', [
      fromId,
      toId,
      kind,
    ]);
    await queries.run(LINK, [fromId, toId, kind, why, now]);
    return known === undefined;
  });
}

export async function unlink({ write }: MemoryContext, from: EntryName, to: EntryName, kind: string): Promise<boolean> {
  const [start, end] = [checkEntryName(from, 'from.'), checkEntryName(to, 'to.')];
  checkWord('kind', kind);
  return write(1, async (queries, now) => {
    const [fromId, toId] = [await idOf(queries, start, now), await idOf(queries, end, now)];
    const sql = 'DELETE FROM memory_link WHERE from_id = ? AND to_id = ? AND kind = ?';
    const removed = (await queries.run(sql, [fromId, toId, kind])).changes > 0;
    if (removed && kind === SUPERSEDES) await reviveSuperseded(queries, [toId], now);
    return removed;
  });
}

/** Both directions; the other end must be there. `ended`: when the entry that `kind` would supersede holds no longer. */
const LINKS = `SELECT l.direction, ${numberOnly('(SELECT s.valid_to FROM memory_entry s WHERE s.id = l.target)')} AS ended, ${readColumns(['kind', 'reason', 'created_at'], 'l.')}, ${readColumns(['namespace', 'key', 'id'], 'e.')} FROM (
    SELECT 'from' AS direction, to_id AS other, to_id AS target, kind, reason, created_at FROM memory_link WHERE from_id = ?
    UNION ALL SELECT 'to', from_id, to_id, kind, reason, created_at FROM memory_link WHERE to_id = ?
  ) l JOIN memory_entry e ON e.id = l.other
  WHERE e.deleted_at IS NULL AND (e.expires_at IS NULL OR e.expires_at > ?)
  ORDER BY l.direction, l.created_at, e.id, l.kind`;

export async function links({ open, runtime }: MemoryContext, entry: EntryName): Promise<readonly EntryLink[]> {
  const name = checkEntryName(entry);
  const db = await open();
  const now = runtime.now();
  const id = await idOf(db, name, now);
  const rows = await db.all(LINKS, [id, id, now]);
  return rows.map((row) => ({
    direction: textOf(row, 'direction') === 'from' ? 'from' : 'to',
    kind: textOf(row, 'kind'),
    reason: textOrNull(row, 'reason'),
    namespace: textOf(row, 'namespace'),
    key: textOf(row, 'key'),
    id: numberOf(row, 'id'),
    createdAt: numberOf(row, 'created_at'),
    holds: textOf(row, 'kind') !== SUPERSEDES || (numberOrNull(row, 'ended') ?? Infinity) <= now,
  }));
}
