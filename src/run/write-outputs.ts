import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { StorageError } from '../errors.ts';
import { redactSecrets } from '../analysis/secrets-redact.ts';
import type { ChangeSet } from '../changes.ts';
import type { Skill, SwarmSpec } from '../skill/skill.ts';
import { writeFileAtomic } from '../store/atomic-file.ts';
import { makeFolder } from '../store/folder.ts';
import { codeOf, storageError } from '../store/storage-error.ts';
import type { Plan } from '../swarm/plan.ts';
import type { StepOutcome } from './drive-steps.ts';
import { buildReport } from './report/build-report.ts';
import { renderJson } from './report/json.ts';
import { renderMarkdown } from './report/markdown.ts';
import type { Report, ReportAgent } from './report/report.ts';
import { renderSarif } from './report/sarif.ts';
import type { RunSummary } from './runs.ts';
import type { Settled } from './settle-findings.ts';

type Format = SwarmSpec['outputs'][number]['format'];

const FILE_NAMES: Readonly<Record<Format, string>> = { markdown: 'report.md', json: 'report.json', sarif: 'report.sarif' };

/** Folder of a run's outputs, from the project root, `/`-separated. */
function folderOf(runId: string): string {
  return `.skillflow/runs/${runId}`;
}

export interface OutputInput {
  readonly projectRoot: string;
  readonly version: string;
  readonly runId: string;
  readonly request: {
    readonly skill: Skill & { readonly swarm: SwarmSpec };
    readonly task: string;
    readonly provider: { readonly name: string };
  };
  readonly plan: Plan;
  readonly changes: ChangeSet;
  readonly outcomes: ReadonlyMap<string, StepOutcome>;
  /** Milliseconds that each step took, by its id. */
  readonly stepMs: ReadonlyMap<string, number>;
  readonly settled: Settled;
  readonly startedAt: number;
  readonly durationMs: number;
}

/** What an agent did, over all its steps: its first failure or skip says why it did not come to its end. */
function describeAgents({ plan, outcomes, stepMs, settled }: OutputInput): readonly ReportAgent[] {
  return plan.agents.map(({ id, type, capabilities }) => {
    const steps = plan.steps.filter(({ agentId }) => agentId === id);
    const ends = steps.map((step) => outcomes.get(step.id));
    const failure = ends.find((end) => end?.status === 'failed') ?? ends.find((end) => end?.status === 'skipped');
    const completed = ends.some((end) => end?.status === 'completed');
    const worst = failure?.status === 'skipped' && completed ? undefined : failure;
    return {
      id,
      type,
      capabilities,
      status: worst?.status ?? 'completed',
      ...(worst === undefined ? {} : { reason: worst.reason }),
      durationMs: steps.reduce((sum, step) => sum + (stepMs.get(step.id) ?? 0), 0),
      findings: settled.findings.filter(({ reportedBy }) => reportedBy.includes(id)).length,
      ballots: settled.ballots.filter(({ voter }) => voter === id).length,
    };
  });
}

function notesOf({ plan, outcomes }: OutputInput): Parameters<typeof buildReport>[0]['notes'] {
  return plan.steps.flatMap(({ id, agentId }) => {
    const outcome = outcomes.get(id);
    return outcome?.status === 'completed' ? outcome.output.notes.map((note) => ({ ...note, agent: agentId })) : [];
  });
}

/** Names of branches are written by people, and published with the report. */
function publicChanges(changes: ChangeSet): ChangeSet {
  const { git } = changes;
  return git === null || git.branch === null ? changes : { ...changes, git: { ...git, branch: redactSecrets(git.branch) } };
}

function summarize(report: Report, { files, skipped }: ChangeSet): RunSummary {
  const { outcome, severity, total } = report.counts;
  return {
    files: files.length,
    skipped: skipped.length,
    findings: total,
    confirmed: outcome.confirmed,
    rejected: outcome.rejected,
    undecided: outcome.tie + outcome.no_quorum,
    bySeverity: Object.fromEntries(
      Object.entries(severity).map(([name, counts]) => [name, counts.confirmed + counts.tie + counts.no_quorum]),
    ),
    outputs: [...report.outputs],
    reason: null,
  };
}

/**
 * Writes the outputs that the skill asks for under `.skillflow/runs/<runId>/`, all of them whole or none, and
 * returns the run in figures. JSON is always written: it is what `show` reads. Throws `StorageError`.
 */
export async function writeOutputs(input: OutputInput): Promise<RunSummary> {
  const { projectRoot, version, runId, request, plan, changes, settled, startedAt, durationMs } = input;
  const { skill, task, provider } = request;
  const formats = [...new Set<Format>([...skill.swarm.outputs.map(({ format }) => format), 'json'])];
  const outputs = formats.map((format) => `${folderOf(runId)}/${FILE_NAMES[format]}`);
  const report = buildReport({
    run: {
      id: runId,
      skill: skill.name,
      skillVersion: skill.version,
      task,
      provider: provider.name,
      topology: plan.topology,
      status: 'completed',
      startedAt,
      durationMs,
    },
    agents: describeAgents(input),
    changes: publicChanges(changes),
    findings: settled.findings.map(({ finding, reportedBy }) => ({ ...finding, reportedBy })),
    ballots: settled.ballots,
    decisions: settled.decisions,
    notes: notesOf(input),
    outputs,
  });
  const render: Readonly<Record<Format, () => string>> = {
    markdown: () => renderMarkdown(report),
    json: () => renderJson(report),
    sarif: () => renderSarif(report, { toolVersion: version }),
  };
  const folder = join(projectRoot, folderOf(runId));
  await makeFolder(folder);
  try {
    for (const format of formats) await writeFileAtomic(join(folder, FILE_NAMES[format]), render[format]());
  } catch (error) {
    await rm(folder, { recursive: true, force: true }).catch(() => undefined); // the first error is the one to tell
    throw error;
  }
  return summarize(report, changes);
}

function parseReport(path: string, text: string): Report {
  const hint = 'Run the skill again; what happened in this run is in its events.';
  let parsed: Report & { readonly schema?: unknown };
  try {
    parsed = JSON.parse(text);
  } catch (error) {
    throw new StorageError(`${path} is not a report: ${String(error)}`, { hint, cause: error });
  }
  if (parsed.schema !== 'skillflow.report/1') throw new StorageError(`${path} is not a report of this version`, { hint });
  return parsed;
}

/** Reads a run's report back; `null` when there is none (it did not complete, or the file was removed). Throws `StorageError`. */
export async function readReport(projectRoot: string, runId: string): Promise<Report | null> {
  const path = join(projectRoot, folderOf(runId), FILE_NAMES.json);
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return null;
    throw storageError(error, 'read', path);
  }
  return parseReport(path, text);
}
