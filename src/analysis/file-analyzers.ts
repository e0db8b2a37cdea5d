import type { FileAnalyzer } from './analyzer.ts';
import { secretsAnalyzer } from './secrets.ts';
import { securityPatternsAnalyzer } from './security/patterns.ts';

/** Every analyzer that looks at one file at a time; a worker loads these. One a capability. */
export const fileAnalyzers: readonly FileAnalyzer[] = [secretsAnalyzer, securityPatternsAnalyzer];
