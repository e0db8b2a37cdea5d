import { CancelledError } from '../errors.ts';
import type { BudgetReached } from '../events.ts';
import type { FoldedStep } from './fold.ts';
import { isAwaited } from './ready-steps.ts';
import type { RunSession } from './run-session.ts';
import type { TimeLeft } from './time-left.ts';

/**
 * What stops attempts from outside: `timeout`, the run's time is over; `deadline`, that of the attempt, as much as the
 * run can give it; `budget`, the wall time of the run or agent is used up.
 */
type StopCause = 'timeout' | 'deadline' | 'budget';

/** The reason of an attempt's signal that was aborted for one of these causes. */
export class StoppedAttemptError extends CancelledError {
  readonly stop: StopCause;
  constructor(stop: StopCause, message: string) {
    super(message);
    this.stop = stop;
  }
}

/** Part of the time left that an attempt may take while other steps wait for it. */
const SHARE = 0.75;

/** Has an attempt end before it takes the time of those steps that wait for it. */
export function limitTime({ fold, runtime }: RunSession, step: FoldedStep, time: TimeLeft, stop: AbortController) {
  const over = new AbortController();
  const mostMs = Math.floor(time.left() * SHARE);
  if (isAwaited(fold.state, step)) {
    const message = `no answer within ${mostMs} ms, as much as the run's time leaves for it`;
    void runtime.sleep(mostMs, over.signal).then(
      () => stop.abort(new StoppedAttemptError('deadline', message)),
      () => undefined,
    );
  }
  return { end: (): void => over.abort() };
}

/** Of attempts for which the wall time is used up. */
export const wallStop = ({ scope, agentId, limit }: BudgetReached): StoppedAttemptError =>
  new StoppedAttemptError('budget', `the ${limit} ms that ${scope === 'run' ? 'the run' : agentId} may take are used up`);
