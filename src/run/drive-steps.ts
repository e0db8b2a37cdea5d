import type { StepOutput } from '../agent/provider.ts';
import type { Plan, PlanStep } from '../swarm/plan.ts';

/** How a step ended. */
export type StepOutcome =
  | { readonly status: 'completed'; readonly output: StepOutput }
  | { readonly status: 'skipped'; readonly code: string; readonly reason: string }
  | { readonly status: 'failed'; readonly code: string; readonly reason: string };

export interface DriveOptions {
  readonly maxConcurrent: number;
  readonly signal: AbortSignal;
  /** Carries out one step, given how the steps that it sees ended. A rejection stops the drive. */
  readonly execute: (step: PlanStep, seen: ReadonlyMap<string, StepOutcome>) => Promise<StepOutcome>;
}

/**
 * Carries out a plan: a step starts once every step that it sees has ended, however it ended, and at most
 * `maxConcurrent` are under way at once. Resolves with the outcome of every step; rejects with the first rejection of
 * `execute`, or with the signal's reason, after the steps under way have settled.
 */
export async function driveSteps(
  plan: Plan,
  { maxConcurrent, signal, execute }: DriveOptions,
): Promise<ReadonlyMap<string, StepOutcome>> {
  const outcomes = new Map<string, StepOutcome>();
  const waiting = new Set(plan.steps);
  const underWay = new Set<Promise<void>>();
  const stop = new AbortController();
  const launch = (step: PlanStep): void => {
    waiting.delete(step);
    const task = (async () => {
      try {
        outcomes.set(step.id, await execute(step, outcomes));
      } catch (error) {
        stop.abort(error);
      }
    })();
    underWay.add(task);
    void task.finally(() => underWay.delete(task));
  };
  while (waiting.size > 0 || underWay.size > 0) {
    if (signal.aborted) stop.abort(signal.reason);
    if (!stop.signal.aborted) {
      for (const step of waiting) {
        if (underWay.size >= maxConcurrent) break;
        if (step.sees.every((id) => outcomes.has(id))) launch(step);
      }
    }
    if (underWay.size === 0) break;
    await Promise.race(underWay);
  }
  stop.signal.throwIfAborted();
  return outcomes;
}
