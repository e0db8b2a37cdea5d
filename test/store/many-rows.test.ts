import { join } from 'node:path';
import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { allRows, insertRows } from '../../src/store/many-rows.ts';
import { openDatabase } from '../../src/store/open-database.ts';
import { testRuntime, useScratch } from './scratch.ts';

const scratch = useScratch();
const INSERT = (rows: string): string => `INSERT INTO note (text, n) VALUES ${rows}`;
const SUMS = (rows: string): string => `WITH w (a, b) AS (VALUES ${rows}) SELECT a + b AS sum FROM w`;

it('for any number of rows: each is inserted once, in order, with its id, and rows of all statements are returned', async () => {
  const db = await openDatabase(join(await scratch.folder(), 'skillflow.db'), { runtime: testRuntime() });
  scratch.onCleanUp(() => db.close());
  await db.run('CREATE TABLE note (id INTEGER PRIMARY KEY AUTOINCREMENT, text TEXT NOT NULL, n INTEGER NOT NULL) STRICT');
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 0, max: 300 }), async (count) => {
      const numbers = Array.from({ length: count }, (_, n) => n);
      const ids = await db.write(async (queries) => {
        await queries.run('DELETE FROM note');
        return insertRows(
          queries,
          INSERT,
          numbers.map((n) => [`text ${n}`, n]),
        );
      });
      const rows = await db.all('SELECT id, text, n FROM note ORDER BY id');
      expect(rows).toEqual(numbers.map((n) => ({ id: ids[n], text: `text ${n}`, n })));
      const sums = await allRows(
        db,
        SUMS,
        numbers.map((n) => [n, 1000]),
      );
      expect(sums).toEqual(numbers.map((n) => ({ sum: n + 1000 })));
    }),
    { seed: 20_261_121, numRuns: 40 },
  );
});
