import { z } from 'zod';
import { UnavailableError } from '../errors.ts';
import type { Report } from '../run/report/report.ts';
import { RUN_STATES } from '../run/runs.ts';
import type { RunRecord } from '../run/runs.ts';
import { limit, offset, words } from './input.ts';
import { fields, moreLine, table } from './table.ts';
import { defineTool } from './tool.ts';
import type { App, TextStyle } from './tool.ts';

const READS = { readOnly: true, destructive: false, idempotent: true } as const;
const runId = words(64).describe('run id, or its beginning');
const iso = (ms: number): string => new Date(ms).toISOString();

const runOutput = z.object({
  runId: z.string(),
  skill: z.string(),
  task: z.string(),
  status: z.enum(RUN_STATES),
  provider: z.string(),
  startedAt: z.string(),
  durationMs: z.number().nullable(),
  /** Why it failed or was cancelled. */
  reason: z.string().nullable(),
  files: z.number().nullable(),
  findings: z.object({ confirmed: z.number(), undecided: z.number(), rejected: z.number() }).nullable(),
  /** Findings that were not rejected, by severity. */
  bySeverity: z.record(z.string(), z.number()),
  outputs: z.array(z.string()),
});

function toRunOutput(run: RunRecord): z.output<typeof runOutput> {
  const { summary } = run;
  return {
    runId: run.runId,
    skill: run.skill,
    task: run.task,
    status: run.status,
    provider: run.provider,
    startedAt: iso(run.startedAt),
    durationMs: run.endedAt === null ? null : run.endedAt - run.startedAt,
    reason: summary?.reason ?? null,
    files: summary?.files ?? null,
    findings:
      summary === null || run.status !== 'completed'
        ? null
        : { confirmed: summary.confirmed, undecided: summary.undecided, rejected: summary.rejected },
    bySeverity: summary?.bySeverity ?? {},
    outputs: summary?.outputs ?? [],
  };
}

const topFinding = z.object({
  severity: z.string(),
  outcome: z.string(),
  place: z.string(),
  rule: z.string(),
  message: z.string(),
  reportedBy: z.array(z.string()),
  confirmedBy: z.array(z.string()),
});

const stepOutput = z.object({
  stepId: z.string(),
  agentId: z.string(),
  kind: z.string(),
  status: z.string(),
  attempt: z.number(),
  durationMs: z.number().nullable(),
  reason: z.string().nullable(),
});

const runDetail = runOutput.extend({
  steps: z.array(stepOutput),
  /** The worst that were not rejected, at most `top`; the report has all. */
  topFindings: z.array(topFinding),
  notLookedAt: z.array(z.string()),
});

function topFindings(report: Report | null, top: number): z.output<typeof topFinding>[] {
  const kept = report?.findings.filter(({ outcome }) => outcome !== 'rejected') ?? [];
  return kept.slice(0, top).map(({ severity, outcome, file, range, rule, message, reportedBy, votes }) => ({
    severity,
    outcome,
    place: `${file}:${range.startLine}`,
    rule,
    message,
    reportedBy: [...reportedBy],
    confirmedBy: votes.filter(({ vote }) => vote === 'confirm').map(({ voter }) => voter),
  }));
}

function notLookedAt(report: Report | null): string[] {
  if (report === null) return [];
  const { agents, files, changes, notes } = report.omissions;
  return [
    ...agents.map(({ id, status, reason }) => `${id} ${status}: ${reason}`),
    ...files.map(({ reason, count }) => `${count} files skipped: ${reason}`),
    ...changes.map(({ message }) => message),
    ...notes.map(({ message }) => message),
  ].slice(0, 20);
}

async function detail(app: App, id: string, top: number): Promise<z.output<typeof runDetail>> {
  const runs = await app.runs('read');
  const run = await runs.get(id);
  const report = run.status === 'completed' ? await app.report(run.runId) : null;
  return {
    ...toRunOutput(run),
    steps: (await runs.steps(run.runId)).map(({ stepId, agentId, kind, status, attempt, durationMs, reason }) => ({
      stepId,
      agentId,
      kind,
      status,
      attempt,
      durationMs,
      reason,
    })),
    topFindings: topFindings(report, top),
    notLookedAt: notLookedAt(report),
  };
}

async function detailText(run: z.output<typeof runDetail>, style: TextStyle, app: App): Promise<string> {
  const report = run.status === 'completed' ? await app.report(run.runId) : null;
  if (report !== null) {
    const { renderTerminal } = await import('../run/report/terminal.ts');
    return renderTerminal(report, { ...style, width: Math.min(style.width, 120) }).trimEnd();
  }
  const facts = fields(
    { run: run.runId, skill: run.skill, status: run.status, reason: run.reason, started: run.startedAt },
    style,
  );
  const missing = run.status === 'completed' ? '\n\nIts report file is gone; run the skill again, or read the events.' : '';
  const rows = run.steps.map((step) => [
    step.stepId,
    step.status,
    step.durationMs === null ? '' : `${step.durationMs} ms`,
    step.reason ?? '',
  ]);
  return `${facts}\n\n${table(['step', 'status', 'took', 'why'], rows, style)}${missing}\nEvents: skillflow events ${run.runId}`;
}

const top = z.int().min(0).max(200).default(20).describe('findings to return');

const skillRun = defineTool({
  name: 'skill_run',
  description:
    "Runs a skill's swarm and waits for its end. For code-review-swarm choose at most one of base, last, staged, files, tree; default: uncommitted changes, else the last 10 commits.",
  input: z.strictObject({
    skill: words(200).describe('name, see skill_list'),
    task: words(10_000).exactOptional().describe('what for, in words'),
    base: words(400).exactOptional().describe('changes since this git revision'),
    last: z.int().min(1).max(10_000).exactOptional().describe('the last N commits'),
    staged: z.boolean().exactOptional().describe('what is staged'),
    files: z.array(words(4096)).min(1).exactOptional().describe('these files or folders'),
    tree: z.boolean().exactOptional().describe('the whole tree'),
    provider: z.enum(['local']).exactOptional().describe('local: analyzers, no model'),
    top,
  }),
  output: runDetail,
  annotations: { readOnly: false, destructive: false, idempotent: false },
  timeoutMs: 0,
  cli: { command: ['run'], positional: ['skill', 'task'] },
  handler: async ({ skill: name, task, provider, top: most, ...selection }, { app, signal, progress }) => {
    const skill = await app.loadSkill(name);
    if (skill.swarm === null) {
      throw new UnavailableError(`the skill ${name} has no swarm to run: it is a text for Claude`, {
        hint: 'Add a swarm.yaml to its folder, or ask Claude to follow it.',
      });
    }
    const id = await app.startRun({
      skill,
      task: task ?? '',
      selection,
      provider: provider ?? app.config.provider,
      signal,
      onProgress: progress,
    });
    return detail(app, id, most);
  },
  text: detailText,
});

const runList = defineTool({
  name: 'run_list',
  description: 'Lists the runs of this project, newest first.',
  input: z.strictObject({
    limit: limit(20, 500),
    offset,
  }),
  output: z.object({ runs: z.array(runOutput), total: z.number(), offset: z.number() }),
  annotations: READS,
  cli: { command: ['runs'] },
  handler: async ({ limit, offset }, { app }) => {
    const runs = await app.runs('read');
    return { runs: (await runs.list({ limit, offset })).map(toRunOutput), total: await runs.count(), offset };
  },
  text: ({ runs, total, offset }, style) => {
    if (total === 0) return 'There are no runs yet. Start one: skillflow run code-review-swarm';
    const rows = runs.map((run) => {
      const { findings } = run;
      const outcome =
        findings === null
          ? (run.reason ?? '')
          : `${findings.confirmed} confirmed, ${findings.undecided} unconfirmed, ${findings.rejected} rejected`;
      return [run.runId, run.skill, run.status, run.startedAt.slice(0, 16).replace('T', ' '), outcome];
    });
    return `${table(['run', 'skill', 'status', 'started (UTC)', 'outcome'], rows, style)}${moreLine(runs.length, total, offset)}`;
  },
});

const runStatus = defineTool({
  name: 'run_status',
  description: 'Shows one run: its state, its steps, its worst findings, what was not looked at, and where its report lies.',
  input: z.strictObject({ runId, top }),
  output: runDetail,
  annotations: READS,
  cli: { command: ['show'], positional: ['runId'] },
  handler: ({ runId: id, top: most }, { app }) => detail(app, id, most),
  text: detailText,
});

const eventOutput = z.looseObject({ type: z.string(), runId: z.string(), seq: z.number(), at: z.number() });

function eventLine(event: z.output<typeof eventOutput>): string {
  const { type, runId: _run, seq, at, ...rest } = event;
  const said = Object.entries(rest).map(([key, value]) => `${key}=${JSON.stringify(value)}`);
  const line = `${String(seq).padStart(4)} ${iso(at).slice(11, 23)} ${type} ${said.join(' ')}`;
  return line.length > 400 ? `${line.slice(0, 400)}…` : line;
}

/** The first `most` things, and whether there are others. */
function cut<T>(things: readonly T[], most: number): readonly [readonly T[], boolean] {
  return [things.slice(0, most), things.length > most];
}

const runEvents = defineTool({
  name: 'run_events',
  description: "Reads a run's journal from a place on; with waitMs, waits for the next event.",
  input: z.strictObject({
    runId,
    after: z.int().min(0).default(0).describe('seq of the last event you have'),
    limit: limit(100, 1000),
    waitMs: z.int().min(0).max(20_000).default(0).describe('milliseconds to wait for a new event'),
  }),
  output: z.object({
    runId: z.string(),
    status: z.enum(RUN_STATES),
    events: z.array(eventOutput),
    /** Give this as `after` to read on. */
    next: z.number(),
    /** Whether there are events after these already. */
    more: z.boolean(),
  }),
  annotations: READS,
  cli: { command: ['events'], positional: ['runId'] },
  handler: async ({ runId: id, after, limit, waitMs }, { app, signal }) => {
    const runs = await app.runs('read');
    const until = app.runtime.now() + waitMs;
    const POLL_MS = 50;
    for (;;) {
      // The state before the events: an ended run cannot grow an event after this read.
      const run = await runs.get(id);
      const [events, more] = cut(await runs.events(run.runId, { after, limit: limit + 1 }), limit);
      if (events.length > 0 || run.status !== 'running' || app.runtime.now() >= until) {
        return {
          runId: run.runId,
          status: run.status,
          events: events.map((event) => ({ ...event })),
          next: events.at(-1)?.seq ?? after,
          more,
        };
      }
      await app.runtime.sleep(POLL_MS, signal);
    }
  },
  text: async ({ runId: id, events, next, more }) => {
    const { printable } = await import('../printable.ts');
    if (events.length === 0) return `There are no events after ${next}.`;
    const rest = more ? [`… more: skillflow events ${id} --after ${next}`] : [];
    return [...events.map((event) => printable(eventLine(event))), ...rest].join('\n');
  },
});

export const runTools = [skillRun, runList, runStatus, runEvents];
