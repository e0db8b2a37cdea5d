import type { Diagnostic } from './skill.ts';

/** What is wrong at a place of a text whose file the caller knows. */
export type Problem = Omit<Diagnostic, 'file'>;

/** Line and column from 1, columns in UTF-16 units. */
export interface Position {
  readonly line: number;
  readonly column: number;
}

/** Keys and places in arrays (from 0) that lead from a document's root to a value; empty is the root. */
export type ValuePath = readonly PropertyKey[];

/** A structured text: its plain value, and where each part of it stands. */
export interface SourceDocument {
  /** Parsed from the text alone; validate before use. */
  readonly value: unknown;
  /** Where the key (or list item) at a path stands; the nearest ancestor where the path does not exist. */
  locateKey(path: ValuePath): Position;
  /** Where the value at a path stands; the nearest ancestor where the path does not exist. */
  locateValue(path: ValuePath): Position;
  /** A scalar as it is written, e.g. `1.0` for the number 1; `null` where that is not known. */
  textAt(path: ValuePath): string | null;
}

/** Keys that reach an object's prototype in careless code; no skill needs them. */
export const FORBIDDEN_KEYS: ReadonlySet<string> = new Set(['__proto__', 'constructor', 'prototype']);

/** A document, or why there is none. */
export type Reading<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly problems: readonly Problem[] };

/** Messages quote the file, which may hold a word of 200 KB. */
const MAX_MESSAGE = 500;

/** One problem, at the top of the file unless a position is given. */
export function problem(
  severity: Diagnostic['severity'],
  code: string,
  message: string,
  { line = 1, column = 1, hint }: { line?: number; column?: number; hint?: string } = {},
): Problem {
  return { severity, code, message: message.slice(0, MAX_MESSAGE), line, column, ...(hint === undefined ? {} : { hint }) };
}

/** Line and column of an offset in a text; CR LF and LF end a line. */
export function positionAt(text: string, offset: number): Position {
  const before = text.slice(0, offset);
  const line = before.split('\n').length;
  return { line, column: offset - before.lastIndexOf('\n') };
}
