import { CancelledError } from '../errors.ts';
import { mailboxKey, type Mail, type MailboxOf } from './mail-rows.ts';
import type { Reader } from './mail-batch.ts';

/** A reader taken out to be served. */
export interface Called {
  readonly reader: Reader;
  /** Gives it what it got; with nothing it waits on, before the others. */
  readonly serve: (mail: readonly Mail[]) => void;
}

/** Readers of this process that wait for mail. */
export interface WaitingReaders {
  readonly size: number;
  /**
   * Resolves with its mail, or with `undefined` when it is to look for itself.
   * @throws CancelledError (as a rejection) the signal has aborted, and no mail was being given
   */
  wait(reader: Reader, signal: AbortSignal | undefined): Promise<readonly Mail[] | undefined>;
  /** Takes out the first of each mailbox. */
  call(mailboxes: Iterable<MailboxOf>): readonly Called[];
  /** The mailboxes for which somebody waits. */
  mailboxes(): readonly MailboxOf[];
  /** Lets those of mailboxes, given by their keys, look for themselves. */
  wake(keys: Iterable<string>): void;
  fail(error: unknown): void;
}

interface Entry {
  readonly reader: Reader;
  readonly signal: AbortSignal | undefined;
  readonly onAbort: () => void;
  readonly resolve: (mail: readonly Mail[] | undefined) => void;
  readonly reject: (error: unknown) => void;
}

const cancelled = ({ agent, place }: MailboxOf): CancelledError =>
  new CancelledError(`waiting for mail of ${agent} in ${place} was cancelled`);

export function createWaitingReaders(): WaitingReaders {
  const entries = new Map<string, Entry[]>();
  let size = 0;

  const removeAll = (key: string): readonly Entry[] => {
    const found = entries.get(key) ?? [];
    entries.delete(key);
    size -= found.length;
    return found;
  };
  const put = (entry: Entry, isFirst: boolean): void => {
    const key = mailboxKey(entry.reader);
    const others = entries.get(key) ?? [];
    if (isFirst) others.unshift(entry);
    else others.push(entry);
    entries.set(key, others);
    size += 1;
  };
  const remove = (entry: Entry): boolean => {
    const key = mailboxKey(entry.reader);
    const others = entries.get(key) ?? [];
    const at = others.indexOf(entry);
    if (at < 0) return false;
    others.splice(at, 1);
    if (others.length === 0) entries.delete(key);
    size -= 1;
    return true;
  };
  const settle = (entry: Entry, mail: readonly Mail[] | undefined): void => {
    entry.signal?.removeEventListener('abort', entry.onAbort);
    entry.resolve(mail);
  };
  const serve = (entry: Entry, mail: readonly Mail[]): void => {
    if (mail.length > 0) settle(entry, mail);
    else if (entry.signal?.aborted === true) entry.reject(cancelled(entry.reader));
    else put(entry, true);
  };
  return {
    get size() {
      return size;
    },
    wait: (reader, signal) =>
      new Promise((resolve, reject) => {
        if (signal?.aborted === true) {
          reject(cancelled(reader));
          return;
        }
        const onAbort = (): void => {
          if (remove(entry)) reject(cancelled(reader)); // else it is being served
        };
        const entry: Entry = { reader, signal, onAbort, resolve, reject };
        signal?.addEventListener('abort', onAbort, { once: true });
        put(entry, false);
      }),
    call: (mailboxes) => {
      const called: Entry[] = [];
      for (const mailbox of mailboxes) {
        const [first] = entries.get(mailboxKey(mailbox)) ?? [];
        if (first !== undefined && remove(first)) called.push(first);
      }
      return called.map((entry) => ({ reader: entry.reader, serve: (mail) => serve(entry, mail) }));
    },
    mailboxes: () => [...entries.values()].flatMap(([first]) => (first === undefined ? [] : [first.reader])),
    wake: (keys) => {
      for (const key of keys) for (const entry of removeAll(key)) settle(entry, undefined);
    },
    fail: (error) => {
      for (const key of entries.keys()) {
        for (const entry of removeAll(key)) {
          entry.signal?.removeEventListener('abort', entry.onAbort);
          entry.reject(error);
        }
      }
    },
  };
}
