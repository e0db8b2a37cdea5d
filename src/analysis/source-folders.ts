import { type ImportGraph, reachFrom } from './import-graph.ts';
import { foldersUp, folderOf } from './module-path.ts';

const SOURCE = new Set([
  'src',
  'source',
  'sources',
  'lib',
  'libs',
  'app',
  'server',
  'client',
  'api',
  'core',
  'components',
  'pages',
]);
/** Folders of what helps to build, measure, show and run a project. */
const AROUND =
  /^(?:\..+|scripts?|tools?|tooling|tasks|build|ci|configs?|bench|benches|benchmarks?|perf|docs?|examples?|samples?|demos?|playground|sandbox)$/iu;

/** What the names of the folders say, the outermost that says something; `null` where none does. */
function byConvention(path: string): boolean | null {
  for (const folder of folderOf(path).split('/')) {
    if (SOURCE.has(folder.toLowerCase())) return true;
    if (AROUND.test(folder)) return false;
  }
  return null;
}

function topOf(path: string): string {
  return path.includes('/') ? path.slice(0, path.indexOf('/')) : '';
}

/**
 * The files that are the project's product, out of `paths` (no tests among them): those in a source folder, and what
 * they lead to. A source folder has a usual name (`src`, `lib`, …), is a Python package, or is a top folder (the root
 * counts as one) from which the tests load something. Where no folder is one, every file is a source.
 */
export function productFiles(
  paths: readonly string[],
  graph: ImportGraph,
  isTested: (path: string) => boolean,
): ReadonlySet<string> {
  const packages = new Set(paths.filter((path) => /(?:^|\/)__init__\.py$/u.test(path)).map(folderOf));
  const testedTops = new Set(paths.filter((path) => byConvention(path) === null && isTested(path)).map(topOf));
  const inSourceFolder = (path: string): boolean =>
    byConvention(path) ?? (testedTops.has(topOf(path)) || foldersUp(folderOf(path)).some((folder) => packages.has(folder)));
  const inside = paths.filter(inSourceFolder);
  return inside.length === 0 ? new Set(paths) : new Set(reachFrom(graph, inside).keys());
}
