import { BusyError, ConflictError, InvalidInputError } from '../errors.ts';

/** Anything that has a type; `place` is a run's id or a swarm's. */
export interface BusMessage {
  readonly type: string;
  readonly place?: string;
}

/** In place of what a subscriber missed, where it missed it. */
export interface Gap {
  readonly type: 'gap';
  /** Messages, ≥ 1. */
  readonly dropped: number;
}

export interface Subscribe<M extends BusMessage> {
  /** Only these types; absent: all. */
  readonly types?: readonly M['type'][];
  readonly place?: string;
  readonly where?: (message: M) => boolean;
  /** Messages that wait for the subscriber at most, ≥ 1; default 1,024. */
  readonly capacity?: number;
  /** `wait`: publishers wait for room. `drop`: it misses what comes while it has none, and gets a {@link Gap}. Default `wait`. */
  readonly whenFull?: 'wait' | 'drop';
  /** Ends the subscription. */
  readonly signal?: AbortSignal;
}

/** What comes; it begins at once, not with the first read. Ending the loop ends it, as do its signal and the bus's end. */
export interface Subscription<M> extends AsyncIterableIterator<M | Gap> {
  return(): Promise<IteratorReturnResult<undefined>>;
}

/**
 * Messages between parts of this process. Nothing is kept: who subscribes later sees what comes later. A subscriber that
 * publishes what it wants itself, and waits for that within its loop, waits for itself once it is full.
 */
export interface Bus<M extends BusMessage> {
  /**
   * Gives a message to everybody who wants it, in the order of calls; resolves once all of them have room again.
   * @throws BusyError (as a rejection) more than `capacity` publishers wait for one subscriber already; nobody gets it
   * @throws ConflictError (as a rejection) the bus is closed
   */
  publish(message: M): Promise<void>;
  subscribe(options?: Subscribe<M>): Subscription<M>;
  readonly subscribers: number;
  /** Subscribers still read what waits for them, then their loops end. */
  close(): void;
}

type Item<M> = M | Gap;

interface Reader<M extends BusMessage> {
  readonly wants: (message: M) => boolean;
  readonly subscription: Subscription<M>;
  /** Whether nothing more can be given to it, since too many publishers wait. */
  isOverfull(): boolean;
  /** A promise when the publisher is to wait. */
  give(message: M): Promise<void> | undefined;
  /** No more comes; `now`: what waits for it is dropped too. */
  end(now: boolean): void;
}

const DEFAULT_CAPACITY = 1024;
const READY = Promise.resolve();
/** Read items that are cut off an array at once. */
const CUT = 1024;

/** First in, first out. */
function createQueue<T>(): { push(item: T): void; shift(): T | undefined; readonly size: number } {
  let items: T[] = [];
  let head = 0;
  return {
    push: (item) => void items.push(item),
    shift: () => {
      if (head === items.length) return undefined;
      const item = items[head];
      head += 1;
      if (head === items.length || (head >= CUT && head * 2 > items.length)) {
        items = items.slice(head);
        head = 0;
      }
      return item;
    },
    get size() {
      return items.length - head;
    },
  };
}

interface ReaderOptions<M extends BusMessage> extends Subscribe<M> {
  readonly onEnd: () => void;
}

/** Whether a message is wanted. */
function filterOf<M extends BusMessage>({ types, place, where }: Subscribe<M>): (message: M) => boolean {
  const wanted = types === undefined ? undefined : new Set<string>(types);
  return (message) =>
    (wanted === undefined || wanted.has(message.type)) &&
    (place === undefined || message.place === place) &&
    (where === undefined || where(message));
}

function createReader<M extends BusMessage>(options: ReaderOptions<M>): Reader<M> {
  const { capacity = DEFAULT_CAPACITY, whenFull = 'wait', signal, onEnd } = options;
  if (!Number.isSafeInteger(capacity) || capacity < 1) {
    throw new InvalidInputError(`capacity is ${capacity}; expected a whole number ≥ 1`, { hint: 'Leave it out for 1,024.' });
  }
  const items = createQueue<Item<M>>();
  /** Reads that wait for an item. */
  const reads = createQueue<(result: IteratorResult<Item<M>, undefined>) => void>();
  /** Publishers that wait: as many as there are items above the capacity. */
  const publishers = createQueue<() => void>();
  let missed = 0;
  let hasEnded = false;

  const take = (): Item<M> | undefined => {
    const item = items.shift();
    if (item !== undefined) {
      publishers.shift()?.();
      return item;
    }
    if (missed === 0) return undefined;
    const gap: Gap = { type: 'gap', dropped: missed };
    missed = 0;
    return gap;
  };
  const end = (now: boolean): void => {
    if (now) {
      while (items.shift() !== undefined) publishers.shift()?.();
      missed = 0;
    }
    if (hasEnded) return;
    hasEnded = true;
    signal?.removeEventListener('abort', onAbort);
    for (let read = reads.shift(); read !== undefined; read = reads.shift()) read({ value: undefined, done: true });
    onEnd();
  };
  const onAbort = (): void => end(true);
  const give = (message: M): Promise<void> | undefined => {
    const read = reads.shift();
    if (read !== undefined) {
      read({ value: message, done: false });
      return undefined;
    }
    if (whenFull === 'drop') {
      if (items.size >= capacity) {
        missed += 1;
        return undefined;
      }
      if (missed > 0) items.push({ type: 'gap', dropped: missed });
      missed = 0;
    }
    items.push(message);
    if (whenFull === 'drop' || items.size <= capacity) return undefined;
    return new Promise((resolve) => publishers.push(resolve));
  };
  const subscription: Subscription<M> = {
    next: () => {
      const value = take();
      if (value !== undefined) return Promise.resolve({ value, done: false });
      if (hasEnded) return Promise.resolve({ value: undefined, done: true });
      return new Promise((resolve) => reads.push(resolve));
    },
    return: () => {
      end(true);
      return Promise.resolve({ value: undefined, done: true });
    },
    [Symbol.asyncIterator]: () => subscription,
  };
  signal?.addEventListener('abort', onAbort, { once: true });
  return { wants: filterOf(options), subscription, isOverfull: () => publishers.size >= capacity, give, end };
}

/** @throws InvalidInputError (of `subscribe`) a capacity that is no whole number ≥ 1 */
export function createBus<M extends BusMessage>(): Bus<M> {
  const readers = new Set<Reader<M>>();
  let isClosed = false;
  return {
    publish: (message) => {
      if (isClosed) {
        return Promise.reject(new ConflictError(`a message ${message.type} was published after the bus was closed`));
      }
      const wanting: Reader<M>[] = [];
      for (const reader of readers) {
        if (!reader.wants(message)) continue;
        if (reader.isOverfull()) {
          return Promise.reject(
            new BusyError(`a message ${message.type} was not published: too many wait for one subscriber already`, {
              hint: 'Await publish() before the next one, or let the subscriber drop messages when it is full.',
            }),
          );
        }
        wanting.push(reader);
      }
      let waits: Promise<void>[] | undefined;
      for (const reader of wanting) {
        const wait = reader.give(message);
        if (wait !== undefined) (waits ??= []).push(wait);
      }
      return waits === undefined ? READY : Promise.all(waits).then(() => undefined);
    },
    subscribe: (options = {}) => {
      const reader: Reader<M> = createReader({ ...options, onEnd: () => readers.delete(reader) });
      if (isClosed || options.signal?.aborted === true) reader.end(true);
      else readers.add(reader);
      return reader.subscription;
    },
    get subscribers() {
      return readers.size;
    },
    close: () => {
      isClosed = true;
      for (const reader of readers) reader.end(false);
    },
  };
}
