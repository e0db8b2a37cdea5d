import type { SourceFile } from '../changes.ts';
import type { Finding, Note } from '../finding.ts';
import type { TreeContext } from './analyzer.ts';
import type { FileTaskName, FileTasks, Outcome } from './file-tasks.ts';

/** Per-file work of a tree analyzer, done by the worker pool where there is one. */
export type EachFile = <K extends FileTaskName>(
  task: K,
  input: FileTasks[K]['input'],
  files: readonly SourceFile[],
  context: TreeContext,
) => Promise<readonly Outcome<FileTasks[K]['output']>[]>;

const MAX_FAILURE_NOTES = 20;

/** A note for each file that an analyzer could not look at; beyond 20, one that counts the rest. */
export function failureNotes(capability: string, files: readonly SourceFile[], outcomes: readonly Outcome<unknown>[]): Note[] {
  const failed = outcomes.flatMap((outcome, i) => (outcome.ok ? [] : [`${files[i]?.path ?? ''}: ${outcome.reason}`]));
  const notes: Note[] = failed
    .slice(0, MAX_FAILURE_NOTES)
    .map((text) => ({ code: 'analyzer_failed', message: `${capability} could not look at ${text}`, count: 1 }));
  const rest = failed.length - notes.length;
  if (rest > 0)
    notes.push({ code: 'analyzer_failed', message: `${capability} could not look at ${rest} more files.`, count: rest });
  return notes;
}

/** By file, place, rule: the same order on every machine. */
export function compareFindings(a: Finding, b: Finding): number {
  if (a.file !== b.file) return a.file < b.file ? -1 : 1;
  if (a.range.startLine !== b.range.startLine) return a.range.startLine - b.range.startLine;
  if (a.range.startColumn !== b.range.startColumn) return a.range.startColumn - b.range.startColumn;
  if (a.rule !== b.rule) return a.rule < b.rule ? -1 : 1;
  return a.id < b.id ? -1 : Number(a.id > b.id);
}

/** At most 400 characters, as a finding's evidence must be. */
export function shorten(text: string): string {
  return text.length <= 400 ? text : `${text.slice(0, 399)}…`;
}

/** "1 commit", "2 commits". */
export function count(n: number, noun: string): string {
  return `${n} ${noun}${n === 1 ? '' : 's'}`;
}

/** Value at a fraction of the sorted values (nearest rank, 1 ≤ rank ≤ n); 0 for none. */
export function percentile(values: readonly number[], fraction: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(sorted.length * fraction) - 1)] ?? 0;
}
