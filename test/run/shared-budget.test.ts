import { describe, expect, test } from 'vitest';
import type { AskRequest, AskResult, Provider } from '../../src/agent/provider.ts';
import { createSwarms } from '../../src/run/swarms.ts';
import type { Budgets, SwarmSpec } from '../../src/skill/skill.ts';
import { testRuntime, useScratch } from '../store/scratch.ts';
import { createRunPlace } from './run-place.ts';
import type { RunPlace } from './run-place.ts';
import { EMPTY, following, scripted, skill } from './run-samples.ts';

const { folder, onCleanUp } = useScratch();
const NONE: Budgets = { tokens: null, costUsd: null, wallMs: null, steps: null };
const AT_ONCE: SwarmSpec['execution'] = {
  parallel: true,
  maxConcurrent: 4,
  retry: { maxAttempts: 3, backoff: 'fixed', delayMs: 1 },
};
const used = (tokens: number) => ({
  model: 'm',
  inputTokens: tokens - 5,
  outputTokens: 2,
  cacheReadTokens: 2,
  cacheWriteTokens: 1,
  requests: 1,
  costUsd: tokens / 100,
});

interface Paid {
  readonly provider: Provider & { readonly asked: string[] };
  /** What each attempt might use, in the order of the attempts. */
  readonly allowed: readonly number[];
  /** All that was used, and all that was allowed to attempts under way, at the worst moment. */
  readonly worst: () => number;
}

/** Uses `tokens` for each answer, and makes none where it may use less. */
function thrifty(tokens: number, tookMs = 10): Paid {
  const allowed: number[] = [];
  let [spent, worst] = [0, 0];
  const underWay = new Map<AskRequest, number>();
  const ask = async (request: AskRequest): Promise<AskResult> => {
    const may = request.limits.maxTokens ?? Infinity;
    allowed.push(may);
    if (may < tokens) return { status: 'failed', code: 'budget', reason: 'too little is left', retryable: false };
    underWay.set(request, may);
    worst = Math.max(worst, spent + [...underWay.values()].reduce((sum, one) => sum + one, 0));
    await new Promise((resolve) => void setTimeout(resolve, tookMs * (1 + (allowed.length % 3))));
    underWay.delete(request);
    spent += tokens;
    return { status: 'completed', output: EMPTY, usage: used(tokens) };
  };
  return { provider: scripted(ask, { name: 'anthropic', paid: true }), allowed, worst: () => worst };
}

const members = (count: number): SwarmSpec['agents'] => [
  { type: 'finder', count, capabilities: [] },
  { type: 'critic', count: 1, capabilities: [] },
];

describe('what is left of a budget', () => {
  test('is for the steps that can be under way, not for as many as may be', async () => {
    const place = await createRunPlace(await folder(), onCleanUp);
    const { provider, allowed } = thrifty(40);
    const budget = { run: { ...NONE, tokens: 100 }, agent: NONE };
    const runId = await place.run(provider, { agents: members(1), topology: 'ring', budget, execution: AT_ONCE });
    expect(allowed).toEqual([100, 60]);
    expect((await place.control.look(runId)).state.status).toBe('completed');
  });

  test('does for one after another where it does not go round for all at once', async () => {
    const place = await createRunPlace(await folder(), onCleanUp);
    const { provider, allowed, worst } = thrifty(30);
    const budget = { run: { ...NONE, tokens: 75 }, agent: NONE };
    const runId = await place.run(provider, { agents: members(3), topology: 'star', budget, execution: AT_ONCE });
    expect(allowed[0]).toBe(25);
    expect(allowed.at(-1)).toBe(15);
    expect((await place.control.look(runId)).state).toMatchObject({ waiting: 'budget', paused: { scope: 'run', used: 60 } });
    expect(worst()).toBeLessThanOrEqual(75);
  });

  test.each([2, 3, 5, 8])('is never given twice while %i agents are at work', async (count) => {
    const place = await createRunPlace(await folder(), onCleanUp);
    const { provider, worst } = thrifty(7, 5);
    const budget = { run: { ...NONE, tokens: 130 }, agent: NONE };
    await place.run(provider, { agents: members(count), topology: 'mesh', budget, execution: AT_ONCE });
    expect(worst()).toBeGreaterThan(0);
    expect(worst()).toBeLessThanOrEqual(130);
  });
});

describe("a swarm's budget", () => {
  const task = async (place: RunPlace, provider: Provider, swarmId: string): Promise<string> =>
    place.process(provider).runner.run(
      {
        skill: skill({ agents: [{ type: 'finder', count: 1, capabilities: [] }], topology: 'star', execution: AT_ONCE }),
        task: 't',
        selection: { tree: true },
        provider: provider.name,
        swarmId,
      },
      following(),
    );

  test('binds what its runs use at the same time, in several processes, and what waited goes on', async () => {
    const place = await createRunPlace(await folder(), onCleanUp);
    const other = await createRunPlace(place.dir, onCleanUp);
    const swarms = createSwarms({ db: place.db, runtime: testRuntime() });
    const { swarmId } = await swarms.create({ topology: 'star', strategy: 'parallel', maxAgents: 8, config: {} });
    await swarms.setBudget({ ...NONE, tokens: 25 }, 'none', swarmId);
    const { provider, worst } = thrifty(10, 30);
    const runIds = await Promise.all([place, other, place, other].map((one) => task(one, provider, swarmId)));
    expect(worst()).toBeLessThanOrEqual(25);
    expect((await swarms.budget(swarmId)).used).toMatchObject({ tokens: 20, costUsd: 0.2 });
    const states = await Promise.all(runIds.map(async (runId) => (await place.control.look(runId)).state));
    expect(states.map(({ status }) => status).toSorted()).toEqual(['completed', 'completed', 'running', 'running']);
    const paused = states.flatMap(({ paused: reached }) => reached ?? []);
    expect(paused).toHaveLength(2);
    for (const reached of paused) expect(reached).toMatchObject({ scope: 'swarm', swarmId, what: 'tokens', limit: 25, used: 20 });
    await swarms.setBudget({ ...NONE, tokens: 45 }, 'none', swarmId);
    const open = runIds.filter((_id, at) => states[at]?.status === 'running');
    await Promise.all(open.map((runId, at) => (at === 0 ? place : other).resume(provider, runId)));
    for (const runId of open) expect((await place.control.look(runId)).state.status).toBe('completed');
    expect(worst()).toBeLessThanOrEqual(45);
  });

  test('of attempts is kept within the claim', async () => {
    const place = await createRunPlace(await folder(), onCleanUp);
    const other = await createRunPlace(place.dir, onCleanUp);
    const swarms = createSwarms({ db: place.db, runtime: testRuntime() });
    const { swarmId } = await swarms.create({ topology: 'star', strategy: 'parallel', maxAgents: 8, config: {} });
    await swarms.setBudget({ ...NONE, steps: 2 }, 'none', swarmId);
    const { provider } = thrifty(10, 30);
    await Promise.all([place, other, place, other].map((one) => task(one, provider, swarmId)));
    expect(provider.asked).toHaveLength(2);
    expect((await swarms.budget(swarmId)).used.steps).toBe(2);
  });
});
