import { readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { contentMark } from '../../src/analysis/content-mark.ts';
import { collectChanges } from '../../src/analysis/collect.ts';
import { replay } from '../../src/run/replay.ts';
import { testRuntime, useScratch } from '../store/scratch.ts';
import { createRunPlace, reviewing, scripted } from './run-place.ts';

const { folder, onCleanUp } = useScratch();
const NONE = { tokens: null, costUsd: null, wallMs: null, steps: null };

/** A run over three files that has paused after its first step. */
async function pausedRun() {
  const dir = await folder();
  for (const name of ['a.js', 'b.js', 'c.js']) writeFileSync(join(dir, name), `export const ${name[0]} = 1;\n`);
  const collect = () => collectChanges({ tree: true }, { root: dir, runtime: testRuntime() });
  const place = await createRunPlace(dir, onCleanUp, { collect });
  const provider = scripted(reviewing);
  const runId = await place.run(provider, { budget: { run: { ...NONE, steps: 1 }, agent: NONE } });
  expect((await place.control.look(runId)).state.waiting).toBe('budget');
  const goOn = async (steps: number): Promise<void> => {
    await place.control.raise(runId, { steps });
    await place.resume(provider, runId);
  };
  const notes = async () => (await place.events(runId)).flatMap((event) => (event.type === 'note_added' ? [event] : []));
  const report = (): string => readFileSync(join(dir, '.skillflow', 'runs', runId, 'report.md'), 'utf8');
  return { dir, place, runId, goOn, notes, report };
}

test('a run that goes on with files that changed, or are gone, says so once, in the journal and the report', async () => {
  const { dir, place, runId, goOn, notes, report } = await pausedRun();
  writeFileSync(join(dir, 'a.js'), 'export const a = 2;\n'); // as long as before
  rmSync(join(dir, 'c.js'));
  await goOn(2);
  const told = [
    { stepId: null, agentId: null, note: { code: 'input_changed', message: 'Read anew, changed since the run began: a.js.' } },
    { stepId: null, agentId: null, note: { code: 'input_gone', message: 'Gone since the run began: c.js.' } },
  ];
  expect(await notes()).toMatchObject(told);
  writeFileSync(join(dir, 'b.js'), 'export const longer = 1;\n');
  await goOn(100);
  expect(await notes()).toMatchObject([
    ...told,
    { note: { code: 'input_changed', message: 'Read anew, changed since the run began: a.js, b.js.' } },
  ]);
  expect(report()).toContain('Read anew, changed since the run began: a.js, b.js.');
  expect(report()).toContain('Gone since the run began: c.js.');
  expect((await replay(place.journal, dir, runId)).files.map(({ state }) => state)).toEqual(['same', 'same', 'same']);
});

test('a run that goes on with what it began with says nothing', async () => {
  const { goOn, notes, report } = await pausedRun();
  await goOn(100);
  expect(await notes()).toEqual([]);
  expect(report()).not.toContain('since the run began');
});

test('staged content is kept with the run: the file on the disk does not matter', async () => {
  const { changedInputs } = await import('../../src/run/changed-inputs.ts');
  const file = { path: 'x', absolutePath: '/nowhere/x', language: 'text', bytes: 1, status: 'added', changed: 'all' } as const;
  expect(await changedInputs({ files: [{ ...file, text: 'x' }] }, 0)).toEqual([]);
  expect(await changedInputs({ files: [{ ...file, mark: '0' }] }, 0)).toMatchObject([{ code: 'input_gone' }]);
});

test('a file whose times tell that nobody has touched it since is not read; times that were set back do not hide a change', async () => {
  const { changedInputs } = await import('../../src/run/changed-inputs.ts');
  const dir = await folder();
  const absolutePath = join(dir, 'a.js');
  writeFileSync(absolutePath, 'one');
  const file = { path: 'a.js', absolutePath, language: 'text', bytes: 3, status: 'added', changed: 'all' } as const;
  const isTold = async (mark: string, startedAt: number): Promise<boolean> =>
    (await changedInputs({ files: [{ ...file, mark }] }, startedAt)).length > 0;
  const now = testRuntime().now();
  expect(await isTold('another', now + 3_600_000)).toBe(false); // it was not read
  expect(await isTold('another', now)).toBe(true);
  expect(await isTold(contentMark(Buffer.from('one')), now)).toBe(false);
  writeFileSync(absolutePath, 'two');
  utimesSync(absolutePath, new Date(0), new Date(0));
  expect(await isTold(contentMark(Buffer.from('one')), now)).toBe(true);
});
