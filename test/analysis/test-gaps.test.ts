import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createAnalysis } from '../../src/analysis/pool.ts';
import type { TreeResult } from '../../src/analysis/analyzer.ts';
import { collectChanges } from '../../src/analysis/collect.ts';
import { exportedNames } from '../../src/analysis/exports.ts';
import { createResolver } from '../../src/analysis/resolve-module.ts';
import { isTestPath } from '../../src/analysis/test-paths.ts';
import type { Selection } from '../../src/changes.ts';
import type { Finding } from '../../src/finding.ts';
import { createRuntime } from '../../src/runtime.ts';
import { createTempProject, type TempProject } from './temp-project.ts';

const runtime = createRuntime('silent');
const { signal } = new AbortController();
let project: TempProject;
beforeEach(() => {
  project = createTempProject();
});
afterEach(() => project.remove());

async function gaps(selection: Selection = {}): Promise<TreeResult> {
  await using analysis = createAnalysis({ runtime });
  return await analysis.analyze('test-gaps', await collectChanges(selection, { root: project.root, runtime }), { signal });
}
const brief = (result: TreeResult): unknown[] => result.findings.map((finding) => [finding.file, finding.rule, finding.severity]);

describe('test-gaps', () => {
  it('reports changed code that no test refers to, with the names that changed', async () => {
    project.write('src/tested.ts', 'export function tested() { return 1; }\n');
    project.write(
      'src/lonely.ts',
      'export function lonely() {\n  return 1;\n}\nexport function untouched() {}\nfunction hidden() {}\n',
    );
    project.write('test/tested.test.ts', "import { tested } from '../src/tested.ts';\ntested();\n");
    project.commit();
    project.write('src/tested.ts', 'export function tested() { return 2; }\n');
    project.write(
      'src/lonely.ts',
      'export function lonely() {\n  return 2;\n}\nexport function untouched() {}\nfunction hidden() {}\n',
    );
    const result = await gaps();
    expect(brief(result)).toEqual([['src/lonely.ts', 'test-gaps/untested-change', 'medium']]);
    expect(result.findings[0]?.evidence).toBe(
      'changed: lonely; none of 1 test file leads to it by imports, by its name or by starting it',
    );
    expect(result.findings[0]?.range).toMatchObject({ startLine: 1, endLine: 3 });
  });
  it('reports unchanged tests that do not name what is new', async () => {
    project.write('src/a.ts', 'export function first() {}\n');
    project.write('src/a.test.ts', "import { first } from './a';\n");
    project.commit();
    project.write('src/a.ts', 'export function first() {}\nexport function second() {}\n');
    expect(brief(await gaps())).toEqual([['src/a.ts', 'test-gaps/tests-unchanged', 'low']]);
    project.write('src/a.test.ts', "import { first } from './a';\nfirst();\n");
    expect(brief(await gaps())).toEqual([]);
  });
  it('sees tests by name, by mention and in Python', async () => {
    project.write('pkg/mod.py', 'def work():\n    return 1\n');
    project.write('pkg/other.py', 'def helper_two():\n    return 1\n');
    project.write('lib/deep.js', 'module.exports = { deepThing };\nfunction deepThing() { return 1; }\n');
    project.write('tests/test_x.py', 'from pkg.mod import work\n');
    project.write('tests/test_other.py', 'import unittest\n');
    project.write('tests/all.test.js', "const { deepThing } = require('../index.js');\n");
    project.commit();
    for (const path of ['pkg/mod.py', 'pkg/other.py', 'lib/deep.js']) {
      project.write(path, project.git('show', `HEAD:${path}`).replace('1', '2'));
    }
    expect(brief(await gaps())).toEqual([['pkg/other.py', 'test-gaps/tests-unchanged', 'low']]);
  });
  it('says when there are no tests at all, and keeps to exported code', async () => {
    project.write('a.ts', 'export const x = () => 1;\n');
    project.commit();
    project.write('a.ts', 'export const x = () => 2;\n');
    project.write('script.ts', 'run();\n');
    project.write('types.d.ts', 'export declare function f(): void;\n');
    project.write('vite.config.ts', 'export default {};\n');
    const result = await gaps();
    expect(brief(result)).toEqual([['a.ts', 'test-gaps/untested-change', 'low']]);
    expect(result.notes.map((note) => note.code)).toEqual(['no_tests']);
  });
  it('is silent with a note on whole trees and files', async () => {
    project.write('a.ts', 'export const x = 1;\n');
    for (const selection of [{ tree: true }, { files: ['a.ts'] }]) {
      const result = await gaps(selection);
      expect([result.findings, result.notes.map((note) => note.code)]).toEqual([[], ['not_a_change']]);
    }
  });
  it('examines hotspots by whether a test refers to the file', async () => {
    project.write('src/a.ts', 'export const a = 1;\n');
    project.write('src/b.ts', 'export const b = 1;\n');
    project.write('test/a.test.ts', "import '../src/a.ts';\n");
    const changes = await collectChanges({ tree: true }, { root: project.root, runtime });
    const finding = (capability: string, file: string): Finding => ({
      id: `${capability} ${file}`,
      rule: `${capability}/x`,
      severity: 'low',
      confidence: 'low',
      capability,
      file,
      range: { startLine: 1, startColumn: 1, endLine: 1, endColumn: 2 },
      message: '',
      evidence: '',
    });
    await using analysis = createAnalysis({ runtime });
    const votes = await analysis.examine(
      'test-gaps',
      [
        finding('hotspots', 'src/a.ts'),
        finding('hotspots', 'src/b.ts'),
        finding('hotspots', 'test/a.test.ts'),
        finding('secrets', 'src/b.ts'),
      ],
      changes,
      { signal },
    );
    expect(votes.map((vote) => vote.vote)).toEqual(['abstain', 'confirm', 'abstain', 'abstain']);
  });
});

describe('exports', () => {
  it.each([
    [
      'typescript',
      'export function a() {} export class B {} export const c = 1, d = 2; export type T = 1; const e = 1; export { e }; export default 1',
      ['a', 'B', 'c', 'd', 'e', 'default'],
    ],
    ['javascript', 'function a() {} function b() {} exports.a = a; module.exports.z = 1;', ['a']],
    ['python', 'def a(): pass\n@dec\ndef b(): pass\nclass C: pass\ndef _d(): pass\nx = 1\n', ['a', 'b', 'C']],
    ['text', 'export', []],
  ] as const)('of %s', (language, text, names) => {
    expect(exportedNames(language, text).names.map((each) => each.name)).toEqual(names);
  });
});

describe('conventions', () => {
  it.each([
    ['src/a.test.ts', true],
    ['src/__tests__/a.js', true],
    ['tests/helper.py', true],
    ['pkg/test_a.py', true],
    ['pkg/a_test.py', true],
    ['a.spec.tsx', true],
    ['src/contest.ts', false],
    ['src/latest/a.ts', false],
    ['test.ts', false],
    ['spec/a-spec.ts', true],
    ['src/swarm-spec.ts', false],
  ])('%s is a test: %s', (path, expected) => {
    expect(isTestPath(path)).toBe(expected);
  });
  it.each([
    ['../src/a.js', 'test/a.test.ts', 'src/a.ts', true],
    ['../src', 'test/a.test.ts', 'src/index.ts', true],
    ['@/lib/a', 'test/a.test.ts', 'src/lib/a.ts', true],
    ['a', 'test/a.test.ts', 'src/a.ts', false],
    ['./a', 'test/a.test.ts', 'src/a.ts', false],
    ['pkg.mod', 'tests/t.py', 'src/pkg/mod.py', true],
    ['pkg', 'tests/t.py', 'pkg/__init__.py', true],
    ['..mod', 'pkg/tests/t.py', 'pkg/mod.py', true],
    ['mod', 'tests/t.py', 'src/mod.py', true],
    ['mod', 'tests/t.py', 'deep/down/mod.py', false],
  ] as const)('%s in %s means %s: %s', (module, from, target, expected) => {
    expect(createResolver([target]).resolve(module, from)).toEqual(expected ? [target] : []);
  });
});
