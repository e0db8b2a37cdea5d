import type { LineRange, SourceFile } from '../changes.ts';
import type { Finding, Note } from '../finding.ts';
import type { TreeAnalyzer, TreeContext, TreeResult } from './analyzer.ts';
import type { ComplexityReport, FunctionComplexity } from './complexity.ts';
import { createFindingIds } from './finding-id.ts';
import { type Churn, type History, readHistory } from './history.ts';
import { familyOf, languageOf } from './language.ts';
import { projectFiles } from './project-files.ts';
import { touchesChange } from './touches-change.ts';
import { type EachFile, compareFindings, count, failureNotes, percentile, shorten } from './tree-tools.ts';

/** From here on a function is complex by any measure (twice the usual advice of 7 to 10 paths). */
const COMPLEX = 15;
const VERY_COMPLEX = 30;
/** Without a history, complexity alone is worth a word from here on. */
const COMPLEX_ALONE = 40;
const MIN_CHURN = 4;
const MIN_HISTORY = 10;
/** Files of the rest of the project that are parsed to learn what is usual in it. */
const SAMPLE = 100;
const SAMPLE_BYTES = 5 * 1024 * 1024;

interface Measured {
  readonly file: SourceFile;
  readonly functions: readonly FunctionComplexity[];
}

/** What counts as high in this project. */
interface Thresholds {
  readonly complexity: number;
  readonly churn: number;
}

async function sampleComplexities(each: EachFile, context: TreeContext): Promise<number[]> {
  if (context.changes.mode === 'tree') return [];
  const accepts = (path: string): boolean => familyOf(languageOf(path)) !== null;
  const { files } = await projectFiles(context, { accepts, maxFiles: SAMPLE, maxBytes: SAMPLE_BYTES, spread: true });
  const outcomes = await each('complexity', null, files, context);
  return outcomes.flatMap((outcome) => (outcome.ok ? outcome.value.functions.map((fn) => fn.complexity) : []));
}

function churnThreshold(history: History): number {
  const files = new Set(history.commits.flatMap((commit) => commit.files));
  const churns = [...files].filter((path) => familyOf(languageOf(path)) !== null).map((path) => history.churn(path).commits);
  return Math.max(MIN_CHURN, percentile(churns, 0.8));
}

function describeChurn({ commits, authors }: Churn, history: History): string {
  return `changed in ${commits} of the last ${count(history.commits.length, 'commit')}, by ${count(authors, 'author')}`;
}

interface Hot {
  readonly severity: Finding['severity'];
  readonly message: string;
  readonly evidence: string;
}

function judge(fn: FunctionComplexity, file: string, history: History | null, thresholds: Thresholds): Hot | null {
  if (history === null) {
    if (fn.complexity < COMPLEX_ALONE) return null;
    return {
      severity: 'info',
      message: `${fn.name} has ${fn.complexity} independent paths; how often it changes is not known.`,
      evidence: `complexity ${fn.complexity}; no usable history`,
    };
  }
  const churn = history.churn(file);
  if (fn.complexity < thresholds.complexity || churn.commits < thresholds.churn) return null;
  return {
    severity: fn.complexity >= VERY_COMPLEX ? 'medium' : 'low',
    message: `${fn.name} is complex and its file changes often: edits here are likely to go wrong.`,
    evidence: `complexity ${fn.complexity}; ${describeChurn(churn, history)}`,
  };
}

function findingsOf({ file, functions }: Measured, history: History | null, thresholds: Thresholds): Finding[] {
  const nextId = createFindingIds(file.path);
  return functions.flatMap((fn): Finding[] => {
    const hot = judge(fn, file.path, history, thresholds);
    if (hot === null || !touchesChange(fn.range, file.changed)) return [];
    const rule = 'hotspots/complex-and-changing';
    return [
      {
        id: nextId(rule, `${fn.name} ${fn.header}`),
        rule,
        severity: hot.severity,
        confidence: history === null ? 'low' : 'medium',
        capability: 'hotspots',
        file: file.path,
        range: fn.range,
        message: hot.message,
        evidence: shorten(hot.evidence),
        advice: 'Split it into functions with one decision each, and cover it with tests before the next change.',
      },
    ];
  });
}

function unparsedNotes(reports: readonly (ComplexityReport | null)[]): Note[] {
  const counts = new Map<string, number>();
  for (const report of reports) {
    if (report?.unparsed !== undefined) counts.set(report.unparsed, (counts.get(report.unparsed) ?? 0) + 1);
  }
  return [...counts].map(([reason, files]) => ({ code: 'no_parser', message: `hotspots: ${reason}`, count: files }));
}

function asChanged(file: SourceFile): boolean {
  return familyOf(file.language) !== null && hasLines(file.changed);
}

function hasLines(changed: 'all' | readonly LineRange[]): boolean {
  return changed === 'all' || changed.length > 0;
}

/** History that is long enough to compare by, and the notes on what it lacks. */
async function usableHistory(context: TreeContext): Promise<{ history: History | null; notes: Note[] }> {
  const found = await readHistory(context);
  if ('reason' in found) {
    return { history: null, notes: [{ code: 'no_history', message: `hotspots: ${found.reason}; complexity alone was judged.` }] };
  }
  if (found.commits.length >= MIN_HISTORY) {
    const shallow = context.changes.git?.shallow === true;
    const message = `hotspots: the clone is shallow; churn counts only the ${found.commits.length} commits that it holds.`;
    return { history: found, notes: shallow ? [{ code: 'shallow_history', message }] : [] };
  }
  const message = `hotspots: the history has ${count(found.commits.length, 'commit')}, fewer than ${MIN_HISTORY}; complexity alone was judged.`;
  return { history: null, notes: [{ code: 'no_history', message }] };
}

/**
 * Functions that are both complex and in files that change often. Complex: cyclomatic complexity of 15 or more and not
 * below nine tenths of the project's functions (those under review and a sample of 100 files). Changing often: in 4
 * commits or more and not below four fifths of the project's changed source files. Severity is medium from 30 on, low
 * below, info (from 40 on) where no history of 10 commits exists. Source of the idea: A. Tornhill, "Your Code as a
 * Crime Scene", 2015.
 */
export function createHotspotsAnalyzer(each: EachFile): TreeAnalyzer {
  const analyze = async (context: TreeContext): Promise<TreeResult> => {
    const files = context.changes.files.filter(asChanged);
    const outcomes = await each('complexity', null, files, context);
    const reports = outcomes.map((outcome) => (outcome.ok ? outcome.value : null));
    const measured = files.map((file, i) => ({ file, functions: reports[i]?.functions ?? [] }));
    const own = measured.flatMap(({ functions }) => functions.map((fn) => fn.complexity));
    const { history, notes } = await usableHistory(context);
    const candidates = own.some((complexity) => complexity >= COMPLEX);
    const usual = candidates && history !== null ? [...own, ...(await sampleComplexities(each, context))] : own;
    const thresholds = {
      complexity: Math.max(COMPLEX, percentile(usual, 0.9)),
      churn: history === null ? MIN_CHURN : churnThreshold(history),
    };
    return {
      findings: measured.flatMap((each) => findingsOf(each, history, thresholds)).sort(compareFindings),
      notes: [...notes, ...unparsedNotes(reports), ...failureNotes('hotspots', files, outcomes)],
      stats: { files: files.length, functions: own.length, commits: history?.commits.length ?? 0 },
    };
  };
  return { kind: 'tree', id: 'hotspots', capability: 'hotspots', analyze };
}
