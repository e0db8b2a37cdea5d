import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { exportedNames } from '../../src/analysis/exports.ts';
import { createImportGraph, ledToByOthers, reachFrom, type ImportGraph } from '../../src/analysis/import-graph.ts';
import { languageOf } from '../../src/analysis/language.ts';
import { referencesIn } from '../../src/analysis/references.ts';
import { createResolver, type LocalPackage } from '../../src/analysis/resolve-module.ts';

function graphOf(files: Readonly<Record<string, string>>, packages: readonly LocalPackage[] = []): ImportGraph {
  const code = Object.entries(files).map(([path, text]) => ({ path, references: referencesIn(languageOf(path), text, []) }));
  return createImportGraph(code, createResolver(Object.keys(files), packages));
}

describe('the import graph of JavaScript', () => {
  const packages = [
    { name: '@scope/mine', folder: '', entries: [] },
    { name: 'core', folder: 'packages/core', entries: ['./dist/entry.js'] },
  ];
  it.each([
    ['.js for .ts', "import { a } from './inner.js';", 'src/inner.ts'],
    ['.mjs for .mts', "import { a } from './inner.mjs';", 'src/inner.mts'],
    ['no extension', "import a, { type B } from './inner';", 'src/inner.tsx'],
    ['more dots', "import a from './inner.service';", 'src/inner.service.ts'],
    ['an index', "import * as a from './inner';", 'src/inner/index.ts'],
    ['the folder itself', "import a from '.';", 'src/index.ts'],
    ['the root', "import a from '..';", 'index.js'],
    ['an import for its effects', "import './inner.ts';", 'src/inner.ts'],
    ['a type by the name of type', "import type from './inner.ts';", 'src/inner.ts'],
    ['a re-export', "export * from './inner.ts';", 'src/inner.ts'],
    ['a named re-export', "export {\n  a,\n  type B,\n} from './inner.ts';", 'src/inner.ts'],
    ['import()', "const load = () => import(/* lazy */ './inner.ts');", 'src/inner.ts'],
    ['import() of a template', 'await import(`./inner.ts`);', 'src/inner.ts'],
    ['require()', "const { a } = require('./inner');", 'src/inner.cjs'],
    ['what a mock really is', "await vi.importActual<typeof import('./x')>('./inner.ts');", 'src/inner.ts'],
    ['a worker', "new Worker(new URL('./inner.ts', import.meta.url));", 'src/inner.ts'],
    ['a bundle by the type of its module', "import type * as it from './inner.ts';\nlet a: typeof it;", 'src/inner.ts'],
    ['a path from the root', "import a from 'src/inner';", 'src/inner.ts'],
    ['an alias', "import a from '@/inner';", 'src/inner.ts'],
    ['an alias of a folder', "import a from '@parts/inner';", 'src/parts/inner.ts'],
    ['its own package', "import a from '@scope/mine/inner';", 'src/inner.ts'],
    ['a package of the project', "import a from 'core';", 'packages/core/src/entry.ts'],
    ['a part of that', "import a from 'core/deep/part.js';", 'packages/core/src/deep/part.ts'],
    ['a query', "import a from './inner.ts?raw';", 'src/inner.ts'],
  ])('follows %s', (_how, line, inner) => {
    expect(graphOf({ 'src/outer.ts': line, [inner]: '' }, packages).targets('src/outer.ts')).toEqual([inner]);
  });
  it.each([
    ['import type', "import type { A } from './inner.ts';"],
    ['import { type }', "import { type A, type B as C } from './inner.ts';"],
    ['export type', "export type * from './inner.ts';"],
    ['a namespace of types', "import type * as it from './inner.ts';\nlet a: it.A;"],
    ['the type of a value', "const a: import('./inner.ts').A = 1;"],
    ['a comment', "// import './inner.ts';\n/** import './inner.ts' */"],
    ['a package', "import a from 'inner';"],
    ['a module of Node', "import a from 'node:src/inner';"],
    ['another language', "import a from './inner.json';"],
    ['what lies outside', "import a from '../../src/inner.ts';"],
    ['itself', "import a from './outer.ts';"],
    ['a mocked module', "vi.mock('./inner');"],
    ['a name that is put together', 'import(`./${name}.ts`);'],
  ])('does not follow %s', (_how, line) => {
    expect(graphOf({ 'src/outer.ts': line, 'src/inner.ts': '', 'src/inner.py': '' }).targets('src/outer.ts')).toEqual([]);
  });
  it('prefers the very file, then sources, files before folders, and the nearest of several', () => {
    const paths = ['src/a.js', 'src/a.ts', 'src/a/index.ts', 'src/b.d.ts', 'src/b.js', 'x/lib/c/d.ts', 'y/lib/c/d.ts'];
    const { resolve } = createResolver(paths);
    expect(['./a.js', './a', './a/index.js', './b', 'c/d'].map((module) => resolve(module, 'src/z.ts')[0])).toEqual([
      'src/a.js',
      'src/a.ts',
      'src/a/index.ts',
      'src/b.js',
      'x/lib/c/d.ts',
    ]);
    expect(resolve('c/d', 'y/z.ts')).toEqual(['y/lib/c/d.ts']);
  });
});

describe('the import graph of Python', () => {
  it.each([
    ['import a.b', 'import pkg.inner'],
    ['import a.b as', 'import os, pkg.inner as deep'],
    ['from a import b', 'from pkg import (\n    other,  # not this\n    inner as deep,\n)'],
    ['a line that goes on', 'from pkg import other, \\\n    inner'],
    ['from .', 'def f():\n    from . import inner'],
    ['from .b', 'from .inner import thing'],
    ['a module by its name', "MODULES = ['pkg.inner']"],
    ['a thing in a module by its name', "run('pkg.inner:thing')"],
  ])('follows %s', (_how, line) => {
    const graph = graphOf({ 'pkg/__init__.py': '', 'pkg/outer.py': line, 'pkg/inner.py': '', 'inner.py': '' });
    expect(graph.targets('pkg/outer.py')).toEqual(['pkg/__init__.py', 'pkg/inner.py']);
  });
  it.each([
    ['types', 'if TYPE_CHECKING:\n    from pkg import inner\n\nx = 1'],
    ['a comment', '# import pkg.inner'],
    ['what lies above the project', 'from ...pkg import inner'],
    ['a part of no package', 'import inner'],
  ])('does not follow %s', (_how, line) => {
    const graph = graphOf({ 'pkg/outer.py': line, 'pkg/__init__.py': '', 'pkg/inner.py': '' });
    expect(graph.targets('pkg/outer.py')).toEqual([]);
  });
  it('looks in the folder of a script, in source folders, and in the parts of a project', () => {
    const paths = ['src/pkg/mod.py', 'svc/app/mod.py', 'svc/tests/t.py', 'run/side.py', 'run/main.py'];
    const { resolve } = createResolver(paths);
    expect(resolve('pkg.mod', 'tests/t.py')).toEqual(['src/pkg/mod.py']);
    expect(resolve('app.mod', 'svc/tests/t.py')).toEqual(['svc/app/mod.py']);
    expect(resolve('side', 'run/main.py')).toEqual(['run/side.py']);
  });
});

describe('programs that tests start', () => {
  it.each([
    ['its path', "spawn('node', ['src/cli.js']);", 'src/cli.js'],
    ['a path from the test', "spawn('node', [join(here, '../src/cli.js')]);", 'src/cli.js'],
    ['the parts of its path', "const BIN = join(here, '..', 'src', 'cli.js');", 'src/cli.js'],
    ['what it is built to', "const BIN = join(here, '..', '..', 'dist', 'cli.cjs');", 'src/cli.ts'],
    ['a built index', "import.meta.resolve('../dist/index.js');", 'src/index.ts'],
    ['its name', 'run(`node ${dist}/cli.js --help`);', 'src/cli.ts'],
    ['a Python script', "execFile('python3', ['tools/make_it.py'])", 'tools/make_it.py'],
  ])('are known by %s', (_how, line, cli) => {
    expect(graphOf({ [cli]: '', 'test/x.test.js': line }).targets('test/x.test.js')).toEqual([cli]);
  });
  it('are known by python -m', () => {
    const files = { 'pkg/__init__.py': '', 'pkg/__main__.py': '', 'tests/test_x.py': "run([sys.executable, '-m', 'pkg'])" };
    expect(graphOf(files).targets('tests/test_x.py')).toEqual(['pkg/__init__.py', 'pkg/__main__.py']);
  });
  it.each([
    ['others import it', { 'src/cli.ts': '', 'src/b.ts': "import './cli.ts';" }],
    ['there are two', { 'a/cli.ts': '', 'b/cli.ts': '' }],
    ['its name is too common', { 'src/index.ts': '' }],
    ['it is a source that only bears the name', { 'src/tool.ts': '' }],
  ])('are not known where %s', (_why, files) => {
    const test = { 'test/x.test.js': "start('cli.js', 'index.js', 'tool.ts');" };
    expect(graphOf({ ...files, ...test }).targets('test/x.test.js')).toEqual([]);
  });
});

describe('reach', () => {
  it('takes a shortest way, the same in every order of the files', () => {
    const files = {
      'a.ts': "import './b.ts'; import './c.ts';",
      'b.ts': "import './d.ts';",
      'c.ts': "import './b.ts'; import './d.ts';",
      'd.ts': "import './a.ts';",
    };
    const reached = reachFrom(graphOf(files), ['a.ts']);
    expect(Object.fromEntries(reached)).toEqual({ 'a.ts': null, 'b.ts': 'a.ts', 'c.ts': 'a.ts', 'd.ts': 'b.ts' });
    const backwards = Object.fromEntries(Object.entries(files).reverse());
    expect(reachFrom(graphOf(backwards), ['a.ts'])).toEqual(reached);
  });
  it('finds what others lead to as a search from each of them would', () => {
    const edges = fc.array(fc.tuple(fc.nat(9), fc.nat(9)), { maxLength: 25 });
    const check = (pairs: [number, number][], sources: number[]): void => {
      const targets = (path: string): string[] => pairs.filter(([from]) => `${from}` === path).map(([, to]) => `${to}`);
      const graph = { targets };
      const expected = new Set(
        sources.flatMap((source) => [...reachFrom(graph, targets(`${source}`)).keys()].filter((path) => path !== `${source}`)),
      );
      expect(new Set(ledToByOthers(graph, sources.map(String)))).toEqual(expected);
    };
    fc.assert(fc.property(edges, fc.uniqueArray(fc.nat(9), { maxLength: 5 }), check), { seed: 7, numRuns: 300 });
  });
  it('reads hostile texts in time that grows with their size', () => {
    const texts = [
      'import type {',
      "'",
      '`',
      'import { type a as b',
      'from ',
      'import(/*',
      '\\',
      'if TYPE_CHECKING:\n ',
      '-m ',
      '(((',
    ];
    for (const text of texts) {
      for (const language of ['typescript', 'python'] as const) {
        expect(() => referencesIn(language, text.repeat(20_000), ['a'])).not.toThrow();
      }
    }
  }, 10_000);
});

describe('code of its own', () => {
  it.each([
    ['types', 'typescript', 'export interface A { f(): void }\nexport type B = A | 1;\nexport declare function g(): 1;', false],
    [
      'constants',
      'typescript',
      "export const LIMIT = 1;\nexport enum Kind { A }\nconst s = new Set(['a']);\nexport { s };",
      false,
    ],
    ['a table', 'javascript', "'use strict';\nrequire('./polyfill');\nmodule.exports = [{ a: 1 }, { a: /b/u }];", false],
    ['a schema', 'typescript', 'export const one = z.object({ a: z.string().min(1) });', false],
    ['re-exports', 'typescript', "export { a } from './a.ts';\nexport * from './b.ts';", false],
    ['classes without methods', 'typescript', 'export class OneError extends Error {\n  readonly code = 1;\n}', false],
    ['a function', 'typescript', 'export const one = () => 1;', true],
    ['a table with functions', 'javascript', 'export const rules = [{ check(node) { return 1; } }];', true],
    ['methods', 'tsx', 'export class Thing {\n  get one() { return 1; }\n}', true],
    ['a call', 'javascript', 'run(1);', true],
    ['a step', 'javascript', 'if (a) b = 1;', true],
    ['Python constants', 'python', '"""Limits."""\nfrom a import b\nLIMIT = 1\n__all__ = ["LIMIT"]\n', false],
    ['Python fallbacks', 'python', 'try:\n    import a\nexcept ImportError:\n    a = None\n', false],
    [
      'Python declarations',
      'python',
      'class P(Protocol):\n    one: int = 1\n    def f(self):\n        """Does."""\n        ...\n',
      false,
    ],
    ['a Python function', 'python', 'def one():\n    return 1\n', true],
    ['a Python call', 'python', 'run(1)\n', true],
    ['a Python loop', 'python', 'for i in range(1):\n    pass\n', true],
    ['a Python lambda', 'python', 'one = lambda: 1\n', true],
    ['plain text', 'text', 'run(1)', false],
  ] as const)('%s (%s)', (_what, language, text, expected) => {
    expect(exportedNames(language, text).code).toBe(expected);
  });
});
