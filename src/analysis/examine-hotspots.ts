import type { SourceFile } from '../changes.ts';
import type { Finding } from '../finding.ts';
import type { Examination, Examiner, TreeContext } from './analyzer.ts';
import { type History, type NoHistory, readHistory } from './history.ts';
import { type EachFile, count } from './tree-tools.ts';

/** What makes untested code risky: several paths, and more than a single edit. */
const RISKY_COMPLEXITY = 10;
const RISKY_COMMITS = 3;
const MIN_TOGETHER = 2;

function abstain(finding: Finding, reason: string): Examination {
  return { findingId: finding.id, vote: 'abstain', reason };
}

function examineGap(finding: Finding, complexity: number | null, history: History | NoHistory): Examination {
  if (complexity === null) return abstain(finding, 'the complexity of the file is not known');
  if ('reason' in history) return abstain(finding, `how often the file changes is not known: ${history.reason}`);
  const { commits, authors } = history.churn(finding.file);
  const figures = `highest complexity of a function ${complexity}; changed in ${commits} of the last ${count(history.commits.length, 'commit')}, by ${count(authors, 'author')}`;
  if (complexity < RISKY_COMPLEXITY || commits < RISKY_COMMITS) {
    return abstain(finding, `the file is not both complex and often changed: ${figures}`);
  }
  return { findingId: finding.id, vote: 'confirm', reason: `the file is complex and often changed: ${figures}` };
}

function examineClone(finding: Finding, history: History | NoHistory): Examination {
  if ('reason' in history) return abstain(finding, `whether the copies change together is not known: ${history.reason}`);
  const others = [...new Set((finding.related ?? []).map((copy) => copy.file))].filter((file) => file !== finding.file);
  if (others.length === 0) return abstain(finding, 'the copies stand in one file, so commits cannot tell them apart');
  const together = others
    .map((file) => ({ file, commits: history.together(finding.file, file) }))
    .sort((a, b) => b.commits - a.commits || (a.file < b.file ? -1 : 1));
  const [most] = together;
  if (most === undefined || most.commits < MIN_TOGETHER) {
    return abstain(finding, `the files of the copies changed together in ${count(most?.commits ?? 0, 'commit')} only`);
  }
  return {
    findingId: finding.id,
    vote: 'confirm',
    reason: `the copies have to be kept alike: ${finding.file} and ${most.file} changed together in ${most.commits} commits`,
  };
}

/** Highest complexity of a function by file; `null` for a file under review that could not be measured. */
async function complexities(each: EachFile, files: readonly SourceFile[], context: TreeContext): Promise<Map<string, number>> {
  const outcomes = await each('complexity', null, files, context);
  return new Map(
    files.flatMap((file, i): [string, number][] => {
      const outcome = outcomes[i];
      if (outcome?.ok !== true || outcome.value.unparsed !== undefined) return [];
      return [[file.path, Math.max(1, ...outcome.value.functions.map((fn) => fn.complexity))]];
    }),
  );
}

/**
 * Judges test gaps (confirmed where the file has a function of complexity 10 or more and changed in 3 commits or more)
 * and clones (confirmed where the files of two copies changed together in 2 commits or more). Abstains, with the
 * figures, wherever history and complexity say nothing; never rejects.
 */
export function createHotspotsExaminer(each: EachFile): Examiner {
  return {
    capability: 'hotspots',
    async examine(findings, context) {
      const known = findings.some((finding) => ['test-gaps', 'clones'].includes(finding.capability));
      const history = known ? await readHistory(context) : { reason: 'not asked for' };
      const gaps = new Set(findings.filter((finding) => finding.capability === 'test-gaps').map((finding) => finding.file));
      const measured = await complexities(
        each,
        context.changes.files.filter((file) => gaps.has(file.path)),
        context,
      );
      return findings.map((finding) => {
        if (finding.capability === 'test-gaps') return examineGap(finding, measured.get(finding.file) ?? null, history);
        if (finding.capability === 'clones') return examineClone(finding, history);
        return abstain(finding, `history and complexity say nothing of ${finding.rule}`);
      });
    },
  };
}
