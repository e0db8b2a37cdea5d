import type { FoldedRun, FoldedStep } from './fold.ts';

/** How steps stand that are over. */
export const ENDED: ReadonlySet<string> = new Set(['completed', 'skipped', 'failed']);

/**
 * Steps whose turn it is, in the plan's order: nobody has ended them, all that they see has ended, and so has what their
 * agent was to do before, as an agent does one thing at a time. While any step is open there is one: the first in the
 * plan's order waits for nothing.
 */
export function* readySteps({ steps }: Pick<FoldedRun, 'steps'>): Generator<FoldedStep> {
  const busy = new Set<string>();
  const hasEnded = (id: string): boolean => ENDED.has(steps.get(id)?.status ?? '');
  for (const step of steps.values()) {
    if (ENDED.has(step.status) || busy.has(step.agentId)) continue;
    busy.add(step.agentId);
    if (step.sees.every(hasEnded)) yield step;
  }
}

/** Whether another step waits for this one: for its output, or for its agent. */
export function isAwaited({ steps }: Pick<FoldedRun, 'steps'>, { id, agentId }: FoldedStep): boolean {
  let isLater = false;
  for (const step of steps.values()) {
    if (step.sees.includes(id) || (isLater && step.agentId === agentId)) return true;
    isLater ||= step.id === id;
  }
  return false;
}
