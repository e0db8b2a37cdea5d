import type { RunEvent } from '../events.ts';
import type { Bus } from '../mail/bus.ts';
import type { Journal } from '../run/journal.ts';
import type { Runtime } from '../runtime.ts';
import type { App } from '../tools/tool.ts';

/** That something happened in a run; what it was is in the journal. */
interface News {
  readonly type: RunEvent['type'];
  /** The run's id. */
  readonly place: string;
}

/** Tells parts of this process at once what another part has written to a journal. */
export interface RunNews extends Pick<App, 'awaitNews'> {
  /** The journal, whose events are told from now on. */
  journal(journal: Journal): Journal;
}

/** News of the runs that this process drives; nothing is loaded until somebody listens. */
export function createRunNews(runtime: Pick<Runtime, 'sleep'>): RunNews {
  let bus: Bus<News> | undefined;
  return {
    journal: (journal) => ({
      ...journal,
      append: async (runId, bodies, also) => {
        const events = await journal.append(runId, bodies, also);
        // Who has no room for more knows already that it must look.
        for (const { type } of events) void bus?.publish({ type, place: runId });
        return events;
      },
    }),
    awaitNews: async (runId, ms, signal) => {
      const { createBus } = await import('../mail/bus.ts');
      bus ??= createBus();
      const over = new AbortController();
      const listening = bus.subscribe({ place: runId, capacity: 1, whenFull: 'drop', signal: over.signal });
      try {
        await Promise.race([listening.next(), runtime.sleep(ms, signal)]);
      } finally {
        over.abort();
      }
    },
  };
}
