import * as z from 'zod';
import { printable, printableLines } from '../printable.ts';
import type { HostStep } from '../run/host-desk.ts';
import type { TaskView } from '../run/tasks.ts';
import { TASK_STATES } from '../run/tasks.ts';
import type { WantedStep } from '../run/why-not-claimed.ts';
import { goOn, noteWords, progressText, taskProgressOutput } from './go-on.ts';
import { rare, words } from './input.ts';
import { claimStep, runOf, startedRun } from './left-work.ts';
import { detail } from './run-detail.ts';
import { requireProvider, startTask } from './start-task.ts';
import { fields } from './table.ts';
import { defineTool } from './tool.ts';
import type { TextStyle, ToolContext } from './tool.ts';

const swarmId = words(64).optional();
const iso = (ms: number): string => new Date(ms).toISOString();
const CHANGES = { readOnly: false, destructive: false, idempotent: false } as const;
const READS = { readOnly: true, destructive: false, idempotent: true } as const;

/** `runId`: the run that works on it, where there is one; `reason`: why it is in this status. */
export const taskOutput = z.object({
  taskId: z.string(),
  swarmId: z.string().nullable(),
  description: z.string(),
  strategy: z.string(),
  priority: z.enum(['low', 'medium', 'high', 'critical']),
  dependencies: z.array(z.string()),
  status: z.enum(TASK_STATES),
  reason: z.string().nullable(),
  runId: z.string().nullable(),
  /** What to do next; `null` where there is nothing to do. */
  next: z.string().nullable().default(null),
  createdAt: z.string(),
  updatedAt: z.string(),
});

/** What to do about a task: what its run says, or where its results are. */
async function nextOfTask(
  { taskId, runId }: Pick<TaskView, 'taskId' | 'runId'>,
  state: TaskView['state'],
  context: ToolContext,
): Promise<string | null> {
  if (state === 'completed') return context.callWords(`See what came of it: task_results ${JSON.stringify({ taskId })}.`);
  return runId === null ? null : (await detail(context, runId, 0)).next;
}

const shownTask = async ({ state, because, ...task }: TaskView, context: ToolContext): Promise<z.output<typeof taskOutput>> => ({
  ...task,
  status: state,
  // Of a task without a run; what comes of a run may have other words that look like calls.
  reason: because === null || task.runId !== null ? because : context.callWords(because),
  next: await nextOfTask(task, state, context),
  dependencies: [...task.dependencies],
  createdAt: iso(task.createdAt),
  updatedAt: iso(task.updatedAt),
});

const taskText = (task: z.output<typeof taskOutput>, style: TextStyle): string =>
  fields(
    {
      task: task.taskId,
      description: task.description,
      status: task.status,
      reason: task.reason,
      swarm: task.swarmId,
      priority: task.priority,
      strategy: task.strategy,
      'depends on': task.dependencies.length === 0 ? null : task.dependencies.join(', '),
      run: task.runId,
      next: task.next,
      created: task.createdAt,
    },
    style,
  );

const taskSubmit = defineTool({
  name: 'task_submit',
  description:
    'Starts a task in words, done by the agents of its swarm. By default you (the host) think: claim its steps with task_claim.',
  input: z.strictObject({
    description: words(10_000),
    strategy: rare(
      z.enum(['parallel', 'sequential', 'adaptive', 'balanced']).default('adaptive'),
      'parallel: star; sequential: ring',
    ),
    priority: rare(z.enum(['low', 'medium', 'high', 'critical']).default('medium'), 'kept'),
    dependencies: z.array(words(64)).max(100).default([]).describe('task ids to complete first'),
    swarmId: swarmId.describe('default: newest, or none'),
    provider: rare(
      z.enum(['host', 'anthropic', 'claude-cli']).default('host'),
      'who thinks; anthropic and claude-cli cost money',
    ),
  }),
  output: taskOutput,
  annotations: CHANGES,
  timeoutMs: 0,
  cli: { command: ['task', 'submit'], positional: ['description'] },
  handler: async ({ provider, ...input }, context) => {
    const { app } = context;
    await requireProvider(app, provider, input.dependencies);
    await (await app.tasks('read')).check(input.swarmId);
    const { taskId } = await (await app.swarms('write')).submitTask(input);
    const tasks = await app.tasks('write');
    if ((await tasks.view(taskId)).state === 'not_started') await startTask(taskId, provider, context);
    return shownTask(await tasks.view(taskId), context);
  },
  text: taskText,
});

const taskStatus = defineTool({
  name: 'task_status',
  description: 'Shows a submitted task, its status and why.',
  input: z.strictObject({ taskId: words(64).describe('from task_submit') }),
  output: taskOutput,
  annotations: READS,
  listed: false,
  cli: { command: ['task', 'status'], positional: ['taskId'] },
  handler: async (input, context) => shownTask(await (await context.app.tasks('read')).view(input.taskId), context),
  text: taskText,
});

const claimedStep = z.object({
  /** Give it back with task_complete or task_fail. */
  claimId: z.string(),
  runId: z.string(),
  stepId: z.string(),
  /** The number of the claim; it is in the `claimId` too. */
  epoch: z.number(),
  agentId: z.string(),
  /** `null`: it is no agent of a swarm. */
  agentName: z.string().nullable(),
  kind: z.enum(['work', 'judge', 'merge']),
  attempt: z.number(),
  leaseUntil: z.string(),
  system: z.string(),
  prompt: z.string(),
  answerSchema: z.record(z.string(), z.unknown()),
  /** How to give it back. */
  next: z.string(),
});

/** Which calls take the answer to a claimed step. */
function nextOf({ runId, stepId, epoch, kind }: HostStep): string {
  const complete = `task_complete {"claimId": "${runId}/${stepId}/${epoch}", "answer": {…}}`;
  const cast = `vote_cast {"runId": "${runId}", "stepId": "${stepId}", "epoch": ${epoch}, "ballots": […]}`;
  const ways = kind === 'judge' ? `${complete}, or with its ballots alone: ${cast}` : complete;
  return `Answer with ${ways}. Where it cannot be done, say why with task_fail.`;
}

/** `step` is `null` when nothing can be claimed; `reason` says why. */
const taskClaimOutput = z.object({ step: claimedStep.nullable(), reason: z.string().nullable() });

/** Which steps a claim was limited to. */
function askedFor({ stepId, agentId }: WantedStep): string {
  const said = [...(stepId === undefined ? [] : [`is ${stepId}`]), ...(agentId === undefined ? [] : [`is one of ${agentId}`])];
  return said.length === 0 ? '' : `, and ${said.join(' and ')}`;
}

const taskClaim = defineTool({
  name: 'task_claim',
  description: 'Claims the next step for the host: who to be, what to do, the schema of the answer. Do it, then task_complete.',
  input: z.strictObject({
    taskId: words(64).exactOptional().describe('task or run; default: the oldest that waits'),
    stepId: rare(words(200).exactOptional(), 'this step'),
    agentId: rare(words(200).exactOptional(), 'only steps of this agent, by id or name'),
    claimant: rare(
      z
        .string()
        .regex(/^[\w.-]{1,64}$/)
        .default('host'),
      'who claims: letters, digits, . _ -',
    ),
    leaseSeconds: rare(z.int().min(1).max(86_400).default(900), 'seconds until others may claim it'),
  }),
  output: taskClaimOutput,
  annotations: CHANGES,
  timeoutMs: 0,
  cli: { command: ['task', 'claim'], positional: ['taskId'] },
  handler: async ({ taskId, claimant, leaseSeconds, ...which }, context) => {
    const { app } = context;
    const runId = taskId === undefined ? undefined : await startedRun(taskId, context);
    if (runId?.startsWith('task_') === true) {
      const { state, because } = await (await app.tasks('read')).view(runId);
      return { step: null, reason: context.callWords(`the task is ${state}${because === null ? '' : `: ${because}`}`) };
    }
    const step = await claimStep({ ...which, runId, claimant, leaseMs: leaseSeconds * 1000 }, context);
    if (step === null) {
      if (runId === undefined)
        return { step: null, reason: `no run has a step that waits for the host and is free${askedFor(which)}` };
      const { status, next } = await detail(context, runId, 0);
      const isOpen = status === 'awaiting_host' || status === 'running';
      const whyNot = isOpen ? await (await app.hostDesk()).whyNot(runId, which) : null;
      if (whyNot !== null) return { step: null, reason: whyNot };
      const why = `the run ${runId} is ${status} and has no step that waits for the host and is free`;
      return { step: null, reason: next === null ? why : `${why}. ${next.replace(/\.$/u, '')}` };
    }
    const { leaseUntil, ...rest } = step;
    const claimId = `${step.runId}/${step.stepId}/${step.epoch}`;
    return { step: { claimId, ...rest, leaseUntil: iso(leaseUntil), next: context.callWords(nextOf(step)) }, reason: null };
  },
  text: ({ step, reason }, style) => {
    if (step === null) return `Nothing to claim: ${printable(reason ?? '')}.`;
    const facts = fields(
      { claim: step.claimId, agent: step.agentId, name: step.agentName, kind: step.kind, until: step.leaseUntil },
      style,
    );
    const schema = JSON.stringify(step.answerSchema, null, 2);
    return printableLines(
      `${facts}\n\n${step.system}\n\n${step.prompt}\n\nAnswer by this schema:\n${schema}\n\n${step.next}`,
    ).join('\n');
  },
});

const claimId = z
  .string()
  .regex(/^[^/\s]{1,64}\/[^/\s]{1,200}\/\d{1,9}$/, { error: 'expected a claimId of task_claim' })
  .describe('from task_claim');

function heldOf(id: string): { readonly runId: string; readonly stepId: string; readonly epoch: number } {
  const [runId = '', stepId = '', epoch = ''] = id.split('/');
  return { runId, stepId, epoch: Number(epoch) };
}

const taskComplete = defineTool({
  name: 'task_complete',
  description: 'Answers a claimed step by its schema; the run goes on. Tells what waits next.',
  input: z.strictObject({
    claimId,
    answer: z.union([z.record(z.string(), z.unknown()), words(1_048_576)]).describe('object by the answerSchema'),
  }),
  /** `notes`: what the answer says of itself, and what of it was refused. */
  output: taskProgressOutput.extend({ notes: z.array(z.string()) }),
  annotations: CHANGES,
  timeoutMs: 0,
  cli: { command: ['task', 'complete'], positional: ['claimId', 'answer'] },
  handler: async ({ claimId: id, answer }, context) => {
    const held = heldOf(id);
    const { notes } = await (await context.app.hostDesk()).complete(held, answer);
    return { ...(await goOn(held.runId, context)), notes: notes.map(noteWords) };
  },
  text: (output, style) => [progressText(output, style), ...output.notes.map((note) => `note: ${printable(note)}`)].join('\n'),
});

const taskFail = defineTool({
  name: 'task_fail',
  description: 'Says that a claimed step cannot be done, and why; the run goes on without it.',
  input: z.strictObject({
    claimId,
    reason: words(2_000),
    retryable: z.boolean().default(false).describe('whether it may be claimed again'),
  }),
  output: taskProgressOutput,
  annotations: CHANGES,
  listed: false,
  timeoutMs: 0,
  cli: { command: ['task', 'fail'], positional: ['claimId', 'reason'] },
  handler: async ({ claimId: id, reason, retryable }, context) => {
    const held = heldOf(id);
    await (await context.app.hostDesk()).fail(held, reason, retryable);
    return goOn(held.runId, context);
  },
  text: progressText,
});

/**
 * What came of a task: what its agents answered in words, and how many findings stand. `answers`: of all steps so far that
 * said something, the last round's first; those of a completed run are `final`, and whole. `leftOut`: answers that did not fit.
 */
export const taskResultsOutput = z.object({
  id: z.string(),
  runId: z.string().nullable(),
  status: z.enum(TASK_STATES),
  reason: z.string().nullable(),
  answers: z.array(
    z.object({
      agentId: z.string(),
      /** `null`: it is no agent of a swarm. */
      agentName: z.string().nullable(),
      stepId: z.string(),
      kind: z.enum(['work', 'judge', 'merge']),
      final: z.boolean(),
      text: z.string(),
      confidence: z.number().nullable(),
    }),
  ),
  leftOut: z.number(),
  findings: z.object({ confirmed: z.number(), undecided: z.number(), rejected: z.number() }).nullable(),
  outputs: z.array(z.string()),
});

const taskResults = defineTool({
  name: 'task_results',
  description: 'What came of a task or run: the answers of its steps in words, its findings in figures, where the report lies.',
  input: z.strictObject({ taskId: words(64).describe('task or run') }),
  output: taskResultsOutput,
  annotations: READS,
  listed: false,
  cli: { command: ['task', 'results'], positional: ['taskId'] },
  handler: async ({ taskId: id }, { app, callWords }) => {
    const runId = await runOf(app, id);
    if (runId.startsWith('task_')) {
      const { state, because } = await (await app.tasks('read')).view(runId);
      const reason = because === null ? null : callWords(because);
      return { id, runId: null, status: state, reason, answers: [], leftOut: 0, findings: null, outputs: [] };
    }
    const runs = await app.runs('read');
    const { status, summary } = await runs.get(runId);
    const { readAnswers } = await import('../run/step-answers.ts');
    const { answers, leftOut } = await readAnswers(runs, runId);
    const isDone = status === 'completed' && summary !== null;
    return {
      id,
      runId,
      status,
      reason: summary?.reason ?? null,
      answers: [...answers],
      leftOut,
      findings: isDone ? { confirmed: summary.confirmed, undecided: summary.undecided, rejected: summary.rejected } : null,
      outputs: summary?.outputs ?? [],
    };
  },
  text: ({ id, status, reason, answers, leftOut, outputs }, style) => {
    const facts = fields({ task: id, status, reason, outputs: outputs.join(', ') || null }, style);
    const blocks = answers.map(({ agentId, agentName, kind, final, text }) => {
      const who = agentName === null ? agentId : `${agentName} (${agentId})`;
      return `${printable(who)}${final ? '' : `, ${kind}`}:\n${printableLines(text).join('\n')}`;
    });
    return [facts, ...blocks, ...(leftOut === 0 ? [] : [`${leftOut} more answers: see run_events`])].join('\n\n');
  },
});

/** Tasks, and the steps that hosts do. */
export const taskTools = [taskSubmit, taskClaim, taskComplete, taskFail, taskStatus, taskResults] as const;
