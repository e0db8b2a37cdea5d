import { createHash } from 'node:crypto';
import { endOrphan } from '../agent/child-mark.ts';
import type { AskEvent, AskRequest, AskResult, Provider, StepOutput } from '../agent/provider.ts';
import { redactSecrets } from '../analysis/secrets-redact.ts';
import { InternalError, toSkillflowError } from '../errors.ts';
import type { EventBody } from '../events.ts';
import { retryDelayMs } from '../swarm/retry.ts';
import { limitsFor, nearestBudget } from './budget.ts';
import type { FoldedStep } from './fold.ts';
import { reportedFindings } from './reported-findings.ts';
import type { Claim, StepFailure } from './run-log.ts';
import type { RunSession } from './run-session.ts';
import { StoppedAttemptError } from './stopped-attempt.ts';

/** Who does a step. */
export interface Doer {
  readonly agent: RunSession['run']['spec']['agents'][number];
  readonly provider: Provider;
}

/** A UUID that belongs to a step of a run (layout of version 8, source: RFC 9562). */
function sessionIdOf(runId: string, stepId: string): string {
  const hex = createHash('sha256').update(`${runId}\n${stepId}`).digest('hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-a${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}

/** Nobody votes in another's name: an agent's output is not trusted with who it is. */
export function ownBallots(agentId: string, output: StepOutput): StepOutput {
  const ballots = output.ballots.filter(({ voter }) => voter === agentId);
  const refused = output.ballots.length - ballots.length;
  if (refused === 0) return output;
  const note = { code: 'ballots_refused', message: 'ballots in the name of others were refused', count: refused };
  return { ...output, ballots, notes: [...output.notes, note] };
}

/** What an attempt is asked beside what the plan says. */
interface Asked extends Pick<AskRequest, 'attempt' | 'mail'> {
  /** Attempts that may be under way at once. */
  readonly sharers: number;
}

/** What an agent is asked in a step. */
export async function requestOf(
  session: RunSession,
  step: FoldedStep,
  { agent }: Doer,
  { attempt, mail, sharers }: Asked,
): Promise<AskRequest> {
  const { run, fold, day } = session;
  const { steps } = fold.state;
  const sees = step.sees.flatMap((stepId) => {
    const seen = steps.get(stepId);
    return seen === undefined || seen.output === null ? [] : [{ stepId, agentId: seen.agentId, output: seen.output }];
  });
  const { style, ...member } = agent;
  const role = await session.roleOf(agent.type);
  return {
    runId: run.runId,
    stepId: step.id,
    attempt,
    kind: step.kind,
    agent: { ...member, role: style === undefined ? role : { ...role, style } },
    task: run.spec.task,
    changes: run.changes,
    sees,
    mail,
    limits: limitsFor(run.spec.swarm.budget, fold.state, agent.id, day, sharers),
    sessionId: sessionIdOf(run.runId, step.id),
    signal: new AbortController().signal,
  };
}

/** The member behind a step. Throws `InternalError` when the plan has none. */
export function doerOf({ run, thinkers }: Pick<RunSession, 'run' | 'thinkers'>, { id, agentId }: FoldedStep): Doer {
  const agent = run.spec.agents.find((one) => one.id === agentId);
  if (agent === undefined) throw new InternalError(`the plan's step ${id} names an agent that is not in it`);
  return { agent, provider: thinkers.serves(agent) };
}

/** Writes what happens within an attempt, in order. */
function eventWriter(session: RunSession, { stepId, agentId }: Claim) {
  let written: Promise<unknown> = Promise.resolve();
  return {
    add: (event: AskEvent): void => {
      const text = event.type === 'tool_called' ? { input: redactSecrets(event.input), detail: redactSecrets(event.detail) } : {};
      const body: EventBody = { ...event, ...text, stepId, agentId };
      written = written
        .then(async () => session.take(await session.log.note(session.run.runId, [body])))
        .catch((error: unknown) => {
          session.runtime.log('warn', `an event of ${stepId} could not be journaled: ${toSkillflowError(error).message}`);
        });
    },
    done: () => written,
  };
}

/** Frees a step whose attempt was stopped before its end, with what it used; it may be claimed again at once. */
async function giveBack(session: RunSession, claim: Claim, stopped: Omit<StepFailure, 'retryAt'>): Promise<boolean> {
  const events = await session.log.fail(claim, { ...stopped, retryAt: session.runtime.now() });
  await session.take(events);
  return events !== null;
}

/** Of an attempt whose answer was cut off: what the server had counted until then is all that is known. */
const UNKNOWN_COST = '; it may have cost more than what is counted';

/** Records what came of an attempt. Resolves with `false` when the step was lost to another process. */
async function settle(
  session: RunSession,
  step: FoldedStep,
  claim: Claim,
  result: AskResult,
  { startedTicks, leftMs }: { readonly startedTicks: number; readonly leftMs: () => number },
): Promise<boolean> {
  const { log, runtime, run } = session;
  const { retry } = run.spec.swarm.execution;
  const provider = doerOf(session, step).provider.name;
  if (result.status === 'completed') {
    const output = ownBallots(step.agentId, result.output);
    const reported = reportedFindings({ ...step, output }, session.fold.state.steps);
    const durationMs = Math.round(runtime.ticks() - startedTicks);
    const events = await log.complete(claim, { output, reported, durationMs, provider, usage: result.usage });
    await session.take(events);
    return events !== null;
  }
  if (result.status === 'skipped') {
    const events = await log.skip(claim, result.code, result.reason);
    await session.take(events);
    return events !== null;
  }
  const { code, reason, retryable, retryAfterMs, possiblyBilled, usage } = result;
  if (code === 'budget' && nearestBudget(run.spec.swarm.budget, session.fold.state, step.agentId, session.day) !== null) {
    return giveBack(session, claim, { code, reason: redactSecrets(reason), provider, usage, possiblyBilled });
  }
  // Attempts that were cut off are no failures of the agent.
  const failures = 1 + (session.fold.state.steps.get(step.id)?.failures ?? 0);
  const mayRetry = retryable && failures < retry.maxAttempts;
  const delayMs = retryDelayMs({ ...retry, attempt: failures, random: () => runtime.random() });
  const waitMs = Math.max(delayMs, retryAfterMs ?? 0);
  const isInTime = waitMs < leftMs();
  const retryAt = mayRetry && isInTime ? runtime.now() + waitMs : null;
  const late = mayRetry && !isInTime ? `; it could be asked again in ${waitMs} ms, and the run has less time left` : '';
  const unknown = possiblyBilled === true ? UNKNOWN_COST : '';
  const failure = { code, reason: `${redactSecrets(reason)}${late}${unknown}`, retryAt, provider, usage, possiblyBilled };
  const events = await log.fail(claim, failure);
  await session.take(events);
  return events !== null;
}

/** Attempts of this run that other processes have under way. */
function elsewhere({ fold, owner }: RunSession): number {
  const isTheirs = (step: FoldedStep): boolean => step.status === 'running' && step.provider !== 'host' && step.owner !== owner;
  return [...fold.state.steps.values()].filter(isTheirs).length;
}

/** What an attempt needs besides the session. */
export interface Attempt {
  readonly step: FoldedStep;
  readonly doer: Doer;
  readonly signal: AbortSignal;
  /** Attempts that may be under way at once. */
  readonly sharers: number;
  /** Milliseconds that the run has left. */
  readonly leftMs: () => number;
  readonly onProgress: (done: number, what: string) => void;
}

/** Claims a step for this process; `null`: another has it, or the budget leaves no room. */
async function claimStep(session: RunSession, step: FoldedStep, { provider }: Doer): Promise<Claim | null> {
  const { log, run, owner, runtime, leaseMs } = session;
  const { name, paid } = provider;
  const { budget } = run.spec.swarm;
  const maxSteps = { run: budget.run.steps, agent: budget.agent.steps };
  const most = paid ? { run: budget.run, day: session.day } : undefined;
  const claimed = await log.claim({ runId: run.runId, step, owner, provider: name, paid, leaseMs, maxSteps, most });
  if (claimed === null) return null;
  await session.take(claimed.events);
  if (step.status === 'running' && step.child !== null) await endOrphan(step.child, runtime);
  if (paid) await session.sync(); // what is left is what others have left
  return claimed.claim;
}

/**
 * Records what an attempt used that was stopped. Where that is nothing the claim is still held, and is returned; but one
 * whose time is over has failed (`true`), and one that a budget stopped says so.
 */
async function settleStopped(
  session: RunSession,
  claim: Claim,
  provider: string,
  result: Exclude<AskResult, { readonly status: 'completed' }>,
  why: unknown,
): Promise<boolean | Claim> {
  const { usage, possiblyBilled } = result.status === 'failed' ? result : { usage: undefined, possiblyBilled: false };
  const used = { provider, usage, possiblyBilled };
  if (why instanceof StoppedAttemptError) {
    const stopped = { code: why.stop, reason: why.message, ...used };
    if (why.stop === 'budget') await giveBack(session, claim, stopped);
    else {
      const events = await session.log.fail(claim, { ...stopped, retryAt: null });
      await session.take(events);
      return events !== null;
    }
    return false;
  }
  if (usage === undefined && possiblyBilled !== true) return claim;
  await giveBack(session, claim, { code: 'cancelled', reason: 'it was stopped', ...used });
  return false;
}

/**
 * Claims a step and carries out one attempt. `false`: another process has it, or took it over, or the budget leaves no
 * room. Of an attempt that the signal ended only what it used is recorded, and the step is free again; where it used
 * nothing the claim is still held, and is returned.
 */
export async function executeStep(
  session: RunSession,
  { step, doer, signal, sharers, leftMs, onProgress }: Attempt,
): Promise<boolean | Claim> {
  const { name } = doer.provider;
  const claim = await claimStep(session, step, doer);
  if (claim === null) return false;
  const startedTicks = session.runtime.ticks();
  const writer = eventWriter(session, claim);
  // Analyzers read no mail: what they are not shown must not count as read.
  const mail = name === 'local' ? [] : await session.mailOf(step.agentId);
  const { attempt } = claim;
  const request = await requestOf(session, step, doer, { attempt, sharers: sharers + elsewhere(session), mail });
  const result = await doer.provider.ask({ ...request, signal, onProgress, onEvent: writer.add });
  await writer.done();
  // An answer that was there before the stop could reach it was paid for, and counts as long as its run goes on.
  if (signal.aborted && result.status !== 'completed') return settleStopped(session, claim, name, result, signal.reason);
  return settle(session, step, claim, result, { startedTicks, leftMs });
}
