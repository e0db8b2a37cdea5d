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
import { WHOLE } from './sharing.ts';
import type { Sharing } from './sharing.ts';
import { StoppedAttemptError } from './stopped-attempt.ts';
import { poolPart } from './swarm-pool.ts';
import type { PoolPart } from './swarm-pool.ts';

/** Who does a step. */
export interface Doer {
  readonly agent: RunSession['run']['spec']['agents'][number];
  readonly provider: Provider;
}

/** A UUID that belongs to a step of a run until it is started over (layout of version 8, source: RFC 9562). */
function sessionIdOf(runId: string, { id, startedOver }: FoldedStep): string {
  const again = startedOver === 0 ? '' : `\n${startedOver}`;
  const hex = createHash('sha256').update(`${runId}\n${id}${again}`).digest('hex');
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
type Asked = Pick<AskRequest, 'attempt' | 'mail'>;

/** What an agent is asked in a step; it may use all that is left. */
export async function requestOf(
  session: RunSession,
  step: FoldedStep,
  { agent }: Doer,
  { attempt, mail }: Asked,
): Promise<AskRequest> {
  const { run, fold, day } = session;
  const { steps } = fold.state;
  const sees = step.sees.flatMap((stepId) => {
    const seen = steps.get(stepId);
    return seen === undefined || seen.output === null ? [] : [{ stepId, agentId: seen.agentId, output: seen.output }];
  });
  // Of the claim that is asked for, and with what others have recorded since the step was taken up.
  const claimed = steps.get(step.id) ?? step;
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
    limits: limitsFor(run.spec.swarm.budget, fold.state, agent.id, { day, part: null }, WHOLE),
    sessionId: sessionIdOf(run.runId, claimed),
    sessionUsd: claimed.epoch > claimed.startedOver + 1 ? claimed.costUsd : null,
    signal: new AbortController().signal,
  };
}

type Members = RunSession['run']['spec']['agents'];
const known = new WeakMap<Members, ReadonlyMap<string, Members[number]>>();

/** Members by id, of which a swarm may have hundreds, each with several steps. */
function byId(members: Members): ReadonlyMap<string, Members[number]> {
  const made = known.get(members) ?? new Map(members.toReversed().map((member) => [member.id, member]));
  known.set(members, made);
  return made;
}

/** The member behind a step. Throws `InternalError` when the plan has none. */
export function doerOf({ run, thinkers }: Pick<RunSession, 'run' | 'thinkers'>, { id, agentId }: FoldedStep): Doer {
  const agent = byId(run.spec.agents).get(agentId);
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

/** Puts on record, once an attempt, that it sends a call that costs money. */
function callMarker(session: RunSession, { runId, stepId, agentId, epoch }: Claim): () => Promise<void> {
  let marked: Promise<void> | null = null;
  const mark = async (): Promise<void> =>
    session.take(await session.log.note(runId, [{ type: 'call_started', stepId, agentId, epoch }]));
  return () => (marked ??= mark());
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
  if (code === 'budget' && nearestBudget(run.spec.swarm.budget, session.fold.state, step.agentId, session) !== null) {
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

/** What a paid attempt may spend: its part of what is left, which it holds from then on. */
function limitsOf(
  session: RunSession,
  { id, agentId }: FoldedStep,
  part: PoolPart | null,
  sharing: Sharing,
): AskRequest['limits'] {
  const { run, fold, day, pool } = session;
  const { budget } = run.spec.swarm;
  const all = { day, part: pool === null ? null : poolPart({ ...pool, held: WHOLE.held }, null) };
  return sharing.grant(id, limitsFor(budget, fold.state, agentId, all, WHOLE), ({ sharers, held }) =>
    limitsFor(budget, fold.state, agentId, { day, part }, { sharers: sharers + elsewhere(session), held }),
  );
}

/** What an attempt needs besides the session. */
export interface Attempt {
  readonly step: FoldedStep;
  readonly doer: Doer;
  readonly signal: AbortSignal;
  readonly sharing: Sharing;
  /** Milliseconds that the run has left. */
  readonly leftMs: () => number;
  readonly onProgress: (done: number, what: string) => void;
}

/** Claims a step for this process; `null`: another has it, or the budget leaves no room. */
async function claimStep(
  session: RunSession,
  step: FoldedStep,
  { agent, provider }: Doer,
  sharing: Sharing,
): Promise<{ readonly claim: Claim; readonly pool: PoolPart | null } | null> {
  const { log, run, owner, runtime, leaseMs } = session;
  if (provider.name !== 'local') await session.checkRole(agent.type); // analyzers ask no role
  const { name, paid } = provider;
  const { budget } = run.spec.swarm;
  const maxSteps = { run: budget.run.steps, agent: budget.agent.steps };
  const most = paid ? { run: budget.run, day: session.day } : undefined;
  const sharers = !paid ? undefined : sharing.isSingle() ? null : sharing.sharers();
  const claimed = await log.claim({ runId: run.runId, step, owner, provider: name, leaseMs, maxSteps, most, sharers });
  if (claimed === null) return null;
  await session.take(claimed.events);
  if (step.status === 'running' && step.child !== null) await endOrphan(step.child, runtime);
  if (paid) await session.sync(); // what is left is what others have left
  return claimed;
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
  { step, doer, signal, sharing, leftMs, onProgress }: Attempt,
): Promise<boolean | Claim> {
  const { name, paid } = doer.provider;
  const claimed = await claimStep(session, step, doer, sharing);
  if (claimed === null) return false;
  const { claim, pool } = claimed;
  const startedTicks = session.runtime.ticks();
  const writer = eventWriter(session, claim);
  // Analyzers read no mail: what they are not shown must not count as read.
  const mail = name === 'local' ? [] : await session.mailOf(step.agentId);
  const { attempt } = claim;
  const request = await requestOf(session, step, doer, { attempt, mail });
  const result = await doer.provider.ask({
    ...request,
    ...(paid ? { limits: limitsOf(session, step, pool, sharing) } : {}),
    signal,
    onProgress,
    onEvent: writer.add,
    onCall: callMarker(session, claim),
  });
  await writer.done();
  // An answer that was there before the stop could reach it was paid for, and counts as long as its run goes on.
  if (signal.aborted && result.status !== 'completed') return settleStopped(session, claim, name, result, signal.reason);
  return settle(session, step, claim, result, { startedTicks, leftMs });
}
