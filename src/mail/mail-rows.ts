import type { Queries, Row } from '../store/database.ts';
import { insertRows } from '../store/many-rows.ts';
import { numberColumns, numberOf, numberOrNull, textColumns, textOf } from '../store/row.ts';
import type { Addressed } from './letter.ts';

/** A message in somebody's mailbox. */
export interface Mail {
  readonly messageId: number;
  readonly from: string;
  /** `agent:<id>`, `role:<role>` or `all`. */
  readonly address: string;
  readonly body: string;
  /** Milliseconds since the epoch. */
  readonly sentAt: number;
  /** When it was read before, first; `null`: this is the first time. */
  readonly readAt: number | null;
}

/** One agent's mail in a place. */
export interface MailboxOf {
  readonly place: string;
  readonly agent: string;
}

/** A part of the mail that is not acknowledged. */
export interface Page extends MailboxOf {
  readonly limit: number;
  /** Only what was sent after this message. */
  readonly after: number;
  readonly unreadOnly: boolean;
}

/** A message for one agent. */
export interface Delivery extends MailboxOf {
  readonly messageId: number;
}

/** Without being told, SQLite walks through all that was ever acknowledged. */
export const OPEN = 'delivery INDEXED BY delivery_open';
/** A list of ids as one value, so that there is one statement for any number of them. */
const IDS = 'message_id IN (SELECT value FROM json_each(?))';

/** No name has a NUL. */
export function mailboxKey({ place, agent }: MailboxOf): string {
  return `${place}\0${agent}`;
}

const INSERT_MESSAGES = (rows: string): string => `INSERT INTO message (place, sender, address, body, created_at) VALUES ${rows}`;
const INSERT_DELIVERIES = (rows: string): string => `INSERT INTO delivery (place, agent, message_id) VALUES ${rows}`;

/** @returns an id for each letter; later ones have higher ids */
export function insertMessages(queries: Queries, letters: readonly Addressed[], now: number): Promise<readonly number[]> {
  const rows = letters.map(({ place, from, address, body }) => [place, from, address, body, now]);
  return insertRows(queries, INSERT_MESSAGES, rows);
}

export async function deleteMessages(queries: Queries, ids: readonly number[]): Promise<void> {
  await queries.run('DELETE FROM message WHERE id IN (SELECT value FROM json_each(?))', [JSON.stringify(ids)]);
}

export async function insertDeliveries(queries: Queries, deliveries: readonly Delivery[]): Promise<void> {
  const rows = deliveries.map(({ place, agent, messageId }) => [place, agent, messageId]);
  await insertRows(queries, INSERT_DELIVERIES, rows);
}

/** Messages of a mailbox that are not acknowledged. */
export async function countOpen(queries: Queries, { place, agent }: MailboxOf): Promise<number> {
  const sql = `SELECT count(*) AS open FROM ${OPEN} WHERE place = ? AND agent = ? AND acked_at IS NULL`;
  return numberOf((await queries.get(sql, [place, agent])) ?? {}, 'open');
}

function mailOf(row: Row): Mail {
  return {
    messageId: numberOf(row, 'message_id'),
    from: textOf(row, 'sender'),
    address: textOf(row, 'address'),
    body: textOf(row, 'body'),
    sentAt: numberOf(row, 'created_at'),
    readAt: numberOrNull(row, 'read_at'),
  };
}

/** Oldest first. */
export async function openMail(queries: Queries, page: Page): Promise<readonly Mail[]> {
  const { place, agent, limit, after, unreadOnly } = page;
  const rows = await queries.all(
    `SELECT ${numberColumns(['message_id', 'read_at'], 'd.')}, ${textColumns(['sender', 'address', 'body'], 'm.')},
      ${numberColumns(['created_at'], 'm.')}
    FROM delivery d INDEXED BY delivery_open CROSS JOIN message m ON m.id = d.message_id
    WHERE d.place = ? AND d.agent = ? AND d.message_id > ? AND d.acked_at IS NULL${unreadOnly ? ' AND d.read_at IS NULL' : ''}
    ORDER BY d.message_id LIMIT ?`,
    [place, agent, after, limit],
  );
  return rows.map(mailOf);
}

/** Whether a page has mail that nobody has read. */
export async function hasUnread(queries: Queries, { place, agent, after }: Page): Promise<boolean> {
  const sql = `SELECT EXISTS (SELECT 1 FROM ${OPEN} WHERE place = ? AND agent = ? AND message_id > ?
    AND acked_at IS NULL AND read_at IS NULL) AS found`;
  return numberOf((await queries.get(sql, [place, agent, after])) ?? {}, 'found') === 1;
}

/** Reads a page, and marks what nobody had read. */
export async function takeMail(queries: Queries, page: Page, now: number): Promise<readonly Mail[]> {
  const mail = await openMail(queries, page);
  const unread = mail.filter(({ readAt }) => readAt === null).map(({ messageId }) => messageId);
  if (unread.length > 0) {
    const sql = `UPDATE delivery SET read_at = ? WHERE place = ? AND agent = ? AND ${IDS}`;
    await queries.run(sql, [now, page.place, page.agent, JSON.stringify(unread)]);
  }
  return mail;
}

const ACK = `UPDATE delivery SET acked_at = ?, read_at = coalesce(read_at, ?) WHERE place = ? AND agent = ? AND acked_at IS NULL
  AND ${IDS} RETURNING ${numberColumns(['message_id'])}`;

/** @returns the ids of those that were open */
export async function ackMail(
  queries: Queries,
  { place, agent }: MailboxOf,
  ids: readonly number[],
  now: number,
): Promise<ReadonlySet<number>> {
  const rows = await queries.all(ACK, [now, now, place, agent, JSON.stringify(ids)]);
  return new Set(rows.map((row) => numberOf(row, 'message_id')));
}
