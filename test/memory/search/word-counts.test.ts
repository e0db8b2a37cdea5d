import { join } from 'node:path';
import { expect, test } from 'vitest';
import { createMemory } from '../../../src/memory/memory.ts';
import { readStatistics } from '../../../src/memory/search/statistics.ts';
import { createWordCounts } from '../../../src/memory/search/word-counts.ts';
import { openDatabase } from '../../../src/store/open-database.ts';
import { testRuntime, useScratch } from '../../store/scratch.ts';

const scratch = useScratch();

test('counts what is asked for exactly, and what few have; of what many have, about', async () => {
  const runtime = testRuntime();
  const db = await openDatabase(join(await scratch.folder(), 'skillflow.db'), { runtime });
  scratch.onCleanUp(() => db.close());
  const memory = createMemory({ open: async () => db, runtime });
  const inputs = Array.from({ length: 6000 }, (_, n) => ({
    key: `k${n}`,
    value: `entry ${n} ${n % 2 === 0 ? 'common' : ''} ${n % 600 === 0 ? 'rare' : ''}`,
  }));
  await memory.storeMany(inputs);
  await memory.search({ query: 'nothing' }); // takes in what is pending
  const counts = createWordCounts();
  const words = ['"common"', '"rare"', '"absent"', '"common"'];
  const statistics = await readStatistics(db);
  expect(await counts.of(db, statistics, words)).toEqual([3000, 10, 0, 3000]);
  const [common = 0, ...others] = await counts.about(db, statistics, words);
  expect(others).toEqual([10, 0, common]);
  expect(common).toBeGreaterThan(2900);
  expect(common).toBeLessThan(3100);
  expect((await counts.lists(db, statistics, words)).map(({ length }) => length)).toEqual([3000, 10, 0, 3000]);
  await memory.store({ key: 'new', value: 'rare' });
  await memory.search({ query: 'nothing' });
  counts.clear();
  expect(await counts.of(db, await readStatistics(db), ['"rare"'])).toEqual([11]);
});
