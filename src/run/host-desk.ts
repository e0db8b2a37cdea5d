import { asData } from '../agent/prompt-changes.ts';
import type { AskRequest, StepOutput } from '../agent/provider.ts';
import { ConflictError, InvalidInputError, NotFoundError } from '../errors.ts';
import type { Note } from '../finding.ts';
import type { Runtime } from '../runtime.ts';
import type { Database } from '../store/database.ts';
import { textColumns, textOf } from '../store/row.ts';
import { amountWords } from './amount-words.ts';
import { budgetReached } from './budget.ts';
import { changedInputs, newNotes } from './changed-inputs.ts';
import { doerOf, ownBallots, requestOf } from './execute-step.ts';
import type { FoldedStep } from './fold.ts';
import { readySteps } from './ready-steps.ts';
import { reportedFindings } from './reported-findings.ts';
import type { Claim } from './run-log.ts';
import { openSession } from './run-session.ts';
import type { RunSession } from './run-session.ts';
import type { RunStore } from './runner.ts';
import { isAgent, requireAgent, whyNotClaimed } from './why-not-claimed.ts';
import type { WantedStep } from './why-not-claimed.ts';

/** A step that a host has claimed, and all that it needs to do it. */
export interface HostStep {
  readonly runId: string;
  readonly stepId: string;
  readonly agentId: string;
  /** Of agents of a swarm. */
  readonly agentName: string | null;
  readonly kind: 'work' | 'judge' | 'merge';
  /** The number of the claim: whoever answers must give it. */
  readonly epoch: number;
  readonly attempt: number;
  /** When the claim ends unless it is answered, ms since the epoch. */
  readonly leaseUntil: number;
  /** Who the agent is, and by which rules. */
  readonly system: string;
  /** The question; first, which files are not those that the run began with. */
  readonly prompt: string;
  /** JSON Schema of the answer. */
  readonly answerSchema: Readonly<Record<string, unknown>>;
}

export interface ClaimInput {
  /** Default: any run that waits for the host, the oldest first. */
  readonly runId?: string | undefined;
  readonly stepId?: string | undefined;
  /** Only steps of this agent, by id or name. */
  readonly agentId?: string | undefined;
  /** Who claims; a word of the caller's. */
  readonly claimant: string;
  readonly leaseMs: number;
}

/** Which claim is answered. */
export interface Held {
  readonly runId: string;
  readonly stepId: string;
  readonly epoch: number;
}

/**
 * Where the calling host gets the steps that it is to think about, and brings back what came of them. A claim ends by
 * itself: a host that has vanished blocks nothing.
 */
export interface HostDesk {
  /**
   * `null`: nothing is ready. Throws `NotFoundError` for a named run that is unknown, or has no such step or agent,
   * `ConflictError` when the budget of the named run is used up, `InvalidInputError` when the file of the step's role has
   * errors; other runs of which that is so are passed over, as long as there are others.
   */
  claim(input: ClaimInput): Promise<HostStep | null>;
  /**
   * Takes the answer to a claimed step.
   * @param only takes no answer to a step of another kind
   * @throws NotFoundError no such run or step
   * @throws InvalidInputError an answer of the wrong shape, or a step of another kind
   * @throws ConflictError the claim does not hold any more
   */
  complete(held: Held, answer: unknown, only?: HostStep['kind']): Promise<StepOutput>;
  /** Gives a step back as failed; `retryable`: it may be claimed again, as often as the skill allows. */
  fail(held: Held, reason: string, retryable: boolean): Promise<void>;
  /** Why a step that was asked for cannot be claimed; `null` where none was in particular. Throws `NotFoundError`. */
  whyNot(runId: string, wanted: WantedStep): Promise<string | null>;
  /** Steps of a run that can be claimed now, or that a host has claimed. */
  ready(runId: string): Promise<readonly string[]>;
}

export interface HostDeskDeps {
  readonly db: Database;
  readonly runtime: Runtime;
  readonly store: RunStore;
  readonly prompt: (request: AskRequest) => Promise<{ readonly system: string; readonly user: string }>;
  readonly answerSchema: (kind: AskRequest['kind']) => Readonly<Record<string, unknown>>;
  readonly parse: (
    request: AskRequest,
    answer: unknown,
  ) => Promise<{ readonly ok: true; readonly output: StepOutput } | { readonly ok: false; readonly reason: string }>;
}

const MAX_WAITING_RUNS = 100;
/** Claims of hosts, as against those of processes that drive a run. */
const HOST_OWNER = 'host:';
const OPEN: ReadonlySet<string> = new Set(['waiting', 'running']);

/** Steps that are for the host and whose turn it is. */
function hostSteps(session: RunSession): readonly FoldedStep[] {
  return [...readySteps(session.fold.state)].filter((step) => doerOf(session, step).provider.name === 'host');
}

/** What a host is told of files that are not those that the run began with; their names are data. */
function changedSection(notes: readonly Note[]): string {
  return asData('files that changed', notes.map(({ message }) => message).join('\n'));
}

/** The desk of one database. */
export function createHostDesk({ db, runtime, store, ...deps }: HostDeskDeps): HostDesk {
  const { log } = store;
  const open = async (runId: string): Promise<RunSession> => {
    const run = await log.load(runId);
    return openSession(run, await store.fold(runId), { ...(await store.session(run)), log, runtime });
  };
  /** Throws `ConflictError` when a budget leaves no room for another attempt. */
  const requireRoom = (session: RunSession, { agentId }: FoldedStep): void => {
    const clock = { now: runtime.now(), since: session.since() };
    const reached = budgetReached(session.run.spec.swarm.budget, session.fold.state, agentId, false, session, clock);
    if (reached === null) return;
    const { scope, what, limit } = reached;
    throw new ConflictError(`the budget of the ${scope} is used up: ${amountWords(what, limit)}`, {
      hint: `${scope === 'swarm' ? 'Raise it with swarm_budget' : 'Go on with run_resume and a higher limit'}, or end the run with run_cancel; nothing was changed.`,
    });
  };
  const waiting = async (): Promise<readonly string[]> => {
    const rows = await db.all(
      `SELECT ${textColumns(['id'])} FROM run WHERE status = 'running' AND waiting = 'host' ORDER BY run.created_at, run.id LIMIT ?`,
      [MAX_WAITING_RUNS],
    );
    return rows.map((row) => textOf(row, 'id'));
  };
  const stepOf = (session: RunSession, stepId: string): FoldedStep => {
    const step = session.fold.state.steps.get(stepId);
    if (step !== undefined) return step;
    throw new NotFoundError(`the run ${session.run.runId} has no step ${JSON.stringify(stepId)}`, {
      hint: 'Give the ids that task_claim answered.',
    });
  };
  const claimStep = async (
    session: RunSession,
    step: FoldedStep,
    { claimant, leaseMs }: ClaimInput,
  ): Promise<HostStep | null> => {
    const { runId } = session.run;
    requireRoom(session, step);
    await session.checkRole(doerOf(session, step).agent.type);
    const { run, agent } = session.run.spec.swarm.budget;
    const maxSteps = { run: run.steps, agent: agent.steps };
    const owner = `${HOST_OWNER}${claimant}`;
    const claimed = await log.claim({ runId, step, owner, provider: 'host', leaseMs, maxSteps });
    if (claimed === null) return null;
    await session.take(claimed.events);
    const { epoch, attempt } = claimed.claim;
    // Whenever a host comes, the run has stood still until then.
    const changed = await changedInputs(session.run.changes, session.run.startedAt);
    await session.take(await log.note(runId, newNotes(session.fold.state, changed)));
    const mail = await session.mailOf(step.agentId);
    const doer = doerOf(session, step);
    const request = await requestOf(session, step, doer, { attempt, mail });
    const { system, user } = await deps.prompt(request);
    return {
      runId,
      stepId: step.id,
      agentId: step.agentId,
      agentName: doer.agent.name ?? null,
      kind: step.kind,
      epoch,
      attempt,
      leaseUntil: runtime.now() + leaseMs,
      system,
      prompt: changed.length === 0 ? user : `${changedSection(changed)}\n\n${user}`,
      answerSchema: deps.answerSchema(step.kind),
    };
  };
  /** The claim that is answered; its owner is in the journal. */
  const held = async (
    { runId, stepId, epoch }: Held,
    only?: HostStep['kind'],
  ): Promise<{ session: RunSession; step: FoldedStep; claim: Claim }> => {
    const session = await open(runId);
    const step = stepOf(session, stepId);
    if (only !== undefined && step.kind !== only) {
      throw new InvalidInputError(`stepId: ${stepId} is a step of kind ${step.kind}, not of kind ${only}`, {
        hint: 'Answer it with task_complete; nothing was changed.',
        details: { parameter: 'stepId' },
      });
    }
    const { status } = session.fold.state;
    if (status !== 'running') {
      throw new ConflictError(`the run ${runId} has ended: it is ${status}`, { hint: 'Nothing was changed.' });
    }
    if (step.status !== 'running' || step.epoch !== epoch || step.owner?.startsWith(HOST_OWNER) !== true) {
      const now = step.status === 'running' ? 'another has claimed it' : `the step is ${step.status}`;
      throw new ConflictError(`the claim ${epoch} of step ${stepId} does not hold: ${now}`, {
        hint: `${OPEN.has(step.status) ? 'Claim it again with task_claim' : 'It takes no answer any more'}; nothing was changed.`,
      });
    }
    return { session, step, claim: { runId, stepId, agentId: step.agentId, owner: step.owner, epoch, attempt: step.attempt } };
  };
  const lost = ({ stepId, epoch }: Held): ConflictError =>
    new ConflictError(`the claim ${epoch} of step ${stepId} does not hold any more`, {
      hint: 'Another claimed it after its time was over; nothing was changed.',
    });

  return {
    claim: async (input) => {
      let damaged: InvalidInputError | null = null;
      for (const runId of input.runId === undefined ? await waiting() : [input.runId]) {
        const session = await open(runId);
        // Of runs that were not named those count that have it.
        if (input.runId !== undefined && input.stepId !== undefined) stepOf(session, input.stepId);
        if (input.runId !== undefined && input.agentId !== undefined) requireAgent(session, input.agentId);
        for (const step of hostSteps(session)) {
          const isWanted =
            (input.stepId === undefined || step.id === input.stepId) &&
            (input.agentId === undefined || isAgent(doerOf(session, step).agent, input.agentId));
          if (!isWanted || !(await log.isFree(runId, step.id))) continue;
          const claimed = await claimStep(session, step, input).catch((error: unknown) => {
            if (input.runId !== undefined) throw error;
            if (error instanceof InvalidInputError) damaged ??= error;
            else if (!(error instanceof ConflictError)) throw error;
            return null;
          });
          if (claimed !== null) return claimed;
        }
      }
      if (damaged !== null) throw damaged;
      return null;
    },
    complete: async (which, answer, only) => {
      const { session, step, claim } = await held(which, only);
      const { attempt } = claim;
      // What came since the claim was not shown: it must not count as read.
      const request = await requestOf(session, step, doerOf(session, step), { attempt, mail: [] });
      const parsed = await deps.parse(request, answer);
      if (!parsed.ok) {
        throw new InvalidInputError(`answer: ${parsed.reason}`, {
          hint: 'Correct the answer by the schema that task_claim gave, and send it again; the claim still holds.',
          details: { parameter: 'answer' },
        });
      }
      const output = ownBallots(step.agentId, parsed.output);
      const reported = reportedFindings({ ...step, output }, session.fold.state.steps);
      const durationMs = Math.max(0, runtime.now() - (step.startedAt ?? runtime.now()));
      const events = await log.complete(claim, { output, reported, durationMs, provider: 'host' });
      if (events === null) throw lost(which);
      return output;
    },
    fail: async (which, reason, retryable) => {
      const { session, step, claim } = await held(which);
      const { maxAttempts } = session.run.spec.swarm.execution.retry;
      // Claims whose time was over are no failures of the agent.
      const retryAt = retryable && step.failures + 1 < maxAttempts ? runtime.now() : null;
      const events = await log.fail(claim, { code: 'host', reason, retryAt, provider: 'host' });
      if (events === null) throw lost(which);
    },
    whyNot: async (runId, wanted) => whyNotClaimed(await open(runId), wanted),
    ready: async (runId) => hostSteps(await open(runId)).map(({ id }) => id),
  };
}
