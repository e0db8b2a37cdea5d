import type { BusyError } from '../errors.ts';
import type { Queries } from '../store/database.ts';
import type { Outcome } from './group-commit.ts';
import type { Addressed } from './letter.ts';
import {
  ackMail,
  deleteMessages,
  findUnread,
  insertDeliveries,
  insertMessages,
  mailboxKey,
  takeMail,
  type Delivery,
  type Mail,
  type MailboxOf,
} from './mail-rows.ts';
import type { Rooms } from './room.ts';

export interface Sent {
  /** From 1; later messages have higher ones. */
  readonly messageId: number;
  /** Ids of agents, each once. */
  readonly recipients: readonly string[];
}

/** Somebody who takes unread mail, and at most so many messages. */
export interface Reader extends MailboxOf {
  readonly limit: number;
}

/** What one call wants of a transaction; mostly one of the two. */
export interface MailWork {
  /** Stored all or none. */
  readonly letters: readonly Addressed[];
  readonly ack: (MailboxOf & { readonly ids: readonly number[] }) | undefined;
}

/** What became of it. */
export interface MailDone {
  readonly sent: readonly Sent[];
  /** Ids that were open and are acknowledged now. */
  readonly acked: ReadonlySet<number>;
}

export interface BatchOptions {
  readonly works: readonly MailWork[];
  /** Readers who wait for mail that is stored now, one a mailbox. */
  readonly waiting: readonly Reader[];
  readonly rooms: Rooms;
  /** Milliseconds since the epoch. */
  readonly now: number;
  /** Whether each statement goes to a server. */
  readonly isServer: boolean;
}

export interface BatchResult {
  /** One for each piece of work. */
  readonly outcomes: readonly Outcome<MailDone>[];
  readonly given: ReadonlyMap<Reader, readonly Mail[]>;
  /** Keeps what was learned, once the transaction is committed. */
  keep(): void;
}

const NONE: ReadonlySet<number> = new Set();

/** One call of {@link ackMail} for each mailbox. Who asks first for a message has acknowledged it. */
async function acknowledge(
  queries: Queries,
  { works, now, isServer }: BatchOptions,
): Promise<ReadonlyMap<MailWork, ReadonlySet<number>>> {
  const mailboxes = new Map<string, { readonly mailbox: MailboxOf; readonly works: MailWork[]; readonly ids: Set<number> }>();
  for (const work of works) {
    if (work.ack === undefined) continue;
    const key = mailboxKey(work.ack);
    const found = mailboxes.get(key) ?? { mailbox: work.ack, works: [], ids: new Set() };
    mailboxes.set(key, found);
    found.works.push(work);
    for (const id of work.ack.ids) found.ids.add(id);
  }
  const result = new Map<MailWork, ReadonlySet<number>>();
  for (const { mailbox, works: asking, ids } of mailboxes.values()) {
    const open = new Set(await ackMail(queries, mailbox, [...ids], { now, few: isServer ? 1 : 8 }));
    for (const work of asking) result.set(work, new Set(work.ack?.ids.filter((id) => open.delete(id))));
  }
  return result;
}

interface Stored {
  readonly letter: Addressed;
  readonly messageId: number;
}

interface Storing {
  readonly stored: readonly Stored[];
  readonly sent: ReadonlyMap<MailWork, readonly Sent[] | BusyError>;
  readonly keep: () => void;
}

/** Stores the letters for whose recipients there is room; the others leave nothing behind. */
async function storeLetters(queries: Queries, { works, rooms, now }: BatchOptions): Promise<Storing> {
  const letters = works.flatMap((work) => work.letters);
  const ids = letters.length === 0 ? [] : await insertMessages(queries, letters, now);
  const room = rooms.begin(queries, ids.at(-1) ?? 0);
  const stored: Stored[] = [];
  const refused: number[] = [];
  const sent = new Map<MailWork, readonly Sent[] | BusyError>();
  let at = 0;
  for (const work of works) {
    if (work.letters.length === 0) continue;
    const own = work.letters.map((letter, place) => ({ letter, messageId: ids[at + place] ?? Number.NaN }));
    at += own.length;
    const error = await room.take(work.letters);
    if (error === undefined) {
      stored.push(...own);
      sent.set(
        work,
        own.map(({ letter, messageId }) => ({ messageId, recipients: letter.recipients })),
      );
    } else {
      refused.push(...own.map(({ messageId }) => messageId));
      sent.set(work, error);
    }
  }
  if (refused.length > 0) await deleteMessages(queries, refused);
  return { stored, sent, keep: () => room.keep() };
}

/** Puts messages into mailboxes, and gives readers what is in theirs. */
async function deliver(
  queries: Queries,
  stored: readonly Stored[],
  { waiting, now }: BatchOptions,
): Promise<ReadonlyMap<Reader, readonly Mail[]>> {
  const unread = new Set(await findUnread(queries, waiting));
  // Whose mailbox has nothing unread can get nothing but what is stored now.
  const direct = new Map(waiting.map((reader) => [mailboxKey(reader), reader] as const).filter(([key]) => !unread.has(key)));
  const given = new Map<Reader, Mail[]>([...direct.values()].map((reader) => [reader, []]));
  const deliveries: Delivery[] = [];
  for (const { letter, messageId } of stored) {
    const { place, from, address, body } = letter;
    for (const agent of letter.recipients) {
      const reader = direct.get(mailboxKey({ place, agent }));
      const mail = reader === undefined ? undefined : given.get(reader);
      const isGiven = mail !== undefined && mail.length < (reader?.limit ?? 0);
      if (isGiven) mail.push({ messageId, from, address, body, sentAt: now, readAt: null });
      deliveries.push({ place, agent, messageId, readAt: isGiven ? now : null });
    }
  }
  await insertDeliveries(queries, deliveries);
  const all = new Map<Reader, readonly Mail[]>(given);
  for (const reader of waiting) {
    if (!all.has(reader)) all.set(reader, await takeMail(queries, { ...reader, after: 0, unreadOnly: true }, now));
  }
  return all;
}

/** Does what several calls want within one transaction: acknowledges, stores, and then gives readers their mail. */
export async function doBatch(queries: Queries, options: BatchOptions): Promise<BatchResult> {
  const acked = await acknowledge(queries, options);
  const { stored, sent, keep } = await storeLetters(queries, options);
  const given = await deliver(queries, stored, options);
  const outcomes = options.works.map((work): Outcome<MailDone> => {
    const own = sent.get(work) ?? [];
    if (own instanceof Error) return { error: own };
    return { value: { sent: own, acked: acked.get(work) ?? NONE } };
  });
  return { outcomes, given, keep };
}
