import { chmodSync, existsSync, chownSync, mkdirSync, renameSync, statSync, utimesSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { collectChanges } from '../../src/analysis/collect.ts';
import { ForbiddenError, UnavailableError } from '../../src/errors.ts';
import { createRuntime } from '../../src/runtime.ts';
import { runGit, type TempProject } from './temp-project.ts';
import { brief, codes, useCollecting } from './use-collecting.ts';

const runtime = createRuntime('silent');
const { project: current, other, plain, collect } = useCollecting();
let project: TempProject;
beforeEach(() => {
  project = current();
});

describe('places', () => {
  it('works without git for files and the tree, and says why for changes', async () => {
    const bare = plain();
    bare.write('a.ts', 'x\n');
    bare.write('node_modules/m/i.js', 'x');
    bare.write('sub/b.py', 'x\n');
    const changes = await collect({}, bare.root);
    expect([changes.mode, changes.git, codes(changes)]).toEqual(['tree', null, ['no_git']]);
    expect(changes.files.map((file) => [file.path, file.language])).toEqual([
      ['a.ts', 'typescript'],
      ['sub/b.py', 'python'],
    ]);
    expect(changes.skipped).toEqual([{ path: 'node_modules/', reason: 'vendored' }]);
    expect(codes(await collect({ files: ['a.ts'] }, bare.root))).toEqual(['no_git']);
    for (const selection of [{ base: 'HEAD' }, { last: 1 }, { staged: true }]) {
      await expect(collect(selection, bare.root)).rejects.toBeInstanceOf(UnavailableError);
      await expect(collect(selection, bare.root)).rejects.toThrow(/not in a git repository/u);
    }
  });
  it('works where git is not installed', async () => {
    project.write('a.ts', 'x\n');
    project.commit();
    const noGit = {
      ...runtime,
      exec: (...[file, args, options]: Parameters<typeof runtime.exec>) =>
        runtime.exec(file, args, { ...options, env: { PATH: '' } }),
    };
    const changes = await collectChanges({}, { root: project.root, runtime: noGit });
    expect([changes.mode, changes.git]).toEqual(['tree', null]);
    expect(changes.notes[0]?.message).toMatch(/git is not installed/u);
    await expect(collectChanges({ last: 1 }, { root: project.root, runtime: noGit })).rejects.toThrow(/git is not installed/u);
  });
  it('keeps to a project root below the top folder', async () => {
    project.write('app/a.ts', 'x\n');
    project.write('other/b.ts', 'x\n');
    project.write('moved-in.ts', 'some text that moves\nwith lines\n');
    project.commit();
    project.write('app/a.ts', 'x\ny\n');
    project.write('app/new.ts', 'n\n');
    project.write('other/b.ts', 'x\ny\n');
    renameSync(join(project.root, 'moved-in.ts'), join(project.root, 'app/moved-in.ts'));
    project.git('add', '-A');
    const root = join(project.root, 'app');
    for (const selection of [{}, { staged: true }, { base: 'HEAD' }]) {
      const changes = await collect(selection, root);
      expect(brief(changes)).toEqual({ 'a.ts': [{ start: 2, end: 2 }], 'moved-in.ts': 'all', 'new.ts': 'all' });
      expect(changes.git?.top).toBe(project.root);
    }
    expect((await collect({ tree: true }, root)).files.map((file) => file.path)).toEqual(['a.ts', 'moved-in.ts', 'new.ts']);
    await expect(collect({ files: ['../other/b.ts'] }, root)).rejects.toBeInstanceOf(ForbiddenError);
  });
  it('looks at a root that the repository above ignores', async () => {
    project.write('.gitignore', 'scratch/\n');
    project.write('scratch/a.ts', 'x\n');
    const changes = await collect({ tree: true }, join(project.root, 'scratch'));
    expect(changes.files.map((file) => file.path)).toEqual(['a.ts']);
    expect(changes.notes.map((note) => note.message).join(' ')).toMatch(/git ignores the project root/u);
  });
  it('notes a shallow clone and does not take its edge for a root commit', async () => {
    for (const n of [1, 2, 3]) {
      project.write(`f${n}.ts`, `${n}\n`);
      project.commit();
    }
    const clone = plain();
    runGit(clone.root, ['clone', '-q', '--depth', '2', `file://${project.root}`, 'c']);
    const root = join(clone.root, 'c');
    const last = await collect({ last: 5 }, root);
    expect(codes(last)).toEqual(['shallow_clone', 'history_cut']);
    expect(brief(last)).toEqual({ 'f3.ts': 'all' });
    expect(last.git?.shallow).toBe(true);
    runGit(clone.root, ['clone', '-q', '--depth', '1', `file://${project.root}`, 'd']);
    const one = await collect({}, join(clone.root, 'd'));
    expect([one.mode, one.files.length, codes(one)]).toEqual(['tree', 3, ['shallow_clone', 'history_cut']]);
  });
  it('notes a detached head', async () => {
    project.write('a.ts', 'x\n');
    project.commit();
    project.git('checkout', '-q', '--detach');
    const changes = await collect({ last: 1 });
    expect([changes.git?.branch, codes(changes)]).toEqual([null, ['detached_head']]);
  });
  it('does not enter submodules and repositories inside', async () => {
    const inner = other();
    inner.write('in.ts', 'x\n');
    inner.commit();
    project.write('a.ts', 'x\n');
    project.git('submodule', '--quiet', 'add', inner.root, 'sub');
    project.commit();
    mkdirSync(join(project.root, 'nested'));
    runGit(join(project.root, 'nested'), ['init', '-q']);
    project.write('nested/n.ts', 'x\n');
    const changes = await collect({ tree: true });
    expect(changes.files.map((file) => file.path)).toEqual(['.gitmodules', 'a.ts']);
    expect(changes.skipped).toEqual([
      { path: 'nested', reason: 'submodule' },
      { path: 'sub', reason: 'submodule' },
    ]);
    expect(codes(changes)).toEqual(['submodules_not_entered']);
    const last = await collect({ last: 1 });
    expect(last.skipped).toEqual([{ path: 'sub', reason: 'submodule' }]);
  });
  it('works in a worktree', async () => {
    project.write('a.ts', 'x\n');
    project.commit();
    const place = plain();
    project.git('worktree', 'add', '-q', join(place.root, 'wt'), '-b', 'wt');
    place.write('wt/b.ts', 'y\n');
    const changes = await collect({}, join(place.root, 'wt'));
    expect([brief(changes), changes.git?.branch]).toEqual([{ 'b.ts': 'all' }, 'wt']);
  });
  it('does not write to the repository', async () => {
    project.write('a.ts', 'x\n');
    project.commit();
    utimesSync(join(project.root, 'a.ts'), 1, 1);
    project.write('b.ts', 'x\n');
    const index = join(project.root, '.git');
    const paths = [project.root, index, join(index, 'objects')];
    for (const path of paths) chmodSync(path, 0o555);
    const before = statSync(join(index, 'index')).mtimeMs;
    try {
      expect(brief(await collect())).toEqual({ 'b.ts': 'all' });
      expect(existsSync(join(index, 'index.lock'))).toBe(false);
      expect(statSync(join(index, 'index')).mtimeMs).toBe(before);
    } finally {
      for (const path of paths) chmodSync(path, 0o755);
    }
  });
  it('runs nothing that the repository configures', async () => {
    project.write('a.ts', 'x\n');
    project.write('.gitattributes', '*.ts filter=evil=1 diff=evil\n');
    project.commit();
    const trap = join(project.root, 'TRAPPED');
    const run = `sh -c "touch '${trap}'; cat"`;
    for (const key of [
      'core.fsmonitor',
      'filter.evil=1.clean',
      'filter.evil=1.process',
      'diff.external',
      'diff.evil.command',
      'diff.evil.textconv',
      'core.pager',
      'core.sshCommand',
    ]) {
      project.git('config', key, run);
    }
    project.git('config', 'filter.evil=1.required', 'true');
    project.write('.git/hooks/post-index-change', `#!/bin/sh\ntouch '${trap}'\n`);
    chmodSync(join(project.root, '.git/hooks/post-index-change'), 0o755);
    project.write('a.ts', 'x\ny\n');
    for (const selection of [{}, { base: 'HEAD' }, { last: 1 }, { staged: true }, { tree: true }]) await collect(selection);
    expect(brief(await collect())).toEqual({ 'a.ts': [{ start: 2, end: 2 }] });
    expect(existsSync(trap)).toBe(false);
  });
  it.skipIf(process.getuid?.() !== 0)('says that git refuses a repository of another owner', async () => {
    project.write('a.ts', 'x\n');
    project.commit();
    for (const path of ['', '.git']) chownSync(join(project.root, path), 12_345, 12_345);
    const changes = await collect();
    expect(changes.notes[0]?.message).toMatch(/safe\.directory/u);
    await expect(collect({ staged: true })).rejects.toThrow(/another user owns it/u);
  });
  it('treats a bare repository and the inside of .git as no working tree', async () => {
    const bare = plain();
    runGit(bare.root, ['init', '-q', '--bare']);
    await expect(collect({ last: 1 }, bare.root)).rejects.toBeInstanceOf(UnavailableError);
    await expect(collect({ last: 1 }, join(project.root, '.git'))).rejects.toBeInstanceOf(UnavailableError);
  });
  it('is quick on 5,000 files', async () => {
    for (let i = 0; i < 5000; i += 1) project.write(`d${i % 50}/f${i}.ts`, `export const x${i} = ${i};\n`);
    const started = performance.now();
    const changes = await collect({ tree: true });
    expect(changes.files.length).toBe(5000);
    expect(performance.now() - started).toBeLessThan(8000);
  });
});
