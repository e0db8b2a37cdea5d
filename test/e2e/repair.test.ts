import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { rawSql } from '../helpers/raw-sql.ts';
import { createPlace, skillflow } from './product.ts';

const BREAKS = [
  ['rows of it are deleted', 'DELETE FROM memory_fts_data'],
  ['its settings are gone', 'DELETE FROM memory_fts_config'],
  ['it is dropped', 'DROP TABLE memory_fts'],
  ['a table of it is dropped', 'DROP TABLE memory_fts_data'],
] as const;

test.each(BREAKS)('a full-text index is named and mended when %s', { timeout: 120_000 }, async (_way, statement) => {
  const { dir, remove } = createPlace();
  const run = (...args: readonly string[]) => skillflow(args, { cwd: dir });
  await run('memory', 'store', 'auth', 'tokens are signed with ed25519');
  await rawSql(join(dir, '.skillflow', 'skillflow.db'), statement);

  expect((await run('memory', 'get', 'auth')).stdout).toContain('ed25519');
  expect((await run('memory', 'list')).stdout).toContain('auth');
  const found = await run('memory', 'search', 'tokens');
  const stored = await run('memory', 'store', 'more', 'words');
  expect(found.code).not.toBe(0);
  // An entry waits for its place in the index, so storing it need not touch what is broken.
  for (const { code, stderr } of stored.code === 0 ? [found] : [found, stored]) {
    expect(code).not.toBe(0);
    expect(stderr).toMatch(/index of the database .* is damaged.*entries themselves are intact/);
    expect(stderr).toContain('skillflow memory doctor --repair');
  }
  const sick = await run('memory', 'doctor');
  expect(sick.code).toBe(1);
  expect(sick.stdout).toMatch(/integrity +ok/);
  expect(sick.stdout).toMatch(/full-text +wrong: the entries are intact/);
  expect(sick.stdout).toContain('skillflow memory doctor --repair');

  const mended = await run('memory', 'doctor', '--repair', '--json');
  expect(mended.code).toBe(0);
  const answer: { readonly backup: string } = JSON.parse(mended.stdout);
  expect(existsSync(answer.backup)).toBe(true);
  expect((await run('memory', 'search', 'tokens')).stdout).toContain('auth');
  expect((await run('memory', 'store', 'more', 'words')).code).toBe(0);
  expect((await run('memory', 'search', 'words')).stdout).toContain('more');
  expect((await run('memory', 'merge', answer.backup)).code).toBe(0);
  expect((await run('memory', 'doctor')).code).toBe(0);
  remove();
});
