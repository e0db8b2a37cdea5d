import type { Examination, Examiner } from './analyzer.ts';
import { isTestPath } from './test-paths.ts';
import { findTestReach } from './test-reach.ts';
import { type EachFile, count } from './tree-tools.ts';

/**
 * Judges hotspots: confirmed where no test reaches the file, neither itself nor through others. Abstains on everything
 * else, on what lies in tests, and where files were left out of the search; never rejects, because a test that reaches
 * a file may not run the code in question.
 */
export function createTestGapsExaminer(each: EachFile): Examiner {
  return {
    capability: 'test-gaps',
    async examine(findings, context) {
      const relevant = findings.some((finding) => finding.capability === 'hotspots' && !isTestPath(finding.file));
      const reach = relevant ? await findTestReach(each, context, []) : null;
      return findings.map((finding): Examination => {
        const abstain = (reason: string): Examination => ({ findingId: finding.id, vote: 'abstain', reason });
        if (isTestPath(finding.file)) return abstain('it lies in a test file, which needs no test');
        if (finding.capability !== 'hotspots' || reach === null) return abstain(`tests say nothing of ${finding.rule}`);
        const tests = reach.testsOf(finding.file);
        if (tests.length > 0) return abstain(`${count(tests.length, 'test file')} refer to it, such as ${tests[0] ?? ''}`);
        const way = reach.wayTo(finding.file);
        if (way !== null) return abstain(`tests reach it through other files: ${way.join(' → ')}`);
        if (reach.bounded) return abstain('no test is seen to reach the file, but the project is too large to read all of it');
        return {
          findingId: finding.id,
          vote: 'confirm',
          reason: `no test catches a mistake here: none of ${count(reach.tests, 'test file')} reaches the file`,
        };
      });
    },
  };
}
