import * as z from 'zod';
import { RUN_STATES } from '../run/runs.ts';
import { idWords, MAX_IDS } from './shown-steps.ts';
import { followOf, orElsewhere, startDependents } from './start-task.ts';
import { fields } from './table.ts';
import type { TextStyle, ToolContext } from './tool.ts';

/** How a run stands after a step of it was answered. */
export const taskProgressOutput = z.object({
  runId: z.string(),
  status: z.enum(RUN_STATES),
  /** Steps that wait for the host: claim them. The first of them, and how many there are. */
  waiting: z.array(z.string()),
  waitingCount: z.number(),
  /** Tasks that could start since this one is complete. */
  started: z.array(z.string()),
  outputs: z.array(z.string()),
});

/** A note as one sentence, with how often it holds. */
export const noteWords = ({ message, count }: { readonly message: string; readonly count?: number | undefined }): string =>
  count === undefined ? message : `${message} (${count})`;

/** Drives what others than the host do next, up to the run's end or its next wait. */
export async function goOn(runId: string, context: ToolContext): Promise<z.output<typeof taskProgressOutput>> {
  const { app } = context;
  const runs = await app.runs('write');
  const before = await runs.get(runId);
  // A run that waits for a budget or a person goes on when they have said so. Where another process drives it, that one
  // may have found nothing left to do before this answer came.
  const goesOn = before.status === 'awaiting_host' || before.status === 'interrupted' || before.status === 'running';
  if (goesOn) await orElsewhere(app.resumeRun(runId, followOf(context)));
  const { status, summary } = await runs.get(runId);
  const waiting = status === 'awaiting_host' ? await (await app.hostDesk()).ready(runId) : [];
  return {
    runId,
    status,
    waiting: waiting.slice(0, MAX_IDS),
    waitingCount: waiting.length,
    started: [...(await startDependents(runId, context))],
    outputs: summary?.outputs ?? [],
  };
}

export const progressText = (output: z.output<typeof taskProgressOutput>, style: TextStyle): string =>
  fields(
    {
      run: output.runId,
      status: output.status,
      'waits for the host': idWords(output.waiting, output.waitingCount) || null,
      'started now': output.started.join(', ') || null,
      outputs: output.outputs.join(', ') || null,
    },
    style,
  );
