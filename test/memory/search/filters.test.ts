import * as fc from 'fast-check';
import { beforeEach, describe, expect, test } from 'vitest';
import { InvalidInputError } from '../../../src/errors.ts';
import { databaseBackends } from '../../helpers/databases.ts';
import { scratchMemory, type ScratchMemory } from './scratch-search.ts';

let it: ScratchMemory;

describe.each(databaseBackends())('on $name', (backend) => {
  beforeEach(async () => {
    it = await scratchMemory(backend);
  });

  const sorted = async (query: string, rest: object): Promise<readonly string[]> => [...(await it.keys(query, rest))].sort();

  describe('every filter is really applied', () => {
    beforeEach(async () => {
      const { memory } = it;
      await memory.store({
        namespace: 'a',
        key: 'auth/one',
        value: 'tokens rotate',
        tags: ['x', 'y'],
        kind: 'fact',
        agent: 'ann',
        session: 's1',
      });
      await memory.store({
        namespace: 'b',
        key: 'auth/two',
        value: 'tokens rotate',
        tags: ['x'],
        kind: 'note',
        agent: 'bob',
        session: 's2',
      });
      await memory.store({ namespace: 'c', key: 'a[b]*', value: 'tokens rotate', tags: ['"x"'] });
    });

    test.each([
      [{ namespaces: ['a'] }, ['auth/one']],
      [{ namespaces: ['a', 'b'] }, ['auth/one', 'auth/two']],
      [{ namespaces: [] }, []],
      [{ namespaces: ['../..'] }, []],
      [{ tags: ['x'] }, ['auth/one', 'auth/two']],
      [{ tags: ['x', 'y'] }, ['auth/one']],
      [{ tags: ['"x"'] }, ['a[b]*']],
      [{ kind: 'fact' }, ['auth/one']],
      [{ agent: 'bob' }, ['auth/two']],
      [{ agent: "bob' OR 1=1 --" }, []],
      [{ session: 's1' }, ['auth/one']],
      [{ keys: 'auth*' }, ['auth/one', 'auth/two']],
      [{ keys: 'auth/t?o' }, ['auth/two']],
      [{ keys: 'a[b]*' }, ['a[b]*']],
      [{ keys: '[a]*' }, []],
      [{ keys: '*********************b********************' }, ['a[b]*']],
      [{ namespaces: ['a', 'b'], tags: ['x'], kind: 'note' }, ['auth/two']],
    ])('%j', async (filter, expected) => {
      expect(await sorted('tokens', filter)).toEqual(expected);
      expect((await it.memory.search({ query: 'tokens', ...filter })).total).toBe(expected.length);
      expect(await sorted('', { phrase: 'tokens rotate', ...filter })).toEqual(expected);
    });

    test('times', async () => {
      const [first] = (await it.memory.search({ query: 'tokens', namespaces: ['a'] })).results;
      const at = first?.updatedAt ?? 0;
      expect(await sorted('tokens', { until: at })).toEqual([]);
      expect(await sorted('tokens', { until: at + 1 })).toEqual(['auth/one']);
      expect(await sorted('tokens', { since: at })).toHaveLength(3);
      expect(await sorted('tokens', { since: at + 1 })).toEqual(['a[b]*', 'auth/two']);
    });

    test('what only stands in for a computation is found by those who name its namespace or kind', async () => {
      await it.memory.store({ namespace: 'cache', key: 'cached', value: 'tokens kept for a while', kind: 'cache' });
      await it.memory.store({ namespace: 'cache', key: 'note', value: 'tokens of a note' });
      expect(await sorted('tokens', {})).toEqual(['a[b]*', 'auth/one', 'auth/two', 'note']);
      expect((await it.memory.search({ query: 'tokens' })).total).toBe(4);
      expect(await sorted('', { phrase: 'tokens kept' })).toEqual([]);
      expect(await sorted('tokens', { keys: 'c*' })).toEqual([]);
      expect(await sorted('tokens', { namespaces: ['cache'] })).toEqual(['cached', 'note']);
      expect(await sorted('tokens', { kind: 'cache' })).toEqual(['cached']);
    });

    test('an entry of the kind cache elsewhere is remembered', async () => {
      await it.memory.store({ namespace: 'd', key: 'build', value: 'tokens of the build cache', kind: 'cache' });
      expect(await sorted('tokens', {})).toEqual(['a[b]*', 'auth/one', 'auth/two', 'build']);
      expect(await sorted('', { phrase: 'build cache' })).toEqual(['build']);
      expect(await sorted('tokens', { kind: 'cache' })).toEqual(['build']);
    });

    test.each([
      [{ keys: '' }, /^keys is empty$/],
      [{ since: 5, until: 4 }, /^until is not after since/],
      [{ since: 5, until: 5 }, /^until is not after since/],
    ])('%j, which nothing can pass, is refused', async (filter, message) => {
      await expect(it.memory.search({ query: 'tokens', ...filter })).rejects.toThrow(message);
    });

    test('a filter that few pass finds all of them', async () => {
      const many = Array.from({ length: 900 }, (_, n) => ({
        key: `k${n}`,
        value: `tokens of number ${n}`,
        tags: n % 300 === 7 ? ['rare'] : [],
      }));
      await it.memory.storeMany(many);
      expect(await sorted('tokens number', { tags: ['rare'] })).toEqual(['k307', 'k607', 'k7']);
      expect(await it.memory.search({ query: 'tokens number', tags: ['rare'] })).toMatchObject({
        total: 3,
        totalIsExact: true,
        cursor: null,
      });
    });
  });

  describe('what holds', () => {
    test('what was superseded is left out, unless another time is asked for', async () => {
      const { memory, keys } = it;
      await memory.store({ key: 'old', value: 'deploys run on Jenkins' });
      await memory.store({ key: 'new', value: 'deploys run on GitHub' });
      const before = it.now();
      it.sleep(100);
      await memory.supersede({ key: 'old' }, { key: 'new' }, 'we moved');
      expect(await keys('deploys')).toEqual(['new']);
      expect([...(await keys('deploys', { validAt: null }))].sort()).toEqual(['new', 'old']);
      expect([...(await keys('deploys', { validAt: before }))].sort()).toEqual(['new', 'old']);
    });

    test('from when and until when', async () => {
      await it.memory.store({ key: 'spring', value: 'the office is closed', validFrom: 5_000, validTo: 6_000 });
      expect(await it.keys('office')).toEqual([]);
      expect(await it.keys('office', { validAt: 4_999 })).toEqual([]);
      expect(await it.keys('office', { validAt: 5_000 })).toEqual(['spring']);
      expect(await it.keys('office', { validAt: 6_000 })).toEqual([]);
    });

    test('never what expired or was deleted', async () => {
      await it.memory.store({ key: 'brief', value: 'passing remark', ttlSeconds: 1 });
      await it.memory.store({ key: 'gone', value: 'passing remark' });
      await it.memory.delete({ key: 'gone' });
      expect(await it.keys('remark', { validAt: null })).toEqual(['brief']);
      it.sleep(1_000);
      expect(await it.keys('remark', { validAt: null })).toEqual([]);
      expect(await it.memory.search({ query: 'remark' })).toMatchObject({ total: 0 });
    });
  });

  describe('a phrase', () => {
    beforeEach(async () => {
      await it.memory.store({ key: 'exact', value: 'The release train leaves on Friday.' });
      await it.memory.store({ key: 'other order', value: 'The train, on its release, leaves.' });
      await it.memory.store({ key: 'other form', value: 'Releases trained by Friday.' });
      await it.memory.store({ key: 'json', value: { plan: 'our release train' } });
    });

    test('stands in the entry in this order and form', async () => {
      expect(await sorted('', { phrase: 'release train' })).toEqual(['exact', 'json']);
      expect(await sorted('Friday', { phrase: '"Release  train"' })).toEqual(['exact', 'json']);
      expect((await it.keys('Friday', { phrase: 'release train' }))[0]).toBe('exact');
      expect(await sorted('Friday', { phrase: 'train release' })).toEqual([]);
      expect(await it.memory.search({ query: '', phrase: 'other order' })).toMatchObject({
        total: 1,
        results: [{ key: 'other order' }],
      });
    });

    test('of stop words or without a word', async () => {
      await it.memory.store({ key: 'smile', value: 'to be 🙂 or not to be' });
      expect(await it.keys('', { phrase: 'to be' })).toEqual(['smile']);
      expect(await it.keys('', { phrase: '🙂' })).toEqual(['smile']);
      expect(await it.keys('not', { phrase: '🙂' })).toEqual(['smile']);
      expect(await it.keys('Friday', { phrase: '🙂' })).toEqual([]);
    });

    test('of a script without spaces stands within its runs too', async () => {
      const { memory } = it;
      const lead = 'x '.repeat(400);
      await memory.store({ key: 'run', value: `${lead}日本語のテストです`, tags: ['自動車工場'] });
      await memory.store({ key: 'word', value: 'about 日本語 and API の設計' });
      await memory.store({ key: 'other', value: '日本のテスト語' });
      await memory.store({ key: 'thai', value: 'สวัสดีชาวโลก' });
      expect(await sorted('', { phrase: '日本語' })).toEqual(['run', 'word']);
      expect((await memory.search({ query: '', phrase: '日本語' })).results.at(-1)?.snippet).toMatch(/日本語のテスト/);
      expect(await sorted('', { phrase: 'テスト' })).toEqual(['other', 'run']);
      expect(await sorted('', { phrase: 'api の設計' })).toEqual(['word']);
      expect(await sorted('', { phrase: 'ชาวโลก' })).toEqual(['thai']);
      expect(await sorted('', { phrase: '車工' })).toEqual(['run']);
      expect(await sorted('テスト', { phrase: '日本語' })).toEqual(['run']);
      const page = await memory.search({ query: '', phrase: '日本語', limit: 1 });
      expect(page).toMatchObject({ total: 2, results: [{ key: 'word' }] });
      expect(await it.keys('', { phrase: '日本語', limit: 1, cursor: page.cursor })).toEqual(['run']);
      expect(await sorted('', { phrase: '日語' })).toEqual([]);
    });
  });

  describe('hostile filters', () => {
    test('are answered or refused', async () => {
      await it.memory.store({ key: 'k', value: 'alpha beta', tags: ['t'], session: 's' });
      const text = fc.oneof(
        fc.string({ unit: 'binary', maxLength: 12 }),
        fc.constantFrom('*', '?', '[', ']', '[a-z]', '"', "'--", 'k', 't', 's', '\0', ''),
      );
      const number = fc.oneof(fc.constantFrom(-1, 0, 1, 0.5, 1e9, NaN, Infinity), fc.integer());
      const maybe = <T>(some: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> => fc.option(some, { nil: undefined, freq: 2 });
      const input = fc.record({
        query: fc.oneof(text, fc.constantFrom('alpha', 'alpha NEAR(beta) *')),
        phrase: maybe(text),
        namespaces: maybe(fc.array(text, { maxLength: 2 })),
        tags: maybe(fc.array(text, { maxLength: 2 })),
        kind: maybe(text),
        agent: maybe(text),
        session: maybe(text),
        keys: maybe(text),
        since: maybe(number),
        until: maybe(number),
        validAt: maybe(fc.oneof(number, fc.constant(null))),
        limit: maybe(number),
        offset: maybe(number),
        minScore: maybe(number),
        maxTokens: maybe(number),
        cursor: maybe(text),
        explain: maybe(fc.boolean()),
      });
      await fc.assert(
        fc.asyncProperty(input, async (question) => {
          const outcome = await it.memory.search(question).then(
            () => 'answered',
            (error: unknown) => (error instanceof InvalidInputError ? 'refused' : error),
          );
          expect(['answered', 'refused']).toContain(outcome);
        }),
        { seed: 11, numRuns: 400 },
      );
    });
  });
});
