import { once } from 'node:events';
import { readdir } from 'node:fs/promises';
import { createServer } from 'node:http';
import { describe, expect, test } from 'vitest';
import { createRuntime } from '../../src/runtime.ts';
import type { Runtime } from '../../src/runtime.ts';
import { createTestApp } from '../helpers/test-app.ts';
import { onServer } from '../helpers/databases.ts';
import { createToolCalls } from './tool-calls.ts';
import type { ToolCalls } from './tool-calls.ts';

async function storeSome(calls: ToolCalls, count: number): Promise<void> {
  for (let at = 0; at < count; at += 1)
    await calls.output('memory_store', { key: `k${at}`, value: `entry number ${at} about tokens` });
}
const vectorRows = (calls: ToolCalls): Promise<unknown> => calls.raw('SELECT count(*) AS n FROM embedding');

test('embedding is off unless it was asked for, and says so', async () => {
  await using calls = await createToolCalls();
  await storeSome(calls, 1);
  expect(await calls.output('memory_vectors', {})).toMatchObject({ provider: null, tier: 'off', vectors: 0 });
  expect(await calls.output('memory_search', { query: 'tokens' })).toMatchObject({ vectors: 'off', total: 1 });
  expect(await calls.app.call('memory_embed', {})).toMatchObject({
    ok: false,
    error: { code: 'unavailable', hint: expect.stringContaining('SKILLFLOW_EMBEDDING') },
  });
});

test('memory_embed makes the vectors that are missing, newest first, and tells how far it is', async () => {
  await using calls = await createToolCalls({ flags: { embedding: 'lexical' } });
  await calls.app.skillflow.call('memory_store', { key: 'first', value: 'one' }, { surface: 'cli' });
  await calls.app.skillflow.call('memory_store', { key: 'second', value: 'two' }, { surface: 'cli' });
  expect(await vectorRows(calls)).toStrictEqual([{ n: 0 }]); // a command ends with its call
  expect(await calls.output('memory_vectors', {})).toMatchObject({ provider: 'lexical', semantic: false, pending: 2 });
  const said: [number, string][] = [];
  const some = await calls.app.skillflow.call(
    'memory_embed',
    { maxContents: 1 },
    { surface: 'cli', onProgress: (done, what) => said.push([done, what]) },
  );
  expect(some).toMatchObject({ ok: true, output: { embedded: 1, pending: 1 } });
  expect(said.at(-1)).toEqual([0.5, '1 of 2 embedded']);
  expect(await vectorRows(calls)).toStrictEqual([{ n: 1 }]);
  expect(await calls.output('memory_embed', {})).toMatchObject({ embedded: 1, pending: 0 });
  expect(await calls.output('memory_vectors', {})).toMatchObject({ embedded: 2, pending: 0, vectors: 2, tier: 'exact' });
  expect(await calls.text('memory_vectors', {})).toMatch(
    /embedder +lexical .*letters, not meanings\ncontents +2 embedded, 0 to do/,
  );
  expect(await calls.output('memory_embed', {})).toMatchObject({ embedded: 0, pending: 0 });
});

test('vectors of a model that is no longer configured are named, and stay until they are dropped by name', async () => {
  await using calls = await createToolCalls({ flags: { embedding: 'lexical' } });
  await storeSome(calls, 2);
  await calls.output('memory_embed', {});
  await calls.raw(
    `INSERT INTO embedding_space (uid, provider, model, dimensions, created_at) VALUES ('u', 'openai', 'old', 2, 1)`,
  );
  await calls.raw(
    `INSERT INTO embedding (space_id, hash, vector) SELECT (SELECT id FROM embedding_space WHERE uid = 'u'), hash, x'0000803f00000000' FROM memory_entry`,
  );
  expect(await calls.output('memory_stats', {})).toMatchObject({
    vectors: [
      { provider: 'lexical', vectors: 2, inUse: true },
      { provider: 'openai', model: 'old', vectors: 2, bytes: 16, inUse: false },
    ],
  });
  expect(await calls.text('memory_stats', {})).toMatch(/openai old +2 +16 +not in use\n\nRemove .*--drop-model old$/);
  expect((await calls.text('memory_doctor', {})).replaceAll(/\s+/g, ' ')).toMatch(/openai old \(2 dimensions\): 2, 16 bytes/);
  expect(await calls.output('memory_compact', {})).toMatchObject({ vectors: 0 });
  expect(await calls.output('memory_compact', { dropModel: 'old' })).toMatchObject({ vectors: 2 });
  expect(await calls.output('memory_stats', {})).toMatchObject({ vectors: [{ provider: 'lexical', vectors: 2, inUse: true }] });
  expect(await calls.output('memory_search', { query: 'tokens' })).toMatchObject({ total: 2 });
});

describe('a server that does not answer', () => {
  /** A server that takes a request and then keeps silent. */
  async function silentServer(): Promise<AsyncDisposable & { readonly url: string }> {
    const server = createServer(() => undefined);
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const address = server.address();
    if (address === null || typeof address === 'string') throw new Error('no port');
    return {
      url: `http://127.0.0.1:${address.port}/v1`,
      [Symbol.asyncDispose]: async () => {
        server.closeAllConnections();
        server.close();
        await once(server, 'close');
      },
    };
  }
  const runtime = createRuntime('silent');
  const flags = (url: string) => ({ embedding: 'openai', embeddingUrl: url, embeddingModel: 'm' });

  test('is named while it is waited for, and given up after a minute', async () => {
    await using server = await silentServer();
    const slept: number[] = [];
    const sleep: Runtime['sleep'] = (ms, signal) => {
      if (ms === 60_000) slept.push(ms);
      return runtime.sleep(ms === 60_000 ? 200 : ms, signal);
    };
    await using app = await createTestApp({ runtime: { ...runtime, sleep }, flags: flags(`${server.url}?key=secret`) });
    await app.skillflow.call('memory_store', { key: 'k', value: 'one' }, { surface: 'cli' });
    const said: string[] = [];
    const result = await app.skillflow.call('memory_embed', {}, { surface: 'cli', onProgress: (_done, what) => said.push(what) });
    expect(said).toEqual([`waiting for the first answer of ${server.url}/embeddings`]);
    expect(slept).toEqual([60_000]);
    expect(result).toMatchObject({
      ok: false,
      error: {
        code: 'unavailable',
        retryable: true,
        message: `${server.url}/embeddings gave no answer within 60 s`,
        hint: expect.stringContaining('SKILLFLOW_EMBEDDING_URL'),
      },
    });
  });

  test('does not keep the user who interrupts', async () => {
    await using server = await silentServer();
    await using app = await createTestApp({ runtime, flags: flags(server.url) });
    await app.skillflow.call('memory_store', { key: 'k', value: 'one' }, { surface: 'cli' });
    const stop = new AbortController();
    const result = await app.skillflow.call(
      'memory_embed',
      {},
      { surface: 'cli', signal: stop.signal, onProgress: () => setImmediate(() => stop.abort()) },
    );
    expect(result).toMatchObject({ ok: false, error: { code: 'cancelled' } });
  });
});

test('a server embeds in the background what it was given to store', async () => {
  await using calls = await createToolCalls({ flags: { embedding: 'lexical' } });
  await storeSome(calls, 3);
  await expect.poll(() => calls.output('memory_vectors', {}), { timeout: 10_000 }).toMatchObject({ pending: 0, vectors: 3 });
  await storeSome(calls, 4);
  await calls.app.restart(); // in the middle of it: nothing hangs, and the next process goes on
  await storeSome(calls, 5);
  await expect.poll(() => calls.output('memory_vectors', {}), { timeout: 10_000 }).toMatchObject({ pending: 0, vectors: 5 });
});

test('health shows the database, the embedder and how vectors are searched', async () => {
  const [known, said] = onServer() ? ['ok', '(server'] : ['absent', 'first write makes it'];
  await using off = await createToolCalls();
  expect(await off.output('health', {})).toMatchObject({
    ok: true,
    checks: [
      { name: 'database', status: known, detail: expect.stringContaining(said) },
      { name: 'embeddings', status: 'absent', detail: expect.stringMatching(/^off/) },
      { name: 'vector index', status: 'absent' },
      { name: 'tools/list', status: 'ok', detail: expect.stringContaining('SKILLFLOW_MCP_TOOLS=all') },
      {},
      {},
      {},
      {},
      {},
    ],
  });
  expect(await readdir(off.app.dir)).toEqual([]);
  await using on = await createToolCalls({ flags: { embedding: 'lexical' } });
  await storeSome(on, 2);
  await on.output('memory_embed', {});
  const { checks } = await on.output('health', {});
  expect(checks).toEqual(
    expect.arrayContaining([
      expect.objectContaining({
        name: 'database',
        status: 'ok',
        detail: expect.stringMatching(onServer() ? /^http:.*\(server/ : /skillflow\.db \(local file, not encrypted\)$/),
      }),
      expect.objectContaining({
        name: 'embeddings',
        status: 'ok',
        detail: expect.stringMatching(/^lexical .*; 2 contents embedded, 0 to do/),
      }),
      expect.objectContaining({ name: 'vector index', status: 'ok', detail: expect.stringMatching(/^exact: 2 vectors/) }),
    ]),
  );
});

test('an endpoint that is down: search goes by words and says so, health fails', async () => {
  await using calls = await createToolCalls({
    flags: { embedding: 'openai', embeddingUrl: 'http://127.0.0.1:9/v1', embeddingModel: 'none' },
  });
  await storeSome(calls, 2);
  expect(await calls.output('memory_search', { query: 'tokens' })).toMatchObject({
    total: 2,
    vectors: expect.stringMatching(/^unavailable: /),
  });
  expect(await calls.text('memory_search', { query: 'tokens' })).toMatch(/\nvectors: unavailable: /);
  const { checks, ok } = await calls.output('health', {});
  expect(ok).toBe(false);
  expect(checks).toEqual(expect.arrayContaining([expect.objectContaining({ name: 'embeddings', status: 'failed' })]));
});

test('an embedder that lacks a setting: what is stored is stored, and a search names the setting', async () => {
  await using calls = await createToolCalls({ flags: { embedding: 'openai', embeddingUrl: 'http://127.0.0.1:9/v1' } });
  await storeSome(calls, 1);
  expect(await calls.raw('SELECT key FROM memory_entry')).toStrictEqual([{ key: 'k0' }]);
  const found = await calls.app.call('memory_search', { query: 'tokens' });
  expect(found).toMatchObject({
    ok: false,
    error: { code: 'invalid_input', message: expect.stringContaining('embeddingModel') },
  });
  const { checks } = await calls.output('health', {});
  expect(checks).toEqual(
    expect.arrayContaining([
      expect.objectContaining({ name: 'embeddings', status: 'failed', detail: expect.stringContaining('embeddingModel') }),
    ]),
  );
});
