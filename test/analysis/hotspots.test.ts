import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createAnalysis } from '../../src/analysis/pool.ts';
import { collectChanges } from '../../src/analysis/collect.ts';
import { functionComplexity } from '../../src/analysis/complexity.ts';
import type { Examination, TreeResult } from '../../src/analysis/analyzer.ts';
import type { Selection } from '../../src/changes.ts';
import type { Finding } from '../../src/finding.ts';
import { createRuntime } from '../../src/runtime.ts';
import { createTempProject, runGit, type TempProject } from './temp-project.ts';

const runtime = createRuntime('silent');
const { signal } = new AbortController();
let project: TempProject;
beforeEach(() => {
  project = createTempProject();
});
afterEach(() => project.remove());

async function hotspots(selection: Selection, root = project.root): Promise<TreeResult> {
  await using analysis = createAnalysis({ runtime });
  return await analysis.analyze('hotspots', await collectChanges(selection, { root, runtime }), { signal });
}
async function examine(findings: readonly Finding[]): Promise<readonly Examination[]> {
  await using analysis = createAnalysis({ runtime });
  return await analysis.examine('hotspots', findings, await collectChanges({ tree: true }, { root: project.root, runtime }), {
    signal,
  });
}
function complexFunction(name: string, branches: number, extra = ''): string {
  const ifs = Array.from({ length: branches }, (_, i) => `  if (x === ${i}) return ${i};`).join('\n');
  return `export function ${name}(x: number): number {\n${ifs}\n${extra}  return -1;\n}\n`;
}
/** `busy.ts` changes in every commit, `calm.ts` and others once. */
function history(commits: number): void {
  for (let i = 0; i < commits; i += 1) {
    project.write('src/busy.ts', complexFunction('busy', 20, `  // edit ${i}\n`));
    if (i === 0) {
      project.write('src/calm.ts', complexFunction('calm', 20));
      for (const name of ['a', 'b', 'c', 'd']) project.write(`src/${name}.ts`, `export const ${name} = 1;\n`);
    }
    project.commit(`edit ${i}`);
  }
}

describe('complexity', () => {
  it.each([
    ['function f() {}', [1]],
    ['const f = (a) => a && b || c ?? d', [4]],
    ['function f(a) { for (;;) {} for (const x of a) {} while (a) {} do {} while (a); }', [5]],
    ['function f(a) { switch (a) { case 1: case 2: break; default: } try {} catch {} return a ? 1 : 2 }', [5]],
    ['function f(a) { if (a) {} return () => { if (a) {} if (a) {} } }', [2, 3]],
    ['class A { m() { if (1) {} } get g() { return 1 } }', [2, 1]],
    ['x = 1', []],
    ['function ((( {', []],
  ])('of %s', (text, expected) => {
    expect(functionComplexity('typescript', text).functions.map((fn) => fn.complexity)).toEqual(expected);
  });
  it('of Python', () => {
    const text =
      'def f(a):\n  if a and b:\n    pass\n  elif c:\n    pass\n  return [x for x in a if x]\n\nclass A:\n  def g(self):\n    try:\n      pass\n    except E:\n      pass\n';
    expect(functionComplexity('python', text).functions.map((fn) => [fn.name, fn.complexity])).toEqual([
      ['f', 6],
      ['g', 2],
    ]);
  });
  it('names functions by what holds them', () => {
    const text =
      'const a = () => 1; const o = { b: function () {} }; class C { d = () => 2; e() {} } run(() => 3); f.g = () => 4;';
    expect(functionComplexity('javascript', text).functions.map((fn) => fn.name)).toEqual([
      'a',
      'b',
      'd',
      'e',
      '(anonymous)',
      'f.g',
    ]);
  });
});

describe('hotspots', () => {
  it('reports what is complex and changes often, with the figures, and nothing else', async () => {
    history(12);
    const { findings, notes } = await hotspots({ tree: true });
    expect(findings.map((finding) => [finding.file, finding.severity, finding.evidence])).toEqual([
      ['src/busy.ts', 'low', 'complexity 21; changed in 12 of the last 12 commits, by 1 author'],
    ]);
    expect(notes).toEqual([]);
  });
  it('reports a function only when the change touches it, with an id that survives edits', async () => {
    history(12);
    const [before] = (await hotspots({ tree: true })).findings;
    project.write('src/busy.ts', `const unrelated = 1;\n${complexFunction('busy', 20, '  // edit 11\n')}`);
    expect((await hotspots({})).findings).toEqual([]);
    project.write('src/busy.ts', `const unrelated = 1;\n${complexFunction('busy', 21, '  // now\n')}`);
    const [after] = (await hotspots({})).findings;
    expect(after?.id).toBe(before?.id);
    expect(after?.range.startLine).toBe(2);
  });
  it('says that the history is too short, and judges very complex code alone', async () => {
    history(2);
    project.write('src/monster.ts', complexFunction('monster', 45));
    const { findings, notes } = await hotspots({ tree: true });
    expect(notes.map((note) => note.code)).toEqual(['no_history']);
    expect(findings.map((finding) => [finding.file, finding.severity])).toEqual([['src/monster.ts', 'info']]);
  });
  it('does without git', async () => {
    const bare = createTempProject({ git: false });
    bare.write('m.ts', complexFunction('monster', 45));
    const { findings, notes } = await hotspots({}, bare.root);
    bare.remove();
    expect([findings.length, notes.map((note) => note.code)]).toEqual([1, ['no_history']]);
  });
  it('counts paths from a project root below the top folder', async () => {
    history(12);
    const { findings } = await hotspots({ tree: true }, `${project.root}/src`);
    expect(findings.map((finding) => finding.file)).toEqual(['busy.ts']);
  });
  it('counts authors and notes a shallow clone', async () => {
    history(11);
    project.write('src/busy.ts', complexFunction('busy', 30));
    runGit(project.root, ['commit', '-qam', 'other'], { GIT_AUTHOR_EMAIL: 'bob@example.com' });
    const [finding] = (await hotspots({ tree: true })).findings;
    expect([finding?.severity, finding?.evidence]).toEqual([
      'medium',
      'complexity 31; changed in 12 of the last 12 commits, by 2 authors',
    ]);
    const clone = createTempProject({ git: false });
    runGit(clone.root, ['clone', '-q', '--depth', '10', `file://${project.root}`, 'c']);
    const shallow = await hotspots({ tree: true }, `${clone.root}/c`);
    clone.remove();
    expect(shallow.notes.map((note) => note.code)).toEqual(['shallow_history']);
  });
});

describe('the examiner', () => {
  const finding = (capability: string, file: string, related: string[] = []): Finding => ({
    id: `f_${capability}_${file}`,
    rule: `${capability}/x`,
    severity: 'low',
    confidence: 'low',
    capability,
    file,
    range: { startLine: 1, startColumn: 1, endLine: 1, endColumn: 2 },
    message: 'm',
    evidence: 'e',
    related: related.map((path) => ({ file: path, range: { startLine: 1, startColumn: 1, endLine: 2, endColumn: 1 } })),
  });
  it('confirms with figures and abstains where it knows nothing', async () => {
    history(12);
    project.write('src/calm.ts', complexFunction('calm', 19));
    project.write('src/a.ts', 'export const a = 2;\n');
    project.commit();
    const votes = await examine([
      finding('test-gaps', 'src/busy.ts'),
      finding('test-gaps', 'src/a.ts'),
      finding('test-gaps', 'gone.ts'),
      finding('clones', 'src/a.ts', ['src/b.ts', 'src/calm.ts']),
      finding('clones', 'src/a.ts', ['src/b.ts']),
      finding('clones', 'src/a.ts', ['src/a.ts']),
      finding('secrets', 'src/a.ts'),
    ]);
    expect(votes.map((vote) => vote.vote)).toEqual(['confirm', 'abstain', 'abstain', 'confirm', 'abstain', 'abstain', 'abstain']);
    expect(votes[0]?.reason).toContain('complexity of a function 21; changed in 12 of the last 13 commits');
    expect(votes[3]?.reason).toContain('src/a.ts and src/calm.ts changed together in 2 commits');
  });
});
