import { IndexError } from './index-error.ts';

/*
 * A thread that is ended amid a call of hnswlib-node takes the whole process with it: the package reports the end of its
 * thread as an exception, which Node no longer accepts there, and aborts. So the thread says when it is in such a call,
 * and whoever ends it shuts the gate first. Node also ends threads when the process exits.
 */
const FREE = 0;
const INSIDE = 1;
const SHUT = 2;
/** Milliseconds that ending a thread waits for a call; the longest reads or writes a graph. */
const MOST_WAIT_MS = 10_000;

/** Runs calls of native code. */
export interface NativeGate {
  /** Throws `IndexError`, and calls nothing, when the thread is being ended. */
  pass<T>(call: () => T): T;
  /** For a call that ends later; no other may start meanwhile. */
  passAsync<T>(call: () => Promise<T>): Promise<T>;
}

/** For a thread that nobody ends. */
export const OPEN_GATE: NativeGate = { pass: (call) => call(), passAsync: (call) => call() };

/** The shared state of one gate. */
export function createGateState(): Int32Array<SharedArrayBuffer> {
  return new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT));
}

/** The gate as the thread passes it. */
export function createNativeGate(state: Int32Array<SharedArrayBuffer>): NativeGate {
  const enter = (): void => {
    if (Atomics.compareExchange(state, 0, FREE, INSIDE) !== FREE) throw new IndexError('the index is closed');
  };
  const leave = (): void => {
    Atomics.store(state, 0, FREE);
    Atomics.notify(state, 0);
  };
  return {
    pass: (call) => {
      enter();
      try {
        return call();
      } finally {
        leave();
      }
    },
    passAsync: async (call) => {
      enter();
      try {
        return await call();
      } finally {
        leave();
      }
    },
  };
}

/** Lets no call pass any more, and blocks until the one that is inside is over. */
export function shutGate(state: Int32Array<SharedArrayBuffer>): void {
  while (Atomics.compareExchange(state, 0, FREE, SHUT) === INSIDE) {
    if (Atomics.wait(state, 0, INSIDE, MOST_WAIT_MS) === 'timed-out') return;
  }
}
