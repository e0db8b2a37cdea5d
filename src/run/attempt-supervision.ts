import { createIntensity } from '../swarm/supervise/intensity.ts';
import { restartSet } from '../swarm/supervise/restart-set.ts';
import type { FoldedStep } from './fold.ts';
import type { RunSession } from './run-session.ts';

/** An attempt that this process has under way. */
export interface UnderWay {
  readonly step: FoldedStep;
  readonly stop: AbortController;
  readonly settled: Promise<void>;
}

/** What supervision does about attempts that fail: others are stopped with them, or the run is given up. */
export interface AttemptSupervision {
  /** After an attempt of a step ended; `restartsBefore`: how many there had been when it began. */
  heed(step: FoldedStep, restartsBefore: number): void;
  /** Why an attempt was stopped that used nothing. */
  whyStopped(stepId: string): string;
  /** An attempt has settled. */
  forget(stepId: string): void;
  /** Why there may be no more restarts; `null` while there may. */
  escalation(): string | null;
}

/** @param underWay by step, in the order in which they were begun */
export function createAttemptSupervision({ run, fold }: RunSession, underWay: ReadonlyMap<string, UnderWay>): AttemptSupervision {
  const { supervision } = run.spec.swarm;
  const { strategy, intensity: most, periodMs } = supervision;
  /** Steps that are stopped with another one, and whose agent that was. */
  const stoppedWith = new Map<string, string>();
  const intensity = createIntensity(supervision);
  for (const at of fold.state.restarts) intensity.record(at);
  let escalated: string | null = null;
  return {
    heed: ({ id: failed, agentId }, restartsBefore) => {
      const { restarts, steps } = fold.state;
      const at = restarts.at(-1);
      if (restarts.length === restartsBefore || at === undefined || steps.get(failed)?.status !== 'waiting') return;
      if (!intensity.record(at)) {
        escalated ??= `${agentId} failed again: more than ${most} restarts within ${periodMs} ms`;
        return;
      }
      for (const id of restartSet(strategy, [...underWay.keys()], failed)) {
        if (id === failed) continue;
        stoppedWith.set(id, agentId);
        underWay.get(id)?.stop.abort();
      }
    },
    whyStopped: (stepId) => {
      const failed = stoppedWith.get(stepId);
      return failed === undefined ? 'the run was stopped' : `it is started again with ${failed}, which failed`;
    },
    forget: (stepId) => void stoppedWith.delete(stepId),
    escalation: () => escalated,
  };
}
