import { createHash } from 'node:crypto';

export type SpanAttributes = Readonly<Record<string, string | number | boolean>>;

/** Something that has ended, as OpenTelemetry knows it. Attributes hold names, figures and codes, never texts of users or models. */
export interface Span {
  /** 32 hexadecimal digits. */
  readonly traceId: string;
  /** 16 hexadecimal digits. */
  readonly spanId: string;
  readonly parentSpanId: string | null;
  readonly name: string;
  /** Milliseconds since the epoch. */
  readonly startMs: number;
  readonly endMs: number;
  readonly attributes: SpanAttributes;
  /** The code of what it failed with; `null` when it did not. */
  readonly error: string | null;
}

const TRACE_DIGITS = 32;
const SPAN_DIGITS = 16;

function digest(parts: readonly (string | number)[]): string {
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex');
}

/** The trace that belongs to a name: every process gives a run the same one. */
export function traceIdOf(...parts: readonly (string | number)[]): string {
  return digest(['trace', ...parts]).slice(0, TRACE_DIGITS);
}

/** The span that belongs to a name. */
export function spanIdOf(...parts: readonly (string | number)[]): string {
  return digest(['span', ...parts]).slice(0, SPAN_DIGITS);
}

/** A name as an attribute takes it: what a model or a caller made up may be any text, and is told as `_OTHER`. */
export function nameOf(name: string): string {
  return /^[\w.:-]{1,100}$/.test(name) ? name : '_OTHER';
}
