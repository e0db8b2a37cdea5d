import { expect, test } from 'vitest';
import type { EventBody, RunEvent } from '../../src/events.ts';
import { fold } from '../../src/run/fold.ts';
import { createKeptRuns } from '../../src/run/kept-runs.ts';
import { skill } from './run-samples.ts';

const STEP = { id: 's', agentId: 'a', kind: 'work', round: 1, sees: [] } as const;
const BODIES: readonly EventBody[] = [
  { type: 'plan_grown', steps: [STEP], reason: 'r' },
  { type: 'step_started', stepId: 's', agentId: 'a', attempt: 1, epoch: 1, owner: 'o', provider: 'p' },
  { type: 'step_skipped', stepId: 's', agentId: 'a', code: 'c', reason: 'r' },
  { type: 'run_failed', code: 'c', reason: 'r' },
];

/** A journal, and from which places it was read. */
function journal(bodies: readonly EventBody[], at = 0) {
  const events = bodies.map((body, index): RunEvent => ({ runId: 'r', seq: index + 1, at: at + index, ...body }));
  const places: number[] = [];
  const read = async (after: number): Promise<readonly RunEvent[]> => {
    places.push(after);
    return events.slice(after, after + 2);
  };
  return { events, places, read };
}

test('who looks again reads only what is new, and has a run of its own', async () => {
  const kept = createKeptRuns();
  const { events, read } = journal(BODIES.slice(0, 3));
  const first = await kept.fold('r', read);
  expect(first.state).toEqual(fold(events));

  const more = journal(BODIES);
  const second = await kept.fold('r', more.read);
  expect(second.state).toEqual(fold(more.events));
  expect(more.places).toEqual([2, 3, 4]); // the newest that it had, which is there still, and on from it
  expect(first.state).toEqual(fold(events));
  first.apply(more.events);
  expect(first.state).toEqual(second.state);
});

test('callers at the same time get the whole run, each', async () => {
  const kept = createKeptRuns();
  const { events, read } = journal(BODIES);
  await kept.fold('r', journal(BODIES.slice(0, 1)).read);
  const folds = await Promise.all([kept.fold('r', read), kept.fold('r', read), kept.fold('r', read)]);
  for (const { state } of folds) expect(state).toEqual(fold(events));
});

test('a journal that was put back is read anew', async () => {
  const kept = createKeptRuns();
  await kept.fold('r', journal(BODIES).read);
  const shorter = journal(BODIES.slice(0, 2));
  expect((await kept.fold('r', shorter.read)).state).toEqual(fold(shorter.events));
  const other = journal(BODIES.slice(0, 2), 1_000);
  expect((await kept.fold('r', other.read)).state).toEqual(fold(other.events));
  expect((await kept.fold('r', journal([]).read)).state.seq).toBe(0);
});

test('only the runs looked at last are kept', async () => {
  const kept = createKeptRuns();
  for (const runId of ['1', '2', '3', '4', '1', '5']) await kept.fold(runId, journal(BODIES).read);
  const places = async (runId: string): Promise<readonly number[]> => {
    const { places: read, ...source } = journal(BODIES);
    await kept.fold(runId, source.read);
    return read;
  };
  expect(await places('1')).toEqual([3, 4]);
  expect(await places('2')).toEqual([0, 2, 4]);
});

test('what a run looks at is read once; its budgets are those that the database has now', async () => {
  const kept = createKeptRuns();
  const { swarm } = skill();
  const spec = {
    skill: 's',
    skillVersion: null,
    skillDir: null,
    task: 't',
    provider: 'local',
    selection: {},
    swarm,
    agents: [],
  } as const;
  const changes = { root: '/', mode: 'tree', base: null, git: null, files: [], skipped: [], notes: [] } as const;
  let reads = 0;
  const input = (steps: number | null) => {
    const budget = { ...swarm.budget, run: { ...swarm.budget.run, steps } };
    return kept.input({ runId: 'r', spec: JSON.stringify({ ...spec, swarm: { ...swarm, budget } }) }, async () => {
      reads += 1;
      return changes;
    });
  };
  expect((await input(1)).spec.swarm.budget.run.steps).toBe(1);
  const again = await input(2);
  expect(again.spec.swarm.budget.run.steps).toBe(2);
  expect(again.changes).toBe(changes);
  expect((await input(2)).spec).toBe(again.spec);
  expect(reads).toBe(1);
});
