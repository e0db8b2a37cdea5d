import type { Queries, Row, SqlValue } from '../../store/database.ts';
import { numberOf, textOrNull } from '../../store/row.ts';
import type { Runtime } from '../../runtime.ts';
import { isRemembered } from '../cached.ts';
import { allRows, type RowStatement } from '../../store/many-rows.ts';
import { isSupersededBy, SUPERSEDES } from '../superseded.ts';
import { readColumns, readRow } from '../content.ts';
import { nameOf } from '../entry-name.ts';
import { absorbBatch } from './absorb-batch.ts';
import { entryBatches, linkBatches, type Batch } from './batches.ts';
import type { AbsorbReport, Watch } from './care.ts';
import type { IncomingLink, Source } from './incoming.ts';
import { addTally, handled, newTally, type Tally } from './tally.ts';
import { createBreath, stopWhenCancelled, tell } from './watch.ts';

const PAGE = 1000;

const INSERT_LINKS: RowStatement = (
  rows,
) => `WITH l (from_namespace, from_key, to_namespace, to_key, kind, reason, created_at) AS (VALUES ${rows})
  INSERT OR IGNORE INTO memory_link (from_id, to_id, kind, reason, created_at)
  SELECT f.id, t.id, l.kind, l.reason, l.created_at FROM l
    CROSS JOIN memory_entry f ON f.namespace = l.from_namespace AND f.key = l.from_key
    CROSS JOIN memory_entry t ON t.namespace = l.to_namespace AND t.key = l.to_key
  RETURNING from_id, to_id, kind = '${SUPERSEDES}' AS supersedes`;

/** @returns those that are new */
async function insertLinks(queries: Queries, links: readonly IncomingLink[]): Promise<readonly Row[]> {
  const rows = links.map(({ from, to, kind, reason, createdAt }) => [...from, ...to, kind, reason, createdAt]);
  return allRows(queries, INSERT_LINKS, rows);
}

/** Of links `[from, to]` those by which an entry supersedes itself, through others. */
const CIRCLES = `WITH RECURSIVE added (from_id, to_id) AS (
    SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]') FROM json_each(?)
  ), later (start, id) AS (
    SELECT from_id, from_id FROM added
    UNION SELECT later.start, l.from_id FROM later JOIN memory_link l ON l.to_id = later.id AND l.kind = '${SUPERSEDES}'
  ) SELECT l.from_id, l.to_id, ${readColumns(['reason', 'created_at'], 'l.')} FROM added a
    JOIN later ON later.start = a.from_id AND later.id = a.to_id
    JOIN memory_link l ON l.from_id = a.from_id AND l.to_id = a.to_id AND l.kind = '${SUPERSEDES}'`;
const UNLINK = `DELETE FROM memory_link WHERE from_id = ? AND to_id = ? AND kind = '${SUPERSEDES}'`;
const LINK = `INSERT INTO memory_link (from_id, to_id, kind, reason, created_at) VALUES (?, ?, '${SUPERSEDES}', ?, ?)`;

/** Removes as many of the links that have just been added as close a circle. @returns how many */
async function breakCircles(queries: Queries, added: readonly Row[]): Promise<number> {
  const ends = added
    .filter((row) => numberOf(row, 'supersedes') === 1)
    .map((row) => [numberOf(row, 'from_id'), numberOf(row, 'to_id')]);
  if (ends.length === 0) return 0;
  const closing = (await queries.all(CIRCLES, [JSON.stringify(ends)])).map(readRow);
  for (const row of closing) await queries.run(UNLINK, [numberOf(row, 'from_id'), numberOf(row, 'to_id')]);
  let removed = 0;
  // One of each circle is enough.
  for (const row of closing) {
    const [from, to] = [numberOf(row, 'from_id'), numberOf(row, 'to_id')];
    if (await isSupersededBy(queries, from, to)) removed += 1;
    else await queries.run(LINK, [from, to, textOrNull(row, 'reason'), numberOf(row, 'created_at')]);
  }
  return removed;
}

export interface MergeOptions {
  readonly now: number;
  /** One for all batches of a source: see `BatchOptions`. */
  readonly holding: Set<string>;
}

/**
 * Merges a batch, inside a transaction. Of two entries with one name the newer by `updated_at` is what holds from then
 * on (on a tie ours, unless theirs came after it), and the other becomes an earlier version of it, so that the same
 * batch again changes nothing. Where both say the same there is no new version. A link that says that an entry was
 * superseded is left out where ours, which is newer, says that the entry holds, and where the other one is superseded by
 * that entry; of other links nobody knows whether they were removed here, so they come.
 */
export async function mergeBatch(queries: Queries, batch: Batch, { now, holding }: MergeOptions, tally: Tally): Promise<void> {
  if (batch.kind === 'entries') {
    await absorbBatch(queries, batch.entries, { now, replace: false, holding }, tally);
    return;
  }
  const wanted = batch.links.filter(({ kind, to }) => kind !== SUPERSEDES || !holding.has(nameOf(...to)));
  const added = await insertLinks(queries, wanted);
  const removed = await breakCircles(queries, added);
  tally.linksLeftOut += batch.links.length - wanted.length + removed;
  tally.links += added.length - removed;
}

async function removeOthers(queries: Queries, kept: ReadonlySet<number>): Promise<number> {
  const sql = `SELECT id FROM memory_entry WHERE id > ? AND ${isRemembered()} ORDER BY id LIMIT ${PAGE}`;
  let removed = 0;
  for (let after: SqlValue = 0; ;) {
    const page: readonly Row[] = await queries.all(sql, [after]);
    for (const row of page) {
      after = numberOf(row, 'id');
      if (!kept.has(after)) removed += (await queries.run('DELETE FROM memory_entry WHERE id = ?', [after])).changes;
    }
    if (page.length < PAGE) return removed;
  }
}

/**
 * Makes the memory exactly what a source holds, but for the cache, which is left alone; inside one transaction, since
 * half of a backup is worse than none. The body lets other tasks of this process run now and then: their queries wait for
 * the transaction, but the process answers, and the call can be cancelled. Errors: `CancelledError`, those of the source
 * and of the queries; with each of them nothing is changed.
 */
export async function replaceAll(
  queries: Queries,
  source: Source,
  { runtime, watch }: { readonly runtime: Runtime; readonly watch: Watch },
): Promise<AbsorbReport> {
  const total = newTally();
  const kept = new Set<number>();
  const wanted = { now: runtime.now() };
  const breathe = createBreath(runtime, watch, 'restoring');
  stopWhenCancelled(watch, 'restoring');
  for (const { entries } of entryBatches(source, wanted, total)) {
    for (const id of await absorbBatch(queries, entries, { ...wanted, replace: true }, total)) kept.add(id);
    await breathe(() => tell(watch, handled(total), source.size));
  }
  total.removed = await removeOthers(queries, kept);
  await queries.run('DELETE FROM memory_link');
  for (const { links } of linkBatches(source, wanted)) {
    total.links += (await insertLinks(queries, links)).length;
    await breathe(() => tell(watch, source.size, source.size));
  }
  const report = newTally();
  addTally(report, total);
  return report;
}
