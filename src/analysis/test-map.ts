import type { SourceFile } from '../changes.ts';
import type { Note } from '../finding.ts';
import type { TreeContext } from './analyzer.ts';
import { familyOf, languageOf } from './language.ts';
import { projectFiles } from './project-files.ts';
import { type References, moduleMeans } from './references.ts';
import { isTestPath, testedName } from './test-paths.ts';
import { type EachFile, failureNotes } from './tree-tools.ts';

/** The project's tests and what they refer to. */
export interface TestMap {
  /** How many test files there are. */
  readonly tests: number;
  /** Test files that refer to a source file, sorted: by import, by their own name, or by naming one of `names`. */
  testsOf(source: string, names: readonly string[]): readonly string[];
  /** Whether one of these test files mentions the name as a word. */
  mentions(tests: readonly string[], name: string): boolean;
  readonly notes: readonly Note[];
}

const MAX_FILES = 3000;
const MAX_BYTES = 20 * 1024 * 1024;

function baseName(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1).replace(/(?:\.d)?\.[^.]+$/u, '');
}

function refersTo(test: SourceFile, { modules, names }: References, source: string, wanted: readonly string[]): boolean {
  if (familyOf(languageOf(source)) !== familyOf(test.language)) return false;
  // `index` and `__init__` are the names of too many files
  const named = testedName(test.path);
  if (named !== null && named === baseName(source) && named !== 'index') return true;
  if (modules.some((module) => moduleMeans(module, test.path, source, test.language))) return true;
  return wanted.some((name) => names.includes(name));
}

/**
 * Reads the project's test files, those under review included, and notes which of `names` each mentions. A short or
 * common name would be mentioned everywhere, so names of less than 4 letters never count as a mention.
 */
export async function mapTests(each: EachFile, context: TreeContext, names: readonly string[]): Promise<TestMap> {
  const accepts = (path: string): boolean => isTestPath(path) && familyOf(languageOf(path)) !== null;
  const others = await projectFiles(context, { accepts, maxFiles: MAX_FILES, maxBytes: MAX_BYTES });
  const tests = [...context.changes.files.filter((file) => accepts(file.path)), ...others.files];
  const wanted = [...new Set(names)].filter((name) => name.length >= 4 && name !== 'default');
  const outcomes = await each('references', { names: wanted }, tests, context);
  const known = tests.flatMap((test, i) => {
    const outcome = outcomes[i];
    return outcome?.ok === true ? [{ test, references: outcome.value }] : [];
  });
  const byPath = new Map(known.map(({ test, references }) => [test.path, new Set(references.names)]));
  const notes = failureNotes('test-gaps', tests, outcomes);
  if (others.beyond > 0) {
    const message = `test-gaps: ${others.beyond} test files were left out (3,000 files or 20 MB at most), so tests may seem to lack.`;
    notes.push({ code: 'tests_bounded', message, count: others.beyond });
  }
  return {
    tests: known.length,
    testsOf: (source, own) =>
      known
        .filter(({ test, references }) => refersTo(test, references, source, own))
        .map(({ test }) => test.path)
        .sort(),
    mentions: (paths, name) => paths.some((path) => byPath.get(path)?.has(name) === true),
    notes,
  };
}
