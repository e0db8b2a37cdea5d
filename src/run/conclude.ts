import { roleNameOf } from '../agent/roles/aliases.ts';
import { weightsOf } from '../swarm/consensus/voter-weights.ts';
import type { Queries } from '../store/database.ts';
import type { EventBody } from '../events.ts';
import type { DriveEnd } from './drive.ts';
import { askApproval } from './gates.ts';
import type { AskPerson } from './gates.ts';
import { reportOf } from './report-of.ts';
import type { RunSession } from './run-session.ts';
import type { RunSummary } from './runs.ts';
import { gatherFindings, settleFindings } from './settle-findings.ts';
import type { VoterRecords } from './voter-records.ts';
import { removeOutputs, renderOutputs, summarize, writeOutputs } from './write-outputs.ts';

export interface ConcludeDeps {
  readonly projectRoot: string;
  readonly voters: VoterRecords;
  readonly askPerson: AskPerson | undefined;
}

/** The summary of a run without a report. */
export function emptySummary(session: Pick<RunSession, 'run'>, reason: string): RunSummary {
  const { files, skipped } = session.run.changes;
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

/** Ends a run as failed. */
export async function failRun(session: RunSession, code: string, reason: string): Promise<void> {
  const { log, run } = session;
  await session.take(await log.finish(run.runId, 'failed', emptySummary(session, reason), { type: 'run_failed', code, reason }));
}

async function decideAll(session: RunSession, voters: VoterRecords): Promise<void> {
  const { fold, run, log } = session;
  if (fold.state.decisions.length > 0) return; // made before this process took the run up
  const gathered = gatherFindings(fold.state);
  const { decision } = run.spec.swarm;
  const weights = new Map<string, number>();
  if (decision.rule === 'weighted') {
    const byRole = weightsOf(await voters.read());
    for (const { id, type } of run.spec.agents) {
      const weight = byRole.get(roleNameOf(type));
      if (weight !== undefined) weights.set(id, weight);
    }
  }
  const decisions = settleFindings(gathered, decision, run.spec.agents, weights);
  await session.take(
    await log.note(
      run.runId,
      decisions.map((one): EventBody => ({ type: 'decision_made', decision: one })),
    ),
  );
}

/** What the gates after the work ask for, where the skill has them. */
async function passGates(session: RunSession, summary: RunSummary, askPerson: AskPerson | undefined): Promise<DriveEnd | null> {
  const { approvals } = session.run.spec.swarm;
  const { confirmed, rejected, undecided, outputs } = summary;
  if (approvals.includes('low_agreement') && undecided > confirmed + rejected) {
    const question = `${undecided} of ${summary.findings} findings found no majority. Report them as they are?`;
    const end = await askApproval(session, 'low_agreement', question, askPerson);
    if (end !== null) return end;
  }
  if (!approvals.includes('writing')) return null;
  return askApproval(session, 'writing', `Write ${outputs.join(', ')}?`, askPerson);
}

/**
 * Ends a run whose steps have all ended: decides on its findings, writes its outputs, says so. The end of another
 * process that was faster stands. Resolves with what the run waits for instead, where a person must agree first.
 */
export async function conclude(session: RunSession, deps: ConcludeDeps): Promise<DriveEnd | null> {
  const { fold, run, log } = session;
  const steps = [...fold.state.steps.values()];
  if (steps.every(({ status }) => status !== 'completed')) {
    const failure = steps.find(({ status }) => status === 'failed') ?? steps[0];
    await failRun(session, 'no_result', failure?.reason ?? 'the plan has no steps');
    return null;
  }
  await decideAll(session, deps.voters);
  const report = reportOf(run.runId, fold.state);
  const { started } = fold.state;
  if (report === null || started === null) return null;
  const summary = summarize(report);
  const end = await passGates(session, summary, deps.askPerson);
  if (end !== null) return end;
  try {
    await writeOutputs(deps.projectRoot, run.runId, renderOutputs(report, started.formats, started.version));
  } catch (error) {
    // Another process may have written the same and ended the run; else all of them are there, or none.
    if ((await log.flags(run.runId)).status !== 'running') return null;
    await removeOutputs(deps.projectRoot, run.runId);
    throw error;
  }
  const { confirmed, rejected, undecided, outputs } = summary;
  const { durationMs } = report.run;
  const event: EventBody = { type: 'run_completed', durationMs, confirmed, rejected, undecided, outputs };
  // The ballots of a run whose steps were repeated were counted the first time.
  const learn = fold.state.hasCompleted
    ? undefined
    : (queries: Queries): Promise<void> => deps.voters.learn(queries, run.spec.agents, fold.state);
  await session.take(await log.finish(run.runId, 'completed', summary, event, learn));
  return null;
}
