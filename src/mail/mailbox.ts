import { InvalidInputError } from '../errors.ts';
import type { Runtime } from '../runtime.ts';
import type { Database } from '../store/database.ts';
import { numberOf, textColumns, textOf } from '../store/row.ts';
import { createGroupCommit } from './group-commit.ts';
import { addressed, checkName, type Addressed, type Letter } from './letter.ts';
import { ackMail, hasUnread, openMail, OPEN, takeMail, type Mail } from './mail-rows.ts';
import { createRooms } from './room.ts';
import { storeLetters, type Sent } from './store-letters.ts';

export type { Sent } from './store-letters.ts';
export type { Mail } from './mail-rows.ts';

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
 * Messages are read in the order in which they were sent, those of one sender as well as all of a place. Calls of `send`
 * and `sendMany` that come together share a transaction, and each is answered when that is committed.
 */
export interface Mailbox {
  /**
   * Stores a message for all its recipients.
   * @throws InvalidInputError, NotFoundError see `letter.ts`
   * @throws BusyError a recipient has 10,000 unacknowledged messages, or so many of this process wait to be stored:
   *   nobody got it, and it can be sent later
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
}

/** Messages in one call of `sendMany`, and about so many in a transaction: others wait for it. */
const MAX_LETTERS = 1000;
/** Messages of this process that wait to be stored. */
const MAX_WAITING = 10_000;
const MAX_READ = 1000;

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

/** The mailboxes of a project: one object a database, so that what is sent together is stored together. */
export function createMailbox({ db, runtime }: MailboxDeps): Mailbox {
  const rooms = createRooms();
  const store = createGroupCommit({
    commit: (calls: readonly (readonly Addressed[])[]) =>
      db.write((queries) => storeLetters(queries, calls, { rooms, now: runtime.now() })),
    weightOf: (letters) => letters.length,
    maxWeight: MAX_LETTERS,
    maxWaiting: MAX_WAITING,
  });

  const sendMany = async (letters: readonly Letter[]): Promise<readonly Sent[]> => {
    if (letters.length === 0) return [];
    checkWhole('the number of letters', letters.length, 1, MAX_LETTERS);
    return store(letters.map(addressed));
  };
  const read: Mailbox['read'] = async (place, agent, { limit = 100, after = 0, unreadOnly = false } = {}) => {
    checkMailbox(place, agent);
    checkWhole('limit', limit, 1, MAX_READ);
    checkWhole('after', after, 0, Number.MAX_SAFE_INTEGER);
    const page = { place, agent, limit, after, unreadOnly };
    if (!(await hasUnread(db, page))) return unreadOnly ? [] : openMail(db, page); // looking takes no lock
    return db.write((queries) => takeMail(queries, page, runtime.now()));
  };
  return {
    sendMany,
    send: async (letter) => {
      const [sent] = await sendMany([letter]);
      if (sent === undefined) throw new InvalidInputError('there is no letter', { hint: 'Give one.' });
      return sent;
    },
    read,
    ack: async (place, agent, messageIds) => {
      checkMailbox(place, agent);
      const ids = [...new Set(messageIds)];
      for (const id of ids) checkWhole('a message id', id, 1, Number.MAX_SAFE_INTEGER);
      if (ids.length === 0) return { acked: 0, notOpen: [] };
      const acked = await db.write((queries) => ackMail(queries, { place, agent }, ids, runtime.now()));
      return { acked: acked.size, notOpen: ids.filter((id) => !acked.has(id)) };
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
  };
}
