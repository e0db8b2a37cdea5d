import type { SourceFile } from '../changes.ts';
import type { Finding, Note, SourceRange } from '../finding.ts';
import type { TreeAnalyzer, TreeContext, TreeResult } from './analyzer.ts';
import { type CloneClass, type CloneCopy, cloneClasses } from './clone-classes.ts';
import { type CloneSource, findClonePairs } from './clone-index.ts';
import type { Fingerprinted, Outcome } from './file-tasks.ts';
import { createFindingIds } from './finding-id.ts';
import { familyOf, languageOf } from './language.ts';
import { type ProjectFiles, projectFiles } from './project-files.ts';
import { isTestPath } from './test-paths.ts';
import { type EachFile, compareFindings, failureNotes, shorten } from './tree-tools.ts';

const RULE = 'clones/duplicate-code';
const MAX_FILES = 3000;
const MAX_BYTES = 20 * 1024 * 1024;
const MAX_RELATED = 20;
/** From here on a copy is worth more than a word. */
const LARGE_TOKENS = 150;

function toSources(
  files: readonly SourceFile[],
  outcomes: readonly Outcome<Fingerprinted>[],
  reviewed: ReadonlySet<string>,
): CloneSource[] {
  return files.flatMap((file, i) => {
    const outcome = outcomes[i];
    if (outcome?.ok !== true) return [];
    return [{ ...outcome.value, path: file.path, changed: reviewed.has(file.path) ? file.changed : null }];
  });
}

/** Lines of a text, read once. */
function createLines(context: TreeContext, files: ReadonlyMap<string, SourceFile>): (path: string) => Promise<readonly string[]> {
  const known = new Map<string, Promise<readonly string[]>>();
  const read = async (path: string): Promise<readonly string[]> => {
    const file = files.get(path);
    return file === undefined ? [] : (await context.read(file)).split(/\r?\n/u);
  };
  return (path) => {
    const lines = known.get(path) ?? read(path);
    known.set(path, lines);
    return lines;
  };
}

function rangeOf(copy: CloneCopy, lines: readonly string[]): SourceRange {
  return {
    startLine: copy.startLine,
    startColumn: 1,
    endLine: copy.endLine,
    endColumn: (lines[copy.endLine - 1] ?? '').length + 1,
  };
}

function severityOf(copy: CloneCopy, file: string): Finding['severity'] {
  if (isTestPath(file)) return 'info';
  return copy.tokens >= LARGE_TOKENS ? 'medium' : 'low';
}

/** Bounds say how much of the project was compared. */
function boundNote(compared: number, beyond: number): Note[] {
  if (beyond === 0) return [];
  const message = `clones: compared with ${compared} other files of the project; ${beyond} more were left out (3,000 files or 20 MB at most).`;
  return [{ code: 'clones_bounded', message, count: beyond }];
}

/** Names the copies of a class and measures the one where it is reported. */
async function toFinding(
  { copies: [first, ...rest] }: CloneClass,
  sources: readonly CloneSource[],
  linesOf: (path: string) => Promise<readonly string[]>,
  nextId: (file: string, text: string) => string,
): Promise<Finding> {
  const path = (copy: CloneCopy): string => sources[copy.source]?.path ?? '';
  const lines = await linesOf(path(first));
  const related = await Promise.all(
    rest.slice(0, MAX_RELATED).map(async (copy) => ({ file: path(copy), range: rangeOf(copy, await linesOf(path(copy))) })),
  );
  const places = rest.slice(0, 5).map((copy) => `${path(copy)}:${copy.startLine}-${copy.endLine}`);
  const more = rest.length > places.length ? ` and ${rest.length - places.length} more` : '';
  const size = `${first.tokens} equal tokens on ${first.endLine - first.startLine + 1} lines`;
  return {
    id: nextId(path(first), lines.slice(first.startLine - 1, first.endLine).join('\n')),
    rule: RULE,
    severity: severityOf(first, path(first)),
    confidence: 'high',
    capability: 'clones',
    file: path(first),
    range: rangeOf(first, lines),
    message: `The same code stands in ${rest.length + 1} places; a fix in one has to be made in all.`,
    evidence: shorten(`${size}; also at ${places.join(', ')}${more}`),
    advice: 'Move it into one function that all places call, unless they change for different reasons.',
    related,
  };
}

/** Ids by file, in the order in which the findings are made. */
function createIdsByFile(): (file: string, text: string) => string {
  const byFile = new Map<string, ReturnType<typeof createFindingIds>>();
  return (file, text) => {
    const next = byFile.get(file) ?? createFindingIds(file);
    byFile.set(file, next);
    return next(RULE, text);
  };
}

/** What the files under review are compared with beside each other. */
function otherFiles(context: TreeContext, own: readonly SourceFile[]): Promise<ProjectFiles> {
  const changed = own.filter((file) => file.changed === 'all' || file.changed.length > 0);
  const families = new Set(changed.map((file) => familyOf(file.language)));
  if (context.changes.mode === 'tree' || families.size === 0) return Promise.resolve({ files: [], beyond: 0 });
  const accepts = (path: string): boolean => families.has(familyOf(languageOf(path)));
  return projectFiles(context, { accepts, maxFiles: MAX_FILES, maxBytes: MAX_BYTES });
}

/**
 * Code that stands in several places: at least 50 equal tokens on at least 6 lines, comments, layout, import
 * statements and the values of strings and numbers aside. Files under review are compared with each other and with the
 * project's other files of the same language family. Each class of copies is reported once, at its first copy with a
 * changed line; the other copies are `related`. Severity: medium from 150 tokens on, low below, info in tests.
 */
export function createClonesAnalyzer(each: EachFile): TreeAnalyzer {
  const analyze = async (context: TreeContext): Promise<TreeResult> => {
    const own = context.changes.files.filter((file) => familyOf(file.language) !== null);
    const others = await otherFiles(context, own);
    const files = [...own, ...others.files];
    const outcomes = await each('fingerprints', null, files, context);
    const sources = toSources(files, outcomes, new Set(own.map((file) => file.path)));
    const classes = cloneClasses(sources, findClonePairs(sources));
    const linesOf = createLines(context, new Map(files.map((file) => [file.path, file])));
    const nextId = createIdsByFile();
    const findings: Finding[] = [];
    for (const copies of classes) findings.push(await toFinding(copies, sources, linesOf, nextId));
    return {
      findings: findings.sort(compareFindings),
      notes: [...boundNote(others.files.length, others.beyond), ...failureNotes('clones', files, outcomes)],
      stats: { files: own.length, compared: others.files.length, classes: classes.length },
    };
  };
  return { kind: 'tree', id: 'clones', capability: 'clones', analyze };
}
