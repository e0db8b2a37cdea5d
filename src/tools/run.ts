import { join } from 'node:path';
import * as z from 'zod';
import { ConflictError, UnavailableError } from '../errors.ts';
import type { Selection } from '../changes.ts';
import type { RunEvent } from '../events.ts';
import { printable } from '../printable.ts';
import { refusalEndsRun } from '../run/gates.ts';
import { RUN_STATES } from '../run/runs.ts';
import type { RunRecord, Runs } from '../run/runs.ts';
import type { Skill, SwarmSpec } from '../skill/skill.ts';
import { limit, offset, rare, words } from './input.ts';
import { runAgainTools } from './run-again.ts';
import { detail, detailText, isDriven, iso, runDetail, runId, runOutput, top, toRunOutput } from './run-detail.ts';
import { resume } from './start-task.ts';
import { moreLine, table } from './table.ts';
import { thinkerOf, withApproval } from './thinker.ts';
import { defineTool } from './tool.ts';
import type { App, ToolContext } from './tool.ts';

const READS = { readOnly: true, destructive: false, idempotent: true } as const;
const CHANGES = { readOnly: false, destructive: false, idempotent: false } as const;

const budget = {
  maxCostUsd: rare(z.number().positive().max(100_000).exactOptional(), 'US dollars at which it pauses'),
  maxTokens: rare(z.int().min(1).max(1e12).exactOptional(), 'tokens at which it pauses'),
  maxSeconds: rare(z.number().positive().max(31_536_000).exactOptional(), 'seconds of work at which it pauses'),
  maxSteps: rare(z.int().min(1).max(1e9).exactOptional(), 'attempts at which it pauses'),
} as const;

interface BudgetInput {
  readonly maxCostUsd?: number | undefined;
  readonly maxTokens?: number | undefined;
  readonly maxSeconds?: number | undefined;
  readonly maxSteps?: number | undefined;
}

const budgetOf = ({ maxCostUsd, maxTokens, maxSeconds, maxSteps }: BudgetInput) => ({
  costUsd: maxCostUsd,
  tokens: maxTokens,
  wallMs: maxSeconds === undefined ? undefined : Math.round(maxSeconds * 1000),
  steps: maxSteps,
});

/**
 * What a run looks at: what the call names; a task in words for agents that all think, and examine nothing by themselves,
 * is about no files. Else what changed.
 */
async function selectionOf(named: Selection, task: string | undefined, swarm: SwarmSpec, app: App): Promise<Selection> {
  if (task === undefined || Object.values(named).some((value) => value !== undefined && value !== false)) return named;
  const local = await app.capabilities();
  return swarm.agents.some(({ capabilities }) => capabilities.some((one) => local.includes(one))) ? named : { files: [] };
}

/** How a skill is followed that is a text alone. */
function textHint({ dir, body }: Pick<Skill, 'dir' | 'body'>): string {
  const named = [...body.matchAll(/`((?:agent|decision|memory|run|skill|swarm|task|vote)_[a-z_]+)/gu)].map(([, tool]) => tool);
  const uses = named.length === 0 ? '' : `, which uses ${[...new Set(named)].join(', ')}`;
  return `Follow its text in ${join(dir, 'SKILL.md')}${uses}; or add a swarm.yaml to its folder.`;
}

const skillRun = defineTool({
  name: 'skill_run',
  description:
    "Runs a skill's swarm to its end, or until it waits: for you (task_claim), a budget, a person. For code-review-swarm at most one of base, last, staged, files, tree; default: uncommitted changes, else the last 10 commits.",
  input: z.strictObject({
    skill: words(200).describe('name, see skill_list'),
    task: words(10_000).exactOptional().describe('what for, in words'),
    base: words(400).exactOptional().describe('changes since this git revision'),
    last: z.int().min(1).max(10_000).exactOptional().describe('the last N commits'),
    staged: z.boolean().exactOptional().describe('what is staged'),
    files: z.array(words(4096)).min(1).exactOptional().describe('these files or folders'),
    tree: z.boolean().exactOptional().describe('the whole tree'),
    provider: z
      .enum(['local', 'host', 'anthropic', 'claude-cli'])
      .exactOptional()
      .describe('who thinks where no analyzer can; host: you, by task_claim; anthropic, claude-cli: cost money'),
    ...budget,
    top,
  }),
  output: runDetail,
  annotations: CHANGES,
  timeoutMs: 0,
  cli: { command: ['run'], positional: ['skill', 'task'] },
  handler: async ({ skill: name, task, provider, top: most, maxTokens, maxCostUsd, maxSeconds, maxSteps, ...named }, context) => {
    const { app } = context;
    const skill = await app.loadSkill(name);
    if (skill.swarm === null) {
      throw new UnavailableError(`the skill ${name} has no swarm to run: it is a text for Claude`, {
        hint: textHint(skill),
      });
    }
    const thinker = provider === undefined ? thinkerOf(skill.swarm, skill.source, context) : { provider, byProject: false };
    const id = await app.startRun({
      skill: thinker.byProject ? { ...skill, swarm: withApproval(skill.swarm) } : skill,
      task: task ?? '',
      selection: await selectionOf(named, task, skill.swarm, app),
      provider: thinker.provider,
      budget: budgetOf({ maxTokens, maxCostUsd, maxSeconds, maxSteps }),
      notes: skill.unheeded,
      signal: context.signal,
      onProgress: context.progress,
      askPerson: context.askPerson,
      onEvents: context.onEvents,
    });
    return detail(context, id, most);
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
  description: 'Shows a run: its state, steps, worst findings, what it waits for, what was not looked at, where its report lies.',
  input: z.strictObject({ runId, top }),
  output: runDetail,
  annotations: READS,
  cli: { command: ['show'], positional: ['runId'] },
  handler: ({ runId: id, top: most }, context) => detail(context, id, most),
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

/** States in which all votes are decided. */
const ENDED: ReadonlySet<string> = new Set(['completed', 'failed', 'cancelled']);

/** An event without what would tell those who are yet to vote how others did. */
function secretEvent(event: RunEvent, judges: ReadonlySet<string>): z.output<typeof eventOutput> | null {
  if (event.type === 'ballot_cast') return { ...event, ballot: { subject: event.ballot.subject, voter: event.ballot.voter } };
  if (!('stepId' in event) || !judges.has(event.stepId ?? '')) return null;
  if (event.type === 'note_added') return { ...event, note: { code: event.note.code } };
  if (event.type !== 'step_completed') return null;
  const { text: _text, ...output } = event.output;
  return { ...event, output };
}

/** The steps of a run that vote; none are asked for where the votes are decided. */
async function judgesOf(runs: Runs, { runId: id, status }: RunRecord): Promise<ReadonlySet<string> | null> {
  if (ENDED.has(status)) return null;
  return new Set((await runs.steps(id)).flatMap(({ stepId, kind }) => (kind === 'judge' ? [stepId] : [])));
}

/**
 * An event without what only a report needs: of thousands of files their number.
 * @param judges the steps whose words are secret yet
 */
function shownEvent(event: RunEvent, judges: ReadonlySet<string> | null): z.output<typeof eventOutput> {
  const secret = judges === null ? null : secretEvent(event, judges);
  if (secret !== null) return secret;
  if (event.type !== 'run_started') return { ...event };
  const { scope, steps, ...rest } = event;
  const { files, skipped, ...where } = scope;
  return { ...rest, steps: steps.map(({ id }) => id), files: files.length, skipped: skipped.length, scope: where };
}

const runEvents = defineTool({
  name: 'run_events',
  description:
    "Reads a run's journal from a place on; with waitMs, waits for the next event, or with a progress token streams events until then.",
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
  listed: false,
  cli: { command: ['events'], positional: ['runId'] },
  handler: async ({ runId: id, after, limit, waitMs }, { app, signal, onEvents }) => {
    const runs = await app.runs('read');
    const until = app.runtime.now() + waitMs;
    const POLL_MS = 100;
    const all: RunEvent[] = [];
    for (;;) {
      // The state before the events: an ended run cannot grow an event after this read.
      const run = await runs.get(id);
      const next = all.at(-1)?.seq ?? after;
      const room = limit - all.length;
      const [events, more] = cut(await runs.events(run.runId, { after: next, limit: room + 1 }), room);
      all.push(...events);
      if (events.length > 0) onEvents?.(events);
      // Who hears them as they come can wait for others.
      const isEnough = onEvents === undefined ? all.length > 0 : all.length >= limit;
      if (isEnough || run.status !== 'running' || app.runtime.now() >= until) {
        const last = all.at(-1)?.seq ?? after;
        const judges = await judgesOf(runs, run);
        return {
          runId: run.runId,
          status: run.status,
          events: all.map((event) => shownEvent(event, judges)),
          next: last,
          more,
        };
      }
      await app.awaitNews(run.runId, POLL_MS, signal);
    }
  },
  text: ({ runId: id, events, next, more }) => {
    if (events.length === 0) return `There are no events after ${next}.`;
    const rest = more ? [`… more: skillflow events ${printable(id)} --after ${next}`] : [];
    return [...events.map((event) => printable(eventLine(event))), ...rest].join('\n');
  },
});

const runResume = defineTool({
  name: 'run_resume',
  description: 'Goes on with a run that was interrupted, or is paused by a budget: name a higher one.',
  input: z.strictObject({ runId, ...budget, top }),
  output: runDetail,
  annotations: CHANGES,
  timeoutMs: 0,
  cli: { command: ['resume'], positional: ['runId'] },
  handler: async ({ runId: prefix, top: most, ...raise }, context) => {
    const { app } = context;
    const { id } = await isDriven(app, prefix);
    const limits = budgetOf(raise);
    await app.requireReady(id, 'resume');
    if (Object.values(limits).some((limit) => limit !== undefined)) await (await app.runControl()).raise(id, limits);
    await resume(id, context);
    return detail(context, id, most);
  },
  text: detailText,
});

const runCancel = defineTool({
  name: 'run_cancel',
  description: 'Stops a run, its paid calls within a second. What is done stays in its journal.',
  input: z.strictObject({ runId, reason: rare(words(500).default('cancelled by hand'), 'why') }),
  output: z.object({ runId: z.string(), status: z.enum(RUN_STATES), reason: z.string().nullable() }),
  annotations: { readOnly: false, destructive: true, idempotent: false },
  cli: { command: ['cancel'], positional: ['runId', 'reason'] },
  handler: async ({ runId: prefix, reason }, { app, signal }) => {
    const WAIT_MS = 5_000;
    const { id, driven } = await isDriven(app, prefix);
    await (await app.runControl()).cancel(id, reason, driven);
    const runs = await app.runs('read');
    const until = app.runtime.now() + WAIT_MS;
    for (;;) {
      const { status, summary } = await runs.get(id);
      if (status !== 'running' || app.runtime.now() >= until) return { runId: id, status, reason: summary?.reason ?? null };
      await app.runtime.sleep(50, signal);
    }
  },
});

/** Goes on with a run, unless who waited for the answer was faster, to its end. */
async function resumeUnlessEnded(id: string, context: ToolContext): Promise<void> {
  try {
    await resume(id, context);
  } catch (error) {
    const { endedAt } = await (await context.app.runs('read')).get(id);
    if (!(error instanceof ConflictError) || endedAt === null) throw error;
  }
}

const runApprove = defineTool({
  name: 'run_approve',
  description: "Brings a person's answer to a run's gate; a refusal ends the run, or leaves out writing.",
  input: z.strictObject({
    runId,
    approved: z.boolean(),
    gate: rare(words(40).exactOptional(), 'spending, writing or low_agreement; default: where it waits'),
    note: rare(words(1_000).exactOptional(), 'why'),
    top,
  }),
  output: runDetail,
  annotations: CHANGES,
  timeoutMs: 0,
  cli: { command: ['approve'], positional: ['runId'] },
  handler: async ({ runId: prefix, approved, gate, note, top: most }, context) => {
    const { app } = context;
    const { id } = await isDriven(app, prefix);
    const control = await app.runControl();
    const asked = (await control.look(id)).state.asked?.gate;
    // To end it needs nobody who thinks; but what was done is kept where only the writing was refused.
    if (asked !== undefined && (approved || !refusalEndsRun(asked))) await app.requireReady(id, 'resume');
    const answered = await control.approve(id, { gate, approved, note: note ?? null });
    if (approved || !refusalEndsRun(answered)) await resumeUnlessEnded(id, context);
    else await control.cancel(id, `the approval "${answered}" was refused`, false);
    return detail(context, id, most);
  },
  text: detailText,
});

/** Runs, and what people do about them. */
export const runTools = [skillRun, runList, runStatus, runEvents, runResume, runCancel, runApprove, ...runAgainTools] as const;
