import type { RunSession } from './run-session.ts';

/** Milliseconds between looks at what other processes did: the more, the longer nothing happened. */
const POLL_MS = { least: 50, most: 250 } as const;

/** Waits until others may have written, or something of one's own has settled. */
export interface OthersPoll {
  next(own: Iterable<Promise<unknown>>): Promise<void>;
  /** Stops waiting. */
  close(): void;
}

export function createOthersPoll({ fold, runtime }: Pick<RunSession, 'fold' | 'runtime'>): OthersPoll {
  const closed = new AbortController();
  let quietSince = fold.state.seq;
  let pollMs: number = POLL_MS.least;
  let poll: Promise<unknown> | null = null;
  return {
    next: async (own) => {
      const { seq } = fold.state;
      pollMs = seq === quietSince ? Math.min(pollMs * 1.5, POLL_MS.most) : POLL_MS.least;
      quietSince = seq;
      poll ??= runtime.sleep(pollMs, closed.signal).then(
        () => (poll = null),
        () => undefined,
      );
      await Promise.race([poll, ...own]);
    },
    close: () => closed.abort(),
  };
}
