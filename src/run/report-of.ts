import type { FoldedRun, FoldedStep } from './fold.ts';
import { buildReport } from './report/build-report.ts';
import type { Report, ReportAgent, ReportAnswer, ReportSpending } from './report/report.ts';
import { gatherFindings } from './settle-findings.ts';
import type { Gathered } from './settle-findings.ts';

/** Folder of a run's outputs, from the project root, `/`-separated. */
export function folderOf(runId: string): string {
  return `.skillflow/runs/${runId}`;
}

export type Format = 'markdown' | 'json' | 'sarif';
export const FILE_NAMES: Readonly<Record<Format, string>> = {
  markdown: 'report.md',
  json: 'report.json',
  sarif: 'report.sarif',
};

/** Why a run writes no files where a person refused that; `null` where nobody did. */
export function whyNotWritten({ approvals }: Pick<FoldedRun, 'approvals'>): string | null {
  const { approved = null, note = null } = approvals.get('writing') ?? {};
  if (approved !== false) return null;
  return `its files were not written: the approval "writing" was refused${note === null || note === '' ? '' : ` (${note})`}`;
}

/** What an agent did, over all its steps: its first failure or skip says why it did not come to its end. */
function describeAgent(
  { id, name, type, capabilities }: NonNullable<FoldedRun['started']>['agents'][number],
  all: readonly FoldedStep[],
  { findings, ballots }: Gathered,
): ReportAgent {
  const steps = all.filter(({ agentId }) => agentId === id);
  const failure = steps.find(({ status }) => status === 'failed') ?? steps.find(({ status }) => status === 'skipped');
  const completed = steps.some(({ status }) => status === 'completed');
  const worst = failure?.status === 'skipped' && completed ? undefined : failure;
  const providers = [...new Set(steps.flatMap(({ provider }) => provider ?? []))];
  return {
    id,
    ...(name === undefined ? {} : { name }),
    type,
    capabilities,
    status: worst === undefined ? 'completed' : worst.status === 'failed' ? 'failed' : 'skipped',
    ...(worst === undefined ? {} : { reason: worst.reason ?? '' }),
    durationMs: steps.reduce((sum, { durationMs }) => sum + durationMs, 0),
    findings: findings.filter(({ reportedBy }) => reportedBy.includes(id)).length,
    ballots: ballots.filter(({ voter }) => voter === id).length,
    ...(providers.length === 0 ? {} : { provider: providers.join(', ') }),
  };
}

/** The words of the last round in which anyone answered in words. */
export function finalAnswers(steps: readonly FoldedStep[]): readonly ReportAnswer[] {
  const spoken = steps.filter(({ kind, output }) => kind !== 'judge' && (output?.text ?? '') !== '');
  const last = Math.max(0, ...spoken.map(({ round }) => round));
  return spoken
    .filter(({ round }) => round === last)
    .map(({ id, agentId, output }) => ({
      agentId,
      stepId: id,
      text: output?.text ?? '',
      ...(output?.confidence === undefined ? {} : { confidence: output.confidence }),
    }));
}

function spendingOf({ usage, used, steps }: FoldedRun): ReportSpending | null {
  const possiblyBilledTwice = [...steps.values()].reduce((sum, step) => sum + step.possiblyBilledTwice, 0);
  if (usage.length === 0 && possiblyBilledTwice === 0) return null;
  const { tokens, costUsd } = used.get('') ?? { tokens: 0, costUsd: 0 };
  return {
    tokens,
    requests: usage.reduce((sum, { requests }) => sum + requests, 0),
    costUsd,
    unpriced: [...new Set(usage.flatMap((one) => (one.costUsd === null ? [one.model] : [])))].sort(),
    possiblyBilledTwice,
  };
}

/**
 * The report of a run, all of whose steps have ended and all of whose decisions are made: a function of its events, so
 * that making it again gives the same. `null` before the first event.
 */
export function reportOf(runId: string, state: FoldedRun): Report | null {
  const { started, decisions } = state;
  if (started === null) return null;
  const steps = [...state.steps.values()];
  const gathered = gatherFindings(state);
  const answers = finalAnswers(steps);
  const spending = spendingOf(state);
  const notWritten = whyNotWritten(state);
  return buildReport({
    run: {
      id: runId,
      skill: started.skill,
      skillVersion: started.skillVersion,
      task: started.task,
      provider: started.provider,
      topology: started.strategy === 'plan' ? started.topology : `${started.topology}, ${started.strategy}`,
      status: 'completed',
      ...(started.reason === undefined ? {} : { planReason: started.reason }),
      ...(state.growthEnd === null ? {} : { growthEnd: state.growthEnd }),
      ...(notWritten === null ? {} : { notWritten }),
      startedAt: started.at,
      durationMs: Math.max(0, state.lastStepAt - started.at), // clocks are set back
    },
    agents: started.agents.map((agent) => describeAgent(agent, steps, gathered)),
    changes: started.scope,
    findings: gathered.findings.map(({ finding, reportedBy }) => ({ ...finding, reportedBy })),
    ballots: gathered.ballots,
    decisions,
    notes: [
      ...state.notes.map((note) => ({ ...note, agent: null })),
      ...steps.flatMap(({ agentId, output }) => (output?.notes ?? []).map((note) => ({ ...note, agent: agentId }))),
    ],
    ...(answers.length === 0 ? {} : { answers }),
    ...(spending === null ? {} : { spending }),
    outputs: notWritten === null ? started.formats.map((format) => `${folderOf(runId)}/${FILE_NAMES[format]}`) : [],
  });
}
