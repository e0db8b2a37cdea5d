import { beforeEach, describe, expect, test } from 'vitest';
import { InvalidInputError } from '../../../src/errors.ts';
import { databaseBackends } from '../../helpers/databases.ts';
import { scratchMemory, type ScratchMemory } from './scratch-search.ts';

let it: ScratchMemory;

describe.each(databaseBackends())('on $name', (backend) => {
  beforeEach(async () => {
    it = await scratchMemory(backend);
  });

  const WORDS = ['amber', 'birch', 'cedar', 'delta', 'ember', 'fjord', 'grove', 'heron', 'inlet', 'jetty'];

  async function fill(count: number): Promise<void> {
    const entries = Array.from({ length: count }, (_, n) => ({
      key: `k${n}`,
      value: `common ${WORDS[n % 10] ?? ''} ${WORDS[Math.floor(n / 10) % 10] ?? ''} number ${n}`,
    }));
    await it.memory.storeMany(entries);
  }

  describe('what was read before', () => {
    test('follows every change, also of other connections', async () => {
      const other = await it.open();
      await fill(30);
      const total = async (query: string, rest = {}): Promise<number> => (await it.memory.search({ query, ...rest })).total;
      expect([await total('common'), await total('common', { tags: ['x'] })]).toEqual([30, 0]);
      await other.store({ key: 'k3', value: 'common no more', tags: ['x'] });
      await other.delete({ key: 'k4' });
      await other.store({ key: 'k5', value: 'something else' });
      await other.store({ key: 'k6', value: 'common for a while', ttlSeconds: 1 });
      expect([await total('common'), await total('common', { tags: ['x'] })]).toEqual([28, 1]);
      expect(await it.keys('delta')).not.toContain('k3');
      it.sleep(1_000);
      expect(await total('common')).toBe(27);
      await other.storeMany(Array.from({ length: 2_100 }, (_, n) => ({ key: `k${n}`, value: `rewritten ${n}` })));
      expect([await total('common'), await total('rewritten')]).toEqual([0, 1_000]);
    });
  });

  test('a page and a phrase of entries that are together larger than a server sends at once', async () => {
    const filler = '"\\ '.repeat(100_000);
    for (let n = 0; n < 14; n += 1) await it.memory.store({ key: `big${n}`, value: `amber birch ${n} ${filler}cedar` });
    expect(await it.keys('amber', { limit: 100 })).toHaveLength(14);
    expect(await it.keys('', { phrase: 'amber birch', limit: 100 })).toHaveLength(14);
    expect(await it.keys('\\ "\\', { limit: 100 })).toHaveLength(14);
  }, 30_000);

  describe('pages', () => {
    test('cursors go through everything once, in the order of offsets', async () => {
      await fill(430);
      const seen: string[] = [];
      let cursor: string | undefined;
      let last = 1;
      do {
        const answer = await it.memory.search({ query: 'common amber', limit: 50, cursor });
        expect(answer).toMatchObject({ total: 430, totalIsExact: true });
        for (const { key, score } of answer.results) {
          expect(score).toBeLessThanOrEqual(last);
          last = score;
          seen.push(key);
        }
        cursor = answer.cursor ?? undefined;
      } while (cursor !== undefined);
      expect(seen).toHaveLength(430);
      expect(new Set(seen).size).toBe(430);
      expect(await it.keys('common amber', { limit: 40, offset: 180 })).toEqual(seen.slice(180, 220));
    });

    test('a cursor belongs to its question', async () => {
      await fill(30);
      const { cursor } = await it.memory.search({ query: 'common', limit: 5 });
      expect(await it.keys('common', { limit: 3, cursor })).toEqual(await it.keys('common', { limit: 3, offset: 5 }));
      for (const other of [{ query: 'amber' }, { query: 'common', tags: ['x'] }, { query: 'common', minScore: 0.1 }]) {
        await expect(it.memory.search({ ...other, cursor: cursor ?? '' })).rejects.toThrow(InvalidInputError);
      }
      const turned = `${cursor?.slice(0, -2) ?? ''}zz`;
      await expect(it.memory.search({ query: 'common', cursor: turned })).rejects.toThrow(/^cursor is not/);
    });

    test('the total is counted up to a thousand', async () => {
      await fill(1_100);
      expect(await it.memory.search({ query: 'common' })).toMatchObject({ total: 1_000, totalIsExact: false });
      expect(await it.memory.search({ query: 'common heron' })).toMatchObject({ total: 1_000, totalIsExact: false });
      const { total, totalIsExact } = await it.memory.search({ query: 'heron' });
      expect([total, totalIsExact]).toEqual([209, true]);
    });
  });

  describe('scores', () => {
    test('from 0 to 1, explained, and filtered by the least', async () => {
      await fill(60);
      const { results } = await it.memory.search({ query: 'amber birch', explain: true, limit: 60 });
      expect(results[0]?.value).toMatch(/amber birch|birch amber/);
      for (const { score, explanation = {} } of results) {
        expect(score).toBeGreaterThan(0);
        expect(score).toBeLessThanOrEqual(1);
        const { words = 0, neighbours = 0, feedback = 0, links = 0 } = explanation;
        expect(words + neighbours + feedback + links).toBeCloseTo(score, 2);
      }
      const least = results[3]?.score ?? 0;
      const good = await it.memory.search({ query: 'amber birch', minScore: least, limit: 60 });
      expect(good.results.map(({ key }) => key)).toEqual(results.filter(({ score }) => score >= least).map(({ key }) => key));
      expect(good.results.every((result) => result.explanation === undefined)).toBe(true);
    });

    test('a word that the question and an entry share counts more than importance; among equals importance decides', async () => {
      await it.memory.store({ key: 'trivia', value: 'lunch is at noon', importance: 0 });
      await it.memory.store({ key: 'vital', value: 'lunch is at noon', importance: 1 });
      await it.memory.store({ key: 'plain', value: 'lunch is at noon' });
      await it.memory.store({ key: 'both', value: 'lunch and dinner', importance: 0 });
      expect(await it.keys('lunch')).toEqual(expect.arrayContaining(['trivia']));
      expect((await it.keys('lunch noon')).slice(0, 3)).toEqual(['vital', 'plain', 'trivia']);
      expect((await it.keys('lunch dinner'))[0]).toBe('both');
    });

    test('the newer of equals comes first', async () => {
      for (const key of ['one', 'two', 'three']) await it.memory.store({ key, value: 'the same words' });
      expect(await it.keys('words')).toEqual(['three', 'two', 'one']);
      await it.memory.store({ key: 'one', value: 'the same words', kind: 'fact' });
      expect(await it.keys('same words')).toEqual(['one', 'three', 'two']);
    });
  });

  describe('words', () => {
    beforeEach(async () => {
      await it.memory.store({ key: 'trip', value: 'We bought the tickets and went to Lisbon.' });
      await it.memory.store({ key: 'school', value: 'She continues her education in counselling.' });
      await it.memory.store({ key: 'other', value: 'Nothing to see.' });
    });

    test('of irregular forms', async () => {
      expect(await it.keys('buy')).toEqual(['trip']);
      expect(await it.keys('When do we go?')).toEqual(['trip']);
    });

    test('misspelt ones find what is spelt like them', async () => {
      const answer = await it.memory.search({ query: 'educaton' });
      expect(answer).toMatchObject({ total: 1, matchedBy: 'words', results: [{ key: 'school', matched: ['education'] }] });
      expect(await it.keys('xylophone')).toEqual([]);
    });

    test('changes show in the next search', async () => {
      expect(await it.keys('Lisbon')).toEqual(['trip']);
      await it.memory.store({ key: 'trip', value: 'We stayed in Porto.' });
      expect(await it.keys('Lisbon')).toEqual([]);
      expect(await it.keys('Porto')).toEqual(['trip']);
      await it.memory.store({ key: 'late', value: 'Porto again, and Porto once more.' });
      expect((await it.keys('Porto'))[0]).toBe('late');
    });

    test('far from the beginning of a long value', async () => {
      await it.memory.store({ key: 'long', value: `${'filler words here. '.repeat(3_000)} the needle is here` });
      const [first] = (await it.memory.search({ query: 'needle' })).results;
      expect(first).toMatchObject({ key: 'long' });
      expect(first?.score).toBeGreaterThan(0);
      expect(first?.snippet).toContain('needle');
      expect(Array.from(first?.snippet ?? '').length).toBeLessThanOrEqual(300);
    });

    test('that nearly all of very many entries have', async () => {
      await fill(300);
      expect(await it.memory.search({ query: 'number common', limit: 100 })).toMatchObject({ total: 300 });
      expect(await it.keys('number common', { limit: 100 })).toHaveLength(100);
    });
  });

  describe('maxTokens', () => {
    beforeEach(async () => {
      for (let n = 0; n < 8; n += 1) await it.memory.store({ key: `note-${n}`, value: `deploy ${'long text '.repeat(300)}` });
      await it.memory.store({ key: 'json', value: { deploy: Array.from({ length: 500 }, (_, n) => n) } });
    });

    test.each([10_000, 3_000, 1_500, 400, 200])('%i', async (maxTokens) => {
      const answer = await it.memory.search({ query: 'deploy', maxTokens, limit: 9 });
      expect(answer.results.length).toBeGreaterThan(0);
      expect(JSON.stringify(answer).length / 4).toBeLessThanOrEqual(maxTokens);
      expect(answer.shortened).toBe(maxTokens < 10_000);
      expect(answer.cursor !== null).toBe(answer.results.length < 9);
      const json = answer.results.find(({ key }) => key === 'json');
      expect(json?.value !== undefined).toBe(maxTokens === 10_000);
    });

    test('never exceeded: what is too little is refused, with what is needed', async () => {
      await it.memory.store({ key: 'k'.repeat(500), value: `deploy "quoted"\n${'\n"'.repeat(400)}`, tags: ['t'.repeat(300)] });
      const search = async (maxTokens: number): Promise<string> =>
        it.memory.search({ query: 'deploy quoted', maxTokens, limit: 1 }).then(
          (answer) => (JSON.stringify(answer).length / 4 <= maxTokens ? 'within' : 'exceeded'),
          (error: unknown) => (error instanceof InvalidInputError ? error.message : String(error)),
        );
      await expect(search(99)).resolves.toMatch(/^maxTokens is 99; expected a whole number from 100/);
      const refused = await search(100);
      expect(refused).toMatch(/^maxTokens is 100; its next result needs \d+$/);
      const needed = Number(/\d+$/.exec(refused)?.[0]);
      expect(await search(needed - 1)).toBe(`maxTokens is ${needed - 1}; its next result needs ${needed}`);
      for (const maxTokens of [needed, needed + 7, needed + 100, needed + 400]) expect(await search(maxTokens)).toBe('within');
    });

    test('the cursor goes on where it was cut', async () => {
      const seen: string[] = [];
      let cursor: string | undefined;
      do {
        const answer = await it.memory.search({ query: 'deploy', maxTokens: 500, limit: 9, cursor });
        seen.push(...answer.results.map((result) => result.key));
        cursor = answer.cursor ?? undefined;
      } while (cursor !== undefined);
      expect([...seen].sort()).toEqual(['json', ...Array.from({ length: 8 }, (_, n) => `note-${n}`)]);
    });
  });
});
