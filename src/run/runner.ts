import type { AskResult, Provider, StepOutput } from '../agent/provider.ts';
import type { ChangeSet, Selection } from '../changes.ts';
import { redactSecrets } from '../analysis/secrets-redact.ts';
import { CancelledError, DeadlineError, InternalError, toSkillflowError } from '../errors.ts';
import type { SkillflowError } from '../errors.ts';
import type { Runtime } from '../runtime.ts';
import type { Skill, SwarmSpec } from '../skill/skill.ts';
import { makePlan } from '../swarm/make-plan.ts';
import type { Plan, PlanStep } from '../swarm/plan.ts';
import { retryDelayMs } from '../swarm/retry.ts';
import { driveSteps } from './drive-steps.ts';
import type { StepOutcome } from './drive-steps.ts';
import { reportedFindings } from './reported-findings.ts';
import type { RunLog } from './run-log.ts';
import type { RunSummary } from './runs.ts';
import { settleFindings } from './settle-findings.ts';
import { writeOutputs } from './write-outputs.ts';

export interface RunRequest {
  readonly skill: Skill & { readonly swarm: SwarmSpec };
  /** What the run is for, in words. */
  readonly task: string;
  readonly selection: Selection;
  readonly provider: Provider;
  readonly signal: AbortSignal;
  /** 0–1 and a few words for people. */
  readonly onProgress: (done: number, what: string) => void;
}

export interface RunnerDeps {
  /** Opens the journal; called once the input has been read. */
  readonly openLog: () => Promise<RunLog>;
  readonly runtime: Runtime;
  readonly projectRoot: string;
  readonly version: string;
  readonly collect: (selection: Selection, signal: AbortSignal) => Promise<ChangeSet>;
}

export interface Runner {
  /**
   * Runs a skill's swarm to its end and resolves with the run's id, whatever its outcome: a run that failed or was
   * cancelled says so in the journal. Rejects when the input cannot be read (nothing was begun), when the journal
   * cannot be written, and on a defect.
   */
  run(request: RunRequest): Promise<string>;
}

/** One run under way: what its steps share. */
interface Context extends RunnerDeps {
  readonly log: RunLog;
  readonly runId: string;
  readonly request: RunRequest;
  readonly changes: ChangeSet;
  readonly plan: Plan;
  /** Aborts when the caller cancels or the skill's time is over. */
  readonly stop: AbortSignal;
  readonly startedAt: number;
  /** Milliseconds that each completed step took, by its id. */
  readonly stepMs: Map<string, number>;
}

type Report = (done: number, what: string) => void;
type Outcomes = ReadonlyMap<string, StepOutcome>;

function ask(
  { request, changes, plan, runId, stop }: Context,
  step: PlanStep,
  seen: Outcomes,
  onProgress: Report,
): Promise<AskResult> {
  const agent = plan.agents.find(({ id }) => id === step.agentId);
  if (agent === undefined) throw new InternalError(`the plan's step ${step.id} names an agent that is not in it`);
  const owners = new Map(plan.steps.map(({ id, agentId }) => [id, agentId]));
  const sees = step.sees.flatMap((stepId) => {
    const outcome = seen.get(stepId);
    return outcome?.status === 'completed' ? [{ stepId, agentId: owners.get(stepId) ?? stepId, output: outcome.output }] : [];
  });
  const { provider, task } = request;
  return provider.ask({ runId, stepId: step.id, kind: step.kind, agent, task, changes, sees, signal: stop, onProgress });
}

/** Nobody votes in another's name: an agent's output is not trusted with who it is. */
function ownBallots({ agentId }: PlanStep, output: StepOutput): StepOutput {
  const ballots = output.ballots.filter(({ voter }) => voter === agentId);
  const refused = output.ballots.length - ballots.length;
  if (refused === 0) return output;
  const note = { code: 'ballots_refused', message: 'ballots in the name of others were refused', count: refused };
  return { ...output, ballots, notes: [...output.notes, note] };
}

async function executeStep(context: Context, step: PlanStep, seen: Outcomes, onProgress: Report): Promise<StepOutcome> {
  const { log, runId, runtime, stop } = context;
  const { retry } = context.request.skill.swarm.execution;
  for (let attempt = 1; ; attempt += 1) {
    const startedTicks = runtime.ticks();
    await log.stepStarted(runId, step, attempt);
    const result = await ask(context, step, seen, onProgress);
    stop.throwIfAborted();
    if (result.status === 'completed') {
      const durationMs = Math.round(runtime.ticks() - startedTicks);
      context.stepMs.set(step.id, durationMs);
      const output = ownBallots(step, result.output);
      await log.stepCompleted(runId, step, output, reportedFindings(step, output, seen), durationMs);
      return { status: 'completed', output };
    }
    const { code, reason } = result;
    if (result.status === 'skipped') {
      await log.stepSkipped(runId, step, code, reason);
      return result;
    }
    const willRetry = result.retryable && attempt < retry.maxAttempts;
    await log.stepFailed(runId, step, { attempt, code, reason, willRetry });
    if (!willRetry) return result;
    await runtime.sleep(retryDelayMs({ ...retry, attempt, random: () => runtime.random() }), stop);
  }
}

function drive(context: Context): Promise<Outcomes> {
  const { plan, request, stop } = context;
  const { parallel, maxConcurrent } = request.skill.swarm.execution;
  const done = new Map<string, number>();
  const report = (step: PlanStep, part: number, what: string): void => {
    done.set(step.id, part);
    const sum = [...done.values()].reduce((total, value) => total + value, 0);
    request.onProgress(sum / plan.steps.length, `${step.agentId}: ${what}`);
  };
  return driveSteps(plan, {
    maxConcurrent: parallel ? maxConcurrent : 1,
    signal: stop,
    execute: async (step, seen) => {
      report(step, 0, step.kind);
      const outcome = await executeStep(context, step, seen, (part, what) => report(step, Math.min(part, 1), what));
      report(step, 1, outcome.status);
      return outcome;
    },
  });
}

function emptySummary({ files, skipped }: ChangeSet, reason: string): RunSummary {
  return {
    files: files.length,
    skipped: skipped.length,
    findings: 0,
    confirmed: 0,
    rejected: 0,
    undecided: 0,
    bySeverity: {},
    outputs: [],
    reason,
  };
}

async function conclude(context: Context, outcomes: Outcomes): Promise<void> {
  const { log, runId, request, plan, changes, runtime, startedAt } = context;
  const ended = [...outcomes.values()];
  if (ended.every(({ status }) => status !== 'completed')) {
    const failure = ended.find((outcome) => outcome.status === 'failed') ?? ended[0];
    const reason = failure !== undefined && failure.status !== 'completed' ? failure.reason : 'the plan has no steps';
    await log.finish(runId, 'failed', emptySummary(changes, reason), { type: 'run_failed', code: 'no_result', reason });
    return;
  }
  const settled = settleFindings(plan, outcomes, request.skill.swarm.decision);
  await log.note(
    runId,
    settled.decisions.map((decision) => ({ type: 'decision_made', decision })),
  );
  const durationMs = runtime.now() - startedAt;
  const summary = await writeOutputs({ ...context, outcomes, settled, durationMs });
  const { confirmed, rejected, undecided, outputs } = summary;
  await log.finish(runId, 'completed', summary, { type: 'run_completed', durationMs, confirmed, rejected, undecided, outputs });
}

async function recordStop({ log, runId, changes }: Context, { code, message: reason }: SkillflowError): Promise<void> {
  const summary = emptySummary(changes, reason);
  if (code === 'cancelled') await log.finish(runId, 'cancelled', summary, { type: 'run_cancelled', reason });
  else await log.finish(runId, 'failed', summary, { type: 'run_failed', code, reason });
}

async function begin(deps: RunnerDeps, request: RunRequest, deadline: AbortSignal): Promise<Context> {
  const startedAt = deps.runtime.now();
  request.onProgress(0, 'reading what changed');
  const changes = await deps.collect(request.selection, request.signal).catch((thrown: unknown) => {
    // The user's interrupt reaches git as well, whose failure then comes first.
    throw request.signal.aborted ? new CancelledError('the run was cancelled before it began', { cause: thrown }) : thrown;
  });
  const plan = makePlan(request.skill.swarm);
  const { skill, task, provider, selection } = request;
  const log = await deps.openLog();
  const runId = await log.begin({ skill: skill.name, task, provider: provider.name, selection, changes, plan, startedAt });
  const stop = AbortSignal.any([request.signal, deadline]);
  return { ...deps, log, runId, request, changes, plan, stop, startedAt, stepMs: new Map() };
}

/** Why a run stopped: what stopped it comes before what that broke. */
function whyStopped(thrown: unknown, request: RunRequest, deadline: AbortSignal): SkillflowError {
  if (request.signal.aborted) return new CancelledError('the run was cancelled', { cause: thrown });
  return toSkillflowError(deadline.aborted ? deadline.reason : thrown);
}

export function createRunner(deps: RunnerDeps): Runner {
  return {
    run: async (asked) => {
      // What the user writes is stored and published like all else.
      const request = { ...asked, task: redactSecrets(asked.task) };
      const { timeoutMs } = request.skill.swarm;
      // Reading the input counts, but is not cut off: without it there would be no run to record the failure in.
      const deadline = new AbortController();
      const timer = setTimeout(() => {
        deadline.abort(new DeadlineError(`the run took longer than the ${timeoutMs} ms that the skill allows`));
      }, timeoutMs);
      const ended = new AbortController();
      let beating: Promise<void> | undefined;
      try {
        const context = await begin(deps, request, deadline.signal);
        beating = context.log.keepAlive(context.runId, ended.signal);
        try {
          await conclude(context, await drive(context));
        } catch (thrown) {
          const error = whyStopped(thrown, request, deadline.signal);
          await recordStop(context, error);
          if (error.code === 'internal') throw error;
        }
        return context.runId;
      } finally {
        clearTimeout(timer);
        ended.abort();
        await beating;
      }
    },
  };
}
