import type { Examiner, TreeAnalyzer } from './analyzer.ts';
import { createClonesAnalyzer } from './clones.ts';
import { codeContextExaminer } from './code-context.ts';
import { createHotspotsExaminer } from './examine-hotspots.ts';
import { createTestGapsExaminer } from './examine-test-gaps.ts';
import { createHotspotsAnalyzer } from './hotspots.ts';
import { secretsExaminer } from './secrets-examiner.ts';
import { securityPatternsExaminer } from './security/examiner.ts';
import { createTestGapsAnalyzer } from './test-gaps.ts';
import type { EachFile } from './tree-tools.ts';

/** Every analyzer that looks at files together or at their history; one a capability. See also `fileAnalyzers`. */
export function createTreeAnalyzers(each: EachFile): readonly TreeAnalyzer[] {
  return [createClonesAnalyzer(each), createHotspotsAnalyzer(each), createTestGapsAnalyzer(each)];
}

/** Everyone who judges the findings of others; one a capability. `clones` has none: copies do not show what is true. */
export function createExaminers(each: EachFile): readonly Examiner[] {
  return [
    codeContextExaminer,
    createHotspotsExaminer(each),
    createTestGapsExaminer(each),
    secretsExaminer,
    securityPatternsExaminer,
  ];
}
