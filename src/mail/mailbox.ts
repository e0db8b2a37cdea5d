import { BusyError, InvalidInputError } from '../errors.ts';
import type { Runtime } from '../runtime.ts';
import type { Database, Queries, Row } from '../store/database.ts';
import { numberColumns, numberOf, numberOrNull, textColumns, textOf } from '../store/row.ts';
import { insertRows } from './insert-rows.ts';
import { addressed, checkName, type Addressed, type Letter } from './letter.ts';

export interface Sent {
  /** From 1; later messages have higher ones. */
  readonly messageId: number;
  /** Ids of agents, each once. */
  readonly recipients: readonly string[];
}

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

export interface ReadOptions {
  /** 1–1,000; default 100. */
  readonly limit?: number;
  /** Only what was sent after this message; default 0. */
  readonly after?: number;
  /** Only what nobody has read; default `false`: all that is not acknowledged. */
  readonly unreadOnly?: boolean;
}

export interface Acknowledged {
  /** Acknowledged now. */
  readonly acked: number;
  /** Ids that were acknowledged before, or never were in this mailbox. */
  readonly notOpen: readonly number[];
}

/** What is in a mailbox and not acknowledged. */
export interface PendingMail {
  readonly agent: string;
  readonly unread: number;
  /** Unread ones included. */
  readonly unacked: number;
}

/**
 * Mailboxes of agents, one for each agent of a place, in the project's database. What `send` has answered is stored and
 * survives the end of any process. A message is read again until it is acknowledged, so it is delivered at least once.
 * Messages are read in the order in which they were sent, those of one sender as well as all of a place.
 */
export interface Mailbox {
  /**
   * Stores a message for all its recipients.
   * @throws InvalidInputError, NotFoundError see `letter.ts`
   * @throws BusyError a recipient has 10,000 unacknowledged messages: nobody got it, and it can be sent later
   */
  send(letter: Letter): Promise<Sent>;
  /** Stores many in one transaction, in order: all or, with the errors of `send`, none. */
  sendMany(letters: readonly Letter[]): Promise<readonly Sent[]>;
  /**
   * Messages that are not acknowledged, oldest first, and marks them read. Of several processes that read the unread
   * mail of one agent at once, each gets others.
   */
  read(place: string, agent: string, options?: ReadOptions): Promise<readonly Mail[]>;
  /** The agent is done with these messages: they do not come again. Doing so twice is no error. */
  ack(place: string, agent: string, messageIds: readonly number[]): Promise<Acknowledged>;
  /** Agents of a place with mail that is not acknowledged, by id. */
  pending(place: string): Promise<readonly PendingMail[]>;
  /** Deletes all mail of a place that has ended. */
  clear(place: string): Promise<{ readonly messages: number }>;
}

/** Unacknowledged messages that an agent can have. */
const MAX_UNACKED = 10_000;
/** Messages in one call of `sendMany`: others wait for its transaction. */
const MAX_LETTERS = 1000;
const MAX_READ = 1000;
/** Without being told, SQLite walks through all that was ever acknowledged. */
const OPEN = 'delivery INDEXED BY delivery_open';

/** Unacknowledged messages of a mailbox that were counted when `lastId` was the newest message of all. */
interface Counted {
  readonly open: number;
  readonly lastId: number;
}

/** Mailboxes remembered; their counts are taken anew after that. */
const MAX_KNOWN = 10_000;

/** Messages for each mailbox; keyed by place and agent, of which no name has a NUL. */
function perMailbox(letters: readonly Addressed[]): ReadonlyMap<string, { place: string; agent: string; count: number }> {
  const found = new Map<string, { place: string; agent: string; count: number }>();
  for (const { place, recipients } of letters) {
    for (const agent of recipients) {
      const key = `${place}\0${agent}`;
      const known = found.get(key);
      if (known === undefined) found.set(key, { place, agent, count: 1 });
      else known.count += 1;
    }
  }
  return found;
}

/**
 * Throws `BusyError` when a mailbox holds too much with what was just stored. Every message has a higher id and is in a
 * mailbox once, so most of the time an earlier count and the ids since then tell that there is room.
 * @returns what was counted; true once the transaction is committed
 */
async function checkRoom(
  queries: Queries,
  letters: readonly Addressed[],
  lastId: number,
  known: ReadonlyMap<string, Counted>,
): Promise<ReadonlyMap<string, Counted>> {
  const counted = new Map<string, Counted>();
  for (const [key, { place, agent, count }] of perMailbox(letters)) {
    const before = known.get(key);
    if (before !== undefined && lastId >= before.lastId && before.open + lastId - before.lastId <= MAX_UNACKED) continue;
    const sql = `SELECT count(*) AS open FROM ${OPEN} WHERE place = ? AND agent = ? AND acked_at IS NULL`;
    const open = numberOf((await queries.get(sql, [place, agent])) ?? {}, 'open');
    counted.set(key, { open, lastId });
    if (open <= MAX_UNACKED) continue;
    throw new BusyError(
      `the mailbox of ${agent} in ${place} is full: ${open - count} messages are not acknowledged, ${count} were to come`,
      {
        hint: `Let ${agent} read and acknowledge its mail, then send again; a mailbox holds ${MAX_UNACKED}.`,
        details: { place, agent, open: open - count, limit: MAX_UNACKED },
      },
    );
  }
  return counted;
}

async function store(queries: Queries, letters: readonly Addressed[], now: number): Promise<readonly Sent[]> {
  const ids = await insertRows(
    queries,
    'message (place, sender, address, body, created_at)',
    letters.map(({ place, from, address, body }) => [place, from, address, body, now]),
  );
  const sent = letters.map(({ recipients }, at) => ({ messageId: ids[at] ?? Number.NaN, recipients }));
  const deliveries = letters.flatMap(({ place, recipients }, at) =>
    recipients.map((agent) => [place, agent, ids[at] ?? Number.NaN] as const),
  );
  await insertRows(queries, 'delivery (place, agent, message_id)', deliveries);
  return sent;
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

interface Page {
  readonly place: string;
  readonly agent: string;
  readonly limit: number;
  readonly after: number;
  readonly unreadOnly: boolean;
}

async function openMail(queries: Queries, { place, agent, limit, after, unreadOnly }: Page): Promise<readonly Mail[]> {
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

async function hasUnread(queries: Queries, { place, agent, after }: Page): Promise<boolean> {
  const row = await queries.get(
    `SELECT 1 AS found FROM ${OPEN}
    WHERE place = ? AND agent = ? AND message_id > ? AND acked_at IS NULL AND read_at IS NULL LIMIT 1`,
    [place, agent, after],
  );
  return row !== undefined;
}

/** A list of ids as one value, so that there is one statement for any number of them. */
const IDS = 'message_id IN (SELECT value FROM json_each(?))';

function checkWhole(parameter: string, value: number, least: number, most: number): void {
  if (Number.isSafeInteger(value) && value >= least && value <= most) return;
  throw new InvalidInputError(`${parameter} is ${value}; expected a whole number from ${least} to ${most}`, {
    hint: `Correct ${parameter}.`,
    details: { parameter },
  });
}

function checkMailbox(place: string, agent: string): void {
  checkName('place', place);
  checkName('agent', agent);
}

export interface MailboxDeps {
  readonly db: Database;
  readonly runtime: Runtime;
}

/** The mailboxes of a project. */
export function createMailbox({ db, runtime }: MailboxDeps): Mailbox {
  const known = new Map<string, Counted>();
  const sendMany = async (letters: readonly Letter[]): Promise<readonly Sent[]> => {
    if (letters.length === 0) return [];
    checkWhole('the number of letters', letters.length, 1, MAX_LETTERS);
    const checked = letters.map(addressed);
    const { sent, counted } = await db.write(async (queries) => {
      const stored = await store(queries, checked, runtime.now());
      const lastId = stored.at(-1)?.messageId ?? Number.NaN;
      return { sent: stored, counted: await checkRoom(queries, checked, lastId, known) };
    });
    if (known.size > MAX_KNOWN) known.clear();
    for (const [key, count] of counted) known.set(key, count);
    return sent;
  };
  const markRead = async (queries: Queries, { place, agent }: Page, mail: readonly Mail[]): Promise<void> => {
    const unread = mail.filter(({ readAt }) => readAt === null).map(({ messageId }) => messageId);
    if (unread.length === 0) return;
    const sql = `UPDATE delivery SET read_at = ? WHERE place = ? AND agent = ? AND ${IDS}`;
    await queries.run(sql, [runtime.now(), place, agent, JSON.stringify(unread)]);
  };
  return {
    sendMany,
    send: async (letter) => {
      const [sent] = await sendMany([letter]);
      if (sent === undefined) throw new InvalidInputError('there is no letter', { hint: 'Give one.' });
      return sent;
    },
    read: async (place, agent, { limit = 100, after = 0, unreadOnly = false } = {}) => {
      checkMailbox(place, agent);
      checkWhole('limit', limit, 1, MAX_READ);
      checkWhole('after', after, 0, Number.MAX_SAFE_INTEGER);
      const page = { place, agent, limit, after, unreadOnly };
      if (!(await hasUnread(db, page))) return unreadOnly ? [] : openMail(db, page); // looking takes no lock
      return db.write(async (queries) => {
        const mail = await openMail(queries, page);
        await markRead(queries, page, mail);
        return mail;
      });
    },
    ack: async (place, agent, messageIds) => {
      checkMailbox(place, agent);
      const ids = [...new Set(messageIds)];
      for (const id of ids) checkWhole('a message id', id, 1, Number.MAX_SAFE_INTEGER);
      if (ids.length === 0) return { acked: 0, notOpen: [] };
      return db.write(async (queries) => {
        const now = runtime.now();
        const rows = await queries.all(
          `UPDATE delivery SET acked_at = ?, read_at = coalesce(read_at, ?)
          WHERE place = ? AND agent = ? AND ${IDS} AND acked_at IS NULL RETURNING ${numberColumns(['message_id'])}`,
          [now, now, place, agent, JSON.stringify(ids)],
        );
        const acked = new Set(rows.map((row) => numberOf(row, 'message_id')));
        return { acked: acked.size, notOpen: ids.filter((id) => !acked.has(id)) };
      });
    },
    pending: async (place) => {
      checkName('place', place);
      const rows = await db.all(
        `SELECT ${textColumns(['agent'])}, count(*) AS unacked, sum(read_at IS NULL) AS unread FROM ${OPEN}
        WHERE place = ? AND acked_at IS NULL GROUP BY delivery.agent ORDER BY delivery.agent`,
        [place],
      );
      return rows.map((row) => ({
        agent: textOf(row, 'agent'),
        unread: numberOf(row, 'unread'),
        unacked: numberOf(row, 'unacked'),
      }));
    },
    clear: async (place) => {
      checkName('place', place);
      return db.write(async (queries) => {
        await queries.run('DELETE FROM delivery WHERE place = ?', [place]);
        const { changes } = await queries.run('DELETE FROM message WHERE place = ?', [place]);
        return { messages: changes };
      });
    },
  };
}
