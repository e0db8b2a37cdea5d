import { describe, expect, test } from 'vitest';
import type { AskRequest, AskResult } from '../../src/agent/provider.ts';
import { CancelledError } from '../../src/errors.ts';
import { fold } from '../../src/run/fold.ts';
import { testRuntime, useScratch } from '../store/scratch.ts';
import { createRunPlace } from './run-place.ts';
import type { RunPlace } from './run-place.ts';
import { following, reviewing, scripted, skill } from './run-samples.ts';

const { folder, onCleanUp } = useScratch();
const setup = async (): Promise<RunPlace> => createRunPlace(await folder(), onCleanUp);
const soon = (): Promise<void> => new Promise((resolve) => void setTimeout(resolve, 5));
const PAID = { name: 'anthropic', paid: true } as const;

/** Answers once it may, or is stopped. */
function held() {
  let letGo: () => void = () => undefined;
  const mayGo = new Promise<void>((resolve) => (letGo = resolve));
  const ask = async (request: AskRequest): Promise<AskResult> => {
    const stopped = new Promise<void>((resolve) => request.signal.addEventListener('abort', () => resolve(), { once: true }));
    await Promise.race([mayGo, stopped]);
    if (!request.signal.aborted) return reviewing(request);
    return { status: 'failed', code: 'cancelled', reason: 'x', retryable: false, possiblyBilled: true };
  };
  return { provider: scripted(ask, PAID), letGo };
}

const onlyRun = async (place: RunPlace): Promise<string> => {
  const [{ runId } = { runId: '' }] = await place.runs.list({ limit: 1, offset: 0 });
  return runId;
};

describe('a process that is interrupted', () => {
  test('gives back what it had under way where another one drives the run as well, which goes on', async () => {
    const place = await setup();
    const other = await createRunPlace(place.dir, onCleanUp);
    const execution = { parallel: true, maxConcurrent: 1, retry: { maxAttempts: 3, backoff: 'fixed', delayMs: 1 } } as const;
    const [first, second] = [held(), held()];
    const running = place.process(first.provider).runner.run(
      {
        skill: skill({ execution }),
        task: 't',
        selection: { tree: true },
        provider: 'anthropic',
      },
      following(),
    );
    while (first.provider.asked.length === 0) await soon();
    const runId = await onlyRun(place);
    const stop = new AbortController();
    const joined = other.process(second.provider).runner.resume(runId, following(stop.signal));
    while (second.provider.asked.length === 0) await soon();
    stop.abort();
    await expect(joined).rejects.toThrow(CancelledError);
    await expect(joined).rejects.toThrow(/another one goes on with it/);
    const [taken] = second.provider.asked;
    expect(fold(await place.events(runId)).steps.get(taken ?? '')).toMatchObject({ status: 'waiting', possiblyBilledTwice: 1 });
    first.letGo();
    await running;
    expect((await place.runs.get(runId)).status).toBe('completed');
    expect(first.provider.asked).toContain(taken);
  });

  /** A run of one step, which its first process has under way, so that whoever joins holds nothing. */
  const oneStep = async () => {
    const place = await setup();
    const agents = [{ type: 'finder', count: 1, capabilities: [] }];
    const { provider } = held();
    const stop = new AbortController();
    const running = place.run(provider, { agents }, stop.signal);
    while (provider.asked.length === 0) await soon();
    const runId = await onlyRun(place);
    const joins = async (asks: (request: AskRequest) => AskResult | Promise<AskResult> = reviewing) => {
      const before = (await place.events(runId)).length;
      const joined = { provider: scripted(asks, PAID), stop: new AbortController() };
      const other = await createRunPlace(place.dir, onCleanUp);
      const ended = other.process(joined.provider).runner.resume(runId, following(joined.stop.signal));
      while ((await place.events(runId)).length === before) await soon();
      return { ...joined, ended };
    };
    const statusOf = async (): Promise<string> => (await place.runs.get(runId)).status;
    return { place, running, runId, stop, joins, statusOf };
  };

  test('leaves the run to one that has joined it and holds no step at that moment, though it began it', async () => {
    const { place, running, runId, stop, joins, statusOf } = await oneStep();
    const joined = await joins();
    expect(joined.provider.asked).toEqual([]);
    stop.abort();
    await expect(running).rejects.toThrow(/another one goes on with it/);
    await joined.ended;
    expect(joined.provider.asked).toEqual(['1-work-finder']);
    expect(await statusOf()).toBe('completed');
    const types = (await place.events(runId)).map(({ type }) => type);
    expect(types.filter((type) => type === 'run_left' || type === 'run_cancelled')).toEqual(['run_left']);
  });

  test('and so on, to the last one, which cancels it', async () => {
    const { running, stop, joins, statusOf } = await oneStep();
    const [second, third] = [await joins(held().provider.ask), await joins(held().provider.ask)];
    stop.abort();
    await expect(running).rejects.toThrow(CancelledError);
    expect(await statusOf()).toBe('running');
    second.stop.abort();
    await expect(second.ended).rejects.toThrow(/another one goes on with it/);
    expect(await statusOf()).toBe('running');
    third.stop.abort();
    await third.ended;
    expect(await statusOf()).toBe('cancelled');
  });

  test('cancels the run where the one that had joined it has left, or is gone', async () => {
    const { place, running, runId, stop, joins, statusOf } = await oneStep();
    const joined = await joins();
    joined.stop.abort();
    await expect(joined.ended).rejects.toThrow(/another one goes on with it/);
    const { store } = place.process(scripted(reviewing));
    await store.log.wake(runId, { owner: `${testRuntime().host}/999999999/o` });
    stop.abort();
    await running;
    expect(await statusOf()).toBe('cancelled');
  });

  test('cancels the run where it is the only one', async () => {
    const place = await setup();
    const { provider } = held();
    const stop = new AbortController();
    const running = place.run(provider, {}, stop.signal);
    while (provider.asked.length === 0) await soon();
    stop.abort();
    const runId = await running;
    expect((await place.runs.get(runId)).status).toBe('cancelled');
    await expect(place.resume(provider, runId)).rejects.toThrow(/has ended/);
  });

  test('cancels the run where the other one is gone', async () => {
    const place = await setup();
    const { provider } = held();
    const stop = new AbortController();
    const running = place.run(provider, {}, stop.signal);
    while (provider.asked.length === 0) await soon();
    const runId = await onlyRun(place);
    await place.db.run(
      "UPDATE step SET owner = (SELECT owner_host FROM run) || '/999999999/o' WHERE run_id = ? AND id = '1-work-critic'",
      [runId],
    );
    stop.abort();
    await running;
    expect((await place.runs.get(runId)).status).toBe('cancelled');
  });
});
