import * as fc from 'fast-check';
import { beforeEach, describe, expect, test } from 'vitest';
import { InvalidInputError } from '../../src/errors.ts';
import { createMemory, type Memory } from '../../src/memory/memory.ts';
import { parseQuestion } from '../../src/memory/search/question.ts';
import { createSearch } from '../../src/memory/search/search.ts';
import { databaseBackends } from '../helpers/databases.ts';
import { testRuntime } from '../store/scratch.ts';

let memory: Memory;

describe.each(databaseBackends())('on $name', ({ fresh }) => {
  beforeEach(async () => {
    let clock = 0;
    const runtime = testRuntime({ now: () => (clock += 1) });
    const db = await (await fresh()).open(runtime);
    const { search } = createSearch({ open: async () => db, runtime });
    memory = createMemory({ open: async () => db, runtime, search });
  });

  const keys = async (query: string, namespace?: string): Promise<readonly string[]> =>
    (await memory.search({ query, ...(namespace !== undefined && { namespaces: [namespace] }) })).results.map(
      (result) => result.key,
    );

  describe('words', () => {
    beforeEach(async () => {
      await memory.store({ key: 'auth/tokens', value: 'We rotate the JSON web tokens every hour.', tags: ['security'] });
      await memory.store({
        key: 'db',
        value: { engine: 'SQLite', notes: ['write-ahead\nlogging', 'fts5 for searching'], n: 42 },
      });
      await memory.store({ namespace: 'team', key: 'people', value: 'José leads the café project; he rotates on Fridays.' });
      await memory.store({ key: 'long', value: `${'filler '.repeat(500)} needle ${'filler '.repeat(500)}` });
    });

    test('in any form, in values, keys, tags and inside JSON', async () => {
      expect([...(await keys('rotating'))].sort()).toEqual(['auth/tokens', 'people']);
      expect(await keys('CAFE')).toEqual(['people']);
      expect(await keys('auth')).toEqual(['auth/tokens']);
      expect(await keys('security')).toEqual(['auth/tokens']);
      expect(await keys('logging')).toEqual(['db']); // after an escaped line break
      expect(await keys('engine')).toEqual(['db']);
      expect(await keys('42')).toEqual(['db']);
      expect(await keys('n')).toEqual(['db']); // the key of a member, not the n of an escape
      expect(await keys('nothing of the kind')).toEqual([]);
    });

    test('any of several words, best first, with scores and the total', async () => {
      const answer = await memory.search({ query: 'How do we rotate web tokens?' });
      expect(answer.results.map((result) => result.key)).toEqual(['auth/tokens', 'people']);
      expect(answer).toMatchObject({ total: 2, matchedBy: 'words' });
      const [best = 0, next = 0] = answer.results.map((result) => result.score);
      expect(best).toBeGreaterThan(next);
      expect(next).toBeGreaterThan(0);
      expect(best).toBeLessThanOrEqual(1);
      expect(answer.results[0]).toMatchObject({
        namespace: 'default',
        key: 'auth/tokens',
        value: 'We rotate the JSON web tokens every hour.',
        snippet: 'We rotate the JSON web tokens every hour.',
        matched: ['rotate, web, tokens'],
        tags: ['security'],
        version: 1,
      });
    });

    test('within a namespace, in pages', async () => {
      expect(await keys('rotate', 'team')).toEqual(['people']);
      expect(await keys('rotate', 'none')).toEqual([]);
      const second = await memory.search({ query: 'rotate tokens', limit: 1, offset: 1 });
      expect(second).toMatchObject({ results: [{ key: 'people' }], total: 2 });
      expect(await memory.search({ query: 'rotate', offset: 50 })).toMatchObject({
        results: [],
        total: 2,
        matchedBy: 'words',
        cursor: null,
      });
    });

    test('the snippet is the part that matches, and bounded', async () => {
      const [long] = (await memory.search({ query: 'needle' })).results;
      expect(long?.snippet).toMatch(/^….*needle.*…$/);
      await memory.store({ key: 'run', value: `target ${'y'.repeat(100_000)}` });
      const [run] = (await memory.search({ query: 'target' })).results;
      expect(Array.from(run?.snippet ?? '')).toHaveLength(300);
    });

    test('stop words count only when there is nothing else', async () => {
      expect(await keys('the')).toHaveLength(2);
      expect(await keys('the needle')).toEqual(['long']);
    });

    test('follow changes and deletions', async () => {
      await memory.store({ key: 'db', value: 'now postgres' });
      expect(await keys('sqlite')).toEqual([]);
      expect(await keys('postgres')).toEqual(['db']);
      await memory.delete({ key: 'db' });
      expect(await keys('postgres')).toEqual([]);
    });
  });

  describe('no character of a query is special', () => {
    test.each([
      'tok"en',
      'NEAR(alpha beta, 2)',
      'alp*',
      '-alpha',
      'alpha AND',
      'NOT alpha',
      'key:alpha',
      '^alpha',
      '{key value}: alpha',
      'alpha + beta',
      'a\0lpha alpha',
      '"alpha',
      "alpha' OR 1=1 --",
      'alpha 🚀',
      '\ud800 alpha',
      'alpha\u0301',
    ])('%j', async (query) => {
      await memory.store({ key: 'k', value: 'alpha beta token' });
      const answer = await memory.search({ query });
      expect(answer.matchedBy).toBe('words');
      expect(answer.total).toBe(/alpha|beta/.test(query) ? 1 : 0);
    });

    test('operators are words like any other', async () => {
      await memory.store({ key: 'k', value: 'near misses' });
      expect(await keys('NEAR(x)')).toEqual(['k']);
    });

    test('anything at all is answered or refused, and finds the text it was taken from', async () => {
      await memory.store({ namespace: 'other', key: 'noise', value: 'noise' });
      await fc.assert(
        fc.asyncProperty(
          fc.string({ unit: 'binary', maxLength: 60 }),
          fc.string({ unit: 'grapheme', maxLength: 60 }),
          async (odd, text) => {
            for (const query of [odd, text]) {
              const outcome = await memory.search({ query }).then(
                () => 'answered',
                (error: unknown) => (error instanceof InvalidInputError ? error.message : error),
              );
              expect(['answered', 'query is empty']).toContain(outcome);
            }
            if (text.replaceAll('\0', ' ').trim() === '') return;
            await memory.store({ namespace: 'ns', key: 'k', value: text });
            expect(await keys(text, 'ns')).toEqual(['k']);
          },
        ),
        { seed: 3, numRuns: 60 },
      );
    });

    test('random tokens of FTS5’s own language', async () => {
      const token = fc.constantFrom(
        '"',
        '""',
        '(',
        ')',
        '*',
        '-',
        '+',
        ':',
        '^',
        'AND',
        'OR',
        'NOT',
        'NEAR',
        ',',
        '{',
        '}',
        'x',
        '5',
        '\\',
        '%',
      );
      await fc.assert(
        fc.asyncProperty(fc.array(token, { minLength: 1, maxLength: 12 }), fc.constantFrom('', ' '), async (tokens, glue) => {
          expect(await memory.search({ query: tokens.join(glue) })).toMatchObject({ total: 0 });
        }),
        { seed: 4, numRuns: 200 },
      );
    });
  });

  describe('substrings', () => {
    test('only for queries without a word, said in matchedBy; wildcards are plain characters', async () => {
      await memory.store({ key: 'rocket', value: `${'x'.repeat(200)} launch 🚀 soon` });
      await memory.store({ key: 'json', value: { mood: '🚀' } });
      await memory.store({ key: 'tagged', value: 'v', tags: ['🚀'] });
      await memory.store({ key: 'percent', value: '100 % sure_' });
      const answer = await memory.search({ query: ' 🚀 ' });
      expect(answer).toMatchObject({ total: 3, matchedBy: 'substring' });
      expect(answer.results.map((result) => [result.key, result.score])).toEqual([
        ['tagged', 0],
        ['json', 0],
        ['rocket', 0],
      ]);
      expect(answer.results[2]?.snippet).toMatch(/^…x+ launch 🚀 soon$/);
      expect(await keys('%')).toEqual(['percent']);
      expect(await keys('_')).toEqual(['percent']);
      expect(await keys('%%')).toEqual([]);
      expect(await memory.search({ query: '🎈' })).toMatchObject({ results: [], total: 0, matchedBy: 'substring' });
      expect(await memory.search({ query: '🚀', limit: 1, offset: 1 })).toMatchObject({ results: [{ key: 'json' }], total: 3 });
    });

    test('and for scripts without spaces, when their words find nothing', async () => {
      await memory.store({ key: 'tokyo', value: '東京都に住んでいます' });
      expect(await memory.search({ query: '東京' })).toMatchObject({ results: [{ key: 'tokyo' }], matchedBy: 'substring' });
      expect(await memory.search({ query: 'okyo' })).toMatchObject({ results: [], matchedBy: 'words' }); // not for ASCII
    });
  });

  describe('limits', () => {
    test.each([
      [{ query: '' }, /^query is empty/],
      [{ query: ' \n\0' }, /^query is empty/],
      [{ query: 'x'.repeat(1024 * 1024) }, /^query has more than 4096 bytes/],
      [{ query: 'ü'.repeat(2049) }, /^query has 4098 bytes/],
      [{ query: 5 }, /^query is a number/],
      [{ query: 'x', limit: 0 }, /^limit is 0/],
      [{ query: 'x', limit: 101 }, /^limit is 101; expected a whole number from 1 to 100/],
      [{ query: 'x', limit: 1e9 }, /^limit is 1000000000/],
      [{ query: 'x', limit: -1 }, /^limit is -1/],
      [{ query: 'x', offset: 1.5 }, /^offset is 1.5/],
      [{ query: 'x', offset: 10_001 }, /^offset is 10001/],
      [{ query: 'x', namespaces: [''] }, /^namespaces\[0\] is empty/],
      [{ query: 'x', namespaces: 'x' }, /^namespaces is not a list/],
      [{ query: 'x', tags: Array(101).fill('t') }, /^tags is 101 long/],
      [{ query: 'x', keys: 'a'.repeat(600) }, /^keys has more than 512 bytes/],
      [{ query: 'x', kind: '' }, /^kind is empty/],
      [{ query: 'x', since: NaN }, /^since is NaN/],
      [{ query: 'x', validAt: 'now' }, /^validAt is now/],
      [{ query: 'x', minScore: 2 }, /^minScore is 2/],
      [{ query: 'x', maxTokens: 0 }, /^maxTokens is 0/],
      [{ query: 'x', phrase: ' ' }, /^phrase is empty/],
      [{ query: null, phrase: 'x' }, /^query is null/],
      [{ query: 'x', cursor: 'nonsense' }, /^cursor is not/],
      [{ query: 'x', cursor: 5 }, /^cursor is not/],
    ])('%#', async (input, message) => {
      // @ts-expect-error: a caller without types
      const answer = memory.search(input);
      await expect(answer).rejects.toThrow(InvalidInputError);
      await expect(answer).rejects.toThrow(message);
    });

    test('the longest query of different words', async () => {
      await memory.store({ key: 'k', value: 'w1000' });
      const query = Array.from({ length: 800 }, (_, i) => `w${i + 201}`).join(' ');
      expect(query.length).toBeLessThanOrEqual(4096);
      expect(await keys(query)).toEqual(['k']);
    });

    test('words count once, in lower case, without stop words, in all their forms', () => {
      const expressions = (query: string): readonly string[] => parseQuestion(query).terms.map((term) => term.expression);
      expect(expressions('The Cat, the CATS and a dog!')).toEqual(['"cat"', '"dog"']);
      expect(expressions('to be or not to be')).toEqual(['"to"', '"be"', '"or"', '"not"']);
      expect(expressions('Who bought it?')).toEqual(['"buy" OR "bought"']);
      expect(expressions('🙂')).toEqual([]);
    });
  });
});
