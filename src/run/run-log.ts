import type { StepOutput } from '../agent/provider.ts';
import type { ChangeSet, Selection } from '../changes.ts';
import { toSkillflowError } from '../errors.ts';
import type { EventBody } from '../events.ts';
import type { Finding } from '../finding.ts';
import type { Runtime } from '../runtime.ts';
import type { Database } from '../store/database.ts';
import type { Plan, PlanStep } from '../swarm/plan.ts';
import type { Journal } from './journal.ts';
import type { RunSummary } from './runs.ts';

const LEASE_MS = 30_000;
const HEARTBEAT_MS = 10_000;

/** A text as a column takes it: well-formed, without NUL, at which the database would end it. */
function storable(text: string): string {
  return Buffer.from(text).toString('utf8').replaceAll('\0', '\u2400');
}

export interface BeginRun {
  readonly skill: string;
  readonly task: string;
  readonly provider: string;
  readonly selection: Selection;
  readonly changes: ChangeSet;
  readonly plan: Plan;
  /** Milliseconds since the epoch. */
  readonly startedAt: number;
}

/** Writes what happens in a run: each state and its event in one transaction. */
export interface RunLog {
  /** Records a new run and its waiting steps; resolves with its id. */
  begin(run: BeginRun): Promise<string>;
  stepStarted(runId: string, step: PlanStep, attempt: number): Promise<void>;
  /** `reported`: the findings that are the step's own; its output may pass on those of others. */
  stepCompleted(
    runId: string,
    step: PlanStep,
    output: StepOutput,
    reported: readonly Finding[],
    durationMs: number,
  ): Promise<void>;
  stepSkipped(runId: string, step: PlanStep, code: string, reason: string): Promise<void>;
  stepFailed(
    runId: string,
    step: PlanStep,
    failure: { readonly attempt: number; readonly code: string; readonly reason: string; readonly willRetry: boolean },
  ): Promise<void>;
  /** Events that change no state: decisions. */
  note(runId: string, events: readonly EventBody[]): Promise<void>;
  finish(runId: string, status: 'completed' | 'failed' | 'cancelled', summary: RunSummary, event: EventBody): Promise<void>;
  /** Renews the run's lease until the signal aborts. Never rejects: a lease that cannot be renewed is logged. */
  keepAlive(runId: string, signal: AbortSignal): Promise<void>;
}

export interface RunLogDeps {
  readonly db: Database;
  readonly journal: Journal;
  readonly runtime: Runtime;
}

function startedEvent({ skill, task, provider, changes, plan }: BeginRun): EventBody {
  return {
    type: 'run_started',
    skill,
    task,
    provider,
    topology: plan.topology,
    agents: plan.agents.map(({ id, type, capabilities }) => ({ id, type, capabilities })),
    steps: plan.steps.map(({ id }) => id),
    files: changes.files.length,
    skipped: changes.skipped.length,
  };
}

function stepEvents(
  { id: stepId, agentId }: PlanStep,
  output: StepOutput,
  reported: readonly Finding[],
  durationMs: number,
): readonly EventBody[] {
  return [
    ...reported.map((finding): EventBody => ({ type: 'finding_reported', agentId, finding })),
    ...output.notes.map((note): EventBody => ({ type: 'note_added', agentId, note })),
    ...output.ballots.map((ballot): EventBody => ({ type: 'ballot_cast', ballot })),
    { type: 'step_completed', stepId, agentId, durationMs, findings: reported.length, ballots: output.ballots.length },
  ];
}

export function createRunLog({ db, journal, runtime }: RunLogDeps): RunLog {
  const endStep = async (
    runId: string,
    { id }: PlanStep,
    status: 'skipped' | 'failed',
    reason: string,
    event: EventBody,
  ): Promise<void> => {
    await journal.append(runId, [event], async (queries) => {
      await queries.run('UPDATE step SET status = ?, ended_at = ?, reason = ? WHERE run_id = ? AND id = ?', [
        status,
        runtime.now(),
        reason,
        runId,
        id,
      ]);
    });
  };

  return {
    begin: async (run) => {
      const { skill, task, provider, selection, plan, startedAt } = run;
      const runId = runtime.id('run');
      await journal.append(runId, [startedEvent(run)], async (queries) => {
        await queries.run(
          `INSERT INTO run(id, skill, task, status, provider, selection, owner_pid, owner_host, lease_until, created_at)
           VALUES (?, ?, ?, 'running', ?, ?, ?, ?, ?, ?)`,
          [
            runId,
            skill,
            storable(task),
            provider,
            JSON.stringify(selection),
            runtime.pid,
            runtime.host,
            startedAt + LEASE_MS,
            startedAt,
          ],
        );
        for (const step of plan.steps) {
          await queries.run(
            "INSERT INTO step(run_id, id, agent_id, kind, round, status, attempt) VALUES (?, ?, ?, ?, ?, 'waiting', 0)",
            [runId, step.id, step.agentId, step.kind, step.round],
          );
        }
      });
      return runId;
    },
    stepStarted: async (runId, { id: stepId, agentId }, attempt) => {
      await journal.append(runId, [{ type: 'step_started', stepId, agentId, attempt }], async (queries) => {
        await queries.run("UPDATE step SET status = 'running', attempt = ?, started_at = ? WHERE run_id = ? AND id = ?", [
          attempt,
          runtime.now(),
          runId,
          stepId,
        ]);
      });
    },
    stepCompleted: async (runId, step, output, reported, durationMs) => {
      await journal.append(runId, stepEvents(step, output, reported, durationMs), async (queries) => {
        await queries.run("UPDATE step SET status = 'completed', ended_at = ?, output = ? WHERE run_id = ? AND id = ?", [
          runtime.now(),
          JSON.stringify(output),
          runId,
          step.id,
        ]);
      });
    },
    stepSkipped: (runId, step, code, reason) =>
      endStep(runId, step, 'skipped', reason, { type: 'step_skipped', stepId: step.id, agentId: step.agentId, code, reason }),
    stepFailed: async (runId, step, failure) => {
      const event: EventBody = { type: 'step_failed', stepId: step.id, agentId: step.agentId, ...failure };
      if (failure.willRetry) await journal.append(runId, [event]);
      else await endStep(runId, step, 'failed', failure.reason, event);
    },
    note: async (runId, events) => {
      if (events.length > 0) await journal.append(runId, events);
    },
    finish: async (runId, status, summary, event) => {
      await journal.append(runId, [event], async (queries) => {
        await queries.run('UPDATE run SET status = ?, ended_at = ?, summary = ? WHERE id = ?', [
          status,
          runtime.now(),
          JSON.stringify(summary),
          runId,
        ]);
      });
    },
    keepAlive: async (runId, signal) => {
      while (!signal.aborted) {
        try {
          await runtime.sleep(HEARTBEAT_MS, signal);
          await db.run('UPDATE run SET lease_until = ? WHERE id = ?', [runtime.now() + LEASE_MS, runId]);
        } catch (error) {
          if (!signal.aborted)
            runtime.log('warn', `the lease of ${runId} could not be renewed: ${toSkillflowError(error).message}`);
        }
      }
    },
  };
}
