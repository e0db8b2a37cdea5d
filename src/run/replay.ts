import { NotFoundError, UnavailableError } from '../errors.ts';
import type { RunEvent } from '../events.ts';
import { fold } from './fold.ts';
import type { Journal } from './journal.ts';
import { folderOf, reportOf } from './report-of.ts';
import type { Report } from './report/report.ts';
import { readOutput, renderOutputs } from './write-outputs.ts';

/** A run's report, made again from its journal alone, beside the files of the run. */
export interface Replay {
  readonly runId: string;
  readonly events: number;
  readonly report: Report;
  /** Texts of the files by their names. */
  readonly texts: ReadonlyMap<string, string>;
  /** Of each output file: whether it has the very same bytes, others, or is not there. */
  readonly files: readonly { readonly path: string; readonly state: 'same' | 'different' | 'missing' }[];
}

/** The events that the outputs of a run tell of; what was paid for a late answer may be on record after its end. */
function toldEvents(events: readonly RunEvent[]): readonly RunEvent[] {
  const end = events.findLast((event) => event.type === 'run_completed');
  if (end?.type !== 'run_completed') return events;
  return events.slice(0, end.asOf ?? end.seq);
}

/**
 * Makes a completed run's outputs again from its events; calls nobody and changes nothing. Throws `NotFoundError` without
 * such a run, `UnavailableError` for one that has not completed.
 */
export async function replay(journal: Pick<Journal, 'read'>, projectRoot: string, runId: string): Promise<Replay> {
  const events: RunEvent[] = [];
  for (;;) {
    const more = await journal.read(runId, { after: events.length, limit: 1000 });
    if (more.length === 0) break;
    events.push(...more);
  }
  const state = fold(events);
  const report = reportOf(runId, fold(toldEvents(events)));
  if (report === null || state.started === null) {
    throw new NotFoundError(`there is no run ${JSON.stringify(runId)}`, { hint: 'List the runs with `skillflow runs`.' });
  }
  if (state.status !== 'completed' || state.started.formats.length === 0) {
    throw new UnavailableError(`the run ${runId} has no report to make again: it is ${state.status}`, {
      hint:
        state.status === 'completed'
          ? 'It was made by an earlier version, whose journal does not hold all of it.'
          : 'Its events are there with run_events.',
    });
  }
  const texts = renderOutputs(report, state.started.formats, state.started.version);
  const files: Replay['files'][number][] = [];
  // Those of a run that was refused to write any are nowhere.
  for (const [name, text] of report.outputs.length === 0 ? [] : texts) {
    const there = await readOutput(projectRoot, runId, name);
    const same = there === text ? 'same' : 'different';
    files.push({ path: `${folderOf(runId)}/${name}`, state: there === null ? 'missing' : same });
  }
  return { runId, events: events.length, report, texts, files };
}
