import { roleNameOf } from '../agent/roles/aliases.ts';
import { weightsOf } from '../swarm/consensus/voter-weights.ts';
import type { Queries } from '../store/database.ts';
import type { EventBody } from '../events.ts';
import type { DriveEnd } from './drive.ts';
import type { FoldedRun, FoldedStep } from './fold.ts';
import { askApproval } from './gates.ts';
import type { Asking } from './gates.ts';
import { replay } from './replay.ts';
import { reportOf, whyNotWritten } from './report-of.ts';
import type { Report } from './report/report.ts';
import type { RunSession } from './run-session.ts';
import { TIMEOUT } from './run-states.ts';
import type { RunSummary } from './runs.ts';
import { gatherFindings, settleFindings } from './settle-findings.ts';
import type { VoterRecords } from './voter-records.ts';
import { removeOutputs, renderOutputs, summarize, writeOutputs } from './write-outputs.ts';

export interface ConcludeDeps {
  readonly projectRoot: string;
  readonly voters: VoterRecords;
  readonly asking: Asking;
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

/** Whether something came of a step: putting together what nobody had is no work. */
function didWork({ status, kind, output, sees }: FoldedStep, steps: FoldedRun['steps']): boolean {
  if (status !== 'completed') return false;
  if (kind === 'work' || output === null || output.text !== undefined) return true;
  if (output.findings.length + output.ballots.length > 0) return true;
  return sees.some((id) => steps.get(id)?.status === 'completed');
}

/** Ways to have a model do what no analyzer can. */
const MODELS =
  'Run it with --provider anthropic (needs ANTHROPIC_API_KEY) or --provider claude-cli (needs Claude Code), or have Claude Code do it through MCP (provider host)';

/** Why nothing came of a run: a failure before what was skipped, and of that what could be mended. */
function whyNothing(steps: readonly FoldedStep[]): string {
  const failure = steps.find(({ status }) => status === 'failed');
  if (failure !== undefined) return failure.reason ?? `${failure.agentId} failed`;
  const skipped = steps.find(({ code }) => code === 'no_provider') ?? steps.find(({ status }) => status === 'skipped');
  if (skipped === undefined) return 'the plan has no steps';
  const ways = skipped.code === 'no_provider' ? `. ${MODELS}` : '';
  return `nobody could do the work: ${skipped.reason ?? 'all steps were skipped'}${ways}`;
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
async function passGates(session: RunSession, summary: RunSummary, asking: Asking): Promise<DriveEnd | null> {
  const { approvals } = session.run.spec.swarm;
  const { confirmed, rejected, undecided, outputs } = summary;
  if (approvals.includes('low_agreement') && undecided > confirmed + rejected) {
    const question = `${undecided} of ${summary.findings} findings found no majority. Report them as they are?`;
    const end = await askApproval(session, 'low_agreement', question, asking);
    if (end !== null) return end;
  }
  if (!approvals.includes('writing')) return null;
  return askApproval(session, 'writing', `Write ${outputs.join(', ')}?`, asking);
}

/** Another process has ended the run: what this one has just written must not stand beside another end. */
async function leaveToWinner({ log, read, run }: RunSession, projectRoot: string): Promise<void> {
  const { status } = await log.flags(run.runId);
  if (status === 'failed' || status === 'cancelled') await removeOutputs(projectRoot, run.runId);
  if (status !== 'completed') return; // it goes on: whoever ends it writes them again
  const { texts, files } = await replay({ read: (_, { after }) => read(after) }, projectRoot, run.runId);
  if (files.some(({ state }) => state !== 'same')) await writeOutputs(projectRoot, run.runId, texts);
}

/** Writes the outputs; `false` when another process has written the same, and ended the run. */
async function writeAll({ log, run, fold }: RunSession, report: Report, projectRoot: string): Promise<boolean> {
  const { started } = fold.state;
  if (started === null || report.outputs.length === 0) return true;
  try {
    await writeOutputs(projectRoot, run.runId, renderOutputs(report, started.formats, started.version));
    return true;
  } catch (error) {
    // Another process may have written the same and ended the run; else all of them are there, or none.
    if ((await log.flags(run.runId)).status === 'completed') return false;
    await removeOutputs(projectRoot, run.runId);
    throw error;
  }
}

/** What a run is to write, and the place of the last event that it tells of; `null` before the first event. */
function toldNow({ run, fold }: RunSession): { readonly report: Report; readonly asOf: number } | null {
  const report = reportOf(run.runId, fold.state);
  return report === null ? null : { report, asOf: fold.state.seq };
}

/**
 * Ends a run whose steps have all ended: decides on its findings, writes its outputs, says so. The end of another
 * process that was faster stands. Resolves with what the run waits for instead, where a person must agree first.
 */
export async function conclude(session: RunSession, deps: ConcludeDeps): Promise<DriveEnd | null> {
  const { fold, run, log } = session;
  const { steps } = fold.state;
  if (![...steps.values()].some((step) => didWork(step, steps))) {
    const late = [...steps.values()].some(({ code }) => code === TIMEOUT);
    await failRun(session, late ? 'deadline' : 'no_result', whyNothing([...steps.values()]));
    return null;
  }
  await decideAll(session, deps.voters);
  const asked = toldNow(session);
  if (asked === null) return null;
  const end = await passGates(session, summarize(asked.report), deps.asking);
  if (end !== null) return end;
  // A refusal to write is told as well.
  const told = whyNotWritten(fold.state) === null ? asked : (toldNow(session) ?? asked);
  if (!(await writeAll(session, told.report, deps.projectRoot))) return null;
  const summary = summarize(told.report);
  const { confirmed, rejected, undecided, outputs } = summary;
  const { durationMs } = told.report.run;
  const event: EventBody = { type: 'run_completed', durationMs, confirmed, rejected, undecided, outputs, asOf: told.asOf };
  // The ballots of a run whose steps were repeated were counted the first time.
  const learn = fold.state.hasCompleted
    ? undefined
    : (queries: Queries): Promise<void> => deps.voters.learn(queries, run.spec.agents, fold.state);
  const ended = await log.finish(run.runId, 'completed', summary, event, learn);
  await session.take(ended);
  if (ended === null) await leaveToWinner(session, deps.projectRoot);
  return null;
}
