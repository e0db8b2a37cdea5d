import * as z from 'zod';
import { InvalidInputError, NotSupportedError } from '../src/errors.ts';
import type { ErrorBody } from '../src/errors.ts';
import type { CallResult } from '../src/executor/executor.ts';
import { defineLegacy } from '../src/legacy/row.ts';
import type { CallTool, LegacyBody, LegacyRow } from '../src/legacy/row.ts';
import { words } from '../src/tools/input.ts';
import { memoryStoreOutput } from '../src/tools/memory-entries.ts';
import { runOutput } from '../src/tools/run-detail.ts';
import { taskOutput, taskResultsOutput } from '../src/tools/task.ts';
import { answered } from './answered.ts';

const FAMILY = 'claude-flow 2.7';

const taskResults = defineLegacy({
  name: 'task_results',
  family: FAMILY,
  description: 'claude-flow: what came of a task.',
  tools: ['task_results'],
  args: z.looseObject({}),
  plan: (args) => ({
    tool: 'task_results',
    input: args,
    body: answered('task_results', args, (output) => {
      const { id, ...result } = taskResultsOutput.parse(output);
      const { length } = result.answers;
      const what = length > 0 ? `${length} answers` : result.status === 'completed' ? 'no answers' : 'nothing came of it yet';
      return { message: `${result.status}: ${what}`, result: { taskId: id, ...result } };
    }),
  }),
});

/** One thing that was asked for: what came of it, or why nothing did. */
const done = z.object({
  item: z.string(),
  id: z.string().nullable(),
  status: z.string(),
  error: z.string().nullable(),
});
const allDone = z.object({ done: z.array(done) });
type Done = z.output<typeof done>;

interface Part {
  /** As the caller knows it, shortened. */
  readonly item: string;
  readonly tool: 'task_submit' | 'memory_store';
  readonly input: LegacyBody;
}

const short = (text: string): string => (text.length > 200 ? `${text.slice(0, 200)}…` : text);

/** Does one part after another. When none went well, the first failure is the answer. */
async function doAll(call: CallTool, parts: readonly Part[]): Promise<CallResult> {
  const results: Done[] = [];
  let first: ErrorBody | undefined;
  for (const { item, tool, input } of parts) {
    const answer = await call(tool, input);
    if (!answer.ok) {
      first ??= answer.error;
      results.push({ item, id: null, status: 'failed', error: answer.error.message });
    } else if (tool === 'task_submit') {
      const { taskId, status } = taskOutput.parse(answer.output);
      results.push({ item, id: taskId, status, error: null });
    } else {
      const { namespace, key } = memoryStoreOutput.parse(answer.output);
      results.push({ item, id: `${namespace}/${key}`, status: 'completed', error: null });
    }
  }
  return first !== undefined && results.every(({ error }) => error !== null)
    ? { ok: false, error: first }
    : { ok: true, output: { done: results } };
}

/** The status of all parts where they have the same, else `mixed`. */
function statusOf(results: readonly Done[]): string {
  const statuses = new Set(results.map(({ status }) => status));
  const [only = 'completed'] = statuses;
  return statuses.size > 1 ? 'mixed' : only;
}

const PRIORITY = z.enum(['low', 'medium', 'high', 'critical']);
const STRATEGY = z.enum(['parallel', 'sequential', 'adaptive', 'balanced']);
/** A task as callers spell it: its text alone, or with what `task_orchestrate` takes. */
const oneTask = z.union([
  words(10_000),
  z.object({
    task: words(10_000).optional(),
    description: words(10_000).optional(),
    priority: PRIORITY.optional(),
    strategy: STRATEGY.optional(),
    dependencies: z.array(words(64)).max(100).optional(),
  }),
]);

function taskPart(parameter: string, at: number, given: z.output<typeof oneTask>, swarmId: string | undefined): Part {
  const place = swarmId === undefined ? {} : { swarmId };
  if (typeof given === 'string') return { item: short(given), tool: 'task_submit', input: { description: given, ...place } };
  const { task, description = task, ...rest } = given;
  if (description === undefined) {
    throw new InvalidInputError(`${parameter}.${at}: it has no task`, {
      hint: 'Give each as a text, or as an object with task; nothing was started.',
      details: { parameter: `${parameter}.${at}.task` },
    });
  }
  return { item: short(description), tool: 'task_submit', input: { description, ...rest, ...place } };
}

const CLAIM_NOTE =
  'their steps wait for you: task_claim with an id shows the next one, task_complete answers it, task_results shows what came of it';

const parallelExecute = defineLegacy({
  name: 'parallel_execute',
  family: FAMILY,
  description: 'claude-flow: start several tasks side by side.',
  tools: ['task_submit'],
  args: z.object({ tasks: z.array(oneTask).min(1).max(100), swarmId: z.string().optional() }),
  plan: ({ tasks, swarmId }) => {
    const parts = tasks.map((task, at) => taskPart('tasks', at, task, swarmId));
    return {
      tool: 'task_submit',
      input: {},
      spelling: { description: 'task' },
      ask: (call) => doAll(call, parts),
      body: (output, timestamp) => {
        const { done: results } = allDone.parse(output);
        return {
          success: results.every(({ error }) => error === null),
          // There is no job beside its tasks: each is followed by an id of its own.
          jobId: null,
          taskCount: results.length,
          status: statusOf(results),
          timestamp,
          taskIds: results.flatMap(({ id }) => (id === null ? [] : [id])),
          tasks: results.map(({ item, id, status, error }) => ({ task: item, taskId: id, status, error })),
          note: CLAIM_NOTE,
        };
      },
    };
  },
});

/** What stores entries; any other operation is work in words, which tasks do. */
const STORES: ReadonlySet<string> = new Set(['store', 'memory_store', 'memory_usage']);
const entry = z.looseObject({ key: z.string(), value: z.json() });

function batchPart(operation: string, item: z.output<ReturnType<typeof z.json>>, at: number): Part {
  const text = typeof item === 'string' ? item : JSON.stringify(item);
  if (!STORES.has(operation)) return taskPart('items', at, `${operation}: ${text}`, undefined);
  const parsed = entry.safeParse(item);
  if (parsed.success) return { item: short(parsed.data.key), tool: 'memory_store', input: parsed.data };
  throw new InvalidInputError(`items.${at}: expected an object with key and value`, {
    hint: 'Give what memory_store takes, e.g. {"key":"k","value":"v"}; nothing was stored.',
    details: { parameter: `items.${at}` },
  });
}

const batchProcess = defineLegacy({
  name: 'batch_process',
  family: FAMILY,
  description: 'claude-flow: store entries (operation store), or start a task for each item.',
  tools: ['memory_store', 'task_submit'],
  args: z.object({ items: z.array(z.json()).min(1).max(100), operation: words(1000) }),
  plan: ({ items, operation }) => {
    const parts = items.map((item, at) => batchPart(operation, item, at));
    const isStore = STORES.has(operation);
    return {
      tool: isStore ? 'memory_store' : 'task_submit',
      input: {},
      ask: (call) => doAll(call, parts),
      body: (output, timestamp) => {
        const { done: results } = allDone.parse(output);
        return {
          success: results.every(({ error }) => error === null),
          // There is no batch beside its items: each result has an id of its own.
          batchId: null,
          operation,
          itemCount: results.length,
          status: statusOf(results),
          timestamp,
          results,
          note: isStore ? 'stored, each by its key' : CLAIM_NOTE,
        };
      },
    };
  },
});

const ENDED: ReadonlySet<string> = new Set(['completed', 'failed', 'cancelled']);
const runPage = z.object({ runs: z.array(runOutput), total: z.number() });

/** All runs, newest first, over as many calls as that takes. */
async function listAllRuns(call: CallTool): Promise<CallResult> {
  const PAGE = 500;
  const runs: z.output<typeof runOutput>[] = [];
  for (;;) {
    const answer = await call('run_list', { limit: PAGE, offset: runs.length });
    if (!answer.ok) return answer;
    const page = runPage.parse(answer.output);
    runs.push(...page.runs);
    if (page.runs.length === 0 || runs.length >= page.total) return { ok: true, output: { runs, total: page.total } };
  }
}

const queryList = defineLegacy({
  name: 'query_list',
  family: FAMILY,
  description: 'claude-flow: runs that have not ended; with includeHistory all.',
  tools: ['run_list'],
  args: z.object({ includeHistory: z.boolean().default(false) }),
  plan: (args) => ({
    tool: 'run_list',
    input: {},
    ask: listAllRuns,
    body: answered('query_list', args, (output) => {
      const { runs, total } = runPage.parse(output);
      const wanted = args.includeHistory ? runs : runs.filter(({ status }) => !ENDED.has(status));
      const queries = wanted.map(({ runId, ...run }) => ({ queryId: runId, ...run }));
      return { message: `${queries.length} of ${total} runs`, result: { queries, count: queries.length, total } };
    }),
  }),
});

const REFUSED = {
  pause: 'A run pauses at its budget or at a gate. End it with query_control terminate, or let it go on.',
  change_model: 'Set the models in .skillflow/config.json for the runs that begin after it.',
  change_permissions: 'Agents look and report only; roles name the tools that they may use.',
  execute_command: 'Commands are not run here; use the shell of your client.',
} as const;
type Refused = keyof typeof REFUSED;
const isRefused = (action: string): action is Refused => action in REFUSED;

const controlled = z.object({ runId: z.string(), status: z.string(), reason: z.string().nullable() });

const queryControl = defineLegacy({
  name: 'query_control',
  family: FAMILY,
  description: 'claude-flow: terminate or resume a run.',
  tools: ['run_cancel', 'run_resume'],
  args: z.object({
    action: z.enum(['terminate', 'cancel', 'resume', 'pause', 'change_model', 'change_permissions', 'execute_command']),
    queryId: words(64),
  }),
  plan: (args) => {
    const { action, queryId } = args;
    if (isRefused(action)) {
      throw new NotSupportedError(`query_control: the action ${action} is not supported; nothing was changed`, {
        hint: REFUSED[action],
      });
    }
    return {
      tool: action === 'resume' ? 'run_resume' : 'run_cancel',
      input: { runId: queryId },
      spelling: { runId: 'queryId' },
      body: answered('query_control', args, (output) => {
        const { runId, status, reason } = controlled.parse(output);
        return { message: `the run is ${status}`, result: { queryId: runId, status, reason } };
      }),
    };
  },
});

/** Names of claude-flow 2.7 about work that goes on, and what comes of it. */
export const CLAUDE_FLOW_2_WORK: readonly LegacyRow[] = [taskResults, parallelExecute, batchProcess, queryList, queryControl];
