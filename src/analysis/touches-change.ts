import type { LineRange } from '../changes.ts';
import type { SourceRange } from '../finding.ts';

/**
 * Whether a place lies at least in part on changed lines. `all` touches everything, an empty list nothing. An end
 * column of 1 means that the range ends before its last line begins (ends are exclusive), so this line does not count.
 */
export function touchesChange(range: SourceRange, changed: 'all' | readonly LineRange[]): boolean {
  if (changed === 'all') return true;
  const endsBeforeLastLine = range.endColumn === 1 && range.endLine > range.startLine;
  const lastLine = endsBeforeLastLine ? range.endLine - 1 : range.endLine;
  return changed.some((lines) => lines.start <= lastLine && lines.end >= range.startLine);
}
