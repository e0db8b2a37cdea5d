import type { Executor } from '../executor/executor.ts';
import type { Journal } from '../run/journal.ts';
import type { Runtime } from '../runtime.ts';
import { traceEndpoint } from '../trace/endpoint.ts';

/** Spans of what the app does, where an OTLP endpoint is set; otherwise all is handed through untouched. */
export interface Tracing extends AsyncDisposable {
  /** A journal whose events become spans. */
  journal(journal: Journal): Journal;
  /** An executor whose calls become spans. */
  executor(executor: Executor): Executor;
}

export interface TracingOptions {
  readonly runtime: Runtime;
  readonly version: string;
  /** Imports a package by its name; default: from where Skillflow is installed. */
  readonly load?: (name: string) => Promise<unknown>;
}

/** Milliseconds that disposal waits for the last spans. */
const LAST_MS = 2_000;

const NONE: Tracing = {
  journal: (journal) => journal,
  executor: (executor) => executor,
  [Symbol.asyncDispose]: async () => undefined,
};

/** Loads nothing until there is a span, and nothing at all without an endpoint. Its failures are logged, and change no answer. */
export function createTracing(options: TracingOptions): Tracing {
  const { runtime } = options;
  const endpoint = traceEndpoint(runtime.env);
  return endpoint === null ? NONE : tracingTo(endpoint, options);
}

async function openParts(endpoint: string, options: TracingOptions) {
  const [{ createOtlpSink }, { createRunTracer }, { callSpan }] = await Promise.all([
    import('../trace/otlp-sink.ts'),
    import('../trace/trace-runs.ts'),
    import('../trace/call-span.ts'),
  ]);
  const sink = createOtlpSink({ ...options, endpoint });
  return { sink, callSpan, runs: createRunTracer(options.runtime, (spans) => sink.add(spans)) };
}

function tracingTo(endpoint: string, options: TracingOptions): Tracing {
  const { runtime } = options;
  let opening: ReturnType<typeof openParts> | undefined;
  let working: Promise<void> = Promise.resolve();
  /** Later, in order: nobody waits for a span. */
  const later = (work: (parts: Awaited<ReturnType<typeof openParts>>) => void): void => {
    const before = working;
    working = (async () => {
      await before;
      try {
        opening ??= openParts(endpoint, options);
        work(await opening);
      } catch (error) {
        runtime.log('debug', `a span is lost: ${error instanceof Error ? error.message : String(error)}`);
      }
    })();
  };
  const finish = async (): Promise<void> => {
    await working;
    const parts = await opening?.catch(() => undefined);
    await parts?.runs.settled();
    await parts?.sink[Symbol.asyncDispose]();
  };
  return {
    journal: (journal) => ({
      ...journal,
      append: async (runId, bodies, also) => {
        const events = await journal.append(runId, bodies, also);
        if (events.length > 0) later(({ runs }) => runs.wrote(events, (...where) => journal.read(...where)));
        return events;
      },
    }),
    executor: (executor) => ({
      call: async (tool, input, caller) => {
        const [at, startedTicks] = [runtime.now(), runtime.ticks()];
        const result = await executor.call(tool, input, caller);
        const durationMs = runtime.ticks() - startedTicks;
        const answer = result.ok ? { code: null, output: result.output } : { code: result.error.code, output: null };
        later(({ sink, callSpan }) =>
          sink.add([callSpan({ id: runtime.id('call'), tool, surface: caller.surface, at, durationMs, ...answer })]),
        );
        return result;
      },
    }),
    [Symbol.asyncDispose]: async () => {
      const inTime = new AbortController();
      const late = runtime.sleep(LAST_MS, inTime.signal).then(
        () => runtime.log('debug', `the last spans were not exported within ${LAST_MS} ms`),
        () => undefined,
      );
      await Promise.race([finish(), late]);
      inTime.abort();
    },
  };
}
