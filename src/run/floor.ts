import type { BudgetReached } from '../events.ts';
import { createAttemptSupervision } from './attempt-supervision.ts';
import type { AttemptSupervision, UnderWay } from './attempt-supervision.ts';
import { nearestBudget } from './budget.ts';
import { doerOf, executeStep } from './execute-step.ts';
import type { Doer } from './execute-step.ts';
import type { FoldedStep } from './fold.ts';
import { createOthersPoll } from './poll-others.ts';
import { ENDED } from './ready-steps.ts';
import type { RunSession } from './run-session.ts';
import { createSharing } from './sharing.ts';
import type { Sharing } from './sharing.ts';
import { limitTime, wallStop } from './stopped-attempt.ts';
import type { StoppedAttemptError } from './stopped-attempt.ts';
import type { TimeLeft } from './time-left.ts';

export interface FloorOptions {
  readonly signal: AbortSignal;
  /** What the skill allows; when it is over, the steps that have not ended fail, and the run ends with what is there. */
  readonly time: TimeLeft;
  readonly onProgress: (done: number, what: string) => void;
}

/** What attempts met with that the whole drive must heed; the first of each kind. */
interface Troubles {
  /** A defect, or a failure to write. */
  broken: { readonly error: unknown } | null;
  /** A budget for which an attempt was too large. */
  starved: BudgetReached | null;
}

type Report = (step: FoldedStep, part: number, what: string) => void;

/** Tells how far all steps are together. */
function createReport({ fold }: RunSession, onProgress: FloorOptions['onProgress']): Report {
  const parts = new Map<string, number>();
  return (step, part, what) => {
    parts.set(step.id, part);
    const done = [...parts.values()].reduce((total, value) => total + value, 0);
    onProgress(Math.min(1, done / Math.max(1, fold.state.steps.size)), `${step.agentId}: ${what}`);
  };
}

/** How many attempts may be under way at once. */
function slotsOf({ run }: RunSession): number {
  const { parallel, maxConcurrent } = run.spec.swarm.execution;
  return parallel ? maxConcurrent : 1;
}

interface AttemptParts {
  readonly options: FloorOptions;
  readonly supervision: AttemptSupervision;
  readonly troubles: Troubles;
  readonly sharing: Sharing;
  readonly report: Report;
}

/** Carries out one attempt, and has supervision and budgets heed its end. Never rejects. */
async function attempt(
  session: RunSession,
  { step, doer, stop }: { readonly step: FoldedStep; readonly doer: Doer; readonly stop: AbortController },
  { options: { time }, supervision, troubles, sharing, report }: AttemptParts,
): Promise<void> {
  const { fold, log } = session;
  const restartsBefore = fold.state.restarts.length;
  const limit = limitTime(session, step, time, stop);
  try {
    report(step, 0, step.kind);
    const onProgress = (part: number, what: string): void => report(step, Math.min(part, 1), what);
    const asked = { step, doer, signal: stop.signal, sharing, leftMs: () => time.left(), onProgress };
    const done = await executeStep(session, asked);
    if (typeof done !== 'boolean') await session.take(await log.reset(done, supervision.whyStopped(step.id)));
    if (done !== true) return;
    supervision.heed(step, restartsBefore);
    const now = fold.state.steps.get(step.id);
    const { couldBeLarger } = sharing.end(step.id);
    if (now?.status === 'waiting' && now.code === 'budget') {
      // What does not go round for several may do for one.
      if (couldBeLarger && !stop.signal.aborted) sharing.goSingly();
      else troubles.starved ??= nearestBudget(session.run.spec.swarm.budget, fold.state, step.agentId, session);
    }
    if (now !== undefined && ENDED.has(now.status)) report(step, 1, now.status);
  } catch (error) {
    troubles.broken ??= { error };
  } finally {
    limit.end();
    sharing.end(step.id);
    supervision.forget(step.id);
  }
}

/** The steps under way in this process, and what comes of them. */
export interface Floor {
  readonly underWay: ReadonlyMap<string, UnderWay>;
  isFull(): boolean;
  /** Whether what is left of a budget does for one attempt at a time at most. */
  isSingle(): boolean;
  /** A defect, or a failure to write. */
  failure(): { readonly error: unknown } | null;
  /** The budget for which an attempt was too large. */
  starved(): BudgetReached | null;
  /** More restarts than the supervision allows. */
  escalation(): string | null;
  launch(step: FoldedStep, doer: Doer): void;
  /** Resolves when one has settled, or others may have written. */
  next(): Promise<void>;
  /** Stops what an agent has under way; no other attempt begins, and others may end. */
  starve(reached: BudgetReached): void;
  /** Stops all, and waits for them. */
  stopAll(reason?: StoppedAttemptError): Promise<void>;
  close(): void;
}

export function createFloor(session: RunSession, options: FloorOptions): Floor {
  const { signal } = options;
  const underWay = new Map<string, UnderWay>();
  const supervision = createAttemptSupervision(session, underWay);
  const troubles: Troubles = { broken: null, starved: null };
  const sharing = createSharing(session, underWay, slotsOf(session), (step) => doerOf(session, step).provider.paid);
  const parts = { options, supervision, troubles, sharing, report: createReport(session, options.onProgress) };
  const poll = createOthersPoll(session);
  const settling = (): readonly Promise<void>[] => [...underWay.values()].map(({ settled }) => settled);
  const stopEach = (reason: unknown): void => {
    for (const { stop } of underWay.values()) stop.abort(reason);
  };
  const onAbort = (): void => stopEach(signal.reason);
  signal.addEventListener('abort', onAbort);
  const begin = async (step: FoldedStep, doer: Doer, stop: AbortController): Promise<void> => {
    await Promise.resolve(); // it is among those under way before anything of it happens
    await attempt(session, { step, doer, stop }, parts);
    underWay.delete(step.id);
  };
  return {
    underWay,
    isFull: () => underWay.size >= (sharing.isSingle() ? 1 : slotsOf(session)),
    isSingle: () => sharing.isSingle(),
    failure: () => troubles.broken,
    starved: () => troubles.starved,
    escalation: () => supervision.escalation(),
    launch: (step, doer) => {
      const stop = new AbortController();
      if (signal.aborted) stop.abort(signal.reason);
      underWay.set(step.id, { step, stop, settled: begin(step, doer, stop) });
    },
    next: () => poll.next(settling()),
    starve: (reached) => {
      troubles.starved ??= reached;
      for (const { step, stop } of underWay.values()) if (step.agentId === reached.agentId) stop.abort(wallStop(reached));
    },
    stopAll: async (reason) => {
      stopEach(reason);
      await Promise.all(settling());
    },
    close: () => {
      signal.removeEventListener('abort', onAbort);
      poll.close();
    },
  };
}
