import { baseName, codeFamily, folderOf, joinPath, withoutExtension } from './module-path.ts';
import type { References } from './references.ts';
import { type Resolver, withoutBuildFolders } from './resolve-module.ts';
import { isTestPath, testedName } from './test-paths.ts';

/** A file of code and what its text refers to. */
export interface CodeFile {
  /** From the project root, `/`-separated. */
  readonly path: string;
  readonly references: Pick<References, 'modules' | 'mentions'>;
}

/** Which file leads to which: by import, by starting it, or, for a test, by bearing its name. */
export interface ImportGraph {
  /** Sorted; none for a file that leads nowhere or is not known. */
  targets(path: string): readonly string[];
}

/** Each file reached, with the file that it was reached from; `null` for those where the search began. */
export type Reached = ReadonlyMap<string, string | null>;

/** Searches breadth first, so the way back from a file is a shortest one. `known` is gone on with. */
export function reachFrom(graph: ImportGraph, seeds: readonly string[], known: Reached = new Map()): Map<string, string | null> {
  const reached = new Map(known);
  const queue = seeds.filter((seed) => !reached.has(seed));
  for (const seed of queue) reached.set(seed, null);
  for (const path of queue) {
    for (const target of graph.targets(path)) {
      if (reached.has(target)) continue;
      reached.set(target, path);
      queue.push(target);
    }
  }
  return reached;
}

/** Files that some other of `sources` leads to. Two sources a file are enough to tell: one of them is not the file itself. */
export function ledToByOthers(graph: ImportGraph, sources: readonly string[]): ReadonlySet<string> {
  const origins = new Map<string, string[]>();
  const queue = sources.flatMap((source) => graph.targets(source).map((target) => ({ target, source })));
  for (const { target, source } of queue) {
    const own = origins.get(target) ?? [];
    if (own.length === 2 || own.includes(source)) continue;
    origins.set(target, [...own, source]);
    for (const next of graph.targets(target)) queue.push({ target: next, source });
  }
  return new Set([...origins].filter(([path, from]) => from.some((each) => each !== path)).map(([path]) => path));
}

/** Names that too many programs bear for a test that mentions one to mean this one. */
const COMMON_NAME = /^(?:index|main|app|test|tests|setup|config|\w{1,2}|__init__|__main__)$/iu;

/** Finds the files that a string of code means: a program that it starts, a module that it names. */
function createMentions(resolver: Resolver, entries: readonly string[]): (mention: string, from: string) => readonly string[] {
  const entry = new Set(entries);
  const byName = new Map<string, string[]>();
  for (const path of entries) byName.set(baseName(path), [...(byName.get(baseName(path)) ?? []), path]);

  /** `dist/cli.js` and `cli.js` for the one program `src/cli.ts`. */
  const builtFrom = (mention: string): readonly string[] => {
    const unbuilt = withoutBuildFolders(mention);
    const wanted = withoutExtension(unbuilt);
    // a bare name of TypeScript is one that the test made up: programs bear it only with their folder
    if (unbuilt === mention && (COMMON_NAME.test(wanted) || /^[^/]+\.[cm]?tsx?$/iu.test(mention))) return [];
    const same = (byName.get(baseName(wanted)) ?? []).filter(
      (path) => codeFamily(path) === codeFamily(mention) && `/${withoutExtension(path)}`.endsWith(`/${wanted}`),
    );
    return same.length === 1 ? same : [];
  };
  const moduleNamed = (mention: string, from: string): readonly string[] => {
    const segments = mention.split('.');
    for (let length = segments.length; length > 0; length -= 1) {
      const module = segments.slice(0, length).join('.');
      const found = resolver.resolve(module, from);
      if (found.length > 0) return length < segments.length ? found : [...found, ...resolver.resolve(`${module}.__main__`, from)];
    }
    return [];
  };

  return (mention, from) => {
    const family = codeFamily(mention);
    if (family === null) return moduleNamed(mention, from);
    const inTest = isTestPath(from);
    const beside = inTest || mention.startsWith('.') ? joinPath(folderOf(from), mention) : null;
    const found = beside === null ? null : resolver.file(beside, family);
    if (found !== null || !inTest) return found === null ? [] : [found];
    const fromRoot = resolver.file(joinPath('', mention) ?? '', family);
    return fromRoot !== null && entry.has(fromRoot) ? [fromRoot] : builtFrom(mention);
  };
}

/** More files of one name than this, and a test's name says nothing. */
const MAX_NAMESAKES = 5;

/** Folders that say what a file is, not what it is about. */
const FOLDERS_OF_KIND = /^(?:__tests__|tests?|specs?|e2e|units?|integration|functional|src|source|lib)$/iu;

/** Whether a test lies among the tests where the source lies among the sources: `test/a/b.test.ts` and `src/a/b.ts`. */
function mirrors(test: string, source: string): boolean {
  const [ofTest = '', ofSource = ''] = [test, source].map((path) =>
    folderOf(path)
      .split('/')
      .filter((folder) => !FOLDERS_OF_KIND.test(folder))
      .map((folder) => `/${folder}`)
      .join(''),
  );
  return ofTest.endsWith(ofSource) || ofSource.endsWith(ofTest);
}

/**
 * Finds the sources whose name a test bears. What a test imports tells more than its name: of one that imports files of
 * the project, the name means only a file in the like place, and none where it imports a file of this name.
 */
function createNamesakes(paths: readonly string[]): (test: string, imported: readonly string[]) => readonly string[] {
  const byName = new Map<string, string[]>();
  for (const path of paths.filter((each) => !isTestPath(each))) {
    const same = byName.get(baseName(path));
    if (same === undefined) byName.set(baseName(path), [path]);
    else same.push(path);
  }
  return (test, imported) => {
    const name = testedName(test);
    // `index` is the name of too many files
    if (name === null || name === 'index' || !isTestPath(test) || imported.some((path) => baseName(path) === name)) return [];
    const same = (byName.get(name) ?? []).filter(
      (path) => codeFamily(path) === codeFamily(test) && (imported.length === 0 || mirrors(test, path)),
    );
    return same.length > MAX_NAMESAKES ? [] : same;
  };
}

/** Makes the graph; time and memory grow with the files and what they refer to. */
export function createImportGraph(files: readonly CodeFile[], resolver: Resolver): ImportGraph {
  const imports = new Map<string, readonly string[]>();
  const imported = new Set<string>();
  for (const { path, references } of files) {
    const targets = references.modules.flatMap((module) => resolver.resolve(module, path)).filter((target) => target !== path);
    imports.set(path, targets);
    if (!isTestPath(path)) for (const target of targets) imported.add(target);
  }
  const paths = files.map((file) => file.path);
  const mentioned = createMentions(
    resolver,
    paths.filter((path) => !imported.has(path) && !isTestPath(path)),
  );
  const namesakes = createNamesakes(paths);
  const edges = new Map(
    files.map(({ path, references }) => {
      const own = imports.get(path) ?? [];
      const started = references.mentions.flatMap((mention) => mentioned(mention, path));
      const all = new Set([...own, ...started, ...namesakes(path, own)]);
      all.delete(path);
      return [path, [...all].sort()];
    }),
  );
  return { targets: (path) => edges.get(path) ?? [] };
}
