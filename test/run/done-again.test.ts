import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { keptReport } from '../../src/run/kept-report.ts';
import { replay } from '../../src/run/replay.ts';
import { writeOutputs } from '../../src/run/write-outputs.ts';
import { createRunViewer } from '../../src/tools/run-view.ts';
import { useScratch } from '../store/scratch.ts';
import { createRunPlace } from './run-place.ts';
import type { RunPlace } from './run-place.ts';
import { EMPTY, following, reviewing, scripted, skill } from './run-samples.ts';

const { folder, onCleanUp } = useScratch();

test('a refusal to write what was done again leaves no files: those of the first time are gone, and what else lay there is not', async () => {
  const place = await createRunPlace(await folder(), onCleanUp);
  const runId = await place.run(scripted(reviewing), { approvals: ['writing'] });
  await place.control.approve(runId, { approved: true, note: null });
  await place.resume(scripted(reviewing), runId);
  const files = join(place.dir, '.skillflow', 'runs', runId);
  expect(existsSync(join(files, 'report.md'))).toBe(true);
  writeFileSync(join(files, 'notes.md'), 'mine');
  writeFileSync(join(files, '.report.md.0.tmp'), 'half of it');
  await place.control.repeat(runId, '1-work-finder', false);
  expect(readdirSync(files)).toEqual(['notes.md']);
  const none = scripted((request) => (request.kind === 'work' ? { status: 'completed', output: EMPTY } : reviewing(request)));
  await place.resume(none, runId);
  await place.control.approve(runId, { approved: false, note: null });
  await place.resume(none, runId);
  expect((await place.runs.get(runId)).status).toBe('completed');
  expect(readdirSync(files)).toEqual(['notes.md']);
  expect(await keptReport(place.runs, place.journal, place.dir, runId)).toMatchObject({ counts: { total: 0 }, outputs: [] });
});

describe('the files of a result that does not stand any more', () => {
  const failing = scripted(() => ({ status: 'failed', code: 'unavailable', reason: 'no', retryable: false }));

  const completed = async () => {
    const place = await createRunPlace(await folder(), onCleanUp);
    const runId = await place.run(scripted(reviewing));
    const files = join(place.dir, '.skillflow', 'runs', runId);
    expect(readdirSync(files).length).toBeGreaterThan(1);
    return { place, runId, files };
  };

  test('are gone once the run is opened again', async () => {
    const { place, runId, files } = await completed();
    await place.control.repeat(runId, '1-work-finder', false);
    expect(existsSync(files)).toBe(false);
    await place.resume(scripted(reviewing), runId);
    expect((await replay(place.journal, place.dir, runId)).files.every(({ state }) => state === 'same')).toBe(true);
  });

  test('are gone at the latest when it has failed, also when the process that opened it was killed before', async () => {
    const { place, runId, files } = await completed();
    const { steps } = (await place.control.look(runId)).state;
    await place.process(failing).store.log.wake(runId, { reset: [...steps.values()] });
    expect(existsSync(files)).toBe(true);
    await place.resume(failing, runId);
    expect((await place.runs.get(runId)).status).toBe('failed');
    expect(existsSync(files)).toBe(false);
  });

  test('are gone once a run is cancelled whose process was killed when it had written them', async () => {
    const place = await createRunPlace(await folder(), onCleanUp);
    const runId = await place.run(scripted(reviewing), { approvals: ['writing'] });
    await writeOutputs(place.dir, runId, new Map([['report.md', 'text']]));
    await place.control.cancel(runId, 'enough', false);
    expect(existsSync(join(place.dir, '.skillflow', 'runs', runId))).toBe(false);
  });
});

describe('a gate whose run is done again', () => {
  /** Judges who say nothing at first, and all confirm later. */
  const voting = (vote: 'abstain' | 'confirm') =>
    scripted((request) => {
      if (request.kind !== 'judge') return reviewing(request);
      const subjects = request.agent.type === 'finder' ? [] : ['f1', 'f2'];
      const ballots = subjects.map((subject) => ({ subject, voter: request.agent.id, vote, reason: 'r' }));
      return { status: 'completed', output: { ...EMPTY, ballots } };
    });
  const asked = async (place: RunPlace, runId: string) => (await place.control.look(runId)).state.asked?.gate ?? null;

  test('the question that is open is the one asked last, here and in what is shown', async () => {
    const place = await createRunPlace(await folder(), onCleanUp);
    const runId = await place.run(voting('abstain'), { approvals: ['low_agreement', 'writing'] });
    expect(await asked(place, runId)).toBe('low_agreement');
    await place.control.repeat(runId, '1-work-finder', false);
    expect(await asked(place, runId)).toBe(null);
    await place.resume(voting('confirm'), runId);
    expect(await asked(place, runId)).toBe('writing');
    const viewer = createRunViewer();
    viewer.apply(await place.events(runId));
    expect(viewer.view().waiting).toBe('waits for the approval "writing"');
    await expect(place.control.approve(runId, { gate: 'low_agreement', approved: true, note: null })).rejects.toThrow(
      /"writing"/,
    );
    expect(await place.control.approve(runId, { gate: 'writing', approved: true, note: null })).toBe('writing');
    await place.resume(voting('confirm'), runId);
    expect((await place.runs.get(runId)).status).toBe('completed');
    expect((await replay(place.journal, place.dir, runId)).files.every(({ state }) => state === 'same')).toBe(true);
  });

  test('an agreement to one result is none to the next', async () => {
    const place = await createRunPlace(await folder(), onCleanUp);
    const runId = await place.run(voting('abstain'), { approvals: ['low_agreement', 'writing'] });
    await place.control.approve(runId, { approved: true, note: 'this one' });
    await place.resume(voting('abstain'), runId);
    expect(await asked(place, runId)).toBe('writing');
    await place.control.repeat(runId, '2-judge-critic', false);
    await place.resume(voting('abstain'), runId);
    expect(await asked(place, runId)).toBe('low_agreement');
    expect([...(await place.control.look(runId)).state.approvals.keys()]).toEqual(['low_agreement']);
  });

  test('agreement to spend stands: that was for the run', async () => {
    const place = await createRunPlace(await folder(), onCleanUp, { estimate: { costUsd: 1, provider: 'anthropic' } });
    const paid = scripted(reviewing, { name: 'anthropic', paid: true });
    const runId = await place.run(paid, { approvals: ['spending', 'writing'] });
    await place.control.approve(runId, { approved: true, note: null });
    await place.resume(paid, runId);
    expect(await asked(place, runId)).toBe('writing');
    await place.control.repeat(runId, '2-judge-critic', false);
    await place.resume(paid, runId);
    expect(await asked(place, runId)).toBe('writing');
  });

  test('an answer that comes when its question is not asked any more counts for nothing', async () => {
    const place = await createRunPlace(await folder(), onCleanUp);
    const runId = await place.run(voting('abstain'), { approvals: ['writing'] });
    await place.control.repeat(runId, '2-judge-critic', false);
    const { log } = place.process(voting('abstain')).store;
    await log.note(runId, [{ type: 'approval_given', gate: 'writing', approved: true, note: null }]);
    await place.resume(voting('abstain'), runId);
    expect(await asked(place, runId)).toBe('writing');
  });

  test('a person who was asked about what is done again is asked no more', async () => {
    const place = await createRunPlace(await folder(), onCleanUp);
    const other = await createRunPlace(place.dir, onCleanUp);
    let tellAsked: (withdrawn: AbortSignal) => void = () => undefined;
    const shown = new Promise<AbortSignal>((resolve) => (tellAsked = resolve));
    const request = {
      skill: skill({ approvals: ['writing'] }),
      task: 't',
      selection: { tree: true },
      provider: 'local',
    } as const;
    const askPerson = (_question: string, withdrawn: AbortSignal): Promise<null> => {
      tellAsked(withdrawn);
      return new Promise((resolve) => withdrawn.addEventListener('abort', () => resolve(null)));
    };
    const running = place.process(scripted(reviewing)).runner.run(request, { ...following(), askPerson });
    const withdrawn = await shown;
    const [{ runId } = { runId: '' }] = await other.runs.list({ limit: 1, offset: 0 });
    await other.control.repeat(runId, '2-judge-critic', false);
    await running;
    expect(withdrawn.aborted).toBe(true);
    expect(await asked(place, runId)).toBe(null);
    await other.resume(scripted(reviewing), runId);
    expect(await asked(other, runId)).toBe('writing');
  });
});

test('a run whose question was answered, and whose process was killed then, says to resume it', async () => {
  const place = await createRunPlace(await folder(), onCleanUp);
  const runId = await place.run(scripted(reviewing), { approvals: ['writing'] });
  await place.control.approve(runId, { approved: true, note: null });
  expect((await place.control.look(runId)).state).toMatchObject({ waiting: 'approval', asked: null });
  await expect(place.control.approve(runId, { approved: true, note: null })).rejects.toMatchObject({
    code: 'conflict',
    message: expect.stringMatching(/answered/),
    hint: expect.stringMatching(new RegExp(`skillflow resume ${runId}`)),
  });
  await place.resume(scripted(reviewing), runId);
  expect((await place.runs.get(runId)).status).toBe('completed');
});
