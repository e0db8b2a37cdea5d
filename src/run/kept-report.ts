import { NotFoundError } from '../errors.ts';
import type { Journal } from './journal.ts';
import { replay } from './replay.ts';
import type { Report } from './report/report.ts';
import type { Runs } from './runs.ts';
import { readReport } from './write-outputs.ts';

/**
 * The report of a completed run: what its file holds, or, of a run that was refused to write any, what its journal gives.
 * `null` when the file was removed, or no such run is on record. Throws `StorageError`.
 */
export async function keptReport(
  runs: Pick<Runs, 'get'>,
  journal: Pick<Journal, 'read'>,
  projectRoot: string,
  runId: string,
): Promise<Report | null> {
  const run = await runs.get(runId).catch((error: unknown) => {
    if (error instanceof NotFoundError) return null;
    throw error;
  });
  const wroteNone = run?.summary?.outputs.length === 0;
  return wroteNone ? (await replay(journal, projectRoot, runId)).report : readReport(projectRoot, runId);
}
