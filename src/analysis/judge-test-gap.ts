import type { SourceFile } from '../changes.ts';
import type { Finding } from '../finding.ts';
import type { ExportedName } from './exports.ts';
import { findingId } from './finding-id.ts';
import type { TestReach } from './test-reach.ts';
import { count, shorten } from './tree-tools.ts';

/** A changed file that a test could run. */
export interface ChangedSource {
  readonly file: SourceFile;
  /** Exported functions, classes and values that the change touches. */
  readonly names: readonly ExportedName[];
}

/** What a change is judged by. */
export interface GapContext {
  readonly reach: TestReach;
  /** Changed files that belong to the tests. */
  readonly changedTests: ReadonlySet<string>;
  /** Files that tests lead to by way of other changed files. */
  readonly behindChanges: ReadonlySet<string>;
  /** Whether a file is part of the product, or a script, benchmark or example beside it. */
  readonly isProduct: (path: string) => boolean;
}

interface Gap {
  readonly rule: string;
  readonly severity: Finding['severity'];
  readonly message: string;
  readonly evidence: string;
  readonly names: readonly string[];
}

function listed(names: readonly string[], most = 6): string {
  const more = names.length > most ? ` and ${names.length - most} more` : '';
  return `${names.slice(0, most).join(', ')}${more}`;
}

/** A short name stands in many texts without meaning anything. */
function canBeNamed(name: string): boolean {
  return name.length >= 4 && name !== 'default';
}

/** Whether a name that a test mentions hardly means anything else: made of several words, or long. */
function isDistinctive(name: string): boolean {
  return canBeNamed(name) && (/[a-z\d][A-Z]|[^_]_[^_]|\d/u.test(name) || name.length >= 10);
}

function describe(own: readonly string[]): string {
  return own.length === 0 ? 'no exported name changed' : `changed: ${listed(own)}`;
}

function untested(path: string, own: readonly string[], { reach, isProduct }: GapContext): Gap {
  const rule = 'test-gaps/untested-change';
  const evidence = `${describe(own)}; none of ${count(reach.tests, 'test file')} leads to it by imports, by its name or by starting it`;
  if (isProduct(path)) {
    const severity = own.length > 0 && reach.tests > 0 ? 'medium' : 'low';
    return { rule, severity, message: `${path} changed, and no test reaches it.`, evidence, names: own };
  }
  const message = `${path} changed, and no test reaches it; it lies outside the source folders, and no source imports it.`;
  return { rule, severity: 'info', message, evidence, names: own };
}

function unchanged(path: string, unnamed: readonly string[]): Pick<Gap, 'rule' | 'message' | 'names'> {
  const message = `${path} changed without its tests, which do not name ${listed(unnamed, 3)}.`;
  return { rule: 'test-gaps/tests-unchanged', message, names: unnamed };
}

/** What is amiss with the tests of a changed file, or `null`. */
function judge({ file, names }: ChangedSource, context: GapContext): Gap | null {
  const { reach, changedTests, behindChanges } = context;
  const own = names.map((each) => each.name);
  const direct = reach.testsOf(file.path);
  if (direct.length > 0) {
    const unnamed = own.filter((name) => canBeNamed(name) && !reach.mentions(name, direct));
    if (unnamed.length === 0 || direct.some((test) => changedTests.has(test))) return null;
    const evidence = `${describe(own)}; tests that refer to the file, none changed: ${listed(direct)}`;
    return { ...unchanged(file.path, unnamed), severity: 'low', evidence };
  }
  if (own.some((name) => isDistinctive(name) && reach.mentions(name))) return null;
  const way = reach.wayTo(file.path);
  if (way === null) return untested(file.path, own, context);
  const unnamed = own.filter((name) => canBeNamed(name) && !reach.mentions(name));
  if (unnamed.length === 0 || changedTests.size > 0 || behindChanges.has(file.path)) return null;
  const evidence = `${describe(own)}; tested through others only, none of which changed, nor any test: ${way.join(' → ')}`;
  return { ...unchanged(file.path, unnamed), severity: 'info', evidence };
}

/** The finding about the tests of a changed file; `null` where there is nothing to say. */
export function findTestGap(source: ChangedSource, context: GapContext): Finding | null {
  const gap = judge(source, context);
  // where nothing is tested, only what others can call is worth a finding
  if (gap === null || (context.reach.tests === 0 && (source.names.length === 0 || gap.severity === 'info'))) return null;
  const { file, names } = source;
  const first = names.find((each) => gap.names.includes(each.name));
  const line = first?.range.startLine ?? (file.changed === 'all' ? 1 : (file.changed[0]?.start ?? 1));
  return {
    id: findingId({ rule: gap.rule, file: file.path, anchor: [...gap.names].sort().join(' '), occurrence: 0 }),
    rule: gap.rule,
    severity: gap.severity,
    confidence: context.reach.bounded ? 'low' : 'medium',
    capability: 'test-gaps',
    file: file.path,
    range: first?.range ?? { startLine: line, startColumn: 1, endLine: line, endColumn: 1 },
    message: gap.message,
    evidence: shorten(gap.evidence),
    advice: 'Add a test that fails without this change.',
  };
}
