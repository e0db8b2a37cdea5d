import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { BusyError, NotFoundError, StorageError } from '../../src/errors.ts';
import { createGroupCommit, type Outcome } from '../../src/mail/group-commit.ts';

const turn = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve));
const orMessage = (answer: Promise<string>): Promise<string> =>
  answer.catch((error: unknown) => (error instanceof Error ? error.message : 'no error'));
const settled = (answers: readonly Promise<string>[]): Promise<readonly string[]> => Promise.all(answers.map(orMessage));

interface Group {
  readonly add: (name: string, weight: number) => Promise<string>;
  /** The transactions that were committed. */
  readonly done: readonly (readonly string[])[];
}

/** A group whose transactions take `turns` of the event loop. */
function group(
  fault: (works: readonly string[]) => Error | undefined = () => undefined,
  { maxWeight = 100, maxWaiting = 1000, turns = 1 } = {},
): Group {
  const done: (readonly string[])[] = [];
  let isCommitting = false;
  const add = createGroupCommit({
    commit: async (works: readonly { readonly name: string; readonly weight: number }[]): Promise<readonly Outcome<string>[]> => {
      expect(isCommitting).toBe(false);
      isCommitting = true;
      for (let at = 0; at < turns; at += 1) await turn();
      isCommitting = false;
      const names = works.map(({ name }) => name);
      const error = fault(names);
      if (error !== undefined) throw error;
      done.push(names);
      return names.map((name) => (name.startsWith('no') ? { error: new NotFoundError(`${name}!`) } : { value: `${name}.` }));
    },
    weightOf: ({ weight }) => weight,
    maxWeight,
    maxWaiting,
  });
  return { add: (name, weight) => add({ name, weight }), done };
}

describe('createGroupCommit', () => {
  it('what is asked for at once, or while a transaction is under way, shares the next', async () => {
    const { add, done } = group(undefined, { turns: 5 });
    const first = ['a', 'b', 'c'].map((work) => add(work, 1));
    await turn();
    await turn();
    const second = ['d', 'no'].map((work) => add(work, 1));
    expect(await settled([...first, ...second])).toEqual(['a.', 'b.', 'c.', 'd.', 'no!']);
    expect(done).toEqual([
      ['a', 'b', 'c'],
      ['d', 'no'],
    ]);
  });

  it('who is answered and asks again at once shares with the others who do', async () => {
    const { add, done } = group();
    await Promise.all(
      ['a', 'b', 'c', 'd'].map(async (name) => {
        for (let n = 0; n < 10; n += 1) expect(await add(`${name}${n}`, 1)).toBe(`${name}${n}.`);
      }),
    );
    expect(done).toEqual(Array.from({ length: 10 }, (_, n) => [`a${n}`, `b${n}`, `c${n}`, `d${n}`]));
  });

  it('a transaction that fails is told to all who share it, is not tried again, and later ones go on', async () => {
    let tries = 0;
    const { add, done } = group((works) => {
      tries += 1;
      return works.includes('huge') ? new StorageError('full') : undefined;
    });
    expect(await settled(['a', 'huge', 'b'].map((work) => add(work, 1)))).toEqual(['full', 'full', 'full']);
    expect(tries).toBe(1);
    expect(await add('c', 1)).toBe('c.');
    expect(done).toEqual([['c']]);
  });

  it('more than may wait is busy, and has room again later', async () => {
    const { add } = group(undefined, { maxWaiting: 10 });
    const large = add('larger than all, and nothing else waits', 30);
    await expect(add('a', 1)).rejects.toThrow(BusyError);
    await large;
    const fitting = ['a', 'b'].map((work) => add(work, 5));
    await expect(add('c', 1)).rejects.toThrow('10 messages wait to be stored already; 10 may');
    expect(await settled(fitting)).toEqual(['a.', 'b.']);
    expect(await add('c', 1)).toBe('c.');
  });

  it('for any work at any time: each is answered for its transaction, in order, and none is too large', async () => {
    const work = fc.record({
      weight: fc.integer({ min: 1, max: 12 }),
      pause: fc.integer({ min: 0, max: 3 }),
      fails: fc.boolean(),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(work, { maxLength: 40 }), async (works) => {
        const tried: (readonly string[])[] = [];
        const fault = (names: readonly string[]): Error | undefined => {
          tried.push(names);
          return names.some((name) => name.startsWith('bad')) ? new StorageError('bad') : undefined;
        };
        const { add, done } = group(fault, { maxWeight: 10 });
        const weights = new Map<string, number>();
        const answers: Promise<string>[] = [];
        for (const [at, { weight, pause, fails }] of works.entries()) {
          const name = `${fails ? 'bad' : 'good'} ${at}`;
          weights.set(name, weight);
          answers.push(orMessage(add(name, weight)));
          for (let turns = 0; turns < pause; turns += 1) await turn();
        }
        const answered = await Promise.all(answers);
        const isDone = new Set(done.flat());
        expect(tried.flat()).toEqual([...weights.keys()]);
        expect(answered).toEqual([...weights.keys()].map((name) => (isDone.has(name) ? `${name}.` : 'bad')));
        for (const batch of tried) {
          const weight = batch.reduce((sum, name) => sum + (weights.get(name) ?? 0), 0);
          expect(batch.length === 1 || weight <= 10).toBe(true);
        }
      }),
      { seed: 20_261_121, numRuns: 60 },
    );
  });
});
