import { BusyError } from '../errors.ts';
import type { Queries } from '../store/database.ts';
import type { Addressed } from './letter.ts';
import { countOpen, mailboxKey, type MailboxOf } from './mail-rows.ts';

/** Unacknowledged messages that an agent can have. */
const MAX_UNACKED = 10_000;
/** Mailboxes remembered; their counts are taken anew after that. */
const MAX_KNOWN = 10_000;

/** Unacknowledged messages of a mailbox that were counted when `lastId` was the newest message of all. */
interface Counted {
  readonly open: number;
  readonly lastId: number;
}

/** Takes the room that letters need; an error when a mailbox has not so much, and then none is taken. */
export type TakeRoom = (letters: readonly Addressed[]) => Promise<BusyError | undefined>;

/**
 * Begins a transaction that has delivered nothing yet.
 * @param lastId the newest message before it; 0: none
 */
export type Rooms = (queries: Queries, lastId: number) => TakeRoom;

function full({ place, agent }: MailboxOf, open: number, count: number): BusyError {
  return new BusyError(
    `the mailbox of ${agent} in ${place} is full: ${open} messages are not acknowledged, ${count} were to come`,
    {
      hint: `Let ${agent} read and acknowledge its mail, then send again; a mailbox holds ${MAX_UNACKED}.`,
      details: { place, agent, open, limit: MAX_UNACKED },
    },
  );
}

/** Messages for each mailbox. */
function perMailbox(letters: readonly Addressed[]): ReadonlyMap<string, MailboxOf & { readonly count: number }> {
  const found = new Map<string, MailboxOf & { readonly count: number }>();
  for (const { place, recipients } of letters) {
    for (const agent of recipients) {
      const key = mailboxKey({ place, agent });
      found.set(key, { place, agent, count: (found.get(key)?.count ?? 0) + 1 });
    }
  }
  return found;
}

/**
 * Every message has a higher id than the one before and is in a mailbox once, so most of the time an earlier count and the
 * ids since then tell that there is room; else the mailbox is counted. To count a hundred messages takes longer than to
 * store one.
 */
export function createRooms(): Rooms {
  const known = new Map<string, Counted>();
  return (queries, lastId) => {
    /** By this transaction. */
    const taken = new Map<string, number>();
    const openAtMost = (key: string): number => {
      const before = known.get(key);
      if (before === undefined || before.lastId > lastId) return Infinity;
      return before.open + lastId - before.lastId + (taken.get(key) ?? 0);
    };
    const count = async (key: string, mailbox: MailboxOf): Promise<void> => {
      if (known.size >= MAX_KNOWN) known.clear();
      known.set(key, { open: await countOpen(queries, mailbox), lastId });
    };
    return async (letters) => {
      const wanted = perMailbox(letters);
      for (const [key, { count: coming, ...mailbox }] of wanted) {
        if (openAtMost(key) + coming > MAX_UNACKED) await count(key, mailbox);
        if (openAtMost(key) + coming > MAX_UNACKED) return full(mailbox, openAtMost(key), coming);
      }
      for (const [key, { count: coming }] of wanted) taken.set(key, (taken.get(key) ?? 0) + coming);
      return undefined;
    };
  };
}
