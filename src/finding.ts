/** How bad it is if the finding is true. */
export type Severity = 'critical' | 'high' | 'medium' | 'low' | 'info';
export const SEVERITIES = ['critical', 'high', 'medium', 'low', 'info'] as const satisfies readonly Severity[];

/** How sure the rule is by itself, before anyone voted. */
export type Confidence = 'high' | 'medium' | 'low';

/** A place in a text: lines and columns from 1, columns in UTF-16 units, the end column exclusive (as in SARIF 2.1.0). */
export interface SourceRange {
  readonly startLine: number;
  readonly startColumn: number;
  readonly endLine: number;
  readonly endColumn: number;
}

/** One thing found in code. Everything in it may be printed: secrets are redacted before a finding is made. */
export interface Finding {
  /** Stable across runs and across edits elsewhere in the file: `f_` + 16 hex digits. */
  readonly id: string;
  /** Rule id, `<family>/<kebab-name>`, e.g. `security/js-eval-dynamic`. */
  readonly rule: string;
  readonly severity: Severity;
  readonly confidence: Confidence;
  /** The capability whose analyzer found it, e.g. `secrets`. */
  readonly capability: string;
  /** Path from the project root, `/`-separated. */
  readonly file: string;
  readonly range: SourceRange;
  /** One sentence: what is wrong here. */
  readonly message: string;
  /** The text or figures that show it; at most 400 characters, redacted. */
  readonly evidence: string;
  /** What to do instead, one sentence. */
  readonly advice?: string;
  /** Weakness ids where one applies, e.g. `CWE-78`. */
  readonly cwe?: readonly string[];
  /** Other places that belong to it: the second copy of a clone. */
  readonly related?: readonly { readonly file: string; readonly range: SourceRange }[];
}

/** Something that was not looked at, or not with full depth, and why. Shown to people. */
export interface Note {
  /** A word to group by: `no_provider`, `no_git`, `skipped_files`, `analyzer_failed`, … */
  readonly code: string;
  readonly message: string;
  /** How many things it stands for, where that can be counted. */
  readonly count?: number;
}
