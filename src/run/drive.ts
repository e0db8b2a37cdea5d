import { isPaid } from '../agent/provider.ts';
import { toSkillflowError } from '../errors.ts';
import type { BudgetReached } from '../events.ts';
import { growPlan } from '../swarm/strategy/grow-plan.ts';
import { createIntensity } from '../swarm/supervise/intensity.ts';
import { restartSet } from '../swarm/supervise/restart-set.ts';
import { budgetReached, nearestBudget, wallReached } from './budget.ts';
import { doerOf, executeStep } from './execute-step.ts';
import type { Doer } from './execute-step.ts';
import type { FoldedStep } from './fold.ts';
import type { Claim } from './run-log.ts';
import type { RunSession } from './run-session.ts';
import { TIMEOUT } from './run-states.ts';
import { limitTime, StoppedAttemptError, wallStop } from './stopped-attempt.ts';
import type { TimeLeft } from './time-left.ts';

/** Milliseconds between looks at what other processes did: the more, the longer nothing happened. */
const POLL_MS = { least: 50, most: 250 } as const;

/** Why a drive ended. */
export type DriveEnd =
  | { readonly why: 'ended' }
  /** The rest is for the host to do: the steps that are ready for it. */
  | { readonly why: 'host'; readonly steps: readonly string[] }
  | { readonly why: 'budget'; readonly reached: BudgetReached }
  | { readonly why: 'approval'; readonly gate: string }
  | { readonly why: 'cancelled'; readonly reason: string }
  /** More restarts than the supervision allows. */
  | { readonly why: 'escalated'; readonly reason: string }
  /** Another process has ended the run, or has it wait. */
  | { readonly why: 'elsewhere' };

export interface DriveOptions {
  readonly signal: AbortSignal;
  /** What the skill allows; when it is over, the steps that have not ended fail, and the run ends with what is there. */
  readonly time: TimeLeft;
  readonly onProgress: (done: number, what: string) => void;
  /** Called before the first attempt of this drive that costs money; an end stops the drive. */
  readonly beforeSpending: () => Promise<DriveEnd | null>;
}

interface UnderWay {
  readonly step: FoldedStep;
  readonly stop: AbortController;
  readonly settled: Promise<void>;
}

const ENDED: ReadonlySet<string> = new Set(['completed', 'skipped', 'failed']);

/** Steps that nobody has ended and all of whose inputs are there. */
function* openSteps({ fold }: RunSession): Generator<FoldedStep> {
  const { steps } = fold.state;
  const hasEnded = (id: string): boolean => ENDED.has(steps.get(id)?.status ?? '');
  for (const step of steps.values()) if (!ENDED.has(step.status) && step.sees.every(hasEnded)) yield step;
}

/** Appends what a growing strategy adds; `false` when the plan is whole, and why it grows no more is on record. */
async function grow(session: RunSession): Promise<boolean> {
  const { run, fold, log } = session;
  const { started, steps } = fold.state;
  const { swarm, agents } = run.spec;
  const outcomes = new Map(
    [...steps].map(([id, { status, output }]) => [id, output === null ? { status } : { status, output }] as const),
  );
  const plan = {
    topology: started?.topology ?? '',
    strategy: started?.strategy ?? 'plan',
    agents,
    steps: [...steps.values()],
    messages: 0,
  };
  const growth = growPlan(plan, outcomes, swarm.maxRounds);
  if (growth === null) return false;
  if (!growth.grows) {
    const { why, reason } = growth;
    if (fold.state.growthEnd !== reason) await session.take(await log.note(run.runId, [{ type: 'growth_stopped', why, reason }]));
    return false;
  }
  await session.take(await log.grow(run.runId, growth.steps, growth.reason));
  await session.sync();
  return true;
}

/** The steps under way in this process, and what supervision does about failures. */
function createFloor(session: RunSession, { signal, time, onProgress }: DriveOptions) {
  const { run, fold, log, runtime } = session;
  const { supervision, execution } = run.spec.swarm;
  const most = execution.parallel ? execution.maxConcurrent : 1;
  const underWay = new Map<string, UnderWay>();
  const order: string[] = [];
  const parts = new Map<string, number>();
  /** Steps that are stopped with another one, and whose agent that was. */
  const stoppedWith = new Map<string, string>();
  const intensity = createIntensity(supervision);
  for (const at of fold.state.restarts) intensity.record(at);
  let escalated: string | null = null;
  let broken: { readonly error: unknown } | null = null;
  let starved: BudgetReached | null = null;
  let quietSince = fold.state.seq;
  let pollMs: number = POLL_MS.least;
  let poll: Promise<unknown> | null = null;
  const closed = new AbortController();
  const onAbort = (): void => {
    for (const { stop } of underWay.values()) stop.abort(signal.reason);
  };
  signal.addEventListener('abort', onAbort);

  const report = (step: FoldedStep, part: number, what: string): void => {
    parts.set(step.id, part);
    const done = [...parts.values()].reduce((total, value) => total + value, 0);
    onProgress(Math.min(1, done / Math.max(1, fold.state.steps.size)), `${step.agentId}: ${what}`);
  };
  const supervise = (step: FoldedStep, restartsBefore: number): void => {
    const { restarts } = fold.state;
    const at = restarts.at(-1);
    if (restarts.length === restartsBefore || at === undefined || fold.state.steps.get(step.id)?.status !== 'waiting') return;
    if (!intensity.record(at)) {
      escalated ??= `${step.agentId} failed again: more than ${supervision.intensity} restarts within ${supervision.periodMs} ms`;
      return;
    }
    for (const id of restartSet(supervision.strategy, order, step.id)) {
      if (id === step.id) continue;
      stoppedWith.set(id, step.agentId);
      underWay.get(id)?.stop.abort();
    }
  };
  const giveBack = async (claim: Claim): Promise<void> => {
    const failed = stoppedWith.get(claim.stepId);
    stoppedWith.delete(claim.stepId);
    const why = failed === undefined ? 'the run was stopped' : `it is started again with ${failed}, which failed`;
    await session.take(await log.reset(claim, why));
  };
  const attempt = async (step: FoldedStep, doer: Doer, stop: AbortController): Promise<void> => {
    const restartsBefore = fold.state.restarts.length;
    const limit = limitTime(session, step, time, stop);
    try {
      report(step, 0, step.kind);
      const progress = (part: number, what: string): void => report(step, Math.min(part, 1), what);
      const asked = { step, doer, signal: stop.signal, sharers: most, leftMs: () => time.left(), onProgress: progress };
      const done = await executeStep(session, asked);
      if (typeof done !== 'boolean') await giveBack(done);
      else if (done) {
        supervise(step, restartsBefore);
        const now = fold.state.steps.get(step.id);
        if (now?.status === 'waiting' && now.code === 'budget') {
          starved ??= nearestBudget(session.run.spec.swarm.budget, fold.state, step.agentId, session.day);
        }
        if (now !== undefined && ENDED.has(now.status)) report(step, 1, now.status);
      }
    } catch (error) {
      broken ??= { error };
    } finally {
      limit.end();
      underWay.delete(step.id);
      stoppedWith.delete(step.id);
      const at = order.indexOf(step.id);
      if (at >= 0) order.splice(at, 1);
    }
  };

  return {
    underWay,
    isFull: () => underWay.size >= most,
    failure: () => broken,
    /** The budget for which an attempt was too large. */
    starved: () => starved,
    escalation: () => escalated,
    launch: (step: FoldedStep, doer: Doer): void => {
      const stop = new AbortController();
      if (signal.aborted) stop.abort(signal.reason);
      order.push(step.id);
      const settled = attempt(step, doer, stop);
      if (order.includes(step.id)) underWay.set(step.id, { step, stop, settled });
    },
    /** Resolves when one has settled, or others may have written. */
    next: async (): Promise<void> => {
      const { seq } = fold.state;
      pollMs = seq === quietSince ? Math.min(pollMs * 1.5, POLL_MS.most) : POLL_MS.least;
      quietSince = seq;
      poll ??= runtime.sleep(pollMs, closed.signal).then(
        () => (poll = null),
        () => undefined,
      );
      await Promise.race([poll, ...[...underWay.values()].map(({ settled }) => settled)]);
    },
    /** Stops what an agent has under way; no other attempt begins, and others may end. */
    starve: (reached: BudgetReached): void => {
      starved ??= reached;
      for (const { step, stop } of underWay.values()) if (step.agentId === reached.agentId) stop.abort(wallStop(reached));
    },
    stopAll: async (reason?: StoppedAttemptError): Promise<void> => {
      for (const { stop } of underWay.values()) stop.abort(reason);
      await Promise.all([...underWay.values()].map(({ settled }) => settled));
    },
    close: (): void => {
      signal.removeEventListener('abort', onAbort);
      closed.abort();
    },
  };
}

type Floor = ReturnType<typeof createFloor>;

/** What ends a drive whatever is under way. */
function stopped({ fold }: RunSession, floor: Floor, { signal }: DriveOptions): DriveEnd | 'signal' | null {
  if (signal.aborted) return 'signal';
  const { state } = fold;
  if (state.status !== 'running') return { why: 'elsewhere' };
  if (state.cancelAsked !== null) return { why: 'cancelled', reason: state.cancelAsked };
  const reason = floor.escalation();
  return reason === null ? null : { why: 'escalated', reason };
}

/** Ends every step that has not ended, as the run's time is over. */
async function endOpen(session: RunSession, floor: Floor, reason: string): Promise<void> {
  const { log, run, fold } = session;
  await floor.stopAll(new StoppedAttemptError(TIMEOUT, reason));
  await session.sync();
  for (const { id, agentId, status, owner, epoch, attempt, provider } of fold.state.steps.values()) {
    if (status !== 'running' || owner === null) continue;
    const claim = { runId: run.runId, stepId: id, agentId, owner, epoch, attempt };
    const failure = { code: TIMEOUT, reason, retryAt: null, provider: provider ?? '', possiblyBilled: isPaid(provider) };
    await session.take(await log.fail(claim, failure));
  }
  await session.take(await log.skipWaiting(run.runId, reason));
  await session.sync();
}

/** Stops what may not go on as its wall time is used up; where that leaves steps to do, the run pauses. */
async function keepWall(session: RunSession, floor: Floor): Promise<DriveEnd | null> {
  const { run, fold, runtime } = session;
  const steps = [...floor.underWay.keys()].flatMap((id) => fold.state.steps.get(id) ?? []);
  if (steps.length === 0) return null;
  const clock = { now: runtime.now(), since: session.since() };
  const reached = wallReached(run.spec.swarm.budget, fold.state, steps, clock);
  if (reached?.scope === 'run') await floor.stopAll(wallStop(reached));
  else if (reached !== null) floor.starve(reached);
  return reached === null || openSteps(session).next().done === true ? null : { why: 'budget', reached };
}

/** What lets no step start, while those under way go on: they may be paid for already. */
function paused({ fold }: RunSession, floor: Floor): DriveEnd | null {
  const { waiting } = fold.state;
  if (waiting === 'budget' || waiting === 'approval') return { why: 'elsewhere' };
  const reached = floor.starved();
  return reached === null ? null : { why: 'budget', reached };
}

interface Round {
  /** Budgets and gates that leave no room; what is under way may still end. */
  readonly end: DriveEnd | null;
  /** Steps that wait for the host, or are with it. */
  readonly forHost: readonly string[];
}

/** Launches what is ready, as far as there is room. */
async function launchReady(session: RunSession, floor: Floor, options: DriveOptions, gate: { passed: boolean }): Promise<Round> {
  const { fold, run, runtime } = session;
  const forHost: string[] = [];
  for (const step of openSteps(session)) {
    if (floor.isFull()) break;
    if (floor.underWay.has(step.id)) continue;
    const doer = doerOf(session, step);
    const clock = { now: runtime.now(), since: session.since() };
    const reached = budgetReached(run.spec.swarm.budget, fold.state, step.agentId, doer.provider.paid, session.day, clock);
    const isHosts = doer.provider.name === 'host';
    // What a host has claimed may still be answered.
    if (reached !== null && !(isHosts && step.status === 'running')) return { end: { why: 'budget', reached }, forHost };
    if (isHosts) forHost.push(step.id);
    else {
      if (doer.provider.paid && !gate.passed) {
        const end = await options.beforeSpending();
        if (end !== null) return { end, forHost };
        gate.passed = true;
      }
      if (await isFree(session, step)) floor.launch(step, doer);
    }
  }
  return { end: null, forHost };
}

/** Whether a step may be claimed now: a claim of another process, or a pause before a repetition, may stand against it. */
async function isFree({ log, run }: RunSession, { id, status, code }: FoldedStep): Promise<boolean> {
  return status === 'waiting' && code === null ? true : log.isFree(run.runId, id);
}

/**
 * Carries out a run's plan as far as this process can: a step starts once every step that it sees has ended, however it
 * ended, and at most `maxConcurrent` are under way at once. Several processes may drive one run; each step is done by the
 * one that claims it. Rejects with the signal's reason, or the first defect or failure to write, after the steps under
 * way have settled.
 */
export async function drive(session: RunSession, options: DriveOptions): Promise<DriveEnd> {
  const floor = createFloor(session, options);
  try {
    return await driveOn(session, floor, options);
  } catch (error) {
    await floor.stopAll();
    throw error;
  } finally {
    floor.close();
  }
}

async function driveOn(session: RunSession, floor: Floor, options: DriveOptions): Promise<DriveEnd> {
  const gate = { passed: false };
  let pending: DriveEnd | null = null;
  for (;;) {
    await session.sync();
    const end = stopped(session, floor, options);
    const failure = floor.failure();
    if (end !== null || failure !== null) {
      await floor.stopAll();
      if (failure !== null) throw failure.error;
      if (end === 'signal') throw options.signal.reason;
      if (end !== null) return end;
    }
    if (options.time.signal.aborted) {
      await endOpen(session, floor, toSkillflowError(options.time.signal.reason).message);
      return { why: 'ended' };
    }
    let forHost: readonly string[] = [];
    const starved = await keepWall(session, floor);
    pending ??= paused(session, floor) ?? starved;
    if (pending === null) ({ end: pending, forHost } = await launchReady(session, floor, options, gate));
    if (floor.underWay.size > 0) await floor.next();
    else if (pending !== null) return pending;
    else if (forHost.length > 0 && [...openSteps(session)].every(({ id }) => forHost.includes(id)))
      return { why: 'host', steps: forHost };
    else if (openSteps(session).next().done !== true) await floor.next();
    else if (!(await grow(session))) return { why: 'ended' };
  }
}
