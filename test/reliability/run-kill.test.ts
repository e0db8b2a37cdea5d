import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { BundledProgram } from '../helpers/bundle-program.ts';
import { useScratch } from '../store/scratch.ts';
import { driveKilled, killedFigures, soundFigures } from './killed-runs.ts';
import type { KilledRun } from './killed-runs.ts';
import { bundle } from './processes.ts';

const SEED = Number(process.env['RELIABILITY_SEED'] ?? 20_261_121);

const scratch = useScratch();
let worker: BundledProgram;
beforeAll(async () => {
  worker = await bundle('run-worker.ts');
});
afterAll(() => worker.remove());

const KILLED: readonly (readonly [string, KilledRun, number])[] = [
  [
    '4 processes, 300 paid steps, 20 SIGKILLs at calls in flight',
    { agentsOfType: 50, processes: 4, kills: 20, leaseMs: 15_000, apart: false },
    SEED,
  ],
  [
    'on machines of their own, where only the end of a lease tells that a process is gone',
    { agentsOfType: 10, processes: 3, kills: 3, leaseMs: 8_000, apart: true },
    SEED + 1,
  ],
];

describe(`runs whose processes are killed (seed ${SEED}; RELIABILITY_SEED repeats another)`, () => {
  test.each(KILLED)('%s: exactly the calls that were cut off are repeated and marked', async (_what, shape, seed) => {
    const outcome = await driveKilled(shape, seed, worker.path, await scratch.folder());
    const at = `seed ${seed}`;
    expect(outcome.status, outcome.faults.join('\n')).toBe('completed');
    expect(killedFigures(outcome), at).toEqual(soundFigures(shape));
    expect(outcome.files, at).toEqual(['report.md same', 'report.sarif same', 'report.json same']);
    const steps = shape.agentsOfType * 6;
    expect(outcome.spent, at).toEqual({ attempts: steps, dollars: steps / 4 });
  });
});
