import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join, parse } from 'node:path';
import { beforeEach, expect, test } from 'vitest';
import { InvalidInputError } from '../../src/errors.ts';
import { findProjectRoot } from '../../src/store/project-root.ts';
import { useScratch } from './scratch.ts';

const scratch = useScratch();
let top: string;
let deep: string;

beforeEach(async () => {
  top = await scratch.folder();
  deep = join(top, 'a', 'b', 'c');
  mkdirSync(deep, { recursive: true });
});

test('CLAUDE_PROJECT_DIR wins, also relative; empty counts as unset', async () => {
  mkdirSync(join(top, 'a', '.git'));
  expect(await findProjectRoot({ cwd: deep, env: { CLAUDE_PROJECT_DIR: top } })).toEqual({
    root: top,
    source: 'CLAUDE_PROJECT_DIR',
  });
  expect(await findProjectRoot({ cwd: deep, env: { CLAUDE_PROJECT_DIR: '..' } })).toMatchObject({ root: join(top, 'a', 'b') });
  expect(await findProjectRoot({ cwd: deep, env: { CLAUDE_PROJECT_DIR: '' } })).toEqual({ root: join(top, 'a'), source: 'git' });
});

test('CLAUDE_PROJECT_DIR that is absent, a file or not expanded is invalid', async () => {
  writeFileSync(join(top, 'file'), '');
  for (const told of [join(top, 'none'), join(top, 'file'), join(top, 'file', 'x'), '${CLAUDE_PROJECT_DIR}', 'a\0b']) {
    await expect(findProjectRoot({ cwd: deep, env: { CLAUDE_PROJECT_DIR: told } })).rejects.toThrow(InvalidInputError);
  }
});

test('the nearest .skillflow folder wins over a nearer .git', async () => {
  mkdirSync(join(top, '.skillflow'));
  mkdirSync(join(deep, '.git'));
  expect(await findProjectRoot({ cwd: deep, env: {} })).toEqual({ root: top, source: '.skillflow' });
  mkdirSync(join(top, 'a', '.skillflow'));
  expect(await findProjectRoot({ cwd: deep, env: {} })).toEqual({ root: join(top, 'a'), source: '.skillflow' });
});

test('the .skillflow folder of the home makes no project of what lies below it', async () => {
  mkdirSync(join(top, '.skillflow'));
  mkdirSync(join(top, 'a', '.git'));
  expect(await findProjectRoot({ cwd: deep, env: {}, home: top })).toEqual({ root: join(top, 'a'), source: 'git' });
  expect(await findProjectRoot({ cwd: deep, env: {} })).toEqual({ root: top, source: '.skillflow' });
});

test('a .skillflow file is none; .git may be a file', async () => {
  writeFileSync(join(deep, '.skillflow'), '');
  writeFileSync(join(top, 'a', 'b', '.git'), 'gitdir: ../.git/modules/b');
  mkdirSync(join(top, '.git'));
  expect(await findProjectRoot({ cwd: deep, env: {} })).toEqual({ root: join(top, 'a', 'b'), source: 'git' });
});

test('without any of them it is the working directory, or a repository above the temporary folder', async () => {
  const found = await findProjectRoot({ cwd: deep, env: {} });
  expect(found.source === 'cwd' ? found.root === deep : deep.startsWith(found.root)).toBe(true);
  expect(await findProjectRoot({ cwd: parse(deep).root, env: {} })).toMatchObject({ root: parse(deep).root });
});

test.skipIf(process.platform === 'win32')('links are resolved', async () => {
  mkdirSync(join(top, 'a', '.skillflow'));
  symlinkSync(join(top, 'a'), join(top, 'link'));
  expect(await findProjectRoot({ cwd: join(top, 'link', 'b'), env: {} })).toMatchObject({ root: join(top, 'a') });
  expect(await findProjectRoot({ cwd: deep, env: { CLAUDE_PROJECT_DIR: join(top, 'link') } })).toMatchObject({
    root: join(top, 'a'),
  });
});

test('a working directory that is gone is invalid', async () => {
  await expect(findProjectRoot({ cwd: join(top, 'gone'), env: {} })).rejects.toThrow(InvalidInputError);
});
