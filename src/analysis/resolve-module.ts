import type { LanguageFamily } from './language.ts';
import { codeFamily, folderOf, foldersUp, joinPath, sharedFolders, withoutExtension } from './module-path.ts';

/** A package of the project: its name, and its folder from the root ('' for the root). */
export interface LocalPackage {
  readonly name: string;
  readonly folder: string;
  /** What `main`, `module`, `bin` and the like name, from the package's folder. */
  readonly entries: readonly string[];
}

/** Finds the project's files that a module name means. */
export interface Resolver {
  /** Files that loading `module` in the file `from` runs, the module's own file last; none for what is not the project's. */
  resolve(module: string, from: string): readonly string[];
  /** The file of this very path, or of this path with the extension that the sources have (`src/a.js` → `src/a.ts`). */
  file(path: string, family: LanguageFamily): string | null;
}

/** Folders below which sources may lie without being named. */
const SOURCE_FOLDERS = ['', 'src', 'lib', 'app', 'python'];
const BUILD_FOLDERS = /^(?:\.{0,2}\/|(?:dist|build|out|lib|output|target|esm|cjs)\/)+/u;

/** A path of a build's output as its source may have it: `./dist/esm/cli.js` → `cli.js`. */
export function withoutBuildFolders(path: string): string {
  return path.replace(BUILD_FOLDERS, '');
}

const PREFERENCE = ['ts', 'tsx', 'mts', 'cts', 'js', 'jsx', 'mjs', 'cjs', 'vue', 'svelte', 'astro', 'py', 'pyw'];

/** Sources before declarations, files before the index of a folder. */
function rank(path: string): number {
  const found = PREFERENCE.indexOf(path.slice(path.lastIndexOf('.') + 1).toLowerCase());
  const declares = /\.(?:d\.[cm]?ts|pyi)$/iu.test(path);
  return (found === -1 ? PREFERENCE.length : found) + (declares ? 40 : 0) + (isIndex(path) ? 20 : 0);
}

function isIndex(path: string): boolean {
  return /(?:^|\/)(?:index\.[^/]+|__init__\.py)$/iu.test(path);
}

/** The path that imports use: without extension, and without `index` or `__init__`. */
function importPath(path: string): string {
  return isIndex(path) ? folderOf(path) : withoutExtension(path);
}

function lastTwo(path: string): string {
  return path.split('/').slice(-2).join('/');
}

/** Files by the paths that imports use. */
function indexPaths(paths: readonly string[]): {
  readonly find: Resolver['file'];
  readonly bySuffix: (suffix: string, family: LanguageFamily, from: string) => string | null;
} {
  const exact = new Set(paths);
  const byImport = new Map<string, string>();
  const byEnd = new Map<string, string[]>();
  const ranked = paths.map((path) => ({ path, rank: rank(path) })).sort((a, b) => a.rank - b.rank || (a.path < b.path ? -1 : 1));
  for (const { path } of ranked) {
    const family = codeFamily(path) ?? 'javascript';
    for (const key of new Set([`${family}:${importPath(path)}`, `${family}:${withoutExtension(path)}`])) {
      if (!byImport.has(key)) byImport.set(key, path);
    }
    const end = `${family}:${lastTwo(importPath(path))}`;
    const same = byEnd.get(end);
    if (same === undefined) byEnd.set(end, [path]);
    else same.push(path);
  }
  return {
    find: (path, family) =>
      exact.has(path) && codeFamily(path) === family ? path : (byImport.get(`${family}:${withoutExtension(path)}`) ?? null),
    bySuffix: (suffix, family, from) => {
      const near = (byEnd.get(`${family}:${lastTwo(suffix)}`) ?? [])
        .filter((path) => `/${importPath(path)}`.endsWith(`/${suffix}`))
        .map((path) => ({ path, shared: sharedFolders(path, from) }))
        .sort((a, b) => b.shared - a.shared || (a.path < b.path ? -1 : 1));
      return near[0]?.path ?? null;
    },
  };
}

type Index = ReturnType<typeof indexPaths>;

function firstFound<T>(candidates: Iterable<T>, find: (candidate: T) => string | null): string | null {
  for (const candidate of candidates) {
    const found = find(candidate);
    if (found !== null) return found;
  }
  return null;
}

function joined(...parts: readonly string[]): string {
  return parts.filter((part) => part !== '').join('/');
}

/** Finds what `name` and `name/rest` mean where a package of the project has this name. */
function createPackages(
  packages: readonly LocalPackage[],
  find: (path: string | null) => string | null,
): (module: string) => string | null {
  const byName = new Map(packages.map((each) => [each.name, each]));
  return (module) => {
    const name = module.split('/', module.startsWith('@') ? 2 : 1).join('/');
    const local = byName.get(name);
    if (local === undefined) return null;
    const rest = module.slice(name.length + 1);
    const wanted = rest === '' ? [...local.entries, 'index', 'main'] : [rest];
    const places = wanted.flatMap((path) => [path, ...SOURCE_FOLDERS.slice(1).map((folder) => `${folder}/${path}`)]);
    const built = wanted.map(withoutBuildFolders).flatMap((path) => [`src/${path}`, path]);
    return firstFound([...places, ...built], (path) => find(joinPath(local.folder, path)));
  };
}

function createJavascript(index: Index, packages: readonly LocalPackage[]): Resolver['resolve'] {
  const find = (path: string | null): string | null => (path === null ? null : index.find(path, 'javascript'));
  const inPackage = createPackages(packages, find);
  /** From the root or a source folder of the project or of a part of it: `src/a`, and `@/a`, `~/a`, `#a` where aliased. */
  const fromAbove = (path: string, from: string): string | null =>
    firstFound(
      foldersUp(folderOf(from)).flatMap((folder) => SOURCE_FOLDERS.map((source) => joined(folder, source, path))),
      find,
    );
  const bare = (module: string, from: string): string | null => {
    const local = inPackage(module);
    if (local !== null) return local;
    const alias = /^(?:[@~]\/|#\/?)(?<rest>.+)$/u.exec(module)?.groups?.['rest'];
    const path = withoutExtension(alias ?? module.replace(/^[@~$]/u, '')).replace(/\/index$/u, '');
    const segments = path.split('/');
    // one word is a package from elsewhere
    if (alias === undefined && segments.length < 2) return null;
    const suffixes = segments.slice(0, -1).map((_, i) => segments.slice(i).join('/'));
    return fromAbove(path, from) ?? firstFound(suffixes, (suffix) => index.bySuffix(suffix, 'javascript', from));
  };

  return (module, from) => {
    const path = module.replace(/\?.*$/u, '');
    const lookUp = (): string | null => {
      if (path === '' || path.includes(':')) return null;
      if (path.startsWith('.')) return find(joinPath(folderOf(from), path));
      return path.startsWith('/') ? find(path.slice(1)) : bare(path, from);
    };
    const found = lookUp();
    return found === null ? [] : [found];
  };
}

/** Loading `a.b.c` runs the `__init__.py` of `a` and of `a.b` first. */
function createPython(index: Index): Resolver['resolve'] {
  const initOf = (folder: string): string | null => {
    const path = joined(folder, '__init__.py');
    return index.find(path, 'python') === path ? path : null;
  };
  const load = (path: string | null): string[] => {
    const found = path === null ? null : index.find(path, 'python');
    if (found === null) return [];
    const above: string[] = [];
    for (let folder = folderOf(found), init = initOf(folder); init !== null; folder = folderOf(folder), init = initOf(folder)) {
      if (init !== found) above.unshift(init);
      if (folder === '') break;
    }
    return [...above, found];
  };
  return (module, from) => {
    const dots = /^\.*/u.exec(module)?.[0].length ?? 0;
    const path = module.slice(dots).split('.').join('/');
    if (dots > 0) return load(joinPath(folderOf(from), `${'../'.repeat(dots - 1)}${path === '' ? '__init__' : path}`));
    if (path === '') return [];
    // what Python looks in (the project's root, a script's folder) never lies inside a package
    for (const folder of foldersUp(folderOf(from)).filter((each) => each === '' || initOf(each) === null)) {
      for (const source of SOURCE_FOLDERS) {
        const found = load(joined(folder, source, path));
        if (found.length > 0) return found;
      }
    }
    return path.includes('/') ? load(index.bySuffix(path, 'python', from)) : [];
  };
}

/**
 * Resolves module names among the given files (paths from the project root), as Node, bundlers and Python would, as far
 * as this can be told without their settings: relative names, names of the project's packages, paths from the root or a
 * source folder, aliases such as `@/a`, and else the file whose path ends with the name, at least two segments of it.
 */
export function createResolver(paths: readonly string[], packages: readonly LocalPackage[] = []): Resolver {
  const index = indexPaths(paths);
  const javascript = createJavascript(index, packages);
  const python = createPython(index);
  return {
    resolve: (module, from) => (codeFamily(from) === 'python' ? python : javascript)(module, from),
    file: index.find,
  };
}
