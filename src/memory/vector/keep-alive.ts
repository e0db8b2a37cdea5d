/** Threads that keep the process alive while somebody waits for an answer, and only then. */
export interface KeepAlive {
  /** Runs something that somebody waits for. */
  during<T>(work: () => Promise<T>): Promise<T>;
  /** A thread to hold; returns the function that lets go of it. */
  hold(thread: { ref(): void; unref(): void }): () => void;
}

export function createKeepAlive(): KeepAlive {
  const threads = new Set<{ ref(): void; unref(): void }>();
  let waiting = 0;
  const count = (change: number): void => {
    waiting += change;
    if (waiting === (change > 0 ? 1 : 0)) for (const thread of threads) thread[waiting > 0 ? 'ref' : 'unref']();
  };
  return {
    during: async (work) => {
      count(1);
      try {
        return await work();
      } finally {
        count(-1);
      }
    },
    hold: (thread) => {
      threads.add(thread);
      thread[waiting > 0 ? 'ref' : 'unref']();
      return () => void threads.delete(thread);
    },
  };
}
