import * as z from 'zod';
import type { StepRecord } from '../run/runs.ts';

/** How many ids of steps an answer names, and how many of them it tells more about: plans have hundreds. */
export const MAX_IDS = 20;
const MAX_STEPS = 50;

/** `a, b`, or `492 steps: a, b, …` where those are but the first of them. */
export function idWords(ids: readonly string[], count: number): string {
  const named = ids.join(', ');
  return count > ids.length ? `${count} steps: ${named}, …` : named;
}

const stepOutput = z.object({
  stepId: z.string(),
  agentId: z.string(),
  kind: z.string(),
  status: z.string(),
  attempt: z.number(),
  durationMs: z.number().nullable(),
  reason: z.string().nullable(),
});

/** `steps`: of a wide plan those with most to tell, in the plan's order; `stepCounts`: of all, by status. */
export const stepsOutput = { steps: z.array(stepOutput), stepCounts: z.record(z.string(), z.number()) };

const RANK = ['running', 'failed', 'waiting', 'skipped', 'completed'];

/** A run's steps as answers tell them, at most 50. */
export function shownSteps(records: readonly StepRecord[]): z.output<z.ZodObject<typeof stepsOutput>> {
  const stepCounts: Record<string, number> = {};
  const ranked = [...records].sort((a, b) => RANK.indexOf(a.status) - RANK.indexOf(b.status));
  for (const { status } of ranked) stepCounts[status] = (stepCounts[status] ?? 0) + 1;
  const shown = new Set(ranked.slice(0, MAX_STEPS));
  const steps = records.filter((record) => shown.has(record)).map(({ round: _round, heldUntil: _heldUntil, ...step }) => step);
  return { steps, stepCounts };
}
