import { expect, test } from 'vitest';
import { holdDurable } from '../../src/run/hold-durable.ts';
import { useScratch } from '../store/scratch.ts';
import { createRunPlace } from './run-place.ts';
import type { RunPlace } from './run-place.ts';
import { EMPTY, scripted } from './run-samples.ts';

const { folder, onCleanUp } = useScratch();
/** 1: synced at checkpoints, 2: with every commit (source: sqlite.org/pragma.html). */
const levelOf = async ({ db }: RunPlace): Promise<unknown> => (await db.get('PRAGMA synchronous'))?.['synchronous'];

test.each([true, false])('results are on the disk before they count where they are paid for (paid: %s)', async (paid) => {
  const place = await createRunPlace(await folder(), onCleanUp);
  const levels = new Set<unknown>();
  const provider = scripted(
    async () => {
      levels.add(await levelOf(place));
      return { status: 'completed', output: EMPTY };
    },
    { name: paid ? 'anthropic' : 'local', paid },
  );
  await place.run(provider);
  expect([...levels]).toEqual([paid ? 2 : 1]);
  expect(await levelOf(place)).toBe(1);
});

test('until all who asked have let go, and while others write', async () => {
  const place = await createRunPlace(await folder(), onCleanUp);
  const { db } = place;
  const writing = db.write(async (queries) => {
    for (let n = 0; n < 20; n += 1) await queries.get('SELECT 1 AS one');
  });
  const [one, two] = await Promise.all([holdDurable(db), holdDurable(db)]);
  await writing;
  expect(await levelOf(place)).toBe(2);
  await one();
  expect(await levelOf(place)).toBe(2);
  await two();
  expect(await levelOf(place)).toBe(1);
});
