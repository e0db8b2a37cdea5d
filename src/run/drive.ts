import { toSkillflowError } from '../errors.ts';
import type { BudgetReached } from '../events.ts';
import { growPlan } from '../swarm/strategy/grow-plan.ts';
import { budgetReached, wallReached } from './budget.ts';
import { doerOf } from './execute-step.ts';
import { createFloor } from './floor.ts';
import type { Floor, FloorOptions } from './floor.ts';
import type { FoldedStep } from './fold.ts';
import { readySteps } from './ready-steps.ts';
import type { RunSession } from './run-session.ts';
import { TIMEOUT } from './run-states.ts';
import { StoppedAttemptError, wallStop } from './stopped-attempt.ts';
import { isPoolHeld, poolPart } from './swarm-pool.ts';

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

export interface DriveOptions extends FloorOptions {
  /** Called before the first attempt of this drive that costs money; an end stops the drive. */
  readonly beforeSpending: () => Promise<DriveEnd | null>;
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
  for (const { id, agentId, status, owner, epoch, attempt, provider, called } of fold.state.steps.values()) {
    if (status !== 'running' || owner === null) continue;
    const claim = { runId: run.runId, stepId: id, agentId, owner, epoch, attempt };
    const failure = { code: TIMEOUT, reason, retryAt: null, provider: provider ?? '', possiblyBilled: called };
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
  return reached === null || readySteps(session.fold.state).next().done === true ? null : { why: 'budget', reached };
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

/** Whether a paid attempt would get a part of the swarm's pool: those of other runs may hold what is left until they end. */
function hasPart({ pool }: RunSession, floor: Floor): boolean {
  return pool === null || (floor.isSingle() ? !isPoolHeld(pool) : poolPart(pool, null) !== null);
}

/** Launches what is ready, as far as there is room. */
async function launchReady(session: RunSession, floor: Floor, options: DriveOptions, gate: { passed: boolean }): Promise<Round> {
  const { fold, run, runtime } = session;
  const forHost: string[] = [];
  for (const step of readySteps(session.fold.state)) {
    if (floor.isFull()) break;
    if (floor.underWay.has(step.id)) continue;
    const doer = doerOf(session, step);
    const clock = { now: runtime.now(), since: session.since() };
    const reached = budgetReached(run.spec.swarm.budget, fold.state, step.agentId, doer.provider.paid, session, clock);
    const isHosts = doer.provider.name === 'host';
    // What a host has claimed may still be answered.
    if (reached !== null && !(isHosts && step.status === 'running')) return { end: { why: 'budget', reached }, forHost };
    if (isHosts) forHost.push(step.id);
    else if (!doer.provider.paid || hasPart(session, floor)) {
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
 * Carries out a run's plan as far as this process can: a step starts once every step that it sees, and what its agent was
 * to do before, has ended, however it ended, and at most `maxConcurrent` are under way at once. Several processes may drive
 * one run; each step is done by the one that claims it. Rejects with the signal's reason, or the first defect or failure to
 * write, after the steps under way have settled.
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

function areAll(steps: Iterable<FoldedStep>, known: ReadonlySet<string>): boolean {
  for (const { id } of steps) if (!known.has(id)) return false;
  return true;
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
    else if (forHost.length > 0 && areAll(readySteps(session.fold.state), new Set(forHost)))
      return { why: 'host', steps: forHost };
    else if (readySteps(session.fold.state).next().done !== true) await floor.next();
    else if (!(await grow(session))) return { why: 'ended' };
  }
}
