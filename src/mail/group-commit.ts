import { BusyError, InternalError } from '../errors.ts';

/** What became of one piece of work within a transaction that was committed. */
export type Outcome<R> = { readonly value: R } | { readonly error: Error };

export interface GroupCommitOptions<W, R> {
  /** Does all in one transaction, in this order; an outcome for each. Rejects when nothing was done. */
  readonly commit: (works: readonly W[]) => Promise<readonly Outcome<R>[]>;
  /** How many things are to be stored, ≥ 1. */
  readonly weightOf: (work: W) => number;
  /** Weight of one transaction at most, except that of a single piece of work: others wait for it. */
  readonly maxWeight: number;
  /** Weight that waits at most. */
  readonly maxWaiting: number;
}

interface Waiting<W, R> {
  readonly work: W;
  readonly resolve: (value: R) => void;
  readonly reject: (error: unknown) => void;
}

const turn = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve));

/**
 * Calls that share transactions: what is asked for at once, or while a transaction is under way, shares the next. Each gets
 * its own answer once its transaction is committed; when that fails, all get its error.
 * @returns does a piece of work; rejects with `BusyError` when too much waits already, and then nothing is done
 */
export function createGroupCommit<W, R>(options: GroupCommitOptions<W, R>): (work: W) => Promise<R> {
  const { commit, weightOf, maxWeight, maxWaiting } = options;
  let queue: Waiting<W, R>[] = [];
  let weight = 0;
  let isRunning = false;

  /** As many as fit one transaction, from the front. */
  const next = (): readonly Waiting<W, R>[] => {
    let taken = 0;
    const end = queue.findIndex(({ work }, at) => (taken += weightOf(work)) > maxWeight && at > 0);
    const batch = end < 0 ? queue : queue.slice(0, end);
    queue = end < 0 ? [] : queue.slice(end);
    for (const { work } of batch) weight -= weightOf(work);
    return batch;
  };
  const settle = async (batch: readonly Waiting<W, R>[]): Promise<void> => {
    try {
      const outcomes = await commit(batch.map(({ work }) => work));
      for (const [at, { resolve, reject }] of batch.entries()) {
        const outcome = outcomes[at] ?? { error: new InternalError('a piece of work has no outcome') };
        if ('error' in outcome) reject(outcome.error);
        else resolve(outcome.value);
      }
    } catch (error) {
      for (const { reject } of batch) reject(error);
    }
  };
  const run = async (): Promise<void> => {
    for (; queue.length > 0; await turn()) await settle(next());
    isRunning = false;
  };
  return (work) => {
    if (weight > 0 && weight + weightOf(work) > maxWaiting) {
      return Promise.reject(
        new BusyError(`${weight} messages wait to be stored already; ${maxWaiting} may`, {
          hint: 'Await what was sent before sending more.',
        }),
      );
    }
    weight += weightOf(work);
    return new Promise((resolve, reject) => {
      queue.push({ work, resolve, reject });
      if (isRunning) return;
      isRunning = true;
      queueMicrotask(() => void run()); // what is asked for at once is in the queue by then
    });
  };
}
