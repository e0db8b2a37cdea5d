import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { SkillflowError } from '../../../src/errors.ts';
import { useScratch } from '../../store/scratch.ts';
import { everything, faults, filesBelow, openPlace, put, type Place } from './place.ts';

const scratch = useScratch();

function mount(folder: string, size: string): boolean {
  return spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${size},mode=755`, 'tmpfs', folder], { stdio: 'ignore' }).status === 0;
}

const canMount = await (async () => {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) return false;
  const folder = '/tmp/skillflow-mount-test';
  mkdirSync(folder, { recursive: true });
  const mounted = mount(folder, '64k');
  if (mounted) spawnSync('umount', ['--lazy', folder], { stdio: 'ignore' });
  return mounted;
})();

async function smallPlace(size: string): Promise<Place> {
  const root = await scratch.folder();
  expect(mount(root, size)).toBe(true);
  scratch.onCleanUp(async () => spawnSync('umount', ['--lazy', root], { stdio: 'ignore' }));
  return openPlace(scratch, { root });
}

/** Fills the disk but for so many bytes while `work` runs. */
async function whileFull<T>(root: string, leave: number, work: () => Promise<T>): Promise<T> {
  const { bavail, bsize } = statfsSync(root);
  writeFileSync(join(root, 'filler'), Buffer.alloc(Math.max(0, bavail * bsize - leave)));
  try {
    return await work();
  } finally {
    rmSync(join(root, 'filler'));
  }
}

test.skipIf(!canMount)(
  'a disk that is full at any point: said, and nothing half done',
  async () => {
    const place = await smallPlace('12m');
    const { root, care } = place;
    const theirs = await openPlace(scratch);
    for (const [there, at] of [
      [place, 10],
      [theirs, 20],
    ] as const) {
      await there.db.write(async (queries) => {
        for (let n = 0; n < 400; n += 1) await put(queries, 'n', `key ${n}`, { value: `${at} ${'some words '.repeat(80)}`, at });
      });
    }
    copyFileSync((await theirs.care.backup()).path, join(root, 'theirs.db'));
    await theirs.care.export('e.jsonl');
    copyFileSync(join(theirs.root, 'e.jsonl'), join(root, 'e.jsonl'));
    await care.persist();
    const before = await everything(place.db);
    const files = filesBelow(root);
    const calls: Record<string, (round: number) => Promise<unknown>> = {
      backup: (round) => care.backup(`b${round}.db`),
      snapshot: (round) => care.snapshot(`s${round}`),
      export: (round) => care.export(`e${round}.jsonl`),
      restore: () => care.restore('theirs.db'),
      import: () => care.import('e.jsonl'),
      merge: () => care.merge('theirs.db'),
      compact: () => care.compact(),
    };
    const outcomes = new Set<string>();
    for (const [name, call] of Object.entries(calls)) {
      for (const [round, leave] of [0, 40_000, 300_000, 700_000].entries()) {
        const outcome = await whileFull(root, leave, () => call(round)).then(
          () => 'done',
          (error: unknown) => (error instanceof SkillflowError ? error.code : String(error)),
        );
        outcomes.add(outcome);
        expect(['done', 'storage'], `${name} with ${leave}`).toContain(outcome);
        expect(await faults(place.db)).toEqual([]);
        const made = filesBelow(root).filter((file) => !files.includes(file));
        const asItWas = JSON.stringify(await everything(place.db)) === JSON.stringify(before);
        const left = made.filter((file) => !file.includes('before-restore'));
        // Of what comes in by many transactions, the first ones may stay.
        const mayGoOn = name === 'import' || name === 'merge';
        expect(
          outcome === 'done' || ((asItWas || mayGoOn) && left.length === 0),
          `${name} with ${leave} left ${left.join(' ')}`,
        ).toBe(true);
        if (!asItWas) {
          await place.db.run('DELETE FROM memory_entry');
          await care.restore((await restoreBefore(before)).path);
          rmSync(join(root, 'again.db'));
        }
        for (const file of made) rmSync(join(root, file));
        await care.persist();
      }
    }
    expect(outcomes).toContain('storage');

    async function restoreBefore(all: Awaited<ReturnType<typeof everything>>): Promise<{ path: string }> {
      const fresh = await openPlace(scratch);
      await fresh.db.write(async (queries) => {
        for (const row of all.entries)
          await put(queries, String(row['namespace']), String(row['key']), { value: String(row['value']), at: 10 });
      });
      const { path } = await fresh.care.backup();
      copyFileSync(path, join(root, 'again.db'));
      return { path: 'again.db' };
    }
  },
  60_000,
);
