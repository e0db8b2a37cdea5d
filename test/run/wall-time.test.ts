import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { AskRequest, AskResult, Provider } from '../../src/agent/provider.ts';
import type { RunEvent } from '../../src/events.ts';
import { fold } from '../../src/run/fold.ts';
import { replay } from '../../src/run/replay.ts';
import type { Budgets } from '../../src/skill/skill.ts';
import { useScratch } from '../store/scratch.ts';
import { createRunPlace } from './run-place.ts';
import type { RunPlace } from './run-place.ts';
import { reviewing, scripted } from './run-samples.ts';

const { folder, onCleanUp } = useScratch();
const setup = async (): Promise<RunPlace> => createRunPlace(await folder(), onCleanUp);
const NONE: Budgets = { tokens: null, costUsd: null, wallMs: null, steps: null };
const USAGE = { model: 'm', inputTokens: 6, outputTokens: 4, cacheReadTokens: 0, cacheWriteTokens: 0, requests: 1, costUsd: 0.5 };
const PAID = { name: 'anthropic', paid: true } as const;
const STEPS = ['finder', 'judge', 'critic'].flatMap((type) => [`1-work-${type}`, `2-judge-${type}`]).toSorted();

const silent = ({ signal }: AskRequest): Promise<AskResult> =>
  new Promise((resolve) => {
    const stop = (): void =>
      resolve({ status: 'failed', code: 'cancelled', reason: 'x', retryable: false, possiblyBilled: true, usage: USAGE });
    if (signal.aborted) stop();
    else signal.addEventListener('abort', stop);
  });

/** Whoever works as one of these types says nothing until it is stopped; others answer. */
const withSilent = (...types: readonly string[]): Provider & { readonly asked: string[] } =>
  scripted(
    async (request) => (request.kind === 'work' && types.includes(request.agent.type) ? silent(request) : reviewing(request)),
    PAID,
  );

const statusOf = (events: readonly RunEvent[]): Readonly<Record<string, string>> =>
  Object.fromEntries([...fold(events).steps.values()].map(({ id, status }) => [id, status]));
const isSame = async (place: RunPlace, runId: string): Promise<readonly string[]> =>
  (await replay(place.journal, place.dir, runId)).files.map(({ state }) => state);

describe('a wall budget that is used up while a call is under way', () => {
  test('pauses the run: what the call used is counted, and its step is done again once it is raised', async () => {
    const place = await setup();
    const runId = await place.run(withSilent('judge'), { budget: { run: { ...NONE, wallMs: 400 }, agent: NONE } });
    const events = await place.events(runId);
    expect(events.at(-1)).toMatchObject({
      type: 'run_paused',
      budget: { scope: 'run', what: 'wallMs', limit: 400 },
      done: ['1-work-finder', '1-work-critic'],
      remaining: ['1-work-judge', '2-judge-finder', '2-judge-judge', '2-judge-critic'],
    });
    expect(statusOf(events)['1-work-judge']).toBe('waiting');
    expect(events.filter(({ type }) => type === 'step_failed')).toMatchObject([
      { stepId: '1-work-judge', code: 'budget', willRetry: true, possiblyBilled: true, usage: { costUsd: 0.5 } },
    ]);
    expect(await place.runs.get(runId)).toMatchObject({ status: 'paused' });
    await place.control.raise(runId, { wallMs: 60_000 });
    const second = scripted(reviewing, PAID);
    await place.resume(second, runId);
    expect(second.asked.toSorted()).toEqual(['1-work-judge', '2-judge-critic', '2-judge-finder', '2-judge-judge']);
    expect(fold(await place.events(runId))).toMatchObject({ status: 'completed' });
    expect(fold(await place.events(runId)).steps.get('1-work-judge')).toMatchObject({ failures: 0, possiblyBilledTwice: 1 });
    expect(await isSame(place, runId)).toEqual(['same', 'same', 'same']);
  });

  test("an agent's own stops only that agent's calls, and pauses the run when the others have ended", async () => {
    const place = await setup();
    const runId = await place.run(withSilent('judge'), { budget: { run: NONE, agent: { ...NONE, wallMs: 300 } } });
    const events = await place.events(runId);
    expect(events.at(-1)).toMatchObject({
      type: 'run_paused',
      budget: { scope: 'agent', agentId: 'judge', what: 'wallMs', limit: 300 },
    });
    expect(statusOf(events)).toMatchObject({ '1-work-finder': 'completed', '1-work-judge': 'waiting' });
    await place.control.raise(runId, { wallMs: 60_000 });
    await place.resume(scripted(reviewing, PAID), runId);
    expect(fold(await place.events(runId)).status).toBe('completed');
  });
});

describe('the time that a skill allows', () => {
  test('is over: what is under way fails, what was found is reported, the rest is told as not done', async () => {
    const place = await setup();
    const runId = await place.run(
      scripted(async (request) => (request.kind === 'judge' ? silent(request) : reviewing(request)), PAID),
      { timeoutMs: 500 },
    );
    const events = await place.events(runId);
    const failed = events.filter(({ type }) => type === 'step_failed');
    expect(failed).toHaveLength(3);
    for (const event of failed) {
      expect(event).toMatchObject({ code: 'timeout', willRetry: false, possiblyBilled: true, usage: { costUsd: 0.5 } });
    }
    expect(await place.runs.get(runId)).toMatchObject({ status: 'completed', summary: { findings: 2, undecided: 2 } });
    const report = readFileSync(join(place.dir, '.skillflow', 'runs', runId, 'report.md'), 'utf8');
    expect(report).toContain('the run took longer than the 500 ms');
    expect(await isSame(place, runId)).toEqual(['same', 'same', 'same']);

    // Done again, the step has the time anew.
    await place.control.repeat(runId, '2-judge-judge', false);
    await place.resume(scripted(reviewing, PAID), runId);
    expect(statusOf(await place.events(runId))['2-judge-judge']).toBe('completed');
  });

  test('steps that did not begin are counted in a note', async () => {
    const place = await setup();
    const ONE = { parallel: false, maxConcurrent: 1, retry: { maxAttempts: 3, backoff: 'fixed', delayMs: 1 } } as const;
    const provider = scripted(async (request) => (request.stepId === '2-judge-finder' ? silent(request) : reviewing(request)));
    const runId = await place.run(provider, { timeoutMs: 500, execution: ONE });
    const { notes, steps } = fold(await place.events(runId));
    expect(notes).toMatchObject([{ code: 'timeout', count: 2 }]);
    expect([...steps.values()].map(({ status }) => status).toSorted()).toEqual([
      'completed',
      'completed',
      'completed',
      'failed',
      'skipped',
      'skipped',
    ]);
    expect(provider.asked).toHaveLength(4);
  });

  test('a slow agent fails alone, early enough for those that wait for it', async () => {
    const place = await setup();
    const provider = withSilent('critic');
    const runId = await place.run(provider, { timeoutMs: 2_000 });
    const events = await place.events(runId);
    expect(events.filter(({ type }) => type === 'step_failed')).toMatchObject([
      { stepId: '1-work-critic', code: 'deadline', willRetry: false, usage: { costUsd: 0.5 } },
    ]);
    expect(provider.asked.toSorted()).toEqual(STEPS);
    expect(await place.runs.get(runId)).toMatchObject({ status: 'completed', summary: { findings: 2 } });
  });

  test('one that is asked to wait longer than there is time is not waited for', async () => {
    const place = await setup();
    const limited: AskResult = {
      status: 'failed',
      code: 'rate_limited',
      reason: 'too many',
      retryable: true,
      retryAfterMs: 3_600_000,
    };
    const provider = scripted((request) => (request.agent.type === 'critic' ? limited : reviewing(request)), PAID);
    const runId = await place.run(provider);
    const events = await place.events(runId);
    expect(events.filter(({ type }) => type === 'step_failed')).toMatchObject([
      { code: 'rate_limited', willRetry: false, reason: expect.stringContaining('less time left') },
      { code: 'rate_limited', willRetry: false },
    ]);
    expect((await place.runs.get(runId)).status).toBe('completed');
  });

  test('where nothing was done the run fails, and says why', async () => {
    const place = await setup();
    const runId = await place.run(scripted(silent, PAID), { timeoutMs: 300 });
    expect((await place.events(runId)).at(-1)).toMatchObject({ type: 'run_failed', code: 'deadline' });
    expect(existsSync(join(place.dir, '.skillflow', 'runs', runId))).toBe(false);
  });
});
