import * as z from 'zod';
import { UnavailableError } from '../errors.ts';
import { printable } from '../printable.ts';
import { words } from './input.ts';
import { detail, detailText, isDriven, runDetail, runId, top } from './run-detail.ts';
import { resume } from './start-task.ts';
import { table } from './table.ts';
import { defineTool } from './tool.ts';
import { waysToReport } from './ways-on.ts';

const runRetry = defineTool({
  name: 'run_retry',
  description: 'Does a step of a run again, and all that depends on it.',
  input: z.strictObject({ runId, from: words(200).describe('step id, see run_status'), top }),
  output: runDetail,
  annotations: { readOnly: false, destructive: false, idempotent: false },
  listed: false,
  timeoutMs: 0,
  cli: { command: ['retry'], positional: ['runId'] },
  handler: async ({ runId: prefix, from, top: most }, context) => {
    const { app } = context;
    const { id, driven } = await isDriven(app, prefix);
    await app.requireReady(id, 'repeat');
    await (await app.runControl()).repeat(id, from, driven);
    await resume(id, context);
    return detail(context, id, most);
  },
  text: detailText,
});

const replayOutput = z.object({
  runId: z.string(),
  events: z.number(),
  /** Whether each file has the very bytes that the journal gives. */
  identical: z.boolean(),
  files: z.array(z.object({ path: z.string(), state: z.enum(['same', 'different', 'missing']) })),
});

const runReplay = defineTool({
  name: 'run_replay',
  description: "Makes a completed run's report again from its journal, asking nobody, and compares it with the files.",
  input: z.strictObject({ runId }),
  output: replayOutput,
  annotations: { readOnly: true, destructive: false, idempotent: true },
  listed: false,
  cli: { command: ['replay'], positional: ['runId'] },
  handler: async ({ runId: prefix }, { app }) => {
    const { runId: id, status } = await (await app.runs('read')).get(prefix);
    if (status !== 'completed') {
      const hint = waysToReport(id, status);
      throw new UnavailableError(`the run ${id} has no report to make again: it is ${status}`, { hint });
    }
    const { events, files } = await app.replayRun(id);
    return { runId: id, events, identical: files.every(({ state }) => state === 'same'), files: [...files] };
  },
  text: ({ runId: id, events, identical, files }, style) =>
    `${identical ? 'The journal gives the very same files' : 'The files are not what the journal gives'}: ${printable(id)}, ${events} events.\n\n${table(
      ['file', 'state'],
      files.map(({ path, state }) => [path, state]),
      style,
    )}`,
});

/** What is done again of a run: its steps, or its report. */
export const runAgainTools = [runRetry, runReplay] as const;
