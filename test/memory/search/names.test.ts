import { beforeEach, describe, expect, test } from 'vitest';
import { databaseBackends } from '../../helpers/databases.ts';
import { scratchMemory, type ScratchMemory } from './scratch-search.ts';

let it: ScratchMemory;

const PEOPLE = ['Anna', 'Boris', 'Clara', 'Dora', 'Egon', 'Fritz', 'Greta', 'Hugo', 'Ines', 'Jakob'];
const TRADES = ['baker', 'nurse', 'pilot', 'clerk', 'tailor', 'welder', 'miner', 'farmer', 'judge', 'diver'];

/** Facts about others, with the words of the questions. */
const OTHERS = PEOPLE.flatMap((name) => [
  ...TRADES.map((trade) => ({ key: `${name}-${trade}`, value: `${name} once wanted to work as a ${trade} in the city.` })),
  ...TRADES.map((trade) => ({ key: `${trade}-${name}`, value: `The ${trade} of the city told ${name} about the work.` })),
]);

describe.each(databaseBackends())('names that results share, on $name', (backend) => {
  beforeEach(async () => {
    it = await scratchMemory(backend);
    await it.memory.storeMany(OTHERS);
  });

  async function best(query: string, count: number): Promise<readonly string[]> {
    const { results } = await it.memory.search({ query, limit: count });
    return results.map(({ key }) => key);
  }

  test.each([
    [{ a: 'Ruben is employed by Acme.', b: 'Acme has its office in Lisbon.' }, 'In which city does Ruben work?'],
    [{ a: 'Ruben is employed by Acme.', b: 'The headquarters of Acme moved to Lisbon.' }, 'In which city does Ruben work?'],
    [
      { a: 'The parser was written by Ottokar.', b: 'Ottokar left for the Vienna office.' },
      'Where is the author of the Parser now?',
    ],
  ])('the second fact comes up among the best five: %j', async (facts, query) => {
    await it.memory.storeMany(Object.entries(facts).map(([key, value]) => ({ key, value })));
    expect(await best(query, 5)).toEqual(expect.arrayContaining(['a', 'b']));
    const { results } = await it.memory.search({ query, limit: 5, explain: true });
    const second = results.find(({ key }) => key === 'b');
    expect(second?.matched).toContain('shares a name with a');
    expect(second?.explanation?.links).toBeGreaterThan(0);
  });

  test('a name that many speak of leads nowhere', async () => {
    await it.memory.store({ key: 'a', value: 'Ruben is employed by Acme.' });
    await it.memory.storeMany(
      Array.from({ length: 30 }, (_, n) => ({ key: `acme-${n}`, value: `Acme sells product number ${n}.` })),
    );
    expect(await best('Where is Ruben employed?', 1)).toEqual(['a']);
    expect((await best('Where is Ruben employed?', 10)).filter((key) => key.startsWith('acme'))).toEqual([]);
  });

  test('a question that names nobody is answered by its words alone', async () => {
    await it.memory.storeMany([
      { key: 'a', value: 'The deployment runs on Kubernetes.' },
      { key: 'b', value: 'Kubernetes needs a licence.' },
    ]);
    expect(await best('deployment', 5)).toEqual(['a']);
  });

  test('what is out of scope is not reached', async () => {
    await it.memory.storeMany([
      { key: 'a', value: 'Ruben is employed by Acme.' },
      { key: 'b', namespace: 'other', value: 'Acme has its office in Lisbon.' },
    ]);
    const { results } = await it.memory.search({ query: 'Where does Ruben work?', namespaces: ['default'], limit: 10 });
    expect(results.map(({ key }) => key)).not.toContain('b');
  });
});
