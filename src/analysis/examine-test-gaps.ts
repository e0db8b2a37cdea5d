import type { Examination, Examiner } from './analyzer.ts';
import { mapTests } from './test-map.ts';
import { isTestPath } from './test-paths.ts';
import { type EachFile, count } from './tree-tools.ts';

/**
 * Judges hotspots: confirmed where no test refers to the file. Abstains on everything else and on what lies in tests;
 * never rejects, because a test that refers to a file may not run the code in question.
 */
export function createTestGapsExaminer(each: EachFile): Examiner {
  return {
    capability: 'test-gaps',
    async examine(findings, context) {
      const relevant = findings.some((finding) => finding.capability === 'hotspots' && !isTestPath(finding.file));
      const map = relevant ? await mapTests(each, context, []) : null;
      return findings.map((finding): Examination => {
        const abstain = (reason: string): Examination => ({ findingId: finding.id, vote: 'abstain', reason });
        if (isTestPath(finding.file)) return abstain('it lies in a test file, which needs no test');
        if (finding.capability !== 'hotspots' || map === null) return abstain(`tests say nothing of ${finding.rule}`);
        const tests = map.testsOf(finding.file, []);
        if (tests.length > 0) return abstain(`${count(tests.length, 'test file')} refer to it, such as ${tests[0] ?? ''}`);
        return {
          findingId: finding.id,
          vote: 'confirm',
          reason: `no test catches a mistake here: none of ${count(map.tests, 'test file')} imports the file or bears its name`,
        };
      });
    },
  };
}
