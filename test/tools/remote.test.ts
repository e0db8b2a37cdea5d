import { existsSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { hasSqld, startSqld } from '../helpers/sqld.ts';
import type { Sqld } from '../helpers/sqld.ts';
import { createToolCalls } from './tool-calls.ts';

describe.skipIf(!hasSqld)('a libSQL server instead of the file', { timeout: 60_000 }, () => {
  let server: Sqld;
  beforeEach(async () => {
    server = await startSqld();
  });
  afterEach(() => server.stop());

  test('two projects with the same server share their memory; no local file is made', async () => {
    const flags = { databaseUrl: server.url };
    await using one = await createToolCalls({ flags });
    await using two = await createToolCalls({ flags });
    await one.output('memory_store', { key: 'k', value: { deep: ['x'] }, tags: ['t'] });
    expect(await two.output('memory_get', { key: 'k' })).toMatchObject({ value: { deep: ['x'] }, tags: ['t'], version: 1 });
    await two.output('memory_store', { key: 'k', value: 'apples and pears' });
    expect(await one.output('memory_get', { key: 'k' })).toMatchObject({ value: 'apples and pears', version: 2 });
    expect(await one.output('memory_search', { query: 'pear' })).toMatchObject({ total: 1, results: [{ key: 'k' }] });
    expect(await one.output('memory_history', { key: 'k' })).toMatchObject({ versions: [{ version: 2 }, { version: 1 }] });
    expect(await two.output('memory_stats', {})).toMatchObject({ entries: 1, fileBytes: null });
    expect(await one.app.call('memory_backup', {})).toMatchObject({ ok: false, error: { code: 'not_supported' } });
    await one.output('memory_export', { path: 'out.jsonl' });
    expect((await readdir(one.app.dir)).filter((name) => name.endsWith('.jsonl'))).toEqual(['out.jsonl']);
    expect(existsSync(one.app.skillflow.app.config.databasePath)).toBe(false);
    const { checks } = await one.output('health', {});
    expect(checks).toEqual(
      expect.arrayContaining([
        expect.objectContaining({
          name: 'database',
          status: 'ok',
          detail: expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+ \(server/),
        }),
      ]),
    );
  });

  test('a reader of an empty server leaves nothing there', async () => {
    await using calls = await createToolCalls({ flags: { databaseUrl: server.url } });
    expect(await calls.output('memory_list', {})).toMatchObject({ total: 0 });
    expect(await calls.output('health', {})).toMatchObject({
      checks: [{ name: 'database', status: 'absent' }, {}, {}, {}, {}, {}, {}, {}, {}],
    });
    const { createClient } = await import('@libsql/client/http');
    const client = createClient({ url: server.url });
    expect((await client.execute('SELECT name FROM sqlite_master')).rows).toHaveLength(0);
    client.close();
    expect(await readdir(calls.app.dir)).toEqual([]);
  });

  test('a local replica is read, and health says how old it is', async () => {
    await using calls = await createToolCalls({ flags: { databaseUrl: server.url, databaseReplica: true } });
    await calls.output('memory_store', { key: 'k', value: 'v' });
    expect(await calls.output('memory_get', { key: 'k' })).toMatchObject({ value: 'v' });
    await using direct = await createToolCalls({ flags: { databaseUrl: server.url } });
    expect(await direct.output('memory_get', { key: 'k' })).toMatchObject({ value: 'v' });
    expect(existsSync(join(calls.app.dir, '.skillflow', 'replica.db'))).toBe(true);
    const { checks } = await calls.output('health', {});
    expect(checks).toEqual(
      expect.arrayContaining([
        expect.objectContaining({
          name: 'database',
          detail: expect.stringMatching(/local replica of a server, synced at|own writes/),
        }),
      ]),
    );
  });

  test('what a replica answers whose server is gone says so, and how old it is', async () => {
    await using calls = await createToolCalls({ flags: { databaseUrl: server.url, databaseReplica: true } });
    await calls.output('memory_store', { key: 'k', value: 'apples' });
    // Own writes are read from the server until they have arrived.
    while (!/synced at[^;]*$/.test(JSON.stringify((await calls.output('health', {}))['checks']).split('"name"')[1] ?? '')) {
      await calls.output('memory_get', { key: 'k' });
    }
    expect(await calls.output('memory_get', { key: 'k' })).not.toHaveProperty('stale');
    expect(await calls.output('memory_list', {})).not.toHaveProperty('stale');
    await server.crash();
    const stale = expect.stringMatching(/^read from a replica of the server, as of \d{4}-.*; newer entries may be missing: .+/);
    expect(await calls.output('memory_get', { key: 'k' })).toMatchObject({ value: 'apples', stale });
    expect(await calls.output('memory_list', {})).toMatchObject({ total: 1, stale });
    expect(await calls.output('memory_search', { query: 'apples' })).toMatchObject({
      total: 1,
      vectors: expect.stringMatching(/^off; read from a replica of the server, as of /),
    });
    expect(await calls.text('memory_search', { query: 'apples' })).toContain('newer entries may be missing');
    await server.restart();
  });

  test('a server that is gone is named, and nothing is said to be stored', async () => {
    await using calls = await createToolCalls({ flags: { databaseUrl: server.url } });
    await calls.output('memory_store', { key: 'k', value: 'v' });
    await server.crash();
    const result = await calls.app.call('memory_store', { key: 'later', value: 'v' });
    expect(result).toMatchObject({ ok: false, error: { code: 'unavailable', message: expect.stringContaining('127.0.0.1') } });
    await server.restart();
    expect(await calls.output('memory_list', {})).toMatchObject({ total: 1, entries: [{ key: 'k' }] });
  });
});

test('an encrypted file: health says so, and another key opens nothing', async () => {
  const { loadConfig } = await import('../../src/config.ts');
  const { createApp } = await import('../../src/app.ts');
  const { createRuntime } = await import('../../src/runtime.ts');
  await using plain = await createToolCalls();
  const open = (key: string) => {
    const env = { SKILLFLOW_DB_KEY: key };
    const config = loadConfig({ projectRoot: plain.app.dir, rootSource: 'test', home: plain.app.dir, flags: {}, env });
    const runtime = createRuntime('silent');
    return createApp({ config, runtime, version: '0', packageDir: plain.app.dir, workerUrl: null, vectorWorkerUrl: null });
  };
  await using right = open('correct horse battery staple');
  const caller = { surface: 'api' } as const;
  expect(await right.call('memory_store', { key: 'k', value: 'plain words' }, caller)).toMatchObject({ ok: true });
  expect(await right.call('health', {}, caller)).toMatchObject({
    output: { checks: [{ detail: expect.stringMatching(/local file, encrypted/) }, {}, {}, {}, {}, {}, {}, {}, {}] },
  });
  await using wrong = open('wrong horse battery staple');
  expect(await wrong.call('memory_get', { key: 'k' }, caller)).toMatchObject({ ok: false, error: { code: 'forbidden' } });
  expect(await plain.app.call('memory_get', { key: 'k' })).toMatchObject({ ok: false });
});
