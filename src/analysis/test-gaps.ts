import type { SourceFile } from '../changes.ts';
import type { Finding, Note } from '../finding.ts';
import type { TreeAnalyzer, TreeContext, TreeResult } from './analyzer.ts';
import type { ExportedName } from './exports.ts';
import { findingId } from './finding-id.ts';
import { familyOf } from './language.ts';
import { type TestMap, mapTests } from './test-map.ts';
import { isTestPath } from './test-paths.ts';
import { touchesChange } from './touches-change.ts';
import { type EachFile, compareFindings, count, failureNotes, shorten } from './tree-tools.ts';

/** Files that nobody tests: declarations, settings of tools, entry points of scripts that only call others. */
const UNTESTED_BY_NATURE = /(?:\.d\.[cm]?ts|\.config\.[cm]?[jt]s|(?:^|\/)(?:setup|conf|manage)\.py|\.stories\.[jt]sx?)$/iu;

interface ChangedSource {
  readonly file: SourceFile;
  /** Exported functions, classes and values that the change touches. */
  readonly names: readonly ExportedName[];
}

/** Whether a file is code that a test could refer to. */
function isTestable(file: SourceFile): boolean {
  return familyOf(file.language) !== null && !isTestPath(file.path) && !UNTESTED_BY_NATURE.test(file.path);
}

function isChanged(file: SourceFile): boolean {
  return file.changed === 'all' || file.changed.length > 0;
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

function judge({ file, names }: ChangedSource, map: TestMap, changedTests: ReadonlySet<string>): Gap | null {
  const own = names.map((each) => each.name);
  const tests = map.testsOf(file.path, own);
  const exported = own.length === 0 ? 'no exported name changed' : `changed: ${listed(own)}`;
  if (tests.length === 0) {
    return {
      rule: 'test-gaps/untested-change',
      severity: own.length > 0 && map.tests > 0 ? 'medium' : 'low',
      message: `${file.path} changed, and no test refers to it.`,
      evidence: `${exported}; none of ${count(map.tests, 'test file')} imports or names it`,
      names: own,
    };
  }
  if (tests.some((test) => changedTests.has(test))) return null;
  const unnamed = own.filter((name) => name.length >= 4 && name !== 'default' && !map.mentions(tests, name));
  if (unnamed.length === 0) return null;
  return {
    rule: 'test-gaps/tests-unchanged',
    severity: 'low',
    message: `${file.path} changed without its tests, which do not name ${listed(unnamed, 3)}.`,
    evidence: `${exported}; tests that refer to the file, none changed: ${listed(tests)}`,
    names: unnamed,
  };
}

function toFinding({ file, names }: ChangedSource, gap: Gap): Finding {
  const first = names.find((each) => gap.names.includes(each.name));
  const line = first?.range.startLine ?? (file.changed === 'all' ? 1 : (file.changed[0]?.start ?? 1));
  const range = first?.range ?? { startLine: line, startColumn: 1, endLine: line, endColumn: 1 };
  return {
    id: findingId({ rule: gap.rule, file: file.path, anchor: [...gap.names].sort().join(' '), occurrence: 0 }),
    rule: gap.rule,
    severity: gap.severity,
    confidence: 'medium',
    capability: 'test-gaps',
    file: file.path,
    range,
    message: gap.message,
    evidence: shorten(gap.evidence),
    advice: 'Add a test that fails without this change.',
  };
}

async function changedSources(each: EachFile, context: TreeContext): Promise<{ sources: ChangedSource[]; notes: Note[] }> {
  const files = context.changes.files.filter((file) => isTestable(file) && isChanged(file));
  const outcomes = await each('exports', null, files, context);
  const notes = failureNotes('test-gaps', files, outcomes);
  const unparsed = outcomes.flatMap((outcome) =>
    outcome.ok && outcome.value.unparsed !== undefined ? [outcome.value.unparsed] : [],
  );
  for (const reason of new Set(unparsed)) {
    const message = `test-gaps: exported names are not known: ${reason}`;
    notes.push({ code: 'no_parser', message, count: unparsed.filter((each) => each === reason).length });
  }
  const sources = files.map((file, i) => {
    const outcome = outcomes[i];
    const names = outcome?.ok === true ? outcome.value.names : [];
    return { file, names: names.filter((name) => touchesChange(name.range, file.changed)) };
  });
  return { sources, notes };
}

/**
 * Changed source files that no test refers to (medium where exported names changed, else low), and those whose tests
 * were not changed and do not name what changed (low). Tests are found by convention (`*.test.*`, `test_*.py`, folders
 * of tests), what they refer to by their imports, their own names and the exported names they mention. That a test
 * refers to a file does not say that it runs the changed lines. Only for changes: whole files and trees get a note.
 */
export function createTestGapsAnalyzer(each: EachFile): TreeAnalyzer {
  const analyze = async (context: TreeContext): Promise<TreeResult> => {
    const { mode, files } = context.changes;
    if (mode === 'tree' || mode === 'files') {
      const message = 'test-gaps compares a change with its tests; whole files and trees are no change.';
      return { findings: [], notes: [{ code: 'not_a_change', message }], stats: { files: 0, tests: 0 } };
    }
    const { sources, notes } = await changedSources(each, context);
    if (sources.length === 0) return { findings: [], notes, stats: { files: 0, tests: 0 } };
    const map = await mapTests(
      each,
      context,
      sources.flatMap(({ names }) => names.map((name) => name.name)),
    );
    const changedTests = new Set(files.filter((file) => isTestPath(file.path)).map((file) => file.path));
    const noTests: Note[] =
      map.tests === 0
        ? [{ code: 'no_tests', message: 'test-gaps: the project has no test files that this analyzer knows.' }]
        : [];
    const findings = sources.flatMap((source) => {
      const gap = judge(source, map, changedTests);
      // where nothing is tested, only what others can call is worth a finding
      return gap === null || (map.tests === 0 && source.names.length === 0) ? [] : [toFinding(source, gap)];
    });
    return {
      findings: findings.sort(compareFindings),
      notes: [...noTests, ...notes, ...map.notes],
      stats: { files: sources.length, tests: map.tests },
    };
  };
  return { kind: 'tree', id: 'test-gaps', capability: 'test-gaps', analyze };
}
