import { describe, expect, test } from 'vitest';
import type { AskRequest, AskResult } from '../../src/agent/provider.ts';
import { createFold } from '../../src/run/fold.ts';
import { isAwaited, readySteps } from '../../src/run/ready-steps.ts';
import { useScratch } from '../store/scratch.ts';
import { createRunPlace } from './run-place.ts';
import { following, reviewing, scripted, skill } from './run-samples.ts';

const { folder, onCleanUp } = useScratch();
const PAID = { name: 'anthropic', paid: true } as const;

/** Tells which agents had two calls at once. */
function watching() {
  const busy = new Set<string>();
  const twice: string[] = [];
  const ask = async (request: AskRequest): Promise<AskResult> => {
    const { id } = request.agent;
    if (busy.has(id)) twice.push(`${id}: ${request.stepId}`);
    busy.add(id);
    // Whoever works first is the last to be done, so that others could judge before they are.
    await new Promise((resolve) => void setTimeout(resolve, id === 'finder' && request.kind === 'work' ? 120 : 5));
    busy.delete(id);
    return reviewing(request);
  };
  return { ask, twice };
}

describe('an agent does one thing at a time', () => {
  test('in a mesh it judges others once its own work has ended, also when that ends last', async () => {
    const place = await createRunPlace(await folder(), onCleanUp);
    const { ask, twice } = watching();
    const runId = await place.run(scripted(ask, PAID));
    expect(twice).toEqual([]);
    const events = await place.events(runId);
    const at = (type: string, stepId: string): number =>
      events.findIndex((event) => event.type === type && 'stepId' in event && event.stepId === stepId);
    expect(at('step_started', '2-judge-finder')).toBeGreaterThan(at('step_completed', '1-work-finder'));
    expect((await place.runs.get(runId)).status).toBe('completed');
  });

  test('whoever of several processes drives it', async () => {
    const place = await createRunPlace(await folder(), onCleanUp);
    const { ask, twice } = watching();
    const provider = scripted(ask, PAID);
    const request = { skill: skill(), task: 't', selection: { tree: true }, provider: 'anthropic' } as const;
    const running = place.process(provider).runner.run(request, following());
    while (provider.asked.length === 0) await new Promise((resolve) => void setTimeout(resolve, 2));
    const [{ runId } = { runId: '' }] = await place.runs.list({ limit: 1, offset: 0 });
    await Promise.all([running, (await createRunPlace(place.dir, onCleanUp)).resume(provider, runId)]);
    expect(twice).toEqual([]);
    expect((await place.runs.get(runId)).status).toBe('completed');
  });

  test('a step that waits for its inputs holds up the later ones of its agent, and no others', async () => {
    const place = await createRunPlace(await folder(), onCleanUp);
    const runId = await place.run(scripted(reviewing), { budget: { run: { ...NONE, steps: 1 }, agent: NONE } });
    const fold = createFold();
    fold.apply(await place.events(runId));
    expect([...readySteps(fold.state)].map(({ id }) => id)).toEqual(['1-work-judge', '1-work-critic']);
    const waited = [...fold.state.steps.values()].filter((step) => isAwaited(fold.state, step)).map(({ id }) => id);
    expect(waited).toEqual(['1-work-finder', '1-work-judge', '1-work-critic']);
  });
});

const NONE = { tokens: null, costUsd: null, wallMs: null, steps: null };
