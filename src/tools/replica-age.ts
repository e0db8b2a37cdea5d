import { iso } from './entry-output.ts';
import type { App } from './tool.ts';

/** What to say of an answer that comes from a replica which could not ask its server; `undefined` of any other. */
export async function behind(app: Pick<App, 'database'>): Promise<string | undefined> {
  const state = (await app.database('read')).replica?.();
  if (state === undefined || state.problem === null) return undefined;
  const { syncedAtMs, problem } = state;
  const age = syncedAtMs === null ? 'never synchronized' : `as of ${iso(syncedAtMs)}`;
  return `read from a replica of the server, ${age}; newer entries may be missing: ${problem}`;
}
