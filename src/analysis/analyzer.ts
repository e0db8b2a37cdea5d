import type { ChangeSet, SourceFile } from '../changes.ts';
import type { Finding, Note } from '../finding.ts';

/** What a file analyzer is given: one text. Runs in a worker; pure. */
export interface FileInput {
  readonly file: SourceFile;
  readonly text: string;
}

/**
 * Looks at one file at a time. Every finding lies on a changed line (see `touchesChange`) and has a stable id. May
 * throw only on a defect; the caller turns that into a note and goes on with the next file.
 */
export interface FileAnalyzer {
  readonly kind: 'file';
  readonly id: string;
  readonly capability: string;
  /** Whether the file is worth reading for this analyzer: language, name. */
  accepts(file: SourceFile): boolean;
  analyze(input: FileInput): readonly Finding[];
}

/** What a tree analyzer returns. */
export interface TreeResult {
  readonly findings: readonly Finding[];
  readonly notes: readonly Note[];
  readonly stats: Readonly<Record<string, number>>;
}

/** What a tree analyzer may do beside reading: git, a cancel signal, a task for the worker pool. */
export interface TreeContext {
  readonly changes: ChangeSet;
  readonly signal: AbortSignal;
  /** Runs `git` with these arguments in the project root; rejects as `Runtime.exec` does. */
  git(args: readonly string[]): Promise<{ readonly code: number | null; readonly stdout: Buffer; readonly stderr: string }>;
  /** The text under review. */
  read(file: SourceFile): Promise<string>;
}

/** Looks at the files together, or at their history. */
export interface TreeAnalyzer {
  readonly kind: 'tree';
  readonly id: string;
  readonly capability: string;
  analyze(context: TreeContext): Promise<TreeResult>;
}

/** An opinion on somebody else's finding, from evidence of one's own. */
export interface Examination {
  readonly findingId: string;
  readonly vote: 'confirm' | 'reject' | 'abstain';
  /** One sentence: the evidence, or which evidence is lacking. Redacted. */
  readonly reason: string;
}

/** Judges findings of other capabilities, from evidence that its own capability can gather. */
export interface Examiner {
  readonly capability: string;
  examine(findings: readonly Finding[], context: TreeContext): Promise<readonly Examination[]>;
}
