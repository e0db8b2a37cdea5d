import type { RunEvent } from '../events.ts';
import type { Runtime } from '../runtime.ts';
import { createRunSpans } from './run-spans.ts';
import type { RunSpans } from './run-spans.ts';
import type { Span } from './span.ts';

/** Reads the journal; `run/` has it. */
export type ReadEvents = (
  runId: string,
  options: { readonly after: number; readonly limit: number },
) => Promise<readonly RunEvent[]>;

/** Follows what this process writes to the journal. */
export interface RunTracer {
  /** Events of one run that this process has just committed. Returns at once. */
  wrote(events: readonly RunEvent[], read: ReadEvents): void;
  /** Resolves when the spans of all that was written have been handed on. Never rejects. */
  settled(): Promise<void>;
}

interface Traced {
  readonly spans: RunSpans;
  /** Spans that events in the journal end whose writer is not known yet: ours may be read before we are told of them. */
  readonly unclaimed: Map<number, readonly Span[]>;
}

const EVENTS_AT_ONCE = 1_000;
/** Runs that are remembered; one that is forgotten is read again. */
const MAX_RUNS = 64;

/**
 * Hands on the spans that this process ends: each is ended by one event, and goes to whoever wrote that one, so that of
 * several processes on one run none hands on what another does, and one that only reads hands on nothing.
 */
export function createRunTracer(runtime: Pick<Runtime, 'log'>, handOn: (spans: readonly Span[]) => void): RunTracer {
  const runs = new Map<string, Traced>();
  let working: Promise<void> = Promise.resolve();

  const tracedOf = (runId: string): Traced => {
    const known = runs.get(runId) ?? { spans: createRunSpans(), unclaimed: new Map<number, readonly Span[]>() };
    runs.delete(runId);
    runs.set(runId, known);
    const [oldest] = runs.keys();
    if (runs.size > MAX_RUNS && oldest !== undefined) runs.delete(oldest);
    return known;
  };
  /** Reads what lies before an event of ours and was written elsewhere. */
  const catchUp = async ({ spans, unclaimed }: Traced, runId: string, until: number, read: ReadEvents): Promise<void> => {
    while (spans.seq < until) {
      const events = await read(runId, { after: spans.seq, limit: EVENTS_AT_ONCE });
      if (events.length === 0) return;
      for (const event of events) {
        const ended = spans.take(event);
        if (ended.length > 0) unclaimed.set(event.seq, ended);
      }
    }
  };
  const follow = async (events: readonly RunEvent[], read: ReadEvents): Promise<void> => {
    for (const event of events) {
      const traced = tracedOf(event.runId);
      const { spans, unclaimed } = traced;
      if (event.seq > spans.seq + 1) await catchUp(traced, event.runId, event.seq - 1, read);
      const ended = event.seq > spans.seq ? spans.take(event) : unclaimed.get(event.seq);
      unclaimed.delete(event.seq);
      if (ended !== undefined && ended.length > 0) handOn(ended);
    }
  };

  return {
    wrote: (events, read) => {
      working = working
        .then(() => follow(events, read))
        .catch((error: unknown) => {
          runtime.log('debug', `spans of a run are lost: ${error instanceof Error ? error.message : String(error)}`);
        });
    },
    settled: () => working,
  };
}
