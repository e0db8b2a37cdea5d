import { join } from 'node:path';
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { createBacklog } from '../../../src/memory/embed/backlog.ts';
import { createLexicalEmbedder } from '../../../src/memory/embed/lexical-embedder.ts';
import { keepVectors } from '../../../src/memory/embed/spaces.ts';
import { onServer, openTestDatabase } from '../../helpers/databases.ts';
import { testRuntime, useScratch } from '../../store/scratch.ts';
import { put } from './contents.ts';

const scratch = useScratch();
const embedder = createLexicalEmbedder();

test('nothing is left out, however takers stray, fail, start over and others write meanwhile', async () => {
  const path = join(await scratch.folder(), 'skillflow.db');
  await using db = await openTestDatabase(path, { runtime: testRuntime() });
  const step = fc.constantFrom('done', 'done', 'done', 'failed', 'stray', 'restart', 'write', 'other');
  let round = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 30 }), fc.integer({ min: 1, max: 40 }), async (steps, count) => {
      round += 1;
      await db.run('DELETE FROM memory_entry');
      await db.run('DELETE FROM embedding');
      const key = (at: number): string => `round ${round}, ${at}`;
      await put(db, Object.fromEntries(Array.from({ length: 100 }, (_, at) => [key(at), key(at)])));
      let random = 0;
      const backlog = createBacklog(testRuntime({ random: () => (random = (random + 0.37) % 1) }));
      let written = 100;
      let spaceId: number | null = null;
      for (let turn = 0; turn < 400; turn += 1) {
        const contents = await backlog.take(db, spaceId, count);
        const now = steps[turn] ?? 'done';
        if (contents.length === 0) break;
        if (now === 'failed') continue;
        const some = now === 'other' ? contents.slice(1) : contents;
        const vector = new Float32Array([1]);
        const vectors = some.map(({ hash }) => ({ hash, vector }));
        if (vectors.length > 0) spaceId = (await keepVectors(db, testRuntime(), embedder, vectors)).space.id;
        if (now === 'stray') backlog.stray();
        if (now === 'other') continue; // only some were kept, and the rest failed
        backlog.settle();
        if (now === 'restart') backlog.restart();
        if (now === 'write') await put(db, { [key(0)]: `changed ${turn} ${round}`, [key((written += 1))]: key(written) });
      }
      const left = await db.all(
        'SELECT key FROM memory_entry m WHERE NOT EXISTS (SELECT 1 FROM embedding e WHERE e.hash = m.hash)',
      );
      expect(left).toEqual([]);
    }),
    { seed: 5, numRuns: onServer() ? 6 : 60 },
  );
});
