import * as z from 'zod';
import { NotFoundError } from '../errors.ts';
import { dollars } from '../run/amount-words.ts';
import type { FoldedRun } from '../run/fold.ts';
import type { Report } from '../run/report/report.ts';
import { RUN_STATES } from '../run/runs.ts';
import type { RunRecord } from '../run/runs.ts';
import { printable } from '../printable.ts';
import type { SwarmSpec } from '../skill/skill.ts';
import { rare, words } from './input.ts';
import { pausedRun } from './paused-run.ts';
import { idWords, MAX_IDS, shownSteps, stepsOutput } from './shown-steps.ts';
import { fields, table } from './table.ts';
import type { App, TextStyle, ToolContext } from './tool.ts';
import { answeredWays, approvalWays, budgetWays, budgetWords, hostWays, waysOn } from './ways-on.ts';

export const runId = words(64).describe('run id, or its beginning');
export const top = rare(z.int().min(0).max(200).default(20), 'findings to return');
export const iso = (ms: number): string => new Date(ms).toISOString();

export const runOutput = z.object({
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

export function toRunOutput(run: RunRecord): z.output<typeof runOutput> {
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

const waitingOutput = z.object({
  for: z.enum(['host', 'budget', 'approval']),
  /** Steps for the host to claim: the first of them, and how many there are. */
  steps: z.array(z.string()),
  stepCount: z.number(),
  /** The budget that is used up. */
  budget: z
    .object({
      scope: z.string(),
      agentId: z.string().nullable(),
      what: z.enum(['tokens', 'costUsd', 'wallMs', 'steps']),
      limit: z.number(),
      used: z.number(),
    })
    .nullable(),
  /** The gate, and what is asked there. */
  gate: z.string().nullable(),
  question: z.string().nullable(),
  /** What to do next. */
  next: z.string(),
});

const NO_WAIT = { steps: [], stepCount: 0, budget: null, gate: null, question: null };

const spendingOutput = z.object({
  tokens: z.number(),
  costUsd: z.number(),
  /** Attempts whose price is not known. */
  unpriced: z.number(),
  budgetUsd: z.number().nullable(),
  possiblyBilledTwice: z.number(),
});

export const runDetail = runOutput.extend({
  /** What it waits for. */
  waiting: waitingOutput.nullable(),
  /** What can be done about it; `null` once it has completed, and while it goes on. */
  next: z.string().nullable(),
  /** `null` where no model was asked. */
  spending: spendingOutput.nullable(),
  ...stepsOutput,
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

/** What a run that waits for its host says: also where all that is ready is claimed already. */
async function forHost(app: App, id: string): Promise<z.output<typeof waitingOutput>> {
  const steps = [...(await (await app.hostDesk('read')).ready(id))];
  const now = app.runtime.now();
  const records = (await (await app.runs('read')).steps(id)).filter(({ stepId }) => steps.includes(stepId));
  const held = records.flatMap(({ heldUntil }) => (heldUntil === null || heldUntil < now ? [] : [heldUntil]));
  return {
    ...NO_WAIT,
    for: 'host',
    steps: steps.slice(0, MAX_IDS),
    stepCount: steps.length,
    next: hostWays(id, held.length === 0 || held.length < steps.length ? null : Math.min(...held)),
  };
}

async function waitingOf(
  app: App,
  { runId: id, status }: RunRecord,
  state: FoldedRun,
  limits: SwarmSpec['budget'],
): Promise<z.output<typeof waitingOutput> | null> {
  if (status === 'awaiting_host') return forHost(app, id);
  if (status === 'paused' && state.paused !== null) {
    const { scope, agentId = null, what, limit, used } = state.paused;
    const next = budgetWays(id, state.paused, await pausedRun(app, state, state.paused, limits));
    return { ...NO_WAIT, for: 'budget', budget: { scope, agentId, what, limit, used }, next };
  }
  if (status !== 'awaiting_approval') return null;
  const next = state.asked === null ? answeredWays(id) : approvalWays(id);
  return { ...NO_WAIT, for: 'approval', ...state.asked, next };
}

function spendingOf(state: FoldedRun, budgetUsd: number | null): z.output<typeof spendingOutput> | null {
  const possiblyBilledTwice = [...state.steps.values()].reduce((sum, step) => sum + step.possiblyBilledTwice, 0);
  if (state.usage.length === 0 && possiblyBilledTwice === 0) return null;
  const { tokens = 0, costUsd = 0, unpriced = 0 } = state.used.get('') ?? {};
  return { tokens, costUsd, unpriced, budgetUsd, possiblyBilledTwice };
}

function spentWords({ costUsd, tokens, possiblyBilledTwice: lost }: z.output<typeof spendingOutput>): string {
  const inFlight = lost === 1 ? '1 call was in flight and may be billed' : `${lost} calls were in flight and may be billed`;
  return `${dollars(costUsd)}, ${tokens} tokens${lost === 0 ? '' : `; ${inFlight}`}`;
}

/** What the events say beyond the tables; nothing of runs of earlier versions. */
async function foldedParts(app: App, run: RunRecord): Promise<Pick<z.output<typeof runDetail>, 'waiting' | 'spending'>> {
  if (run.status === 'completed' && run.provider === 'local') return { waiting: null, spending: null };
  try {
    const { run: stored, state } = await (await app.runControl('read')).look(run.runId);
    const { budget } = stored.spec.swarm;
    return { waiting: await waitingOf(app, run, state, budget), spending: spendingOf(state, budget.run.costUsd) };
  } catch (error) {
    if (error instanceof NotFoundError) return { waiting: null, spending: null };
    throw error;
  }
}

/** A text of a waiting run with its calls as the caller makes them. */
function inWords<T extends { readonly next: string }>(waiting: T | null, callWords: (text: string) => string): T | null {
  return waiting === null ? null : { ...waiting, next: callWords(waiting.next) };
}

/** Whether some process drives a run now. */
export async function isDriven(app: App, id: string): Promise<{ readonly id: string; readonly driven: boolean }> {
  const run = await (await app.runs('read')).get(id);
  return { id: run.runId, driven: run.status === 'running' };
}

/** A run as tools answer it. */
export async function detail(
  { app, callWords }: Pick<ToolContext, 'app' | 'callWords'>,
  id: string,
  top: number,
): Promise<z.output<typeof runDetail>> {
  const runs = await app.runs('read');
  const run = await runs.get(id);
  const report = run.status === 'completed' ? await app.report(run.runId) : null;
  const folded = await foldedParts(app, run);
  const waiting = inWords(folded.waiting, callWords);
  const steps = await runs.steps(run.runId);
  const ways = waysOn(run.runId, run.status, steps.length > 0 && steps.every(({ status }) => status === 'skipped'));
  return {
    ...toRunOutput(run),
    ...folded,
    waiting,
    next: waiting?.next ?? (ways === null ? null : callWords(ways)),
    ...shownSteps(steps),
    topFindings: topFindings(report, top),
    notLookedAt: notLookedAt(report),
  };
}

/** `null`: for nothing any more, as its question was answered. */
function waitsFor(waiting: z.output<typeof waitingOutput>): string | null {
  if (waiting.budget !== null) return `a higher budget: ${budgetWords(waiting.budget)}`;
  return waiting.for === 'host' ? `the host: ${idWords(waiting.steps, waiting.stepCount)}` : waiting.question;
}

const countWords = (counts: Readonly<Record<string, number>>): string =>
  Object.entries(counts)
    .map(([status, count]) => `${count} ${printable(status)}`)
    .join(', ');

export async function detailText(run: z.output<typeof runDetail>, style: TextStyle, app: App): Promise<string> {
  const report = run.status === 'completed' ? await app.report(run.runId) : null;
  if (report !== null) {
    const { renderTerminal } = await import('../run/report/terminal.ts');
    return renderTerminal(report, { ...style, width: Math.min(style.width, 120) }).trimEnd();
  }
  const facts = fields(
    {
      run: run.runId,
      skill: run.skill,
      status: run.status,
      reason: run.reason,
      started: run.startedAt,
      'waits for': run.waiting === null ? null : waitsFor(run.waiting),
      next: run.next,
      spent: run.spending === null ? null : spentWords(run.spending),
    },
    style,
  );
  const missing = run.status === 'completed' ? '\n\nIts report file is gone; run the skill again, or read the events.' : '';
  const rows = run.steps.map((step) => [
    step.stepId,
    step.status,
    step.durationMs === null ? '' : `${step.durationMs} ms`,
    step.reason ?? '',
  ]);
  const events = `Events: skillflow events ${printable(run.runId)}`;
  const others = Object.values(run.stepCounts).reduce((sum, n) => sum + n, 0) - rows.length;
  const more = others <= 0 ? '' : `\n… and ${others} more steps: ${countWords(run.stepCounts)} in all`;
  return `${facts}\n\n${table(['step', 'status', 'took', 'why'], rows, style)}${more}${missing}\n${events}`;
}
