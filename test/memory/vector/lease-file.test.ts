import { readFileSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, expect, test } from 'vitest';
import { StorageError } from '../../../src/errors.ts';
import { takeLease } from '../../../src/memory/vector/lease-file.ts';
import { testRuntime, useScratch } from '../../store/scratch.ts';

const scratch = useScratch();
let path: string;
let now: number;
const runtime = testRuntime({ now: () => now });

beforeEach(async () => {
  path = join(await scratch.folder(), 'a.lock');
  now = Date.now();
});

test('one holds it at a time, from taking to release', async () => {
  const leases = await Promise.all(Array.from({ length: 8 }, () => takeLease(path, runtime)));
  const held = leases.filter((lease) => lease !== undefined);
  expect(held).toHaveLength(1);
  await held[0]?.release();
  expect(await takeLease(path, runtime)).toBeDefined();
});

test('it passes on when it is not renewed', async () => {
  const lease = await takeLease(path, runtime);
  now += 50_000;
  await lease?.renew();
  now += 50_000;
  expect(await takeLease(path, runtime)).toBeUndefined();
  now += 10_001;
  const next = await takeLease(path, runtime);
  expect(next).toBeDefined();
  await lease?.release(); // too late: it is not this one's any more
  expect(await takeLease(path, runtime)).toBeUndefined();
});

test('it passes on from a process that is dead, and from a clock that was set back', async () => {
  await takeLease(path, testRuntime({ now: () => now, pid: 999_999_999 }));
  expect(await takeLease(path, runtime)).toBeDefined();
  now -= 3_600_000;
  expect(await takeLease(path, runtime)).toBeDefined();
});

test('not from a process of another machine, whose life cannot be seen', async () => {
  await takeLease(path, testRuntime({ now: () => now, pid: 999_999_999, host: 'elsewhere' }));
  expect(await takeLease(path, runtime)).toBeUndefined();
});

test.each(['', '{', '{"pid":1}', 'null', '\0\0\0'])('what cannot be read (%j) holds it for a minute', async (content) => {
  writeFileSync(path, content);
  expect(await takeLease(path, runtime)).toBeUndefined();
  utimesSync(path, new Date(now - 61_000), new Date(now - 61_000));
  expect(await takeLease(path, runtime)).toBeDefined();
  expect(JSON.parse(readFileSync(path, 'utf8'))).toMatchObject({ pid: process.pid });
});

test('where no file can be made, it says so', async () => {
  await expect(takeLease(join(path, 'below'), runtime)).rejects.toThrow(StorageError);
});
