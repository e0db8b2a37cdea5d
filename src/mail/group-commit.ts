import { BusyError, ConflictError, InternalError, InvalidInputError, StorageError } from '../errors.ts';

/** What became of one piece of work within a transaction that was committed. */
export type Outcome<R> = { readonly value: R } | { readonly error: unknown };

/** Calls that share transactions; each gets its own answer once its transaction is committed. */
export interface GroupCommit<W, R> {
  /**
   * @param weight how many things are to be stored, ≥ 1
   * @throws BusyError (as a rejection) too much waits already; nothing is done
   */
  add(work: W, weight: number): Promise<R>;
}

export interface GroupCommitOptions<W, R> {
  /** Does all in one transaction, in this order; an outcome for each. Rejects when nothing was done. */
  readonly commit: (works: readonly W[]) => Promise<readonly Outcome<R>[]>;
  /** Weight of one transaction at most, except that of a single piece of work: others wait for it. */
  readonly maxWeight: number;
  /** Weight that waits at most. */
  readonly maxWaiting: number;
}

interface Waiting<W, R> {
  readonly work: W;
  readonly weight: number;
  readonly settle: (outcome: Outcome<R>) => void;
}

const turn = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve));

/** Whether the fault may be with one piece of work, and the others can do without it. A server's are nobody's. */
function mayBeOfOne(error: unknown): boolean {
  return [StorageError, InvalidInputError, ConflictError, InternalError].some((kind) => error instanceof kind);
}

/**
 * What is asked for in one turn of the event loop, or while a transaction is under way, shares the next transaction.
 * When that fails, each piece of work is tried alone, so that it fails for itself only.
 */
export function createGroupCommit<W, R>({ commit, maxWeight, maxWaiting }: GroupCommitOptions<W, R>): GroupCommit<W, R> {
  let queue: Waiting<W, R>[] = [];
  let waiting = 0;
  let isRunning = false;

  /** As many as fit one transaction, from the front. */
  const next = (): readonly Waiting<W, R>[] => {
    let weight = 0;
    let count = 0;
    for (const item of queue) {
      if (count > 0 && weight + item.weight > maxWeight) break;
      weight += item.weight;
      count += 1;
    }
    const batch = queue.slice(0, count);
    queue = queue.slice(count);
    waiting -= weight;
    return batch;
  };
  const settle = async (batch: readonly Waiting<W, R>[]): Promise<void> => {
    try {
      const outcomes = await commit(batch.map(({ work }) => work));
      for (const [at, item] of batch.entries()) {
        item.settle(outcomes[at] ?? { error: new InternalError('a piece of work has no outcome') });
      }
    } catch (error) {
      if (batch.length > 1 && mayBeOfOne(error)) for (const item of batch) await settle([item]);
      else for (const item of batch) item.settle({ error });
    }
  };
  const run = async (): Promise<void> => {
    for (; queue.length > 0;) {
      await turn();
      await settle(next());
    }
    isRunning = false;
  };
  return {
    add: (work, weight) => {
      if (waiting > 0 && waiting + weight > maxWaiting) {
        return Promise.reject(
          new BusyError(`${waiting} messages wait to be stored already; ${maxWaiting} may`, {
            hint: 'Await what was sent before sending more.',
          }),
        );
      }
      waiting += weight;
      return new Promise((resolve, reject) => {
        queue.push({ work, weight, settle: (outcome) => ('error' in outcome ? reject(outcome.error) : resolve(outcome.value)) });
        if (isRunning) return;
        isRunning = true;
        void run();
      });
    },
  };
}
