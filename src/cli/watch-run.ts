import { InvalidInputError, errorBody, toSkillflowError } from '../errors.ts';
import { callerOf, fail, show, withApp } from './session.ts';
import type { Session } from './session.ts';
import { canWatch, createWatching } from './watching.ts';

/** Milliseconds between looks into the journal: at a file, and at a server. */
const POLL_MS = { file: 100, server: 500 } as const;
const PAGE = 1000;

/**
 * Shows a run that another process drives, until it ends or waits, then how it stands. An interrupt ends the watching,
 * not the run.
 */
export async function watchRun(session: Session, runId: string | undefined): Promise<number> {
  if (runId === undefined)
    throw new InvalidInputError('watch needs the id of a run', { hint: 'List the runs with skillflow runs.' });
  if (!canWatch(session) || session.format !== 'text')
    throw new InvalidInputError('watch draws on a terminal, and stderr is none here', {
      hint: `Use skillflow events ${runId} --follow.`,
    });
  const { signal } = session;
  return withApp(session, async (app) => {
    const { config, runtime } = app.app;
    const watching = createWatching(session, app);
    try {
      const runs = await app.app.runs('read');
      for (let after = 0; ;) {
        // The state before the events: an ended run cannot grow an event after this read.
        const { runId: id, status } = await runs.get(runId);
        const events = await runs.events(id, { after, limit: PAGE });
        after = events.at(-1)?.seq ?? after;
        if (events.length > 0) watching.onEvents(events);
        else if (status !== 'running') break;
        else await runtime.sleep(config.databaseUrl === null ? POLL_MS.file : POLL_MS.server, signal);
      }
    } catch (thrown) {
      if (signal.aborted) return 130;
      return await fail(session, errorBody(toSkillflowError(thrown)));
    } finally {
      await watching.close();
    }
    const result = await app.call('run_status', { runId }, callerOf(session));
    if (!result.ok) return fail(session, result.error);
    await show(session, app, 'run_status', result.output);
    return 0;
  });
}
