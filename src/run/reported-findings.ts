import type { StepOutput } from '../agent/provider.ts';
import type { Finding } from '../finding.ts';

/** How a step ended, as far as others depend on it. */
export interface EndedStep {
  readonly kind: 'work' | 'judge' | 'merge';
  readonly sees: readonly string[];
  /** `null` unless it completed. */
  readonly output: StepOutput | null;
}

/**
 * What a step's agent found by itself: of a working or merging step the findings that it did not see from others, for
 * whoever repeats what it was shown (the next in a ring, a later layer) did not find it; none of a judging step's.
 */
export function reportedFindings(
  { kind, sees, output }: EndedStep,
  others: ReadonlyMap<string, { readonly output: StepOutput | null }>,
): readonly Finding[] {
  if (kind === 'judge' || output === null) return [];
  const seen = new Set(sees.flatMap((id) => others.get(id)?.output?.findings.map((finding) => finding.id) ?? []));
  return output.findings.filter(({ id }) => !seen.has(id));
}
