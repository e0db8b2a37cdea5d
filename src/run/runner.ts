import type { ProviderName } from '../agent/provider.ts';
import { roleNameOf } from '../agent/roles/aliases.ts';
import { redactSecrets } from '../analysis/secrets-redact.ts';
import type { ChangeSet, Selection } from '../changes.ts';
import { BusyError, CancelledError, ConflictError, toSkillflowError } from '../errors.ts';
import type { SkillflowError } from '../errors.ts';
import type { EventBody, RunEvent } from '../events.ts';
import type { Note } from '../finding.ts';
import type { Runtime } from '../runtime.ts';
import type { SwarmSpec } from '../skill/skill.ts';
import { makePlan } from '../swarm/make-plan.ts';
import { changedInputs, newNotes } from './changed-inputs.ts';
import { conclude, emptySummary, failRun } from './conclude.ts';
import { drive } from './drive.ts';
import type { DriveEnd } from './drive.ts';
import { createFold } from './fold.ts';
import type { Fold } from './fold.ts';
import { askApproval } from './gates.ts';
import type { AskPerson, Asking } from './gates.ts';
import { keepLease } from './keep-lease.ts';
import type { RunLog, StoredRun } from './run-log.ts';
import { readySteps } from './ready-steps.ts';
import { openSession } from './run-session.ts';
import type { RunSession, SessionDeps } from './run-session.ts';
import type { RunSpec } from './run-spec.ts';
import { spendingWords } from './spending-words.ts';
import { startTime } from './time-left.ts';
import type { TimeLeft } from './time-left.ts';
import type { VoterRecords } from './voter-records.ts';
import { removeOutputs } from './write-outputs.ts';

export interface RunRequest {
  readonly skill: {
    readonly name: string;
    readonly version: string | null;
    readonly dir: string | null;
    readonly swarm: SwarmSpec;
  };
  /** What the run is for, in words. */
  readonly task: string;
  readonly selection: Selection;
  readonly provider: ProviderName;
  readonly swarmId?: string | null;
  /** What is to be said of the run from the beginning. */
  readonly notes?: readonly Note[] | undefined;
  /** Hears of the run's id when it is on record, before any step. */
  readonly onBegun?: ((runId: string) => Promise<void>) | undefined;
}

/** Who follows a run that this process drives. */
export interface Following {
  readonly signal: AbortSignal;
  /** 0–1 and a few words for people. */
  readonly onProgress: (done: number, what: string) => void;
  readonly askPerson?: AskPerson | undefined;
  /** Hears the run's events in order, in batches, once they are in the journal; of a run that goes on the earlier ones first. */
  readonly onEvents?: ((events: readonly RunEvent[]) => void) | undefined;
}

/** What the paid calls to come may cost. */
export interface Estimate {
  /** `null` where a price is not known. */
  readonly costUsd: number | null;
  readonly provider: string;
}

/** The journal, once it is open, and what hangs on it. */
export interface RunStore {
  readonly log: RunLog;
  readonly voters: VoterRecords;
  /** A run as its events tell it, to go on with. */
  readonly fold: (runId: string) => Promise<Fold>;
  /** What a session needs besides its log. */
  readonly session: (run: StoredRun) => Promise<Omit<SessionDeps, 'log' | 'runtime'>>;
}

export interface RunnerDeps {
  /** Opens the journal; called once the input has been read. */
  readonly openStore: () => Promise<RunStore>;
  readonly runtime: Runtime;
  readonly projectRoot: string;
  readonly version: string;
  readonly collect: (selection: Selection, signal: AbortSignal) => Promise<ChangeSet>;
  /** `null`: nothing of what is left costs money. */
  readonly estimate: (session: RunSession) => Promise<Estimate | null>;
}

export interface Runner {
  /**
   * Starts a skill's swarm and drives it until it ends or waits; resolves with the run's id, whatever its outcome: a run
   * that failed or was cancelled says so in the journal. Rejects when the input cannot be read (nothing was begun), when
   * the journal cannot be written, and on a defect.
   */
  run(request: RunRequest, following: Following): Promise<string>;
  /**
   * Goes on with a run that waits, was interrupted, or that other processes drive. Throws `NotFoundError`, and
   * `ConflictError` when it has ended.
   */
  resume(runId: string, following: Following): Promise<void>;
}

function toSpec({ skill, task, provider, selection }: RunRequest, agents: RunSpec['agents']): RunSpec {
  return {
    skill: skill.name,
    skillVersion: skill.version,
    skillDir: skill.dir,
    // What the user writes is stored and published like all else.
    task: redactSecrets(task),
    provider,
    selection,
    swarm: skill.swarm,
    agents,
  };
}

/** Why a run stopped: what stopped it comes before what that broke. */
function whyStopped(thrown: unknown, signal: AbortSignal): SkillflowError {
  return signal.aborted ? new CancelledError('the run was cancelled', { cause: thrown }) : toSkillflowError(thrown);
}

async function cancelRun(session: RunSession, reason: string): Promise<void> {
  const summary = emptySummary(session, reason);
  await session.take(await session.log.finish(session.run.runId, 'cancelled', summary, { type: 'run_cancelled', reason }));
}

/** Ends this process's part in a run: the run itself where nobody else drives it. Throws `CancelledError` where it goes on. */
async function leaveRun(session: RunSession, reason: string): Promise<void> {
  const { log, owner, run } = session;
  const { runId } = run;
  const left = await log.leave(runId, owner, emptySummary(session, reason), { type: 'run_cancelled', reason });
  await session.take(left.events);
  if (!left.goesOn) return;
  throw new CancelledError(`this process stopped working on ${runId}; another one goes on with it`, {
    hint: `Look at it with \`skillflow show ${runId}\`, or end it everywhere by \`skillflow cancel ${runId}\`.`,
  });
}

/** How many steps that wait an event names: wide runs wait once for each of their steps. */
const MAX_NAMED = 20;

function waitingEvent(steps: readonly string[]): EventBody {
  const all = { type: 'run_waiting', for: 'host' } as const;
  return steps.length <= MAX_NAMED ? { ...all, steps } : { ...all, steps: steps.slice(0, MAX_NAMED), count: steps.length };
}

/** Has the run wait; one that is to be cancelled, which the drive has not heard of yet, is. */
async function waitFor(session: RunSession, what: 'host' | 'budget', event: EventBody): Promise<void> {
  const { log, run, fold } = session;
  await session.take(await log.wait(run.runId, what, [event]));
  await session.sync();
  const { status, cancelAsked } = fold.state;
  if (status === 'running' && cancelAsked !== null) await cancelRun(session, cancelAsked);
}

/** Writes down how a drive ended. */
async function record(session: RunSession, end: DriveEnd, concluding: () => Promise<DriveEnd | null>): Promise<void> {
  const { fold } = session;
  switch (end.why) {
    case 'ended': {
      const next = await concluding();
      if (next !== null) await record(session, next, concluding);
      return;
    }
    case 'host':
      await waitFor(session, 'host', waitingEvent(end.steps));
      return;
    case 'budget': {
      const steps = [...fold.state.steps.values()];
      const isOpen = (status: string): boolean => status === 'waiting' || status === 'running';
      await waitFor(session, 'budget', {
        type: 'run_paused',
        budget: end.reached,
        done: steps.filter(({ status }) => status === 'completed').map(({ id }) => id),
        remaining: steps.filter(({ status }) => isOpen(status)).map(({ id }) => id),
      });
      return;
    }
    case 'cancelled':
      await cancelRun(session, end.reason);
      return;
    case 'escalated':
      await failRun(session, 'restarts', end.reason);
      return;
    case 'approval':
    case 'elsewhere':
  }
}

/** Says what the paid calls may cost, and asks where the skill wants that. */
async function announce(
  session: RunSession,
  { estimate }: RunnerDeps,
  { onProgress }: Following,
  asking: Asking,
): Promise<DriveEnd | null> {
  const { fold, run, log } = session;
  const { budget, approvals } = run.spec.swarm;
  const expected = await estimate(session);
  if (expected === null) {
    const question = `${run.spec.provider} may cost an unknown amount. Go on?`;
    return approvals.includes('spending') ? askApproval(session, 'spending', question, asking) : null;
  }
  const budgetUsd = budget.run.costUsd;
  const announced = { provider: expected.provider, costUsd: expected.costUsd, budgetUsd };
  const words = spendingWords(announced);
  onProgress(0, words);
  if (!fold.state.announced) {
    const event: EventBody = { type: 'spending_announced', ...announced };
    await session.take(await log.note(run.runId, [event]));
  }
  return approvals.includes('spending') ? askApproval(session, 'spending', `${words}. Go on?`, asking) : null;
}

/** Where someone in the run is paid, results are on the disk before they count. */
async function holdForPaid({ run, thinkers, holdDurable }: RunSession): Promise<() => Promise<void>> {
  return run.spec.agents.some((agent) => thinkers.serves(agent).paid) ? holdDurable() : async () => undefined;
}

/** Drives a session until the run ends or waits, and writes down how. */
async function driveSession(
  session: RunSession,
  deps: RunnerDeps,
  voters: VoterRecords,
  following: Following,
  time: TimeLeft,
): Promise<void> {
  const { projectRoot } = deps;
  const letGo = await holdForPaid(session);
  const lease = keepLease(session);
  const signal = AbortSignal.any([following.signal, lease.lost]);
  const asking: Asking = { askPerson: following.askPerson, signal, standStill: (wait) => time.standStill(wait) };
  try {
    const end = await drive(session, {
      signal,
      time,
      onProgress: following.onProgress,
      beforeSpending: () => announce(session, deps, following, asking),
    });
    await record(session, end, () => conclude(session, { projectRoot, voters, asking }));
  } catch (thrown) {
    if (lease.lost.aborted) throw lease.lost.reason;
    if (thrown instanceof BusyError) throw thrown; // others go on with the run, or it can be resumed
    const error = whyStopped(thrown, following.signal);
    if (error.code === 'cancelled') await leaveRun(session, error.message);
    else await failRun(session, error.code, error.message);
    if (error.code === 'internal') throw error;
  } finally {
    const { status } = session.fold.state;
    // What an earlier result told, or what was written just before this end.
    if (status === 'failed' || status === 'cancelled') await removeOutputs(projectRoot, session.run.runId);
    await lease.end();
    await letGo();
  }
}

/** A fold whose events the follower hears as well. */
function followedFold(onEvents: NonNullable<Following['onEvents']>): Fold {
  const fold = createFold();
  return {
    ...fold,
    apply: (events) => {
      const { seq } = fold.state;
      fold.apply(events);
      onEvents(events.filter((event) => event.seq > seq));
    },
  };
}

export function createRunner(deps: RunnerDeps): Runner {
  const { runtime } = deps;
  return {
    run: async (request, following) => {
      const startedAt = runtime.now();
      const { swarm } = request.skill;
      // Reading the input counts, but is not cut off: without it there would be no run to record the failure in.
      const time = startTime(runtime, swarm.timeoutMs, 0);
      try {
        following.onProgress(0, 'reading what changed');
        const changes = await deps.collect(request.selection, following.signal).catch((thrown: unknown) => {
          // The user's interrupt reaches git as well, whose failure then comes first.
          throw following.signal.aborted
            ? new CancelledError('the run was cancelled before it began', { cause: thrown })
            : thrown;
        });
        const plan = makePlan({ ...swarm, judge: swarm.decision.judge, task: request.task, roleOf: roleNameOf });
        const { log, voters, session } = await deps.openStore();
        const spec = toSpec(request, plan.agents);
        const { version } = deps;
        const { runId } = await log.begin({ spec, version, changes, plan, startedAt, swarmId: request.swarmId ?? null });
        await log.note(runId, newNotes({ notes: [] }, request.notes ?? []));
        await request.onBegun?.(runId);
        const run: StoredRun = { runId, spec, changes, startedAt };
        const fold = following.onEvents === undefined ? createFold() : followedFold(following.onEvents);
        const opened = await openSession(run, fold, { ...(await session(run)), log, runtime });
        await driveSession(opened, deps, voters, following, time);
        return runId;
      } finally {
        time.stop();
      }
    },
    resume: async (runId, following) => {
      const { log, voters, session, fold } = await deps.openStore();
      const run = await log.load(runId);
      // Who follows hears of all from the beginning.
      const folded = following.onEvents === undefined ? await fold(runId) : followedFold(following.onEvents);
      const opened = await openSession(run, folded, { ...(await session(run)), log, runtime });
      const notes = newNotes(
        opened.fold.state,
        readySteps(opened.fold.state).next().done !== true ? await changedInputs(run.changes, run.startedAt) : [],
      );
      const events = await opened.log.wake(runId, { owner: opened.owner });
      if (events === null) {
        throw new ConflictError(`the run ${runId} has ended: it is ${opened.fold.state.status}`, {
          hint: 'Do steps of it again with `skillflow retry <run> --from <step>`, or run the skill again.',
        });
      }
      await opened.take(events);
      await opened.take(await opened.log.note(runId, notes));
      const { activeMs, activeBeforeMs } = opened.fold.state;
      const time = startTime(runtime, run.spec.swarm.timeoutMs, activeMs - activeBeforeMs);
      try {
        await driveSession(opened, deps, voters, following, time);
      } finally {
        time.stop();
      }
    },
  };
}
