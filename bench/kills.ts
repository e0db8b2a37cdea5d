// A run whose processes are killed while paid calls of theirs are in flight, on one file, against a model on the loopback:
// exactly those calls are made again. Beside it the same run with nobody killed. Exits with 1 where anything is not as it
// should be. Arguments: kills (20), processes (4), agents of each of three types, with two steps each (50), seed.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { driveKilled, killedFigures, soundFigures } from '../test/reliability/killed-runs.ts';
import type { KilledFigures, KilledRun } from '../test/reliability/killed-runs.ts';
import { bundle } from '../test/reliability/processes.ts';
import { machine } from './child.ts';

const LEASE_MS = 15_000;

function said({ calls, cutOff, wrongRepeats, afterAnswer, marked, wrongMarks, ...rest }: KilledFigures): readonly string[] {
  const { completedOnce, completedAgain, ends, endIsLast, integrity, faults } = rest;
  return [
    `calls: ${calls}, of which ${cutOff} were cut off by SIGKILL; repeated or missing beside those: ${wrongRepeats}`,
    `calls of a step after its answer: ${afterAnswer}`,
    `steps with one event of completion: ${completedOnce}, with several: ${completedAgain}`,
    `attempts marked as possibly billed twice: ${marked}, wrongly or not: ${wrongMarks}`,
    `ends of the run: ${ends}${endIsLast ? ', the last event' : ''}; integrity: ${integrity}; processes that failed: ${faults.length}`,
    ...faults,
  ];
}

async function measure(
  shape: KilledRun,
  seed: number,
  worker: string,
): Promise<{ readonly holds: boolean; readonly perSecond: number }> {
  const folder = mkdtempSync(join(tmpdir(), 'skillflow-kills-'));
  try {
    const outcome = await driveKilled(shape, seed, worker, folder);
    const figures = killedFigures(outcome);
    const sound = soundFigures(shape);
    const holds = isDeepStrictEqual(figures, sound) && outcome.status === 'completed';
    const perSecond = (sound.completedOnce / outcome.wallMs) * 1000;
    console.log(
      `\n${shape.kills} kills: ${outcome.status} in ${(outcome.wallMs / 1000).toFixed(1)} s, ${perSecond.toFixed(0)} steps/s`,
    );
    for (const line of said(figures)) console.log(`  ${line}`);
    return { holds, perSecond };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function main([kills = '20', processes = '4', agents = '50', seed = '20261121']: readonly string[]): Promise<void> {
  const shape = { agentsOfType: Number(agents), processes: Number(processes), leaseMs: LEASE_MS, apart: false };
  console.log(machine());
  console.log(`${processes} processes, ${shape.agentsOfType * 6} paid steps on one file, seed ${seed}`);
  const worker = await bundle('run-worker.ts');
  try {
    const calm = await measure({ ...shape, kills: 0 }, Number(seed), worker.path);
    const killed = await measure({ ...shape, kills: Number(kills) }, Number(seed), worker.path);
    const holds = calm.holds && killed.holds;
    const ratio = (killed.perSecond / calm.perSecond).toFixed(2);
    console.log(
      `\n${holds ? 'holds' : 'FAILS'}: ${ratio}x the steps/s of the run with nobody killed, starts of processes included`,
    );
    if (!holds) process.exitCode = 1;
  } finally {
    await worker.remove();
  }
}

await main(process.argv.slice(2));
