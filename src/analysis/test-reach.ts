import * as z from 'zod';
import type { SourceFile } from '../changes.ts';
import type { Note } from '../finding.ts';
import type { TreeContext } from './analyzer.ts';
import { type ImportGraph, type Reached, createImportGraph, ledToByOthers, reachFrom } from './import-graph.ts';
import { codeFamily, folderOf } from './module-path.ts';
import { projectFiles } from './project-files.ts';
import type { References } from './references.ts';
import { type LocalPackage, createResolver } from './resolve-module.ts';
import { isTestName, isTestPath } from './test-paths.ts';
import { type EachFile, failureNotes } from './tree-tools.ts';

/** The project's tests, and what they lead to. */
export interface TestReach {
  /** How many test files there are, helpers and fixtures among them. */
  readonly tests: number;
  /** Files that are no tests, sorted. */
  readonly sources: readonly string[];
  readonly graph: ImportGraph;
  /** Test files that refer to a file themselves, sorted: by import, by starting it, by their own name. */
  testsOf(path: string): readonly string[];
  /** A shortest way to a file from a test, which comes first; `null` where no test leads to it. */
  wayTo(path: string): readonly string[] | null;
  /** Files that a test leads to by way of another of `changed`. */
  behind(changed: readonly string[]): ReadonlySet<string>;
  /** Whether one of these test files (default: of all) mentions the name as a word. */
  mentions(name: string, tests?: readonly string[]): boolean;
  /** Whether files were left out, so that a way may exist that is not seen. */
  readonly bounded: boolean;
  readonly notes: readonly Note[];
}

/** Of tests, and again of other files. */
const MAX_FILES = 3000;
const MAX_BYTES = 20 * 1024 * 1024;

const manifestSchema = z.object({
  name: z.string().min(1),
  main: z.string().optional().catch(undefined),
  module: z.string().optional().catch(undefined),
  source: z.string().optional().catch(undefined),
});

function isManifest(path: string): boolean {
  return /(?:^|\/)package\.json$/u.test(path);
}

/** The package that a manifest describes; none for one that is broken or has no name, as many in tests are. */
function localPackage(path: string, text: string): LocalPackage[] {
  let data: unknown;
  try {
    data = JSON.parse(text);
  } catch {
    return [];
  }
  const { data: manifest } = manifestSchema.safeParse(data);
  if (manifest === undefined) return [];
  const entries = [manifest.source, manifest.module, manifest.main].filter((entry) => entry !== undefined);
  return [{ name: manifest.name, folder: folderOf(path), entries }];
}

interface ReadFiles {
  readonly files: readonly { readonly path: string; readonly references: References }[];
  readonly packages: readonly LocalPackage[];
  readonly beyond: number;
  readonly notes: readonly Note[];
}

async function readFiles(
  each: EachFile,
  context: TreeContext,
  accepts: (path: string) => boolean,
  names: readonly string[],
): Promise<ReadFiles> {
  const others = await projectFiles(context, { accepts, maxFiles: MAX_FILES, maxBytes: MAX_BYTES });
  const all = [...context.changes.files.filter((file) => accepts(file.path)), ...others.files];
  const packages: LocalPackage[] = [];
  for (const file of all.filter(({ path }) => isManifest(path)))
    packages.push(...localPackage(file.path, await context.read(file)));
  // a component's script is read as the JavaScript that it is
  const code = all
    .filter(({ path }) => !isManifest(path))
    .map((file): SourceFile => (file.language === 'text' ? { ...file, language: 'typescript' } : file));
  const outcomes = await each('references', { names }, code, context);
  return {
    files: code.flatMap(({ path }, i) => {
      const outcome = outcomes[i];
      return outcome?.ok === true ? [{ path, references: outcome.value }] : [];
    }),
    packages,
    beyond: others.beyond,
    notes: failureNotes('test-gaps', code, outcomes),
  };
}

function boundNotes(tests: number, sources: number): Note[] {
  const limit = '3,000 files or 20 MB at most';
  const left = [
    { code: 'tests_bounded', what: 'test files', count: tests },
    { code: 'sources_bounded', what: 'source files', count: sources },
  ].filter(({ count }) => count > 0);
  return left.map(({ code, what, count }) => ({
    code,
    message: `test-gaps: ${count} ${what} were left out (${limit}), so tests may seem to lack.`,
    count,
  }));
}

/**
 * Searches from the tests. What other tests load (helpers, fixtures) is a beginning only where no test leads to it, so
 * that ways begin at what a test runner starts.
 */
function reachFromTests(graph: ImportGraph, tests: readonly string[]): Reached {
  const loaded = new Set(tests.flatMap((test) => graph.targets(test)));
  const started = reachFrom(
    graph,
    tests.filter((test) => isTestName(test) || !loaded.has(test)),
  );
  return reachFrom(graph, tests, started);
}

/** Test files by what they refer to. */
function referringTests(graph: ImportGraph, tests: readonly string[]): Map<string, string[]> {
  const found = new Map<string, string[]>();
  for (const test of tests) {
    for (const target of graph.targets(test)) {
      const own = found.get(target);
      if (own === undefined) found.set(target, [test]);
      else own.push(test);
    }
  }
  return found;
}

function wayBack(reached: Reached, path: string): readonly string[] | null {
  if (!reached.has(path)) return null;
  const way = [path];
  for (let at = reached.get(path); at !== undefined && at !== null; at = reached.get(at)) way.unshift(at);
  return way;
}

/**
 * Reads the project's code, that under review included (at most 3,000 tests and 3,000 other files, 20 MB each, as notes
 * say where there are more), and finds what its tests lead to. `names` are the names that `mentions` can be asked for.
 */
export async function findTestReach(each: EachFile, context: TreeContext, names: readonly string[]): Promise<TestReach> {
  const isCode = (path: string): boolean => codeFamily(path) !== null;
  const tests = await readFiles(each, context, (path) => isTestPath(path) && isCode(path), [...new Set(names)]);
  const isSource = (path: string): boolean => !isTestPath(path) && (isCode(path) || isManifest(path));
  const sources = await readFiles(each, context, isSource, []);
  const files = [...tests.files, ...sources.files];
  const resolver = createResolver(
    files.map((file) => file.path),
    sources.packages,
  );
  const graph = createImportGraph(files, resolver);
  const testPaths = tests.files.map((file) => file.path).sort();
  const reached = reachFromTests(graph, testPaths);
  const referring = referringTests(graph, testPaths);
  const byTest = new Map(tests.files.map(({ path, references }) => [path, new Set(references.names)]));
  return {
    tests: testPaths.length,
    sources: sources.files.map((file) => file.path).sort(),
    graph,
    testsOf: (path) => referring.get(path) ?? [],
    wayTo: (path) => wayBack(reached, path),
    behind: (changed) =>
      ledToByOthers(
        graph,
        changed.filter((path) => reached.has(path)),
      ),
    mentions: (name, among = testPaths) => among.some((test) => byTest.get(test)?.has(name) === true),
    bounded: tests.beyond + sources.beyond > 0,
    notes: [...boundNotes(tests.beyond, sources.beyond), ...tests.notes, ...sources.notes],
  };
}
