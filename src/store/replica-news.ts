import type { Runtime } from '../runtime.ts';
import type { ServerIndex } from './server-index.ts';

/** Milliseconds that a read waits for the server to say whether it has more than the copy. */
const NEWS_MS = 250;
/** Milliseconds after which a question counts as lost. Until then no other is asked, and no read waits. */
const LOST_MS = 5_000;

export interface ReplicaNewsOptions {
  readonly href: string;
  readonly runtime: Runtime;
  readonly index: ServerIndex;
  /** The index that the copy holds; `null` when that is not known. */
  readonly held: () => string | null;
}

/** What the server says about changes that a copy does not hold yet. */
export interface ReplicaNews {
  /** Whether the copy lacks something now; `false` also when the server did not say so in time. */
  lacking(): Promise<boolean>;
  /** Why the server did not say; `null` when it did. */
  problem(): string | null;
  close(): void;
}

function reasonOf(error: unknown): string {
  const cause = error instanceof Error ? (error.cause ?? error) : error;
  return cause instanceof Error ? cause.message : String(cause);
}

export function createReplicaNews({ href, runtime, index, held }: ReplicaNewsOptions): ReplicaNews {
  const closed = new AbortController();
  let problem: string | null = null;
  let late = 0;

  const note = (news: string | null): void => {
    if (news !== null && problem === null) runtime.log('warn', `${news}; reading the replica as it is`);
    problem = news;
  };
  /** Never rejects; `undefined`: no answer. */
  const ask = async (): Promise<string | null | undefined> => {
    const stop = new AbortController();
    const timer = new AbortController();
    const onClose = (): void => stop.abort();
    closed.signal.addEventListener('abort', onClose, { once: true });
    runtime.sleep(LOST_MS, timer.signal).then(
      () => stop.abort(),
      () => undefined, // the answer came first
    );
    try {
      const answer = await index(stop.signal);
      note(null);
      return answer;
    } catch (error) {
      const reason = stop.signal.aborted ? `no answer within ${LOST_MS} ms` : reasonOf(error);
      if (!closed.signal.aborted) note(`the database server ${href} cannot be reached: ${reason}`);
      return undefined;
    } finally {
      timer.abort();
      closed.signal.removeEventListener('abort', onClose);
    }
  };
  return {
    lacking: async () => {
      if (late > 0 || closed.signal.aborted) return false;
      const timer = new AbortController();
      const asking = ask();
      const wait = runtime.sleep(NEWS_MS, timer.signal).then(
        () => 'late' as const,
        () => undefined, // the answer came first
      );
      const answer = await Promise.race([asking, wait]);
      timer.abort();
      if (answer === 'late') {
        late += 1;
        note(`the database server ${href} did not answer within ${NEWS_MS} ms`);
        void asking.finally(() => (late -= 1));
        return false;
      }
      return typeof answer === 'string' && answer !== held();
    },
    problem: () => problem,
    close: () => closed.abort(),
  };
}
