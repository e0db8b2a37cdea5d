import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { ConflictError } from '../../src/errors.ts';
import type { AskPerson } from '../../src/run/gates.ts';
import { fold } from '../../src/run/fold.ts';
import { keptReport } from '../../src/run/kept-report.ts';
import { replay } from '../../src/run/replay.ts';
import { verdict } from '../../src/run/report/sentences.ts';
import { readAnswers } from '../../src/run/step-answers.ts';
import { useScratch } from '../store/scratch.ts';
import { createRunPlace } from './run-place.ts';
import type { RunPlace } from './run-place.ts';
import { EMPTY, following, reviewing, scripted, skill } from './run-samples.ts';

const { folder, onCleanUp } = useScratch();
const GATED = skill({ approvals: ['writing'] });

/** A person who reads the question and says nothing, until it is withdrawn, or also then. */
function silent(leaves: boolean) {
  let tellAsked: (question: string) => void = () => undefined;
  const asked = new Promise<string>((resolve) => (tellAsked = resolve));
  const withdrawn: boolean[] = [];
  const askPerson: AskPerson = (question, signal) => {
    tellAsked(question);
    return new Promise((resolve) => {
      signal.addEventListener('abort', () => {
        withdrawn.push(true);
        if (leaves) resolve(null);
      });
    });
  };
  return { asked, withdrawn, askPerson };
}

/** A run that has come to its gate, where a person is asked who does not answer; and another process. */
async function atGate(leaves: boolean) {
  const place = await createRunPlace(await folder(), onCleanUp);
  const other = await createRunPlace(place.dir, onCleanUp);
  const { asked, withdrawn, askPerson } = silent(leaves);
  const stop = new AbortController();
  const provider = scripted(reviewing);
  const request = { skill: GATED, task: 't', selection: { tree: true }, provider: 'local' } as const;
  const running = place.process(provider).runner.run(request, { ...following(stop.signal), askPerson });
  await asked;
  const [{ runId, status } = { runId: '', status: '' }] = await other.runs.list({ limit: 1, offset: 0 });
  return { place, other, provider, running, runId, status, withdrawn, stop };
}

const answers = async (place: RunPlace, runId: string): Promise<readonly boolean[]> =>
  (await place.events(runId)).flatMap((event) => (event.type === 'approval_given' ? [event.approved] : []));

describe.each([true, false])('while a person is asked, who heeds a withdrawal: %s', (leaves) => {
  test('the run is known to wait, and a cancel from elsewhere ends it', async () => {
    const { other, running, runId, status, withdrawn } = await atGate(leaves);
    expect(status).toBe('awaiting_approval');
    await other.control.cancel(runId, 'enough', false);
    expect(await running).toBe(runId);
    expect(withdrawn).toEqual([true]);
    expect(await other.runs.get(runId)).toMatchObject({ status: 'cancelled', summary: { reason: 'enough' } });
    expect(await answers(other, runId)).toEqual([]);
  });

  test('a cancel that this process is to carry out does as well', async () => {
    const { place, other, running, runId, withdrawn } = await atGate(leaves);
    await other.process(scripted(reviewing)).store.log.askCancel(runId, 'enough');
    await running;
    expect(withdrawn).toEqual([true]);
    expect((await place.runs.get(runId)).status).toBe('cancelled');
  });

  test('an approval from elsewhere lets it go on, also when nobody else does', async () => {
    const { place, other, provider, running, runId, withdrawn } = await atGate(leaves);
    await other.control.approve(runId, { approved: true, note: 'fine' });
    await running;
    expect(withdrawn).toEqual([true]);
    expect((await place.runs.get(runId)).status).toBe('completed');
    expect(provider.asked).toHaveLength(6);
    expect(await answers(place, runId)).toEqual([true]);
    expect((await replay(place.journal, place.dir, runId)).files.map(({ state }) => state)).toEqual(['same', 'same', 'same']);
  });

  test('and two processes that go on with it end it once', async () => {
    const { place, other, running, runId } = await atGate(leaves);
    await other.control.approve(runId, { approved: true, note: null });
    const second = other.resume(scripted(reviewing), runId).catch((error: unknown) => {
      if (!(error instanceof ConflictError)) throw error; // the first was faster
    });
    await Promise.all([running, second]);
    const ends = (await place.events(runId)).filter(({ type }) => type === 'run_completed' || type === 'run_cancelled');
    expect(ends.map(({ type }) => type)).toEqual(['run_completed']);
  });

  test('a refusal from elsewhere keeps the result and writes no file', async () => {
    const { place, other, running, runId, withdrawn } = await atGate(leaves);
    await other.control.approve(runId, { approved: false, note: 'not in this folder' });
    await running;
    expect(withdrawn).toEqual([true]);
    const reason = 'its files were not written: the approval "writing" was refused (not in this folder)';
    expect(await place.runs.get(runId)).toMatchObject({
      status: 'completed',
      summary: { reason, outputs: [], findings: 2, rejected: 1 },
    });
    expect(existsSync(join(place.dir, '.skillflow', 'runs', runId))).toBe(false);
    const report = await keptReport(place.runs, place.journal, place.dir, runId);
    expect(report).toMatchObject({ run: { notWritten: reason }, outputs: [], counts: { total: 2 } });
    expect(report === null ? [] : verdict(report)).toContain(
      'Its files were not written: the approval "writing" was refused (not in this folder); what came of the run is kept in its journal.',
    );
    expect(await replay(place.journal, place.dir, runId)).toMatchObject({ report, files: [] });
    expect((await readAnswers(place.runs, runId)).leftOut).toBe(0);
  });

  test('an interrupt cancels the run; nobody is said to have refused', async () => {
    const { place, running, runId, withdrawn, stop } = await atGate(leaves);
    stop.abort();
    await running;
    expect(withdrawn).toEqual([true]);
    expect(await place.runs.get(runId)).toMatchObject({ status: 'cancelled', summary: { reason: 'the run was cancelled' } });
    expect(await answers(place, runId)).toEqual([]);
  });
});

test('after a refusal to write what was done again the report is what the journal gives, not an earlier one', async () => {
  const place = await createRunPlace(await folder(), onCleanUp);
  const runId = await place.run(scripted(reviewing), { approvals: ['writing'] });
  await place.control.approve(runId, { approved: true, note: null });
  await place.resume(scripted(reviewing), runId);
  expect(await keptReport(place.runs, place.journal, place.dir, runId)).toMatchObject({ counts: { total: 2 } });
  await place.control.repeat(runId, '1-work-finder', false);
  const none = scripted((request) => (request.kind === 'work' ? { status: 'completed', output: EMPTY } : reviewing(request)));
  await place.resume(none, runId);
  await place.control.approve(runId, { approved: false, note: null });
  await place.resume(none, runId);
  expect((await place.runs.get(runId)).status).toBe('completed');
  expect(await keptReport(place.runs, place.journal, place.dir, runId)).toMatchObject({ counts: { total: 0 }, outputs: [] });
});

test('two processes that hear of a refusal at once end the run once', async () => {
  const place = await createRunPlace(await folder(), onCleanUp);
  const runId = await place.run(scripted(reviewing), { approvals: ['writing'] });
  await place.control.approve(runId, { approved: false, note: null });
  const other = await createRunPlace(place.dir, onCleanUp);
  const ended = [place, other].map((one) =>
    one.resume(scripted(reviewing), runId).catch((error: unknown) => {
      if (!(error instanceof ConflictError)) throw error; // the first was faster
    }),
  );
  await Promise.all(ended);
  expect((await place.events(runId)).filter(({ type }) => type === 'run_completed')).toHaveLength(1);
  expect(existsSync(join(place.dir, '.skillflow', 'runs', runId))).toBe(false);
});

test('of two answers at once the first counts, and who gave the other hears of it', async () => {
  const place = await createRunPlace(await folder(), onCleanUp);
  const other = await createRunPlace(place.dir, onCleanUp);
  const runId = await place.run(scripted(reviewing), { approvals: ['writing'] });
  const given = [true, false].map((approved, index) =>
    (index === 0 ? place : other).control.approve(runId, { approved, note: null }),
  );
  const settled = await Promise.allSettled(given);
  expect(settled.map(({ status }) => status).toSorted()).toEqual(['fulfilled', 'rejected']);
  const refused = settled.flatMap((one): readonly unknown[] => (one.status === 'rejected' ? [one.reason] : []));
  expect(refused).toEqual([expect.any(ConflictError)]);
  const [first] = await answers(place, runId);
  expect(fold(await place.events(runId)).approvals.get('writing')?.approved).toBe(first);
});

test('a question that is asked again does not undo an answer that was not heard of yet', async () => {
  const place = await createRunPlace(await folder(), onCleanUp);
  const provider = scripted(reviewing);
  const runId = await place.run(provider, { approvals: ['writing'] });
  const { log } = place.process(provider).store;
  await log.wake(runId);
  await log.note(runId, [{ type: 'approval_given', gate: 'writing', approved: true, note: null }]);
  await log.wait(runId, 'approval', [{ type: 'approval_asked', gate: 'writing', question: 'q' }]);
  await place.resume(provider, runId);
  expect((await place.runs.get(runId)).status).toBe('completed');
});

test('a cancel that comes just before a run waits is carried out by whoever drove it', async () => {
  const place = await createRunPlace(await folder(), onCleanUp);
  const none = { tokens: null, costUsd: null, wallMs: null, steps: null };
  const other = await createRunPlace(place.dir, onCleanUp);
  // Asked once the last step of the budget has begun: when the drive looks again there is nothing left to stop.
  const provider = scripted(async (request) => {
    if (provider.asked.length === 1) await other.process(provider).store.log.askCancel(request.runId, 'enough');
    return reviewing(request);
  });
  const runId = await place.run(provider, { budget: { run: { ...none, steps: 1 }, agent: none } });
  expect(await place.runs.get(runId)).toMatchObject({ status: 'cancelled', summary: { reason: 'enough' } });
});
