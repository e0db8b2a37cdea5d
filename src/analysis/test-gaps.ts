import type { SourceFile } from '../changes.ts';
import type { Note } from '../finding.ts';
import type { TreeAnalyzer, TreeContext, TreeResult } from './analyzer.ts';
import { type ChangedSource, findTestGap } from './judge-test-gap.ts';
import { familyOf } from './language.ts';
import { productFiles } from './source-folders.ts';
import { isTestPath } from './test-paths.ts';
import { findTestReach } from './test-reach.ts';
import { touchesChange } from './touches-change.ts';
import { type EachFile, compareFindings, failureNotes } from './tree-tools.ts';

/** Files that nobody tests: declarations, settings of tools, scripts that other tools run. */
const UNTESTED_BY_NATURE =
  /(?:\.d\.[cm]?ts|\.pyi|\.config\.[cm]?[jt]s|\.stories\.[jt]sx?|(?:^|\/)(?:(?:setup|conf|manage|noxfile|fabfile)\.py|(?:gulp|grunt|jake)file\.[cm]?[jt]s|\.[\w-]+rc\.[cm]?[jt]s))$/iu;

/** Whether a file is code that a test could run, by its path. */
function isTestable(file: SourceFile): boolean {
  return familyOf(file.language) !== null && !isTestPath(file.path) && !UNTESTED_BY_NATURE.test(file.path);
}

function isChanged(file: SourceFile): boolean {
  return file.changed === 'all' || file.changed.length > 0;
}

/** The changed files that hold code, with the exported names that the change touches. */
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
  const sources = files.flatMap((file, i) => {
    const outcome = outcomes[i];
    if (outcome?.ok !== true) return [{ file, names: [] }];
    const { code, names } = outcome.value;
    return code ? [{ file, names: names.filter((name) => touchesChange(name.range, file.changed)) }] : [];
  });
  return { sources, notes };
}

/** Judges every changed file. */
async function findGaps(each: EachFile, context: TreeContext, sources: readonly ChangedSource[]): Promise<TreeResult> {
  const changed = context.changes.files.filter(isChanged).map((file) => file.path);
  const names = sources.flatMap((source) => source.names.map((name) => name.name));
  const reach = await findTestReach(each, context, names);
  const known = new Set(reach.sources);
  const product = productFiles(reach.sources, reach.graph, (path) => reach.wayTo(path) !== null);
  const gapContext = {
    reach,
    changedTests: new Set(changed.filter(isTestPath)),
    behindChanges: reach.behind(changed.filter((path) => !isTestPath(path))),
    // a file that could not be read for the graph is judged as a source
    isProduct: (path: string) => product.has(path) || !known.has(path),
  };
  const findings = sources.map((source) => findTestGap(source, gapContext)).filter((finding) => finding !== null);
  const message = 'test-gaps: the project has no test files that this analyzer knows.';
  return {
    findings: findings.sort(compareFindings),
    notes: [...(reach.tests === 0 ? [{ code: 'no_tests', message }] : []), ...reach.notes],
    stats: { files: sources.length, tests: reach.tests },
  };
}

/**
 * Changed source files that no test reaches, neither itself nor through what it imports or starts (medium where exported
 * names changed, else low; info for scripts beside the product), and those whose tests did not change and do not name
 * what changed: low where tests refer to the file itself, info where they reach it through other files only, and neither
 * any of these nor any test changed. Files without code of their own (types, constants, tables, re-exports) and settings
 * of tools are passed over. Tests are found by convention (`*.test.*`, `test_*.py`, folders of tests); see
 * `findTestReach` for what they reach. That a test reaches a file does not say that it runs the changed lines. Only for
 * changes: whole files and trees get a note.
 */
export function createTestGapsAnalyzer(each: EachFile): TreeAnalyzer {
  const analyze = async (context: TreeContext): Promise<TreeResult> => {
    const { mode } = context.changes;
    if (mode === 'tree' || mode === 'files') {
      const message = 'test-gaps compares a change with its tests; whole files and trees are no change.';
      return { findings: [], notes: [{ code: 'not_a_change', message }], stats: { files: 0, tests: 0 } };
    }
    const { sources, notes } = await changedSources(each, context);
    if (sources.length === 0) return { findings: [], notes, stats: { files: 0, tests: 0 } };
    const result = await findGaps(each, context, sources);
    const [first, ...rest] = result.notes;
    return { ...result, notes: first?.code === 'no_tests' ? [first, ...notes, ...rest] : [...notes, ...result.notes] };
  };
  return { kind: 'tree', id: 'test-gaps', capability: 'test-gaps', analyze };
}
