import { nameOf, spanIdOf, traceIdOf } from './span.ts';
import type { Span } from './span.ts';

/** A call of a tool that has been answered. */
export interface AnsweredCall {
  /** Unique. */
  readonly id: string;
  readonly tool: string;
  readonly surface: string;
  /** Milliseconds since the epoch. */
  readonly at: number;
  readonly durationMs: number;
  /** Code of the error that answered it; `null` when it succeeded. */
  readonly code: string | null;
  readonly output: unknown;
}

/** The run that an answer is about, where it names one. */
function runIdOf(output: unknown): string | null {
  if (typeof output !== 'object' || output === null || !('runId' in output)) return null;
  return typeof output.runId === 'string' ? nameOf(output.runId) : null;
}

/** The span of a call, a trace of its own; a run that it started or asked about has its own, which is named. */
export function callSpan({ id, tool, surface, at, durationMs, code, output }: AnsweredCall): Span {
  const runId = runIdOf(output);
  return {
    traceId: traceIdOf(id),
    spanId: spanIdOf(id),
    parentSpanId: null,
    name: 'skillflow.tool',
    startMs: at,
    endMs: at + Math.max(0, durationMs),
    attributes: {
      'skillflow.tool.name': nameOf(tool),
      'skillflow.surface': surface,
      ...(runId === null ? {} : { 'skillflow.run.id': runId }),
      ...(code === null ? {} : { 'error.type': code }),
    },
    error: code,
  };
}
