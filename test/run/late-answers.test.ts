import { describe, expect, test } from 'vitest';
import type { AskRequest, AskResult } from '../../src/agent/provider.ts';
import { fold } from '../../src/run/fold.ts';
import { replay } from '../../src/run/replay.ts';
import type { Claim } from '../../src/run/run-log.ts';
import { testRuntime, useScratch } from '../store/scratch.ts';
import { createRunPlace } from './run-place.ts';
import type { RunPlace } from './run-place.ts';
import { beginning, EMPTY, NO_SUMMARY, reviewing, scripted, skill } from './run-samples.ts';

const { folder, onCleanUp } = useScratch();
const USAGE = { model: 'm', inputTokens: 7, outputTokens: 3, cacheReadTokens: 0, cacheWriteTokens: 0, requests: 1, costUsd: 0.5 };
const RESULT = { output: EMPTY, reported: [], durationMs: 1, provider: 'anthropic', usage: USAGE };
const paying = (answer: () => Promise<void>) =>
  scripted(
    async (request): Promise<AskResult> => {
      await answer();
      const result = reviewing(request);
      return result.status === 'skipped' ? result : { ...result, usage: USAGE };
    },
    { name: 'anthropic', paid: true },
  );

/** A new run, of which a process holds a step. */
async function claimed({ process, dir, journal }: RunPlace, leaseMs: number, owner: string): Promise<Claim> {
  const { log } = process(scripted(reviewing)).store;
  const begin = beginning(dir);
  const { plan } = begin;
  const { runId } = await log.begin({ ...begin, startedAt: 1 });
  const [step] = plan.steps;
  if (step === undefined) throw new Error('no steps');
  const taken = await log.claim({ runId, step, owner, provider: 'anthropic', leaseMs });
  if (taken === null) throw new Error('not claimed');
  expect(await journal.read(runId, { after: 0, limit: 10 })).toHaveLength(2);
  return taken.claim;
}

const spentIn = async ({ db }: RunPlace, runId: string): Promise<unknown> =>
  (await db.get('SELECT total(cost_usd) AS cost FROM spend WHERE run_id = ?', [runId]))?.['cost'];

describe('an answer that comes as its run is cancelled in another process', () => {
  test('ends its step before the cancel, or does not count; what it cost is known in any case', async () => {
    const place = await createRunPlace(await folder(), onCleanUp);
    const other = await createRunPlace(place.dir, onCleanUp);
    const { log } = place.process(scripted(reviewing)).store;
    const { log: otherLog } = other.process(scripted(reviewing)).store;
    const counted = new Set<boolean>();
    for (let round = 0; round < 30; round += 1) {
      const claim = await claimed(place, 15_000, 'h/1/o');
      const { runId, stepId } = claim;
      const ends = { type: 'run_cancelled', reason: 'r' } as const;
      const cancel = () => otherLog.finish(runId, 'cancelled', NO_SUMMARY, ends);
      const complete = () => log.complete(claim, RESULT);
      const [first, second] = round % 2 === 0 ? [complete, cancel] : [cancel, complete];
      await Promise.all([first(), second()]);
      const events = await place.events(runId);
      const at = (type: string): number => events.findIndex((event) => event.type === type);
      const isCounted = at('step_completed') >= 0;
      counted.add(isCounted);
      expect(isCounted && at('step_completed') > at('run_cancelled')).toBe(false);
      const state = fold(events);
      expect(state.steps.get(stepId)?.status).toBe(isCounted ? 'completed' : 'waiting');
      expect((await place.runs.steps(runId)).find((step) => step.stepId === stepId)?.status).toBe(
        isCounted ? 'completed' : 'waiting',
      );
      expect(state.used.get('')?.costUsd).toBe(0.5);
      expect(await spentIn(place, runId)).toBe(0.5);
    }
    expect(counted).toEqual(new Set([true, false]));
  });

  test('and counts where it was there before the stop reached it', async () => {
    const place = await createRunPlace(await folder(), onCleanUp);
    const stop = new AbortController();
    const provider = paying(async () => stop.abort());
    const runId = await place.run(provider, { execution: { ...skill().swarm.execution, parallel: false } }, stop.signal);
    const state = fold(await place.events(runId));
    expect(provider.asked).toHaveLength(1);
    expect(state).toMatchObject({ status: 'cancelled' });
    expect(state.steps.get(provider.asked[0] ?? '')).toMatchObject({ status: 'completed' });
    expect(state.used.get('')?.costUsd).toBe(0.5);
  });
});

describe('an answer that comes when another process has taken its step', () => {
  test('does not count, but what it cost does', async () => {
    const place = await createRunPlace(await folder(), onCleanUp);
    const other = await createRunPlace(place.dir, onCleanUp);
    const late = await claimed(place, -1, 'h/1/o'); // its lease is over already
    const { runId } = late;
    const { log } = other.process(scripted(reviewing)).store;
    const step = { id: late.stepId, agentId: late.agentId };
    const next = await log.claim({ runId, step, owner: 'h/2/o', provider: 'anthropic', leaseMs: 15_000 });
    expect(next?.events).toMatchObject([{ type: 'step_started', epoch: 2 }]);
    const { log: first } = place.process(scripted(reviewing)).store;
    expect(await first.complete(late, RESULT)).toBe(null);
    expect(await first.fail(late, { code: 'x', reason: 'r', retryAt: 1, provider: 'anthropic', usage: USAGE })).toBe(null);
    expect(await first.reset(late, 'r')).toBe(null);
    const state = fold(await place.events(runId));
    expect(state.steps.get(late.stepId)).toMatchObject({ status: 'running', owner: 'h/2/o', epoch: 2 });
    expect(state.used.get('')?.costUsd).toBe(1);
    expect(await spentIn(place, runId)).toBe(1);
    expect((await place.events(runId)).filter(({ type }) => type === 'usage_recorded')).toHaveLength(2);
  });

  const taken = async (hasCalled: boolean) => {
    const place = await createRunPlace(await folder(), onCleanUp);
    const late = await claimed(place, -1, 'h/1/o'); // its lease is over already
    const { runId, stepId, agentId, epoch } = late;
    const { log } = place.process(scripted(reviewing)).store;
    if (hasCalled) await log.note(runId, [{ type: 'call_started', stepId, agentId, epoch }]);
    const step = { id: stepId, agentId };
    const next = await log.claim({ runId, step, owner: 'h/2/o', provider: 'anthropic', leaseMs: 15_000 });
    const twice = async () => fold(await place.events(runId)).steps.get(stepId)?.possiblyBilledTwice;
    return { log, late, started: next?.events[0], twice };
  };

  test('is not in doubt where nothing had been sent', async () => {
    const { started, twice } = await taken(false);
    expect(started).not.toHaveProperty('possiblyBilledTwice');
    expect(await twice()).toBe(0);
  });

  test('is in doubt where a call had been sent, until the answer comes, which says what it cost', async () => {
    const { log, late, started, twice } = await taken(true);
    expect(started).toMatchObject({ type: 'step_started', possiblyBilledTwice: true });
    expect(await twice()).toBe(1);
    expect(await log.complete(late, RESULT)).toBe(null);
    expect(await twice()).toBe(0);
    expect(await log.complete(late, RESULT)).toBe(null); // and is not counted down again
    expect(await twice()).toBe(0);
  });

  test('stays in doubt where it was cut off in the end', async () => {
    const { log, late, twice } = await taken(true);
    const failure = { code: 'x', reason: 'r', retryAt: 1, provider: 'anthropic', usage: USAGE, possiblyBilled: true };
    expect(await log.fail(late, failure)).toBe(null);
    expect(await twice()).toBe(1);
  });

  test('and the report of a run that has ended meanwhile is made again as it was', async () => {
    const place = await createRunPlace(await folder(), onCleanUp);
    const provider = paying(async () => undefined);
    const runId = await place.run(provider);
    const { log } = place.process(provider).store;
    const [step] = fold(await place.events(runId)).steps.values();
    const late = { runId, stepId: step?.id ?? '', agentId: step?.agentId ?? '', owner: 'h/1/o', epoch: 0, attempt: 1 };
    expect(await log.complete(late, RESULT)).toBe(null);
    expect(fold(await place.events(runId)).used.get('')?.costUsd).toBe(0.5 * provider.asked.length + 0.5);
    expect((await replay(place.journal, place.dir, runId)).files.map(({ state }) => state)).toEqual(['same', 'same', 'same']);
  });
});

describe('an attempt whose process is gone as its run ends', () => {
  test.each([true, false])('may have been paid for where it had sent a call: %s', async (hasCalled) => {
    const place = await createRunPlace(await folder(), onCleanUp);
    const { runId, stepId, agentId, epoch } = await claimed(place, 15_000, `${testRuntime().host}/999999999/o`);
    const { log } = place.process(scripted(reviewing)).store;
    if (hasCalled) await log.note(runId, [{ type: 'call_started', stepId, agentId, epoch }]);
    await place.control.cancel(runId, 'r', false);
    const twice = hasCalled ? 1 : 0;
    expect(fold(await place.events(runId)).steps.get(stepId)).toMatchObject({ status: 'waiting', possiblyBilledTwice: twice });
  });

  test.each([true, false])('and also where the time of the run is over: %s', async (hasCalled) => {
    const place = await createRunPlace(await folder(), onCleanUp);
    const provider = paying(async () => undefined);
    const ask = async (request: AskRequest): Promise<AskResult> => {
      // Another process has taken the next step, and stays silent until the run's time is over.
      const { runId } = request;
      const step = { id: '1-work-critic', agentId: 'critic' };
      const { log } = place.process(provider).store;
      const taken = await log.claim({ runId, step, owner: 'h/2/o', provider: 'anthropic', leaseMs: 60_000 });
      const { epoch = 0 } = taken?.claim ?? {};
      if (taken !== null && hasCalled) {
        await log.note(runId, [{ type: 'call_started', stepId: step.id, agentId: step.agentId, epoch }]);
      }
      return provider.ask(request);
    };
    const execution = { ...skill().swarm.execution, parallel: false };
    const runId = await place.run(scripted(ask, { name: 'anthropic', paid: true }), { timeoutMs: 600, execution });
    const step = fold(await place.events(runId)).steps.get('1-work-critic');
    expect(step).toMatchObject({ status: 'failed', code: 'timeout', possiblyBilledTwice: hasCalled ? 1 : 0 });
  });
});

test('a run is not complete while a step of it is to be done again', async () => {
  const place = await createRunPlace(await folder(), onCleanUp);
  const runId = await place.run(scripted(reviewing), { approvals: ['writing'] });
  const { log } = place.process(scripted(reviewing)).store;
  await place.control.repeat(runId, '1-work-judge', false);
  const { steps } = fold(await place.events(runId));
  const event = { type: 'run_completed', durationMs: 1, confirmed: 0, rejected: 0, undecided: 0, outputs: [] } as const;
  expect([...steps.values()].some(({ status }) => status === 'waiting')).toBe(true);
  expect(await log.finish(runId, 'completed', NO_SUMMARY, event)).toBe(null);
});
