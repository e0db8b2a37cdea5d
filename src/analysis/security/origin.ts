/**
 * Where a value comes from, from harmless to dangerous:
 * - `constant`: literals and what is computed from them alone;
 * - `sanitized`: passed through a function that checks, converts or escapes, or looked up in a constant table;
 * - `unknown`: the result of code that is not followed;
 * - `parameter`: a parameter of the enclosing function, or the command line;
 * - `request`: input from outside: an HTTP request, the page's address, a message, a prompt.
 */
export type OriginKind = 'constant' | 'sanitized' | 'unknown' | 'parameter' | 'request';

export interface Origin {
  readonly kind: OriginKind;
  /** The text that it comes from: the parameter, the source, the sanitizer; empty for constants. */
  readonly via: string;
}

const ORDER: Readonly<Record<OriginKind, number>> = { constant: 0, sanitized: 1, unknown: 2, parameter: 3, request: 4 };

export const CONSTANT: Origin = { kind: 'constant', via: '' };

/** An origin with its text cut to 60 characters. */
export function originOf(kind: OriginKind, via: string): Origin {
  const line = via.replace(/\s+/gu, ' ').trim();
  return { kind, via: line.length > 60 ? `${line.slice(0, 59)}…` : line };
}

/** The most dangerous of several; constant where there is none. */
export function worst(origins: Iterable<Origin>): Origin {
  let found = CONSTANT;
  for (const origin of origins) if (ORDER[origin.kind] > ORDER[found.kind]) found = origin;
  return found;
}
