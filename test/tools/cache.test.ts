import { readdir } from 'node:fs/promises';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createToolCalls } from './tool-calls.ts';
import type { ToolCalls } from './tool-calls.ts';

let calls: ToolCalls;
beforeEach(async () => {
  calls = await createToolCalls();
});
afterEach(() => calls[Symbol.asyncDispose]());
const output = (tool: string, input: unknown) => calls.output(tool, input);

test('a value is there until it expires, to the millisecond', async () => {
  expect(await output('cache_set', { key: 'k', value: { a: [1] }, ttlSeconds: 2 })).toStrictEqual({
    key: 'k',
    bytes: 9,
    expiresAt: '2023-11-14T22:13:22.000Z',
  });
  calls.now += 1999;
  expect(await output('cache_get', { key: 'k' })).toMatchObject({ hit: true, value: { a: [1] } });
  await calls.app.restart();
  expect(await output('cache_get', { key: 'k' })).toMatchObject({ hit: true });
  calls.now += 1;
  expect(await output('cache_get', { key: 'k' })).toStrictEqual({ key: 'k', hit: false, value: null, expiresAt: null });
  expect(await output('cache_stats', {})).toStrictEqual({ entries: 0, bytes: 0, nextExpiryAt: null });
});

test('it is the memory of all processes, apart from what is remembered, and without history', async () => {
  await output('cache_set', { key: 'k', value: 'old' });
  await output('cache_set', { key: 'k', value: 'new' });
  expect(await calls.raw('SELECT namespace, kind, value, version FROM memory_entry')).toStrictEqual([
    { namespace: 'cache', kind: 'cache', value: 'new', version: 1 },
  ]);
  expect(await calls.raw('SELECT count(*) AS n FROM memory_version')).toStrictEqual([{ n: 0 }]);
  await calls.raw('UPDATE memory_entry SET value = ?', ['elsewhere']);
  expect(await output('cache_get', { key: 'k' })).toMatchObject({ value: 'elsewhere' });
  expect(await calls.app.call('memory_get', { key: 'k' })).toMatchObject({ ok: false, error: { code: 'not_found' } });
});

test('delete, clear and stats', async () => {
  for (const key of ['a', 'b', 'c']) await output('cache_set', { key, value: key, ttlSeconds: key === 'b' ? 60 : 600 });
  await output('memory_store', { key: 'kept', value: 'v' });
  expect(await output('cache_stats', {})).toStrictEqual({ entries: 3, bytes: 3, nextExpiryAt: '2023-11-14T22:14:20.000Z' });
  expect(await output('cache_delete', { key: 'a' })).toStrictEqual({ key: 'a', deleted: true });
  expect(await output('cache_delete', { key: 'a' })).toStrictEqual({ key: 'a', deleted: false });
  expect(await output('cache_clear', {})).toStrictEqual({ deleted: 2 });
  expect(await output('cache_clear', {})).toStrictEqual({ deleted: 0 });
  expect(await calls.raw('SELECT key FROM memory_entry')).toStrictEqual([{ key: 'kept' }]);
});

test('a value that is refused leaves the old one; looking makes no database', async () => {
  expect(await output('cache_get', { key: 'k' })).toMatchObject({ hit: false });
  expect(await output('cache_stats', {})).toMatchObject({ entries: 0 });
  expect(await readdir(calls.app.dir)).toEqual([]);
  await output('cache_set', { key: 'k', value: 'old' });
  const refused: readonly (readonly [string, object, RegExp])[] = [
    ['cache_set', { key: 'k', value: 'x'.repeat(2_000_000) }, /value/],
    ['cache_set', { key: 'k' }, /value/],
    ['cache_set', { key: '', value: 1 }, /key/],
    ['cache_set', { key: 'k', value: 1, ttlSeconds: 0 }, /ttlSeconds/],
    ['cache_set', { key: 'k', value: 1, ttlSeconds: 1e12 }, /ttlSeconds/],
    ['cache_get', {}, /key/],
    ['cache_get', { key: 'a\0' }, /key/],
    ['cache_delete', { key: 7 }, /key/],
    ['cache_clear', { all: true }, /all/],
  ];
  for (const [tool, input, message] of refused)
    expect(await calls.app.call(tool, input), tool).toMatchObject({
      ok: false,
      error: { code: 'invalid_input', message: expect.stringMatching(message) },
    });
  expect(await output('cache_get', { key: 'k' })).toMatchObject({ value: 'old' });
});

test('what was stored in its namespace to be remembered is not of the cache', async () => {
  await output('memory_store', { namespace: 'cache', key: 'p', value: 'precious v1' });
  await output('memory_store', { namespace: 'cache', key: 'p', value: 'precious v2', tags: ['kept'] });
  expect(await output('cache_get', { key: 'p' })).toMatchObject({ hit: false });
  expect(await output('cache_delete', { key: 'p' })).toStrictEqual({ key: 'p', deleted: false });
  expect(await output('cache_clear', {})).toStrictEqual({ deleted: 0 });
  const refused = { ok: false, error: { code: 'conflict', message: expect.stringMatching(/"p" in "cache" is remembered/) } };
  expect(await calls.app.call('cache_set', { key: 'p', value: 'x' })).toMatchObject(refused);
  expect(await output('memory_get', { namespace: 'cache', key: 'p' })).toMatchObject({ value: 'precious v2', version: 2 });
  expect(await output('memory_get', { namespace: 'cache', key: 'p', version: 1 })).toMatchObject({ value: 'precious v1' });

  await output('memory_delete', { namespace: 'cache', key: 'p' });
  expect(await output('cache_delete', { key: 'p' })).toStrictEqual({ key: 'p', deleted: false });
  expect(await calls.app.call('cache_set', { key: 'p', value: 'x' })).toMatchObject(refused);
  await output('memory_undelete', { namespace: 'cache', key: 'p' });
  expect(await output('memory_get', { namespace: 'cache', key: 'p' })).toMatchObject({ value: 'precious v2' });
});

test('what is stored over a cached value to be remembered is no longer of the cache', async () => {
  await output('cache_set', { key: 'c', value: 'for a while' });
  expect(await output('memory_store', { namespace: 'cache', key: 'c', value: 'a lasting decision' })).toMatchObject({
    created: false,
    expiresAt: null,
  });
  expect(await output('memory_search', { query: 'lasting decision' })).toMatchObject({ results: [{ key: 'c', kind: 'note' }] });
  expect(await output('cache_clear', {})).toStrictEqual({ deleted: 0 });
  expect(await output('memory_get', { namespace: 'cache', key: 'c' })).toMatchObject({ value: 'a lasting decision' });
  await output('memory_store', { namespace: 'default', key: 'own', value: 1, kind: 'cache' });
  await output('memory_store', { namespace: 'default', key: 'own', value: 2 });
  expect(await output('memory_get', { key: 'own' })).toMatchObject({ kind: 'cache', version: 2 });
});
