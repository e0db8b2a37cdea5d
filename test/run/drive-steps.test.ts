import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import type { StepOutcome } from '../../src/run/drive-steps.ts';
import { driveSteps } from '../../src/run/drive-steps.ts';
import { makePlan } from '../../src/swarm/make-plan.ts';
import type { Plan } from '../../src/swarm/plan.ts';

const DONE: StepOutcome = { status: 'completed', output: { findings: [], ballots: [], notes: [], stats: {} } };
const signal = new AbortController().signal;

function plan(topology: 'star' | 'mesh' | 'ring' | 'hierarchy', count: number): Plan {
  return makePlan({ topology, agents: [{ type: 'worker', count, capabilities: [] }] });
}

test('every step runs once, after all that it sees, never more at once than allowed (property)', async () => {
  const topologies = fc.constantFrom('star' as const, 'mesh' as const, 'ring' as const, 'hierarchy' as const);
  await fc.assert(
    fc.asyncProperty(
      topologies,
      fc.integer({ min: 1, max: 12 }),
      fc.integer({ min: 1, max: 5 }),
      async (topology, count, maxConcurrent) => {
        const made = plan(topology, count);
        const order: string[] = [];
        let underWay = 0;
        let most = 0;
        const outcomes = await driveSteps(made, {
          maxConcurrent,
          signal,
          execute: async (step, seen) => {
            expect(step.sees.every((id) => seen.has(id))).toBe(true);
            underWay += 1;
            most = Math.max(most, underWay);
            await new Promise((resolve) => void setImmediate(resolve));
            underWay -= 1;
            order.push(step.id);
            return DONE;
          },
        });
        expect(order.toSorted()).toEqual(made.steps.map(({ id }) => id).toSorted());
        expect([...outcomes.keys()].toSorted()).toEqual(order.toSorted());
        expect(most).toBeLessThanOrEqual(maxConcurrent);
      },
    ),
    { seed: 7, numRuns: 60 },
  );
});

test('a step that failed or was skipped does not hold up those that would see it', async () => {
  const outcomes = await driveSteps(plan('mesh', 3), {
    maxConcurrent: 4,
    signal,
    execute: async (step) =>
      step.round === 1 && step.agentId.endsWith('1') ? { status: 'failed', code: 'x', reason: 'x' } : DONE,
  });
  expect(outcomes.size).toBe(6);
});

test('a rejection stops the drive after what is under way has settled', async () => {
  const started: string[] = [];
  let settled = 0;
  const driving = driveSteps(plan('ring', 5), {
    maxConcurrent: 1,
    signal,
    execute: async (step) => {
      started.push(step.id);
      await new Promise((resolve) => void setImmediate(resolve));
      settled += 1;
      if (started.length === 2) throw new Error('no disk');
      return DONE;
    },
  });
  await expect(driving).rejects.toThrow('no disk');
  expect(started).toHaveLength(2);
  expect(settled).toBe(2);
});

test('an aborted signal starts nothing more', async () => {
  const stop = new AbortController();
  let started = 0;
  const driving = driveSteps(plan('ring', 5), {
    maxConcurrent: 2,
    signal: stop.signal,
    execute: async () => {
      started += 1;
      stop.abort(new Error('enough'));
      return DONE;
    },
  });
  await expect(driving).rejects.toThrow('enough');
  expect(started).toBe(1);
});
