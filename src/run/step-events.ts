import type { Usage } from '../agent/usage.ts';
import type { EventBody, EventUsage } from '../events.ts';
import type { Claim, StepFailure, StepResult } from './run-log.ts';

/** What was used, as events tell it; `null` where nothing was. */
export function eventUsage({
  usage,
  provider,
}: {
  readonly usage?: Usage | undefined;
  readonly provider: string;
}): EventUsage | null {
  return usage === undefined ? null : { provider, ...usage };
}

/** What a step put out, and its end. */
export function completedEvents({ stepId, agentId, epoch }: Claim, result: StepResult): readonly EventBody[] {
  const { output, reported, durationMs } = result;
  const usage = eventUsage(result);
  return [
    ...reported.map((finding): EventBody => ({ type: 'finding_reported', stepId, agentId, finding })),
    ...output.notes.map((note): EventBody => ({ type: 'note_added', stepId, agentId, note })),
    ...output.ballots.map((ballot): EventBody => ({ type: 'ballot_cast', stepId, agentId, ballot })),
    {
      type: 'step_completed',
      stepId,
      agentId,
      epoch,
      durationMs,
      findings: reported.length,
      ballots: output.ballots.length,
      output: {
        findingIds: output.findings.map(({ id }) => id),
        stats: output.stats,
        ...(output.text === undefined ? {} : { text: output.text }),
        ...(output.confidence === undefined ? {} : { confidence: output.confidence }),
      },
      ...(usage === null ? {} : { usage }),
    },
  ];
}

/** The end of an attempt that failed. */
export function failedEvent({ stepId, agentId, attempt }: Claim, failure: StepFailure): EventBody {
  const { code, reason, retryAt, possiblyBilled } = failure;
  const usage = eventUsage(failure);
  return {
    type: 'step_failed',
    stepId,
    agentId,
    attempt,
    code,
    reason,
    willRetry: retryAt !== null,
    ...(usage === null ? {} : { usage }),
    ...(possiblyBilled === true ? { possiblyBilled: true as const } : {}),
  };
}
