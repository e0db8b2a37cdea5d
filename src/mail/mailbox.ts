import { InvalidInputError } from '../errors.ts';
import type { Runtime } from '../runtime.ts';
import type { Database } from '../store/database.ts';
import { numberOf, textColumns, textOf } from '../store/row.ts';
import { createGroupCommit, type Outcome } from './group-commit.ts';
import { addressed, checkName, type Letter } from './letter.ts';
import { doBatch, type MailDone, type MailWork, type Reader, type Sent } from './mail-batch.ts';
import { findUnread, hasUnread, mailboxKey, openMail, OPEN, takeMail, type Mail, type MailboxOf } from './mail-rows.ts';
import { createRooms } from './room.ts';
import { createWaitingReaders, type WaitingReaders } from './waiting-readers.ts';

export type { Sent } from './mail-batch.ts';
export type { Mail } from './mail-rows.ts';

export interface ReadOptions {
  /** 1–1,000; default 100. */
  readonly limit?: number;
  /** Only what was sent after this message; default 0. */
  readonly after?: number;
  /** Only what nobody has read; default `false`: all that is not acknowledged. */
  readonly unreadOnly?: boolean;
}

export interface ReceiveOptions {
  /** 1–1,000; default 100. */
  readonly limit?: number;
  /** Ends the waiting. */
  readonly signal?: AbortSignal | undefined;
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
 * Messages are read in the order in which they were sent, those of one sender as well as all of a place. Calls of `send`,
 * `sendMany`, `ack` and `receive` that come together share a transaction, and each is answered when that is committed.
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
  /**
   * The unread messages of {@link read}; waits until there are some. They come in order to one who waits, of this process
   * with the transaction that stores them, of another one some milliseconds later (of a server, some hundred).
   * @throws CancelledError (as a rejection) the signal has aborted
   */
  receive(place: string, agent: string, options?: ReceiveOptions): Promise<readonly Mail[]>;
  /** The agent is done with these messages: they do not come again. Doing so twice is no error. */
  ack(place: string, agent: string, messageIds: readonly number[]): Promise<Acknowledged>;
  /** Agents of a place with mail that is not acknowledged, by id. */
  pending(place: string): Promise<readonly PendingMail[]>;
  /** Deletes all mail of a place that has ended. */
  clear(place: string): Promise<{ readonly messages: number }>;
}

/** Messages in one call of `sendMany`, and about so many in a transaction: others wait for it. */
const MAX_LETTERS = 1000;
/** Messages of this process that wait to be stored. */
const MAX_WAITING = 10_000;
const MAX_READ = 1000;
/** Milliseconds between looks for what others have sent, while somebody waits. */
const LOOK_MS = { file: 40, memory: 40, replica: 500, remote: 500 } as const;

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

/** The mailboxes that a batch stores into. */
function recipientsOf(works: readonly MailWork[]): Iterable<MailboxOf> {
  const found = new Map<string, MailboxOf>();
  for (const { letters } of works) {
    for (const { place, recipients } of letters) {
      for (const agent of recipients) found.set(mailboxKey({ place, agent }), { place, agent });
    }
  }
  return found.values();
}

/** Does together what several calls want; `commits` counts the transactions. */
function createBatches({ db, runtime }: MailboxDeps, waiting: WaitingReaders) {
  const rooms = createRooms();
  const isServer = db.kind === 'remote' || db.kind === 'replica';
  let commits = 0;
  const commit = async (works: readonly MailWork[]): Promise<readonly Outcome<MailDone>[]> => {
    const called = waiting.call(recipientsOf(works));
    const readers = called.map(({ reader }) => reader);
    let given: ReadonlyMap<Reader, readonly Mail[]> = new Map();
    try {
      const result = await db.write((queries) =>
        doBatch(queries, { works, waiting: readers, rooms, isServer, now: runtime.now() }),
      );
      commits += 1;
      result.keep();
      given = result.given;
      return result.outcomes;
    } finally {
      for (const { reader, serve } of called) {
        const mail = given.get(reader) ?? [];
        serve(mail);
        if (mail.length === reader.limit) waiting.wake([mailboxKey(reader)]); // there may be more
      }
    }
  };
  return {
    ...createGroupCommit({ commit, maxWeight: MAX_LETTERS, maxWaiting: MAX_WAITING }),
    get commits() {
      return commits;
    },
  };
}

/** Wakes readers when others, of this process or another, may have sent something; as long as somebody waits. */
function createLooking({ db, runtime }: MailboxDeps, waiting: WaitingReaders, ownCommits: () => number): () => void {
  let isLooking = false;
  const version = async (): Promise<string> => `${await db.dataVersion()}/${db.commits - ownCommits()}`;
  const look = async (): Promise<void> => {
    for (let seen = await version(); waiting.size > 0;) {
      await runtime.sleep(LOOK_MS[db.kind]);
      const found = await version();
      if (found !== seen) waiting.wake(await findUnread(db, waiting.mailboxes()));
      seen = found;
    }
    isLooking = false;
  };
  return () => {
    if (isLooking) return;
    isLooking = true;
    look().catch((error: unknown) => {
      isLooking = false;
      waiting.fail(error);
    });
  };
}

/** The mailboxes of a project: one object a database, so that what is sent together is stored together. */
export function createMailbox({ db, runtime }: MailboxDeps): Mailbox {
  const waiting = createWaitingReaders();
  const batches = createBatches({ db, runtime }, waiting);
  const startLooking = createLooking({ db, runtime }, waiting, () => batches.commits);

  const sendMany = async (letters: readonly Letter[]): Promise<readonly Sent[]> => {
    if (letters.length === 0) return [];
    checkWhole('the number of letters', letters.length, 1, MAX_LETTERS);
    const { sent } = await batches.add({ letters: letters.map(addressed), ack: undefined }, letters.length);
    return sent;
  };
  const read: Mailbox['read'] = async (place, agent, { limit = 100, after = 0, unreadOnly = false } = {}) => {
    checkMailbox(place, agent);
    checkWhole('limit', limit, 1, MAX_READ);
    checkWhole('after', after, 0, Number.MAX_SAFE_INTEGER);
    const page = { place, agent, limit, after, unreadOnly };
    if (!(await hasUnread(db, page, after))) return unreadOnly ? [] : openMail(db, page); // looking takes no lock
    return db.write((queries) => takeMail(queries, page, runtime.now()));
  };
  let unseen: MailboxOf[] = [];
  /** Looks once for all who begin to wait at the same time. */
  const lookFor = (mailbox: MailboxOf): void => {
    if (unseen.push(mailbox) > 1) return;
    process.nextTick(() => {
      const mailboxes = unseen;
      unseen = [];
      findUnread(db, mailboxes).then(
        (found) => waiting.wake(found),
        (error: unknown) => waiting.fail(error),
      );
    });
  };
  return {
    sendMany,
    send: async (letter) => {
      const [sent] = await sendMany([letter]);
      if (sent === undefined) throw new InvalidInputError('there is no letter', { hint: 'Give one.' });
      return sent;
    },
    read,
    receive: async (place, agent, { limit = 100, signal } = {}) => {
      checkMailbox(place, agent);
      checkWhole('limit', limit, 1, MAX_READ);
      for (;;) {
        const mail = waiting.wait({ place, agent, limit }, signal); // before looking, so that nothing comes unseen
        lookFor({ place, agent });
        startLooking();
        const found = (await mail) ?? (await read(place, agent, { limit, unreadOnly: true }));
        if (found.length > 0) return found;
      }
    },
    ack: async (place, agent, messageIds) => {
      checkMailbox(place, agent);
      const ids = [...new Set(messageIds)];
      for (const id of ids) checkWhole('a message id', id, 1, Number.MAX_SAFE_INTEGER);
      if (ids.length === 0) return { acked: 0, notOpen: [] };
      const { acked } = await batches.add({ letters: [], ack: { place, agent, ids } }, 1);
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
