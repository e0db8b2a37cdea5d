import { decode } from '@toon-format/toon';
import { describe, expect, test } from 'vitest';
import { createMcpHandler } from '../../src/mcp/handler.ts';
import type { McpAnswer, McpHandler } from '../../src/mcp/serve.ts';
import { createTestApp } from '../helpers/test-app.ts';
import type { TestApp, TestAppOptions } from '../helpers/test-app.ts';

interface Served extends AsyncDisposable {
  readonly app: TestApp;
  call(name: string, input: unknown, handler?: McpHandler): Promise<McpAnswer>;
  anotherServer(): McpHandler;
}

async function serve(flags: TestAppOptions['flags'] = {}): Promise<Served> {
  const app = await createTestApp({ flags });
  const open = () => Promise.resolve(app.skillflow);
  const own = createMcpHandler(open);
  return {
    app,
    call: async (name, input, handler = own) => {
      const answer = await handler.call(name, input, {
        signal: AbortSignal.timeout(20_000),
        progress: { report: () => undefined },
        isFollowed: false,
        askPerson: undefined,
      });
      if (answer === undefined) throw new Error(`nobody answers ${name}`);
      return answer;
    },
    anotherServer: () => createMcpHandler(open),
    [Symbol.asyncDispose]: () => app[Symbol.asyncDispose](),
  };
}

describe('what a server answers', () => {
  test('one session a server, on all that is stored through it', async () => {
    await using served = await serve();
    await served.call('memory_store', { key: 'a', value: 1 });
    await served.call('memory_usage', { action: 'store', key: 'b', value: 'x' });
    await served.call('memory_store', { key: 'c', value: 1 }, served.anotherServer());
    const session = async (key: string): Promise<unknown> => (await served.call('memory_get', { key })).structured?.['session'];
    expect(await session('a')).toMatch(/^session_[0-9a-z]{26}$/);
    expect(await session('b')).toBe(await session('a'));
    expect(await session('c')).toMatch(/^session_/);
    expect(await session('c')).not.toBe(await session('a'));
  });

  test('by default compact JSON', async () => {
    await using served = await serve();
    const { text, structured } = await served.call('memory_list', {});
    expect(text).toBe(JSON.stringify(structured));
  });

  test.each(['toon', 'auto'])('%s: the text says what the structured content says, errors too', async (output) => {
    await using served = await serve({ output });
    for (let at = 0; at < 5; at += 1) await served.call('cache_set', { key: `k${at}`, value: at });
    const read = (text: string): unknown => (text.startsWith('{"') ? JSON.parse(text) : decode(text));
    for (const [name, input] of [
      ['memory_namespaces', {}],
      ['memory_list', { limit: 2 }],
      ['cache_stats', {}],
      ['memory_get', { key: 'nope' }],
      ['memory_store', { key: '' }],
    ] as const) {
      const { text, structured } = await served.call(name, input);
      expect(read(text), name).toEqual(structured);
      expect(Buffer.byteLength(text) <= Buffer.byteLength(JSON.stringify(structured)) || output === 'toon', name).toBe(true);
    }
    expect((await served.call('cache_stats', {})).text).toMatch(/^entries: 5\n/);
  });

  test('legacy names keep their JSON, whatever is asked for', async () => {
    await using served = await serve({ output: 'toon' });
    const { text } = await served.call('memory_usage', { action: 'list' });
    expect(text).toMatch(/^\{\n {2}"success": true,/);
    const shared = await served.call('memory_search', { query: 'x' });
    expect(JSON.parse(shared.text)).toMatchObject({ success: true, tool: 'memory_search' });
    expect(shared.structured).toMatchObject({ query: 'x', results: [] });
  });

  test('maxTokens bounds the text of a search as well as its structured content', async () => {
    await using served = await serve();
    await served.call('memory_store', {
      key: 'rows',
      value: { name: 'birch', rows: Array.from({ length: 900 }, (_, n) => [n % 10]) },
    });
    await served.call('memory_store', {
      key: 'text',
      value: `birch "and"\n${'amber\n'.repeat(900)}`,
      agent: 'ann',
      tags: ['a', 'b'],
    });
    const long = `birch ${'lorem ipsum dolor '.repeat(100)}`;
    for (const [query, maxTokens, rest] of [
      ['birch', 2_000, {}],
      ['birch', 1_000, {}],
      ['birch', 3_000, { explain: true }],
      ['birch', 300, { explain: true }],
      ['birch', 250, { limit: 1 }],
      [long, 700, {}],
      ['nothing', 100, {}],
      [long, 650, { namespace: 'empty' }],
    ] as const) {
      const { text, structured, isError } = await served.call('memory_search', { query, maxTokens, ...rest });
      const longest = Math.max(text.length, JSON.stringify(structured).length);
      expect([maxTokens, isError, longest / 4 <= maxTokens], `${query.slice(0, 20)} ${longest / 4}`).toEqual([
        maxTokens,
        false,
        true,
      ]);
      expect(JSON.parse(text)).toMatchObject({ success: true, tool: 'memory_search' });
    }
    const { structured } = await served.call('memory_search', { query: 'birch', maxTokens: 3_200 });
    expect(structured).toMatchObject({ shortened: false, results: [{ value: expect.anything() }, { value: expect.anything() }] });
  });

  test('tools that are not listed can be called', async () => {
    await using served = await serve();
    await served.call('memory_store', { key: 'a', value: 1 });
    expect((await served.call('memory_history', { key: 'a' })).isError).toBe(false);
    expect((await served.call('memory_search', { query: 'a', phrase: 'x', keys: '*' })).isError).toBe(false);
    expect((await served.call('cache_manage', { action: 'stats' })).isError).toBe(false);
  });
});
