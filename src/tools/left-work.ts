import { toSkillflowError } from '../errors.ts';
import type { ClaimInput, HostStep } from '../run/host-desk.ts';
import { goOn } from './go-on.ts';
import { orElsewhere, startTask } from './start-task.ts';
import type { App, ToolContext } from './tool.ts';

/** Milliseconds in which whoever submitted a task begins it; one that has not begun by then was left. */
const BEGINNING_MS = 10_000;
/** Runs that are looked at for one claim. */
const MAX_RUNS = 100;

/** A run's id, or the run of a task; the task's own id where it has none. */
export async function runOf(app: App, id: string): Promise<string> {
  if (!id.startsWith('task_')) return (await (await app.runs('read')).get(id)).runId;
  const task = await (await app.tasks('read')).view(id);
  return task.runId ?? id;
}

/** As {@link runOf}; a task whose run was never begun, as its process was killed, is started. */
export async function startedRun(id: string, context: ToolContext): Promise<string> {
  const runId = await runOf(context.app, id);
  if (!runId.startsWith('task_') || (await (await context.app.tasks('read')).view(runId)).state !== 'not_started') return runId;
  await orElsewhere(startTask(runId, 'host', context));
  return runOf(context.app, id);
}

/** Whether a run waits for the host and has nothing for it: its process ended between an answer and what comes next. */
async function wasLeft(runId: string, { app }: ToolContext): Promise<boolean> {
  const { status } = await (await app.runs('read')).get(runId);
  return status === 'interrupted' || (status === 'awaiting_host' && (await (await app.hostDesk()).ready(runId)).length === 0);
}

/** What processes that were killed left for the host, the oldest first: each goes on, or begins, with its call. */
async function* leftWork({ runId, stepId }: ClaimInput, context: ToolContext): AsyncGenerator<() => Promise<unknown>> {
  const { app } = context;
  if (runId !== undefined) {
    if (await wasLeft(runId, context)) yield () => goOn(runId, context);
    return;
  }
  if (stepId !== undefined) return; // a step of some run that nobody named
  const runs = await app.runs('read');
  for (const { runId: id, status } of await runs.forHost(MAX_RUNS)) {
    // Whoever has claimed a step goes on with its answer; to look at all that is ready takes longer.
    const isHeld = status === 'awaiting_host' && (await runs.steps(id)).some((step) => step.status === 'running');
    if (!isHeld && (await wasLeft(id, context))) yield () => goOn(id, context);
  }
  const submittedBefore = app.runtime.now() - BEGINNING_MS;
  for (const id of await (await app.tasks('read')).notStarted(submittedBefore)) {
    yield () => orElsewhere(startTask(id, 'host', context));
  }
}

/** Claims a step; where there is none, of what was left: the work of a process that was killed is taken up then. */
export async function claimStep(wanted: ClaimInput, context: ToolContext): Promise<HostStep | null> {
  const { app } = context;
  const desk = await app.hostDesk();
  const step = await desk.claim(wanted);
  if (step !== null) return step;
  for await (const takeUp of leftWork(wanted, context)) {
    await takeUp().catch((error: unknown) => {
      // Another one that can go on must not wait for this.
      if (wanted.runId !== undefined) throw error;
      app.runtime.log('warn', `what was left could not be taken up: ${toSkillflowError(error).message}`);
    });
    const next = await desk.claim(wanted);
    if (next !== null) return next;
  }
  return null;
}
