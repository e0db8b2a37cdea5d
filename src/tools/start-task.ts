import { ConflictError, UnavailableError } from '../errors.ts';
import type { App, FollowRun, ToolContext } from './tool.ts';

/** What another process has done in the meantime need not be done again. */
export async function orElsewhere(work: Promise<void>): Promise<boolean> {
  try {
    await work;
    return true;
  } catch (error) {
    if (error instanceof ConflictError) return false;
    throw error;
  }
}

/** Who hears of a run that a call drives. */
export function followOf({ signal, progress, askPerson, onEvents }: ToolContext): FollowRun {
  return { signal, onProgress: progress, askPerson, onEvents };
}

/** Who thinks for a task. */
type TaskProvider = 'host' | 'anthropic' | 'claude-cli';

/** Throws before there is a task when who is to think for it cannot, or would be asked at a time that nobody knows. */
export async function requireProvider(app: App, provider: TaskProvider, dependencies: readonly string[]): Promise<void> {
  if (provider === 'host') return;
  const state = (await app.providers()).find(({ name }) => name === provider);
  if (state?.ready !== true) {
    throw new UnavailableError(`the provider ${provider} cannot be used here; nothing was begun or spent`, {
      hint: state?.why ?? 'See `skillflow health`.',
    });
  }
  const tasks = await app.tasks('read');
  for (const id of dependencies) {
    const { state: now } = await tasks.view(id);
    if (now === 'completed') continue;
    throw new ConflictError(`the task would begin later, as ${id} is ${now}, and ${provider} is only asked at once`, {
      hint: 'Submit it when what it depends on is complete, or leave provider out; nothing was changed.',
    });
  }
}

/** Starts the run of a task that nothing stands in the way of. */
export async function startTask(taskId: string, provider: TaskProvider, context: ToolContext): Promise<void> {
  const { app } = context;
  const tasks = await app.tasks('write');
  const { task, name, swarm } = await tasks.prepare(taskId);
  const runId = await app.startRun({
    skill: { name, version: null, dir: null, swarm },
    task: task.description,
    selection: { files: [] },
    provider,
    ...(task.swarmId === null ? {} : { swarmId: task.swarmId }),
    onBegun: (begun) => tasks.started(taskId, begun),
    ...followOf(context),
  });
  await startDependents(runId, context);
}

/** Goes on with a run up to its end or its next wait, and starts what waited for its task. Throws as `App.resumeRun` does. */
export async function resume(runId: string, context: ToolContext): Promise<void> {
  await context.app.resumeRun(runId, followOf(context));
  await startDependents(runId, context);
}

/** Starts what waited for the task of a run that has completed. */
export async function startDependents(runId: string, context: ToolContext): Promise<readonly string[]> {
  const tasks = await context.app.tasks('write');
  const task = await tasks.ofRun(runId);
  if (task === null || (await tasks.view(task.taskId)).state !== 'completed') return [];
  const started: string[] = [];
  for (const id of await tasks.dependents(task.taskId)) {
    if ((await tasks.view(id)).state !== 'not_started') continue;
    if (await orElsewhere(startTask(id, 'host', context))) started.push(id);
  }
  return started;
}
