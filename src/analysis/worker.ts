import type { FileBatch } from './worker-threads.ts';
import { type Outcome, runFileTask } from './file-tasks.ts';

/** What a worker thread runs: one batch, one outcome a file in the same order. */
export default async function runBatch({ task, input, files }: FileBatch): Promise<Outcome<unknown>[]> {
  const outcomes: Outcome<unknown>[] = [];
  for (const file of files) outcomes.push(await runFileTask(task, input, file));
  return outcomes;
}
