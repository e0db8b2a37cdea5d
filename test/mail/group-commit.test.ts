import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { BusyError, NotFoundError, StorageError, UnavailableError } from '../../src/errors.ts';
import { createGroupCommit, type GroupCommit, type Outcome } from '../../src/mail/group-commit.ts';

const turn = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve));
const orMessage = (answer: Promise<string>): Promise<string> =>
  answer.catch((error: unknown) => (error instanceof Error ? error.message : 'no error'));
const settled = (answers: readonly Promise<string>[]): Promise<readonly string[]> => Promise.all(answers.map(orMessage));

/** A group whose transactions take `turns` of the event loop; `done` are those that were committed. */
function group(
  fault: (works: readonly string[]) => Error | undefined = () => undefined,
  { maxWeight = 100, maxWaiting = 1000, turns = 1 } = {},
): GroupCommit<string, string> & { readonly done: readonly (readonly string[])[] } {
  const done: (readonly string[])[] = [];
  let isCommitting = false;
  const commit = async (works: readonly string[]): Promise<readonly Outcome<string>[]> => {
    expect(isCommitting).toBe(false);
    isCommitting = true;
    for (let at = 0; at < turns; at += 1) await turn();
    isCommitting = false;
    const error = fault(works);
    if (error !== undefined) throw error;
    done.push(works);
    return works.map((work) => (work.startsWith('no') ? { error: new NotFoundError(`${work}!`) } : { value: `${work}.` }));
  };
  return { ...createGroupCommit({ commit, maxWeight, maxWaiting }), done };
}

describe('createGroupCommit', () => {
  it('what comes in one turn, or while a transaction is under way, shares the next', async () => {
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

  it('one that the disk refuses fails alone; the others are done, in order', async () => {
    const { add, done } = group((works) => (works.includes('huge') ? new StorageError('full') : undefined));
    expect(await settled(['a', 'huge', 'b'].map((work) => add(work, 1)))).toEqual(['a.', 'full', 'b.']);
    expect(done).toEqual([['a'], ['b']]);
  });

  it('what is the fault of none is told to all, and not tried again', async () => {
    for (const error of [new BusyError('locked'), new UnavailableError('away')]) {
      let tries = 0;
      const { add } = group(() => {
        tries += 1;
        return error;
      });
      expect(await settled(['a', 'b', 'c'].map((work) => add(work, 1)))).toEqual(Array(3).fill(error.message));
      expect(tries).toBe(1);
    }
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

  it('for any work at any time: each is done once, in order, in transactions that are not too large', async () => {
    const work = fc.record({
      weight: fc.integer({ min: 1, max: 12 }),
      pause: fc.integer({ min: 0, max: 3 }),
      fails: fc.boolean(),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(work, { maxLength: 40 }), async (works) => {
        const { add, done } = group(
          (names) => (names.some((name) => name.startsWith('bad')) ? new StorageError('bad') : undefined),
          {
            maxWeight: 10,
          },
        );
        const weights = new Map<string, number>();
        const answers: Promise<string>[] = [];
        for (const [at, { weight, pause, fails }] of works.entries()) {
          const name = `${fails ? 'bad' : 'good'} ${at}`;
          weights.set(name, weight);
          answers.push(orMessage(add(name, weight)));
          for (let turns = 0; turns < pause; turns += 1) await turn();
        }
        const names = [...weights.keys()];
        expect(await Promise.all(answers)).toEqual(names.map((name) => (name.startsWith('bad') ? 'bad' : `${name}.`)));
        expect(done.flat()).toEqual(names.filter((name) => name.startsWith('good')));
        for (const batch of done) {
          const weight = batch.reduce((sum, name) => sum + (weights.get(name) ?? 0), 0);
          expect(batch.length === 1 || weight <= 10).toBe(true);
        }
      }),
      { seed: 20_261_121, numRuns: 60 },
    );
  });
});
