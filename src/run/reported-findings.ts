import type { StepOutput } from '../agent/provider.ts';
import type { Finding } from '../finding.ts';
import type { PlanStep } from '../swarm/plan.ts';
import type { StepOutcome } from './drive-steps.ts';

/**
 * What a step's agent found by itself: all of a working step's findings, those of a merging step that it did not see
 * from others, none of a judging step's.
 */
export function reportedFindings(
  { kind, sees }: PlanStep,
  { findings }: StepOutput,
  outcomes: ReadonlyMap<string, StepOutcome>,
): readonly Finding[] {
  if (kind === 'judge') return [];
  if (kind === 'work') return findings;
  const seen = sees.flatMap((id) => {
    const outcome = outcomes.get(id);
    return outcome?.status === 'completed' ? outcome.output.findings.map((finding) => finding.id) : [];
  });
  return findings.filter(({ id }) => !seen.includes(id));
}
