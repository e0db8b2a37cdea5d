import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { beforeEach, expect, test } from 'vitest';
import { StorageError } from '../../src/errors.ts';
import { writeFileAtomic } from '../../src/store/atomic-file.ts';
import { useScratch } from './scratch.ts';

const scratch = useScratch();
let folder: string;

beforeEach(async () => {
  folder = await scratch.folder();
});

test('writes text and bytes, over nothing and over an old file, and leaves no other file', async () => {
  const path = join(folder, 'ü.txt');
  await writeFileAtomic(path, 'héllo');
  expect(readFileSync(path, 'utf8')).toBe('héllo');
  await writeFileAtomic(path, new Uint8Array([0, 255]));
  expect([...readFileSync(path)]).toEqual([0, 255]);
  await writeFileAtomic(path, '');
  expect(readFileSync(path)).toHaveLength(0);
  expect(readdirSync(folder)).toEqual(['ü.txt']);
});

test('a name as long as the system allows', async () => {
  const name = 'n'.repeat(250);
  await writeFileAtomic(join(folder, name), 'x');
  expect(readdirSync(folder)).toEqual([name]);
});

test('40 writers at once: one whole content wins, no temporary file is left', async () => {
  const path = join(folder, 'shared');
  const contents = Array.from({ length: 40 }, (_, i) => String(i).repeat(50_000));
  await Promise.all(contents.map((content) => writeFileAtomic(path, content)));
  expect(contents).toContain(readFileSync(path, 'utf8'));
  expect(readdirSync(folder)).toEqual(['shared']);
});

test('what a crash left behind is passed over', async () => {
  writeFileSync(join(folder, '.f.0.tmp'), 'left');
  await writeFileAtomic(join(folder, 'f'), 'new');
  expect(readdirSync(folder).sort()).toEqual(['.f.0.tmp', 'f']);
});

test.skipIf(process.platform === 'win32')('keeps permissions and links', async () => {
  const path = join(folder, 'secret');
  writeFileSync(path, 'old');
  chmodSync(path, 0o600);
  mkdirSync(join(folder, 'sub'));
  symlinkSync(path, join(folder, 'sub', 'link'));
  await writeFileAtomic(join(folder, 'sub', 'link'), 'new');
  expect(readFileSync(path, 'utf8')).toBe('new');
  expect(statSync(path).mode & 0o777).toBe(0o600);
  expect(lstatSync(join(folder, 'sub', 'link')).isSymbolicLink()).toBe(true);
});

test('a folder in its place, a missing folder, a file as the folder: StorageError, nothing changed', async () => {
  mkdirSync(join(folder, 'taken'));
  writeFileSync(join(folder, 'file'), 'x');
  for (const path of ['taken', 'none/f', 'file/f', 'a\0b']) {
    await expect(writeFileAtomic(join(folder, path), 'x')).rejects.toThrow(StorageError);
  }
  expect(readdirSync(folder).sort()).toEqual(['file', 'taken']);
});

test.skipIf(!existsSync('/proc/self'))('a refusal says what to do', async () => {
  await expect(writeFileAtomic('/proc/skillflow', 'x')).rejects.toMatchObject({
    code: 'storage',
    hint: expect.stringMatching(/\w/),
  });
});
