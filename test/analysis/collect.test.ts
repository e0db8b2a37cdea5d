import { chmodSync, renameSync, rmSync, symlinkSync, utimesSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { collectChanges } from '../../src/analysis/collect.ts';
import { CancelledError, ForbiddenError, InvalidInputError, NotFoundError } from '../../src/errors.ts';
import { createRuntime } from '../../src/runtime.ts';
import type { TempProject } from './temp-project.ts';
import { brief, codes, useCollecting } from './use-collecting.ts';

const runtime = createRuntime('silent');
const { project: current, plain, collect } = useCollecting();
let project: TempProject;
beforeEach(() => {
  project = current();
});

describe('selection', () => {
  it('refuses more than one member, naming them', async () => {
    await expect(collect({ last: 1, tree: true })).rejects.toThrow(/given: last, tree/u);
    await expect(collect({ base: 'HEAD', staged: true })).rejects.toBeInstanceOf(InvalidInputError);
  });
  it('treats false as not set', async () => {
    project.write('a.ts', 'x');
    expect((await collect({ staged: false, tree: true })).mode).toBe('tree');
  });
  it('takes uncommitted changes, then the last commits, then the tree', async () => {
    project.write('a.ts', 'const a = 1;\n');
    const unborn = await collect();
    expect([unborn.mode, codes(unborn)]).toEqual(['tree', ['no_commits']]);
    expect(unborn.git?.head).toBeNull();
    project.commit();
    const clean = await collect();
    expect([clean.mode, codes(clean)]).toEqual(['last', ['fewer_commits']]);
    expect(brief(clean)).toEqual({ 'a.ts': 'all' });
    project.write('b.ts', 'const b = 1;\n');
    const dirty = await collect();
    expect([dirty.mode, brief(dirty)]).toEqual(['uncommitted', { 'b.ts': 'all' }]);
    expect(dirty.files[0]?.status).toBe('untracked');
  });
  it('falls through when the uncommitted changes cannot be reviewed, and says so', async () => {
    project.write('a.ts', 'const a = 1;\n');
    project.commit();
    project.write('image.bin', Buffer.from([1, 0, 2]));
    const changes = await collect();
    expect(changes.mode).toBe('last');
    expect(codes(changes)).toContain('uncommitted_skipped');
  });
  it('gives changed lines, without those that only went away', async () => {
    project.write('a.ts', '1\n2\n3\n4\n5\n6\n');
    project.commit();
    project.write('a.ts', '1\nnew\nnew\n3\n5\n6\nend\n');
    expect(brief(await collect())).toEqual({
      'a.ts': [
        { start: 2, end: 3 },
        { start: 7, end: 7 },
      ],
    });
  });
  it('is not misled by changed lines that look like diff headers', async () => {
    project.write('a.txt', 'x\n-- a/b\n');
    project.write('b.txt', 'x\n');
    project.commit();
    project.write('a.txt', 'x\n++ b/evil.txt\n@@ -1,0 +9,9 @@\ndiff --git a/x b/x\n');
    project.write('b.txt', 'x\ny\n');
    expect(brief(await collect())).toEqual({ 'a.txt': [{ start: 2, end: 4 }], 'b.txt': [{ start: 2, end: 2 }] });
  });
  it('honours cancellation', async () => {
    await expect(
      collectChanges({ tree: true }, { root: project.root, runtime, signal: AbortSignal.abort() }),
    ).rejects.toBeInstanceOf(CancelledError);
  });
});

describe('base', () => {
  it('compares the working tree with the merge base', async () => {
    project.write('a.ts', 'one\n');
    project.commit();
    const start = project.git('rev-parse', 'HEAD').trim();
    project.git('branch', 'other');
    project.write('mine.ts', 'mine\n');
    project.commit();
    project.git('checkout', '-q', 'other');
    project.write('theirs.ts', 'theirs\n');
    project.commit();
    project.git('checkout', '-q', 'main');
    project.write('a.ts', 'one\ntwo\n');
    project.write('new.ts', 'n\n');
    const changes = await collect({ base: 'other' });
    expect(changes.base).toBe(start);
    expect(brief(changes)).toEqual({ 'a.ts': [{ start: 2, end: 2 }], 'mine.ts': 'all', 'new.ts': 'all' });
  });
  it('names an unknown revision and how to see revisions', async () => {
    project.write('a.ts', 'x');
    project.commit();
    for (const base of ['no-such', '--output=/tmp/x', '-1', '', 'HEAD..HEAD', 'a\0b', 'HEAD:a.ts']) {
      await expect(collect({ base })).rejects.toMatchObject({
        code: 'invalid_input',
        hint: expect.stringContaining('git branch'),
      });
    }
    await expect(collect({ base: 'no-such' })).rejects.toThrow(/no-such/u);
  });
  it('says that there is no merge base', async () => {
    project.write('a.ts', 'x\n');
    project.commit();
    project.git('checkout', '-q', '--orphan', 'island');
    project.write('b.ts', 'y\n');
    project.commit();
    const changes = await collect({ base: 'main' });
    expect(codes(changes)).toEqual(['no_merge_base']);
    expect(Object.keys(brief(changes))).toEqual(['b.ts']);
  });
  it('needs a commit', async () => {
    await expect(collect({ base: 'HEAD' })).rejects.toThrow(/no commits/u);
    await expect(collect({ last: 1 })).rejects.toThrow(/no commits/u);
  });
});

describe('last', () => {
  it('follows first parents and gives the working text of these files only', async () => {
    for (const n of [1, 2, 3]) {
      project.write(`f${n}.ts`, `${n}\n`);
      project.commit();
    }
    project.write('f3.ts', '3\nuncommitted\n');
    project.write('untracked.ts', 'x');
    expect(brief(await collect({ last: 1 }))).toEqual({ 'f3.ts': 'all' });
    expect(Object.keys(brief(await collect({ last: 2 })))).toEqual(['f2.ts', 'f3.ts']);
    const all = await collect({ last: 9 });
    expect([all.base, codes(all)]).toEqual(['4b825dc642cb6eb9a060e54bf8d69288fbee4904', ['fewer_commits']]);
    expect(codes(await collect({ last: 3 }))).toEqual([]);
  });
  it.each([0, -1, 1.5, 10_001, Number.NaN])('refuses %s', async (last) => {
    await expect(collect({ last })).rejects.toBeInstanceOf(InvalidInputError);
  });
});

describe('staged', () => {
  it('reads the index, not the disk', async () => {
    project.write('a.ts', 'one\n');
    project.write('gone.ts', 'x');
    project.commit();
    project.write('a.ts', 'one\nstaged\n');
    project.git('add', 'a.ts');
    project.git('rm', '-q', 'gone.ts');
    project.write('a.ts', 'disk\n');
    const changes = await collect({ staged: true });
    expect(changes.files).toMatchObject([{ path: 'a.ts', text: 'one\nstaged\n', bytes: 11, changed: [{ start: 2, end: 2 }] }]);
    expect(changes.skipped).toEqual([{ path: 'gone.ts', reason: 'deleted' }]);
  });
  it('works before the first commit', async () => {
    project.write('a.ts', 'one\n');
    project.git('add', 'a.ts');
    expect(brief(await collect({ staged: true }))).toEqual({ 'a.ts': 'all' });
  });
  it('skips what is too large, binary, or in conflict', async () => {
    project.write('conflict.ts', 'base\n');
    project.commit();
    project.git('checkout', '-q', '-b', 'other');
    project.write('conflict.ts', 'other\n');
    project.commit();
    project.git('checkout', '-q', 'main');
    project.write('conflict.ts', 'main\n');
    project.commit();
    expect(() => project.git('merge', 'other')).toThrow(/Command failed/u);
    project.write('big.txt', 'x\n'.repeat(600_000));
    project.write('b.bin', Buffer.from([0, 1]));
    project.git('add', 'big.txt', 'b.bin');
    const changes = await collect({ staged: true });
    expect(changes.files).toEqual([]);
    expect(changes.skipped).toEqual([
      { path: 'b.bin', reason: 'binary' },
      { path: 'big.txt', reason: 'huge' },
    ]);
    expect(codes(changes)).toEqual(['unmerged']);
  });
});

describe('files', () => {
  it('takes files and folders, absolute or relative, and honours ignore rules for folders', async () => {
    project.write('.gitignore', 'ignored.ts\n');
    for (const path of ['src/a.ts', 'src/deep/b.ts', 'src/ignored.ts', 'c.ts']) project.write(path, 'x\n');
    const changes = await collect({ files: ['src', join(project.root, 'c.ts'), 'src/a.ts'] });
    expect(changes.files.map((file) => [file.path, file.status])).toEqual([
      ['c.ts', 'whole'],
      ['src/a.ts', 'whole'],
      ['src/deep/b.ts', 'whole'],
    ]);
    expect(Object.keys(brief(await collect({ files: ['src/ignored.ts'] })))).toEqual(['src/ignored.ts']);
  });
  it('refuses what lies outside, is missing, or is no path', async () => {
    const outside = plain();
    outside.write('secret.txt', 'x');
    symlinkSync(join(outside.root, 'secret.txt'), join(project.root, 'link.txt'));
    for (const path of ['..', '/etc/hostname', '../x/..', 'link.txt', outside.root]) {
      await expect(collect({ files: [path] })).rejects.toBeInstanceOf(ForbiddenError);
    }
    await expect(collect({ files: ['nope.ts'] })).rejects.toBeInstanceOf(NotFoundError);
    await expect(collect({ files: [] })).rejects.toBeInstanceOf(InvalidInputError);
    await expect(collect({ files: [''] })).rejects.toBeInstanceOf(InvalidInputError);
    await expect(collect({ files: ['a\0b'] })).rejects.toBeInstanceOf(InvalidInputError);
  });
  it('takes a vendored or generated file when it is named', async () => {
    project.write('dist/app.min.js', 'x\n');
    project.write('dist/own.js', 'x\n');
    expect(Object.keys(brief(await collect({ files: ['dist/app.min.js'] })))).toEqual(['dist/app.min.js']);
    const folder = await collect({ files: ['dist'] });
    expect(Object.keys(brief(folder))).toEqual(['dist/own.js']);
  });
  it('finds a name spelled in the other Unicode form', async () => {
    project.write('caf\u00e9.ts', 'x');
    expect(Object.keys(brief(await collect({ files: ['cafe\u0301.ts'] })))).toEqual(['caf\u00e9.ts']);
  });
});

describe('skipping', () => {
  it('gives the reason for each file', async () => {
    project.write('ok.ts', 'const a = 1;\n');
    project.write('bin.ts', Buffer.from('a\0b'));
    project.write('latin.ts', Buffer.from([0x61, 0xe9, 0x0a]));
    project.write('huge.ts', 'x\n'.repeat(600_000));
    project.write('gen.ts', '// Code generated by a tool. DO NOT EDIT.\n');
    project.write('package-lock.json', '{}');
    project.write('a.min.js', 'x');
    project.write('long.js', `${'a();'.repeat(3000)}\n`);
    project.write('vendor/x.go', 'x');
    project.write('marker.ts', "const text = '@generated';\n");
    project.write('crlf.ts', 'a\r\nb\r\n');
    symlinkSync('ok.ts', join(project.root, 'link.ts'));
    const changes = await collect({ tree: true });
    expect(changes.files.map((file) => file.path)).toEqual(['crlf.ts', 'marker.ts', 'ok.ts']);
    expect(Object.fromEntries(changes.skipped.map((file) => [file.path, file.reason]))).toEqual({
      'a.min.js': 'generated',
      'bin.ts': 'binary',
      'gen.ts': 'generated',
      'huge.ts': 'huge',
      'latin.ts': 'invalid_utf8',
      'link.ts': 'symlink',
      'long.js': 'generated',
      'package-lock.json': 'generated',
      'vendor/x.go': 'vendored',
    });
  });
  it('does not let an attribute hide a text file', async () => {
    project.write('.gitattributes', '*.ts -diff\n');
    project.write('a.ts', 'x\n');
    project.commit();
    project.write('a.ts', 'x\ny\n');
    expect(brief(await collect())).toEqual({ 'a.ts': 'all' });
  });
  it.skipIf(process.getuid?.() === 0)('says that a file is unreadable', async () => {
    project.write('a.ts', 'x');
    chmodSync(join(project.root, 'a.ts'), 0);
    expect((await collect({ tree: true })).skipped).toEqual([{ path: 'a.ts', reason: 'unreadable' }]);
  });
});

describe('kinds of change', () => {
  it('tells renames, mode changes, type changes and time stamps apart', async () => {
    const body = Array.from({ length: 30 }, (_, i) => `line ${i}`).join('\n');
    for (const path of ['moved.ts', 'mode.ts', 'type.ts', 'touched.ts', 'edited-move.ts'])
      project.write(path, `${path}\n${body}\n`);
    symlinkSync('mode.ts', join(project.root, 'was-link.ts'));
    project.commit();
    renameSync(join(project.root, 'moved.ts'), join(project.root, 'new name.ts'));
    renameSync(join(project.root, 'edited-move.ts'), join(project.root, 'edited.ts'));
    project.write('edited.ts', `edited-move.ts\n${body}\nmore\n`);
    chmodSync(join(project.root, 'mode.ts'), 0o755);
    utimesSync(join(project.root, 'touched.ts'), 1, 1);
    for (const path of ['type.ts', 'was-link.ts']) rmSync(join(project.root, path));
    symlinkSync('mode.ts', join(project.root, 'type.ts'));
    project.write('was-link.ts', 'a file now\n');
    project.git('add', '-A', '-N');
    const changes = await collect();
    expect(changes.files.map((file) => [file.path, file.status, file.changed])).toEqual([
      ['edited.ts', 'renamed', [{ start: 32, end: 32 }]],
      ['mode.ts', 'modified', []],
      ['new name.ts', 'renamed', []],
      ['was-link.ts', 'modified', 'all'],
    ]);
    expect(changes.skipped).toEqual([{ path: 'type.ts', reason: 'symlink' }]);
  });
  it('handles any file name', async () => {
    const names = [
      'sp ace.ts',
      'q"uote.ts',
      'back\\slash.ts',
      'new\nline.ts',
      'tab\t.ts',
      '-dash.ts',
      ':colon*.ts',
      'caf\u00e9.ts',
      'cafe\u0301.js',
      '日本.ts',
    ];
    for (const name of names) project.write(name, 'a\n');
    project.git('add', '-A');
    project.git('commit', '-q', '-m', 'x');
    for (const name of names) project.write(name, 'a\nb\n');
    const expected = Object.fromEntries(names.map((name) => [name, [{ start: 2, end: 2 }]]));
    expect(brief(await collect())).toEqual(expected);
    project.git('add', '-A');
    expect(brief(await collect({ staged: true }))).toEqual(expected);
    expect(Object.keys(brief(await collect({ files: ['-dash.ts', 'new\nline.ts'] })))).toEqual(['-dash.ts', 'new\nline.ts']);
    expect((await collect({ tree: true })).files.length).toBe(names.length);
  });
  it('does not follow a folder that became a link', async () => {
    const outside = plain();
    outside.write('a.ts', 'outside\n');
    project.write('sub/a.ts', 'x\n');
    project.write('inside/a.ts', 'x\n');
    project.commit();
    rmSync(join(project.root, 'sub'), { recursive: true });
    symlinkSync(outside.root, join(project.root, 'sub'));
    const changes = await collect({ tree: true });
    expect(changes.files.map((file) => file.path)).toEqual(['inside/a.ts']);
    expect(changes.skipped.find((file) => file.path === 'sub/a.ts')?.reason).toBe('outside_root');
  });
  it('keeps line numbers right with CRLF', async () => {
    project.write('a.ts', 'a\r\nb\r\n');
    project.commit();
    project.write('a.ts', 'a\r\nb\r\nc\r\n');
    expect(brief(await collect())).toEqual({ 'a.ts': [{ start: 3, end: 3 }] });
  });
});
