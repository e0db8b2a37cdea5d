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

/** Room of the mailboxes that one transaction stores into. */
export interface Room {
  /** Takes the room that letters need; an error when a mailbox has not so much, and then none is taken. */
  take(letters: readonly Addressed[]): Promise<BusyError | undefined>;
  /** Keeps what was counted, once the transaction is committed. */
  keep(): void;
}

/** What is known of mailboxes from one transaction to the next. */
export interface Rooms {
  /** @param lastId the newest message; those of the transaction are in `message`, and not delivered yet */
  begin(queries: Queries, lastId: number): Room;
}

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
 * ids since then tell that there is room; else the mailbox is counted.
 */
export function createRooms(): Rooms {
  const known = new Map<string, Counted>();
  return {
    begin: (queries, lastId) => {
      /** Exact, with what this transaction has taken. */
      const counted = new Map<string, number>();
      const hasRoomForAll = (key: string): boolean => {
        const before = known.get(key);
        return before !== undefined && lastId >= before.lastId && before.open + lastId - before.lastId <= MAX_UNACKED;
      };
      return {
        take: async (letters) => {
          const wanted = [...perMailbox(letters)].filter(([key]) => counted.has(key) || !hasRoomForAll(key));
          for (const [key, { count, ...mailbox }] of wanted) {
            const open = counted.get(key) ?? (await countOpen(queries, mailbox));
            counted.set(key, open);
            if (open + count > MAX_UNACKED) return full(mailbox, open, count);
          }
          for (const [key, { count }] of wanted) counted.set(key, (counted.get(key) ?? 0) + count);
          return undefined;
        },
        keep: () => {
          if (known.size > MAX_KNOWN) known.clear();
          for (const [key, open] of counted) known.set(key, { open, lastId });
        },
      };
    },
  };
}
