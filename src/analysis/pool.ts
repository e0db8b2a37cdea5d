import type { ChangeSet } from '../changes.ts';
import { CancelledError, NotSupportedError } from '../errors.ts';
import type { Finding } from '../finding.ts';
import type { Runtime } from '../runtime.ts';
import type { Examination, FileAnalyzer, TreeContext, TreeResult } from './analyzer.ts';
import { fileAnalyzers } from './file-analyzers.ts';
import { createFileRunner } from './file-runner.ts';
import { createExaminers, createTreeAnalyzers } from './registry.ts';
import { createTreeContext } from './tree-context.ts';
import { compareFindings, type EachFile, failureNotes } from './tree-tools.ts';

export interface AnalysisDeps {
  readonly runtime: Runtime;
  /** Module of the worker thread; `null` (the default) analyzes in this thread, in slices. */
  readonly workerUrl?: URL | null;
  /** Worker threads, default: the processors, at most 4. They start with the first large job. */
  readonly threads?: number;
}

interface AnalyzeOptions {
  readonly signal: AbortSignal;
  /** Files done and files to do, for analyzers that look at one file at a time. */
  readonly onProgress?: (done: number, total: number) => void;
}

/** The deterministic analyzers behind one door. Dispose of it to end its threads. */
export interface Analysis extends AsyncDisposable {
  /** Every capability that analyzes, examines or both; sorted. */
  capabilities(): readonly string[];
  /** What a capability can do; both `false` for an unknown one. */
  can(capability: string): { readonly analyze: boolean; readonly examine: boolean };
  /**
   * Findings of one capability, sorted by file, place and rule; the same for the same input, whatever the number of
   * threads. What could not be looked at is in the notes. Rejects with `NotSupportedError` when the capability has no
   * analyzer, `CancelledError` when the signal aborts.
   */
  analyze(capability: string, changes: ChangeSet, options: AnalyzeOptions): Promise<TreeResult>;
  /**
   * One examination of each finding, in the order of `findings`. Rejects with `NotSupportedError` when the capability
   * has no examiner, `CancelledError` when the signal aborts.
   */
  examine(
    capability: string,
    findings: readonly Finding[],
    changes: ChangeSet,
    options: { readonly signal: AbortSignal },
  ): Promise<readonly Examination[]>;
}

function notSupported(capability: string, what: string, known: readonly string[]): NotSupportedError {
  return new NotSupportedError(`no ${what} has the capability "${capability}"`, {
    hint: `Capabilities that have one: ${known.join(', ')}.`,
    details: { capability },
  });
}

/** Makes the analyzers; nothing is loaded or started until it is needed. */
export function createAnalysis({ runtime, workerUrl = null, threads }: AnalysisDeps): Analysis {
  const runner = createFileRunner({ runtime, workerUrl, threads });
  const each: EachFile = (task, input, files, { signal }) => runner.run(task, input, files, { signal });
  const treeAnalyzers = createTreeAnalyzers(each);
  const examiners = createExaminers(each);
  const analyzing = [...fileAnalyzers, ...treeAnalyzers].map((one) => one.capability).sort();
  const examining = examiners.map((one) => one.capability).sort();

  const analyzeFiles = async (analyzer: FileAnalyzer, changes: ChangeSet, options: AnalyzeOptions): Promise<TreeResult> => {
    const { signal, onProgress } = options;
    const files = changes.files.filter((file) => analyzer.accepts(file));
    const outcomes = await runner.run('findings', { capability: analyzer.capability }, files, {
      signal,
      onProgress: onProgress === undefined ? undefined : (done) => onProgress(done, files.length),
    });
    return {
      findings: outcomes.flatMap((outcome) => (outcome.ok ? outcome.value : [])).sort(compareFindings),
      notes: failureNotes(analyzer.capability, files, outcomes),
      stats: { files: files.length },
    };
  };
  const contextOf = (changes: ChangeSet, signal: AbortSignal): TreeContext => {
    if (signal.aborted) throw new CancelledError('the analysis was cancelled');
    return createTreeContext({ runtime, changes, signal });
  };

  return {
    capabilities: () => [...new Set([...analyzing, ...examining])].sort(),
    can: (capability) => ({ analyze: analyzing.includes(capability), examine: examining.includes(capability) }),
    async analyze(capability, changes, options) {
      const context = contextOf(changes, options.signal);
      const fileAnalyzer = fileAnalyzers.find((one) => one.capability === capability);
      if (fileAnalyzer !== undefined) return analyzeFiles(fileAnalyzer, changes, options);
      const treeAnalyzer = treeAnalyzers.find((one) => one.capability === capability);
      if (treeAnalyzer !== undefined) return treeAnalyzer.analyze(context);
      throw notSupported(capability, 'analyzer', analyzing);
    },
    async examine(capability, findings, changes, { signal }) {
      const context = contextOf(changes, signal);
      const examiner = examiners.find((one) => one.capability === capability);
      if (examiner === undefined) throw notSupported(capability, 'examiner', examining);
      return examiner.examine(findings, context);
    },
    [Symbol.asyncDispose]: () => runner[Symbol.asyncDispose](),
  };
}
