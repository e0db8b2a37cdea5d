import { beforeEach, describe, expect, test } from 'vitest';
import { InvalidInputError } from '../../../src/errors.ts';
import type { SearchInput, SearchResult } from '../../../src/memory/search/answer.ts';
import { databaseBackends, onServer } from '../../helpers/databases.ts';
import { scratchMemory, type ScratchMemory } from './scratch-search.ts';

let it: ScratchMemory;

const WORDS = ['amber', 'birch', 'cedar', 'delta', 'ember', 'fjord', 'grove', 'heron', 'inlet', 'jetty'];

async function fill(count: number, from = 0): Promise<void> {
  const entries = Array.from({ length: count }, (_, n) => ({
    key: `k${from + n}`,
    value: `common ${WORDS[n % 10] ?? ''} ${WORDS[Math.floor(n / 10) % 10] ?? ''} number ${from + n}`,
  }));
  await it.memory.storeMany(entries);
}

interface Walk {
  readonly seen: readonly SearchResult[];
  readonly totals: ReadonlySet<number>;
  readonly longestCursor: number;
}

/** Goes through all pages, doing something between them. */
async function walk(input: SearchInput, between: (page: number) => Promise<void> = async () => {}): Promise<Walk> {
  const seen: SearchResult[] = [];
  const totals = new Set<number>();
  let longestCursor = 0;
  let cursor: string | undefined;
  for (let page = 0; ; page += 1) {
    const answer = await it.memory.search({ ...input, cursor });
    seen.push(...answer.results);
    totals.add(answer.total);
    if (answer.cursor === null) return { seen, totals, longestCursor };
    longestCursor = Math.max(longestCursor, answer.cursor.length);
    cursor = answer.cursor;
    expect(page).toBeLessThan(100);
    await between(page);
  }
}

const different = (results: readonly SearchResult[]): number => new Set(results.map(({ id }) => id)).size;

// Many pages of large sets: what they ask of the database is asked below, too.
describe.skipIf(onServer())('large sets', () => {
  beforeEach(async () => {
    it = await scratchMemory(databaseBackends()[0] ?? expect.fail('no database'));
  });

  test.each(['common', 'common amber', 'amber birch cedar delta ember fjord grove heron inlet jetty number'])(
    'every one of 5,000 matches comes once, scores only fall: %s',
    async (query) => {
      for (let from = 0; from < 5_000; from += 1_000) await fill(1_000, from);
      const { seen, totals, longestCursor } = await walk({ query, limit: 100 });
      expect([seen.length, different(seen)]).toEqual([5_000, 5_000]);
      for (const [index, { score }] of seen.entries()) expect(score).toBeLessThanOrEqual(seen[index - 1]?.score ?? 1);
      expect([...totals]).toEqual([1_000]);
      expect(longestCursor).toBeLessThan(800);
      const some = await it.memory.search({ query, offset: 4_950, limit: 100 });
      expect(some.results.map(({ key }) => key)).toEqual(seen.slice(4_950).map(({ key }) => key));
      expect(some.cursor).toBeNull();
    },
    60_000,
  );

  test('a text without words, and one in a script without spaces', async () => {
    const entries = Array.from({ length: 2_300 }, (_, n) => ({ key: `k${n}`, value: `東京タワー${n} 🎈` }));
    await it.memory.storeMany(entries.slice(0, 1_000));
    await it.memory.storeMany(entries.slice(1_000));
    for (const query of ['🎈', '京タ']) {
      const { seen } = await walk({ query, limit: 100 }, async (page) => {
        if (page < 5) await it.memory.store({ key: `k${page * 400 + 7}`, value: `東京タワー ${page} 🎈` });
        await it.memory.store({ key: `new${page}`, value: '🎈 京タ' });
      });
      expect([seen.length, different(seen)]).toEqual([2_300, 2_300]);
      for (let page = 0; page < 25; page += 1) await it.memory.delete({ key: `new${page}` });
    }
  }, 30_000);
});

describe.each(databaseBackends())('on $name', (backend) => {
  beforeEach(async () => {
    it = await scratchMemory(backend);
  });

  test.each([15, 40])(
    'what is written between pages of %i neither repeats nor hides what was there all the time',
    async (limit) => {
      await fill(420);
      const writer = await it.open();
      const { seen, totals } = await walk({ query: 'common amber birch', limit }, async (page) => {
        await writer.storeMany(
          Array.from({ length: 9 }, (_, n) => ({
            key: `new${page}-${n}`,
            value: `common amber birch fresh ${n} ${'amber '.repeat(n)}`,
          })),
        );
        await writer.delete({ key: `k${page}` });
        await writer.store({ key: `k${419 - page}`, value: 'nothing of that' });
      });
      expect(different(seen)).toBe(seen.length);
      const keys = new Set(seen.map(({ key }) => key));
      const pages = 420 / limit;
      for (let n = Math.ceil(pages); n < 420 - pages; n += 1) expect(keys, `k${n}`).toContain(`k${n}`);
      expect(totals.size).toBeGreaterThan(1);
    },
    60_000,
  );

  test('a least score counts in the total, in the head and beyond it', async () => {
    await fill(400);
    const all = await walk({ query: 'amber birch', limit: 100 });
    const scores = all.seen.map(({ score }) => score);
    for (const minScore of [0, scores[10] ?? 0, scores[149] ?? 0, 0.99]) {
      const { seen, totals } = await walk({ query: 'amber birch', limit: 30, minScore });
      expect([...totals]).toEqual([seen.length]);
      expect(seen.every(({ score }) => score >= minScore - 0.0001)).toBe(true);
    }
  });

  test('a cursor that was changed, shortened or made up is refused', async () => {
    await fill(30);
    const { cursor } = await it.memory.search({ query: 'common', limit: 5 });
    const made = cursor ?? '';
    const wrong = ['', 'a', made.slice(0, -1), `${made}A`, made.slice(0, 11), `A${made.slice(1)}`, 'zz'.repeat(2_000)];
    for (const other of wrong.filter((one) => one !== made)) {
      await expect(it.memory.search({ query: 'common', cursor: other }), other).rejects.toThrow(InvalidInputError);
    }
  });

  test('explained and bounded pages go through everything, too', async () => {
    await fill(220);
    const { seen } = await walk({ query: 'common', limit: 100, maxTokens: 900, explain: true });
    expect([seen.length, different(seen)]).toEqual([220, 220]);
    for (const { score, explanation } of seen) expect(explanation?.words ?? 0).toBeCloseTo(score, 3);
  });
});
