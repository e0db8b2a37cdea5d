import type { StepOutput } from '../../src/agent/provider.ts';
import type { ChangeSet } from '../../src/changes.ts';
import type { Finding } from '../../src/finding.ts';

/** A finding of which only the id matters. */
export function seenFinding(id: string): Finding {
  const range = { startLine: 1, startColumn: 1, endLine: 1, endColumn: 2 };
  return {
    id,
    rule: 'r/x',
    severity: 'low',
    confidence: 'low',
    capability: 'c',
    file: 'a.js',
    range,
    message: 'm',
    evidence: 'e',
  };
}

/** What a step gave that found these. */
export const outputOf = (...ids: string[]): StepOutput => ({ findings: ids.map(seenFinding), ballots: [], notes: [], stats: {} });

/** A change set without files. */
export function noChanges(root: string): ChangeSet {
  return { root, mode: 'tree', base: null, git: null, files: [], skipped: [], notes: [] };
}
