import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { AskRequest, AskResult, Provider } from '../../src/agent/provider.ts';
import { ConflictError, InvalidInputError, NotFoundError } from '../../src/errors.ts';
import type { RunEvent } from '../../src/events.ts';
import type { Raise } from '../../src/run/run-control.ts';
import type { Budgets, SwarmSpec } from '../../src/skill/skill.ts';
import { useScratch } from '../store/scratch.ts';
import { createRunPlace } from './run-place.ts';
import type { RunPlace, RunPlaceOptions } from './run-place.ts';
import { EMPTY, following, reviewing, scripted, skill } from './run-samples.ts';

const { folder, onCleanUp } = useScratch();
const setup = async (options: RunPlaceOptions = {}): Promise<RunPlace> => createRunPlace(await folder(), onCleanUp, options);
const NONE: Budgets = { tokens: null, costUsd: null, wallMs: null, steps: null };
const USAGE = { model: 'm', inputTokens: 6, outputTokens: 4, cacheReadTokens: 0, cacheWriteTokens: 0, requests: 1, costUsd: 0.5 };
const ONE_AT_A_TIME: SwarmSpec['execution'] = {
  parallel: false,
  maxConcurrent: 1,
  retry: { maxAttempts: 3, backoff: 'fixed', delayMs: 1 },
};
/** The plan of the test skill. */
const STEPS = ['finder', 'judge', 'critic'].flatMap((type) => [`1-work-${type}`, `2-judge-${type}`]).toSorted();

function paying(tookMs = 0): Provider & { readonly asked: string[] } {
  const ask = async (request: AskRequest): Promise<AskResult> => {
    await new Promise((resolve) => void setTimeout(resolve, tookMs));
    const result = reviewing(request);
    return result.status === 'completed' ? { ...result, usage: USAGE } : result;
  };
  return scripted(ask, { name: 'anthropic', paid: true });
}

/** Answers only once it is stopped; says so to whoever waits for it. */
function hanging(): { readonly provider: Provider; readonly asked: Promise<AskRequest>; readonly stopped: Promise<void> } {
  let tellAsked: (request: AskRequest) => void = () => undefined;
  let tellStopped: () => void = () => undefined;
  const asked = new Promise<AskRequest>((resolve) => (tellAsked = resolve));
  const stopped = new Promise<void>((resolve) => (tellStopped = resolve));
  const ask = (request: AskRequest): Promise<AskResult> =>
    new Promise((resolve) => {
      request.signal.addEventListener('abort', () => {
        tellStopped();
        const failed = { status: 'failed', code: 'cancelled', reason: 'stopped', retryable: false } as const;
        resolve({ ...failed, possiblyBilled: true, usage: USAGE });
      });
      tellAsked(request);
    });
  return { provider: scripted(ask, { name: 'anthropic', paid: true }), asked, stopped };
}

const ofType = <T extends RunEvent['type']>(events: readonly RunEvent[], type: T): readonly (RunEvent & { readonly type: T })[] =>
  events.filter((event): event is RunEvent & { readonly type: T } => event.type === type);

/** All calls together asked each step once. */
function expectEachOnce(...asked: readonly (readonly string[])[]): void {
  expect(asked.flat().toSorted()).toEqual(STEPS);
}

interface BudgetCase {
  readonly name: string;
  readonly budget: Partial<SwarmSpec['budget']>;
  readonly reached: object;
  readonly raise: Raise;
  readonly tooLow: Raise;
  readonly done: number;
}

const BUDGETS: readonly BudgetCase[] = [
  {
    name: 'tokens of the run',
    budget: { run: { ...NONE, tokens: 25 } },
    reached: { scope: 'run', what: 'tokens', limit: 25, used: 30 },
    raise: { tokens: 1000 },
    tooLow: { tokens: 30 },
    done: 3,
  },
  {
    name: 'dollars of the run',
    budget: { run: { ...NONE, costUsd: 1 } },
    reached: { scope: 'run', what: 'costUsd', limit: 1, used: 1 },
    raise: { costUsd: 100 },
    tooLow: { costUsd: 1 },
    done: 2,
  },
  {
    name: 'steps of the run',
    budget: { run: { ...NONE, steps: 4 } },
    reached: { scope: 'run', what: 'steps', limit: 4, used: 4 },
    raise: { steps: 100 },
    tooLow: { steps: 3 },
    done: 4,
  },
  {
    name: 'tokens of an agent',
    budget: { agent: { ...NONE, tokens: 10 } },
    reached: { scope: 'agent', what: 'tokens', limit: 10, used: 10 },
    raise: { tokens: 100 },
    tooLow: { tokens: 10 },
    done: 3,
  },
  {
    name: 'steps of an agent',
    budget: { agent: { ...NONE, steps: 1 } },
    reached: { scope: 'agent', what: 'steps', limit: 1, used: 1 },
    raise: { steps: 2 },
    tooLow: { steps: 1 },
    done: 3,
  },
];

describe('budgets', () => {
  test.each(BUDGETS)('$name: the run pauses, and once more is allowed goes on, doing nothing again', async (one) => {
    const place = await setup();
    const [first, second] = [paying(), paying()];
    const runId = await place.run(first, { budget: { run: NONE, agent: NONE, ...one.budget }, execution: ONE_AT_A_TIME });
    const paused = (await place.events(runId)).at(-1);
    expect(paused).toMatchObject({ type: 'run_paused', budget: one.reached });
    if (paused?.type !== 'run_paused') return;
    expect([...paused.done].toSorted()).toEqual(first.asked.toSorted());
    expect(paused.done).toHaveLength(one.done);
    expect([...paused.done, ...paused.remaining].toSorted()).toEqual(STEPS);
    await expect(place.control.raise(runId, one.tooLow)).rejects.toThrow(InvalidInputError);
    await place.control.raise(runId, one.raise);
    await place.resume(second, runId);
    expectEachOnce(first.asked, second.asked);
    expect((await place.runs.get(runId)).status).toBe('completed');
  });

  test('steps are counted exactly when several begin at once, also in two processes', async () => {
    const place = await setup();
    const other = await createRunPlace(place.dir, onCleanUp);
    const provider = paying(30);
    const running = place.run(provider, { budget: { run: { ...NONE, steps: 2 }, agent: NONE } });
    while (provider.asked.length === 0) await new Promise((resolve) => void setTimeout(resolve, 2));
    const [{ runId } = { runId: '' }] = await place.runs.list({ limit: 1, offset: 0 });
    await Promise.all([running, other.resume(provider, runId)]);
    expect(provider.asked).toHaveLength(2);
    expect((await place.control.look(runId)).state).toMatchObject({ status: 'running', waiting: 'budget' });
  });

  test('time at work pauses it; time in which it waits does not count', async () => {
    const place = await setup();
    const provider = paying(40);
    const budget = { run: { ...NONE, wallMs: 60 }, agent: NONE };
    const runId = await place.run(provider, { budget, execution: ONE_AT_A_TIME });
    const before = (await place.control.look(runId)).state;
    expect(before).toMatchObject({ waiting: 'budget', paused: { scope: 'run', what: 'wallMs', limit: 60 } });
    await new Promise((resolve) => void setTimeout(resolve, 100));
    await place.control.raise(runId, { wallMs: 60_000 });
    expect((await place.control.look(runId)).state.activeMs).toBe(before.activeMs);
    await place.resume(provider, runId);
    expectEachOnce(provider.asked);
  });

  test('the limit of a day holds for all runs together, and is not a run to raise', async () => {
    const dayLimits = { tokens: 65, costUsd: null };
    const place = await setup({ dayLimits });
    const first = paying();
    expect((await place.runs.get(await place.run(first, { execution: ONE_AT_A_TIME }))).status).toBe('completed');
    const second = paying();
    const runId = await place.run(second, { execution: ONE_AT_A_TIME });
    expect((await place.events(runId)).at(-1)).toMatchObject({
      type: 'run_paused',
      budget: { scope: 'day', what: 'tokens', limit: 65, used: 70 },
    });
    expect(second.asked).toHaveLength(1);
    await expect(place.control.raise(runId, { tokens: 1000 })).rejects.toThrow(ConflictError);
    const generous = await createRunPlace(place.dir, onCleanUp);
    await generous.resume(second, runId);
    expectEachOnce(second.asked);
  });

  test.each(['tokens', 'costUsd'] as const)('the limit of a day (%s) holds for runs at the same time as well', async (what) => {
    const limit = what === 'tokens' ? 75 : 3.75;
    const dayLimits = { tokens: null, costUsd: null, [what]: limit };
    const place = await setup({ dayLimits });
    const other = await createRunPlace(place.dir, onCleanUp, { dayLimits });
    let most = 0;
    let spent = 0;
    const provider = scripted(
      async ({ limits }): Promise<AskResult> => {
        const allowed = (what === 'tokens' ? limits.maxTokens : limits.maxCostUsd) ?? Infinity;
        most = Math.max(most, spent + allowed);
        await new Promise((resolve) => void setTimeout(resolve, 20));
        spent += what === 'tokens' ? 10 : 0.5;
        return { status: 'completed', output: EMPTY, usage: USAGE };
      },
      { name: 'anthropic', paid: true },
    );
    const runIds = await Promise.all([place, other].map((one) => one.run(provider, { execution: ONE_AT_A_TIME })));
    for (const runId of runIds) {
      expect((await place.events(runId)).at(-1)).toMatchObject({ type: 'run_paused', budget: { scope: 'day', what, limit } });
    }
    // What has room begins; the one that was under way in the other run at that time may go beyond.
    expect([8, 9]).toContain(provider.asked.length);
    expect(most).toBeLessThanOrEqual(limit + (what === 'tokens' ? 10 : 0.5));
  });

  test.each(['tokens', 'costUsd'] as const)('the limit of a run (%s) holds for all processes that drive it', async (what) => {
    const place = await setup();
    const other = await createRunPlace(place.dir, onCleanUp);
    const provider = paying(30);
    const budget = { run: { ...NONE, [what]: what === 'tokens' ? 25 : 1.25 }, agent: NONE };
    const running = place.run(provider, { budget, execution: ONE_AT_A_TIME });
    while (provider.asked.length === 0) await new Promise((resolve) => void setTimeout(resolve, 2));
    const [{ runId } = { runId: '' }] = await place.runs.list({ limit: 1, offset: 0 });
    await Promise.all([running, other.resume(provider, runId)]);
    expect([3, 4]).toContain(provider.asked.length);
    expect((await place.control.look(runId)).state).toMatchObject({ status: 'running', waiting: 'budget' });
  });

  test('an attempt that was too large for what is left pauses the run, and what it used counts', async () => {
    const place = await setup();
    const provider = scripted(
      ({ limits }) => {
        const failed = { status: 'failed', code: 'budget', reason: 'cut', retryable: false, usage: USAGE } as const;
        return (limits.maxTokens ?? 0) < 100 ? failed : { status: 'completed', output: EMPTY, usage: USAGE };
      },
      { name: 'anthropic', paid: true },
    );
    const budget = { run: { ...NONE, tokens: 99 }, agent: NONE };
    const runId = await place.run(provider, { budget, execution: ONE_AT_A_TIME });
    expect((await place.events(runId)).at(-1)).toMatchObject({
      type: 'run_paused',
      budget: { scope: 'run', what: 'tokens', limit: 99, used: 10 },
    });
    await place.control.raise(runId, { tokens: 10_000 });
    await place.resume(provider, runId);
    expect(provider.asked).toHaveLength(STEPS.length + 1);
    expect((await place.control.look(runId)).state).toMatchObject({ status: 'completed', restarts: [] });
  });
});

describe('cancelling', () => {
  test('while another process drives it stops the paid call under way, and what that used is known', async () => {
    const place = await setup();
    const other = await createRunPlace(place.dir, onCleanUp);
    const { provider, asked, stopped } = hanging();
    const running = place.run(provider, { execution: ONE_AT_A_TIME });
    const { runId } = await asked;
    await other.control.cancel(runId, 'enough', true);
    await stopped;
    await running;
    expect(await place.runs.get(runId)).toMatchObject({ status: 'cancelled', summary: { reason: 'enough' } });
    const { state } = await place.control.look(runId);
    expect(state.used.get('')).toMatchObject({ tokens: 10, costUsd: 0.5, steps: 1 });
    await expect(place.control.cancel(runId, 'again', false)).rejects.toThrow(ConflictError);
  });

  test('of a run that waits, or that nobody drives any more, is at once', async () => {
    const place = await setup();
    const budget = { run: { ...NONE, steps: 1 }, agent: NONE };
    const runId = await place.run(paying(), { budget });
    await place.control.cancel(runId, 'no more', true);
    expect((await place.runs.get(runId)).status).toBe('cancelled');
    await expect(place.resume(paying(), runId)).rejects.toThrow(ConflictError);
    await expect(place.resume(paying(), 'run_unknown')).rejects.toThrow(NotFoundError);
  });

  test('is not forgotten when another process takes the run up at the same time', async () => {
    const place = await setup();
    const { provider, asked } = hanging();
    const running = place.run(provider, { execution: ONE_AT_A_TIME });
    const { runId } = await asked;
    await place.control.cancel(runId, 'enough', true);
    await place.process(provider).store.log.wake(runId);
    await running;
    expect(await place.runs.get(runId)).toMatchObject({ status: 'cancelled', summary: { reason: 'enough' } });
  });
});

describe('approvals', () => {
  const expecting = { estimate: { costUsd: 1, provider: 'anthropic' } };

  test('spending: nothing is asked before someone agrees', async () => {
    const place = await setup(expecting);
    const provider = paying();
    const runId = await place.run(provider, { approvals: ['spending'] });
    expect(provider.asked).toEqual([]);
    expect(ofType(await place.events(runId), 'approval_asked')).toMatchObject([
      { gate: 'spending', question: expect.stringContaining('$1.00') },
    ]);
    await expect(place.control.approve(runId, { gate: 'writing', approved: true, note: null })).rejects.toThrow(ConflictError);
    expect(await place.control.approve(runId, { approved: true, note: 'fine' })).toBe('spending');
    await expect(place.control.approve(runId, { approved: true, note: null })).rejects.toThrow(ConflictError);
    await place.resume(provider, runId);
    expectEachOnce(provider.asked);
    expect(ofType(await place.events(runId), 'spending_announced')).toHaveLength(1);
  });

  test('a refusal cancels the run, and nothing was spent', async () => {
    const place = await setup(expecting);
    const provider = paying();
    const runId = await place.run(provider, { approvals: ['spending'] });
    await place.control.approve(runId, { approved: false, note: null });
    await place.resume(provider, runId);
    expect(provider.asked).toEqual([]);
    expect((await place.runs.get(runId)).status).toBe('cancelled');
  });

  test.each([true, false])('the person in front of the process is asked, and says %s', async (answer) => {
    const place = await setup(expecting);
    const provider = paying();
    const questions: string[] = [];
    const askPerson = async (question: string): Promise<boolean> => {
      questions.push(question);
      await new Promise((resolve) => void setTimeout(resolve, 3_200)); // longer than the run may take
      return answer;
    };
    const { runner } = place.process(provider);
    const swarm = skill({ approvals: ['spending'], timeoutMs: 3_000 });
    const request = { skill: swarm, task: 't', selection: { tree: true }, provider: 'anthropic' } as const;
    const runId = await runner.run(request, { ...following(), askPerson });
    expect(questions).toHaveLength(1);
    expect((await place.runs.get(runId)).status).toBe(answer ? 'completed' : 'cancelled');
    expect(provider.asked).toHaveLength(answer ? STEPS.length : 0);
  });

  test('writing, and little agreement: no file is written before', async () => {
    const place = await setup();
    const silent = scripted((request) =>
      request.kind === 'judge' ? { status: 'completed', output: EMPTY } : reviewing(request),
    );
    const runId = await place.run(silent, { approvals: ['writing', 'low_agreement'] });
    const report = join(place.dir, '.skillflow', 'runs', runId, 'report.md');
    for (const gate of ['low_agreement', 'writing']) {
      expect((await place.control.look(runId)).state.waiting).toBe('approval');
      expect(existsSync(report)).toBe(false);
      expect(await place.control.approve(runId, { approved: true, note: null })).toBe(gate);
      await place.resume(silent, runId);
    }
    expect(existsSync(report)).toBe(true);
    expect((await place.runs.get(runId)).status).toBe('completed');
    expectEachOnce(silent.asked);
  });
});
