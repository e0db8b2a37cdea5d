import { beforeEach, describe, expect, test } from 'vitest';
import type { Passage } from '../../../src/memory/search/passages.ts';
import { fuse, type Fused } from '../../../src/memory/search/fusion.ts';
import { createPassages } from '../../../src/memory/search/passages.ts';
import type { VectorSearch } from '../../../src/memory/vector/vector-search.ts';
import { databaseBackends } from '../../helpers/databases.ts';
import { scratchMemory, type ScratchMemory } from './scratch-search.ts';

let it: ScratchMemory;

/** Vectors that find the first entry near to anything. */
const nearEverything = (): VectorSearch => ({
  nearest: async () => ({ hits: [{ entryId: 1, similarity: 0.8 }], note: 'n', semantic: false }),
  status: async () => ({ tier: 'exact', vectors: 1, indexed: 1, note: null }),
  [Symbol.asyncDispose]: async () => {},
});

describe.each(databaseBackends())('on $name', (backend) => {
  beforeEach(async () => {
    it = await scratchMemory(backend);
  });

  const TOPICS = [
    'garden roses',
    'marathon shoes',
    'violin lessons',
    'sourdough bread',
    'camping tents',
    'chess openings',
    'harbour boats',
    'winter skiing',
  ];

  /** A talk of two: each topic is asked about with its words, and answered without them. */
  function talk(): { key: string; value: string }[] {
    return TOPICS.flatMap((topic, n) => [
      { key: `q${n}`, value: `Ann: What about your ${topic}, how are the ${topic} doing?` },
      { key: `a${n}`, value: `Bob: Splendid ${topic.split(' ')[0] ?? ''}, came along since visit ${n}.` },
      { key: `b${n}`, value: `Ann: Glad of ${topic.split(' ')[0] ?? ''}!` },
      { key: `c${n}`, value: `Bob: It cost ${n}00 euros.` },
    ]);
  }

  describe('neighbours', () => {
    test('in a conversation an answer is found by the words of what it answers', async () => {
      await it.memory.storeMany(talk().map((turn) => ({ ...turn, session: 's' })));
      const { results } = await it.memory.search({ query: 'sourdough bread', limit: 8, explain: true });
      expect(results[0]?.key).toBe('q3');
      const answer = results.find(({ key }) => key === 'c3');
      expect(answer?.matched).toEqual([expect.stringMatching(/^next to [qab]3$/)]);
      expect(answer?.explanation?.neighbours).toBeGreaterThan(0);
      expect(results.map(({ key }) => key)).not.toContain('c5');
    });

    test('not across sessions or namespaces, nor without a session', async () => {
      await it.memory.storeMany(talk().map((turn, n) => ({ ...turn, session: n % 4 === 3 ? 'other' : 's' })));
      await it.memory.storeMany(talk().map((turn, n) => ({ ...turn, namespace: n % 4 === 3 ? 'n1' : 'n2', session: 't' })));
      await it.memory.storeMany(talk().map((turn) => ({ ...turn, namespace: 'n3' })));
      expect(await it.keys('sourdough bread', { limit: 50 })).not.toContain('c3');
    });

    test('not where entries stand together by chance', async () => {
      const notes = Array.from({ length: 64 }, (_, n) => ({
        key: `n${n}`,
        value: `${TOPICS[(n * 5) % 8] ?? ''} ${TOPICS[(n * 3 + 1) % 8] ?? ''} record ${n}`,
        session: 's',
      }));
      notes[20] = { key: 'special', value: 'platypus sanctuary opens', session: 's' };
      await it.memory.storeMany(notes);
      expect(await it.keys('platypus')).toEqual(['special']);
    });
  });

  describe('notes that one server stored in a row', () => {
    const NOTES: Readonly<Record<string, (n: number) => string>> = {
      'nearly the same': (n) => `the service svc${n} listens on port ${4_000 + n}`,
      'topic by topic': (n) => `${TOPICS[Math.floor(n / 16) % 8] ?? ''} uses svc${n} with record${n * 3}`,
      labelled: (n) => `${n % 3 === 0 ? 'Decision' : 'Note'}: ${TOPICS[Math.floor(n / 16) % 8] ?? ''} uses svc${n}`,
      'told by us': (n) => `Decision ${n}: We chose svc${n} for ${TOPICS[Math.floor(n / 16) % 8] ?? ''}`,
    };

    test.each(Object.keys(NOTES))('%s: only what matches by itself is found', async (shape) => {
      const values = Array.from({ length: 128 }, (_, n) => NOTES[shape]?.(n) ?? '');
      await it.memory.storeMany(values.map((value, n) => ({ key: `n${n}`, value, session: 's' })));
      for (let again = 0; again < 2; again += 1) {
        const { results } = await it.memory.search({ query: 'svc50' });
        expect(results[0]?.key).toBe('n50');
        expect(results.flatMap(({ matched }) => matched).join(' ')).not.toContain('next to');
        expect((await it.memory.search({ query: 'svc50', minScore: 0.7 })).total).toBe(1);
      }
    });

    test('a few labelled ones are no talk', async () => {
      const values = ['Note: deploy on friday', 'Fix: cache bug', 'Todo: write tests', 'Idea: dark mode', 'Note: lunch'];
      await it.memory.storeMany(values.map((value, n) => ({ key: `n${n}`, value, session: 's' })));
      expect(await it.keys('dark mode')).toEqual(['n3']);
    });
  });

  test('in a talk, who has the words comes before all who only stand next to them', async () => {
    await it.memory.storeMany(talk().map((turn) => ({ ...turn, session: 's' })));
    await it.memory.store({
      key: 'long',
      value: `sourdough bread ${'and much more about other things '.repeat(40)}`,
      session: 't',
    });
    const { results } = await it.memory.search({ query: 'sourdough bread', limit: 20 });
    const direct = results.findLastIndex(({ value }) => typeof value === 'string' && value.includes('sourdough bread'));
    expect(results[direct]?.key).toBe('long');
    expect(results.slice(0, direct).flatMap(({ matched }) => matched.filter((why) => why.startsWith('next to')))).toEqual([]);
  });

  describe('links', () => {
    test('lead on to what the best results are linked with, in either direction', async () => {
      await it.memory.store({ key: 'outage', value: 'The checkout outage of May' });
      await it.memory.store({ key: 'cause', value: 'An expired certificate' });
      await it.memory.store({ key: 'person', value: 'Ada is on duty' });
      await it.memory.link({ key: 'outage' }, { key: 'cause' }, 'because');
      await it.memory.link({ key: 'person' }, { key: 'outage' }, 'handled');
      const { results } = await it.memory.search({ query: 'checkout outage', explain: true });
      expect(results.map(({ key }) => key)).toEqual(['outage', 'person', 'cause']);
      expect(results[1]?.matched).toEqual(['linked from outage']);
      expect(results[1]?.explanation?.links).toBeGreaterThan(0);
      await it.memory.delete({ key: 'cause' });
      expect(await it.keys('checkout outage', { keys: 'o*' })).toEqual(['outage']);
      expect(await it.keys('checkout outage')).toEqual(['outage', 'person']);
    });
  });

  describe('vectors', () => {
    const passage = (id: number): Passage => ({
      id,
      bytes: 1,
      updatedAt: id,
      namespace: 'n',
      key: `k${id}`,
      sequence: null,
      session: null,
      importance: 0.5,
      terms: new Int32Array(),
      own: 0,
      length: 0,
      words: 0,
      lead: -1,
      labelled: false,
      asks: false,
      spoken: false,
    });
    const found = (id: number, score: number): Fused => ({ passage: passage(id), score, words: null, similarity: null });
    const hits = (...ids: readonly number[]) => ids.map((entryId, place) => ({ entryId, similarity: 0.9 - place / 10 }));
    const scope = { sql: 'm.deleted_at IS NULL', params: [], name: null };

    test('alone are said to have found what no word found', async () => {
      const alone = await scratchMemory(backend, () => ({ semantic: false, search: async () => nearEverything() }));
      await alone.memory.store({ key: 'one', value: 'green apples' });
      expect(await alone.memory.search({ query: 'zzzz' })).toMatchObject({
        total: 1,
        matchedBy: 'vectors',
        results: [{ key: 'one', matched: ['vector 0.80 (lexical)'] }],
      });
      expect(await alone.memory.search({ query: 'apples' })).toMatchObject({
        matchedBy: 'words',
        results: [{ matched: ['apples'] }],
      });
      expect(await alone.memory.search({ query: 'zzzz', minScore: 0.9 })).toMatchObject({ total: 0, results: [] });
    });

    test('that see meaning are added to words; those that see letters only stand in when no word was found', async () => {
      for (const key of ['one', 'two', 'three']) await it.memory.store({ key, value: key });
      const reader = createPassages().reader(3);
      const words = [found(1, 0.65), found(2, 0.6)];
      const semantic = { hits: hits(2, 3, 99), note: 'n', semantic: true };
      const both = await fuse(it.db, words, semantic, reader, scope);
      expect(both.map(({ passage: { id } }) => id)).toEqual([2, 1, 3]);
      expect(both.map(({ score }) => score)).toEqual([expect.closeTo(0.64), expect.closeTo(0.585), expect.closeTo(0.05)]);
      expect(await fuse(it.db, words, { ...semantic, semantic: false }, reader, scope)).toEqual(words);
      const alone = await fuse(it.db, [], { ...semantic, semantic: false }, reader, scope);
      expect(alone.map(({ passage: { id }, score }) => [id, score])).toEqual([
        [2, 0.9],
        [3, 0.8],
      ]);
    });
  });
});
