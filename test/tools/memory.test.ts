import { readdir } from 'node:fs/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createRuntime } from '../../src/runtime.ts';
import { onServer } from '../helpers/databases.ts';
import { rawSql } from '../helpers/raw-sql.ts';
import { createTestApp } from '../helpers/test-app.ts';
import type { TestApp } from '../helpers/test-app.ts';

const PLAIN = { color: false, width: 80 };
const HOSTILE = "'); DROP TABLE memory_entry; --";
let now = 1_700_000_000_000;
let app: TestApp;

beforeEach(async () => {
  now = 1_700_000_000_000;
  app = await createTestApp({ runtime: { ...createRuntime('silent'), now: () => now } });
});
afterEach(() => app[Symbol.asyncDispose]());

const output = async (tool: string, input: unknown): Promise<Readonly<Record<string, unknown>>> => {
  const result = await app.call(tool, input);
  if (!result.ok) throw new Error(JSON.stringify(result.error));
  return Object.fromEntries(Object.entries(Object(result.output)));
};
const raw = (sql: string, params: readonly (string | number)[] = []): Promise<unknown> => rawSql(app.location, sql, params);
const entries = async (): Promise<unknown> => {
  const db = await app.skillflow.app.database('read');
  return db.all('SELECT namespace, key, value, format, tags, expires_at FROM memory_entry ORDER BY id');
};

test.each([
  ['memory_store', { key: '', value: 'x' }],
  ['memory_store', { key: 'k', value: 'x', ttl: -1 }],
  ['memory_delete', { key: 'a\0b' }],
])('%s %j is refused before there is a database', async (tool, input) => {
  expect(await app.call(tool, input)).toMatchObject({ ok: false, error: { code: 'invalid_input' } });
  expect(await readdir(app.dir)).toEqual([]);
});

describe('memory_store and memory_get', () => {
  test('what is stored is a row that another process reads, and the reverse', async () => {
    const stored = await output('memory_store', { key: 'city', value: 'Łódź', tags: ['place'] });
    expect(stored).toMatchObject({ namespace: 'default', key: 'city', created: true, bytes: 7, expiresAt: null });
    expect(await raw('SELECT namespace, key, value, tags FROM memory_entry')).toStrictEqual([
      { namespace: 'default', key: 'city', value: 'Łódź', tags: '["place"]' },
    ]);
    await raw('UPDATE memory_entry SET value = ?', ['Gdańsk']);
    expect(await output('memory_get', { key: 'city' })).toMatchObject({ value: 'Gdańsk', tags: ['place'] });
    await app.restart();
    expect(await output('memory_get', { key: 'city' })).toMatchObject({ value: 'Gdańsk', id: stored['id'] });
  });

  test.each([
    ['text that looks like JSON', '{"a":1}'],
    ['empty text', ''],
    ['text with NUL', 'a\0b'],
    ['a number', -1.5e300],
    ['null', null],
    ['a list', [1, [null, 'x'], { a: false }]],
    ['an object', { constructor: 1, list: [] }],
    ['SQL', HOSTILE],
  ])('%s comes back as it was', async (_what, value) => {
    await output('memory_store', { key: 'k', value, namespace: '../..' });
    expect((await output('memory_get', { key: 'k', namespace: '../..' }))['value']).toStrictEqual(value);
    expect(await readdir(app.dir)).toStrictEqual(onServer() ? [] : ['.skillflow']);
  });

  test('a second store makes a new version, and says so; the same content does not', async () => {
    const { id } = await output('memory_store', { key: 'k', value: 1, tags: ['old'] });
    expect(await output('memory_store', { key: 'k', value: 2 })).toMatchObject({ id, version: 2, created: false });
    expect(await output('memory_get', { key: 'k' })).toMatchObject({ value: 2, tags: ['old'], version: 2 });
    expect(await output('memory_store', { key: 'k', value: 2 })).toMatchObject({ id, version: 2, created: false });
    expect(await output('memory_get', { key: 'k', version: 1 })).toMatchObject({ value: 1, tags: ['old'], version: 1 });
  });

  test('kind, importance, origin and validity are kept, and times are ISO 8601', async () => {
    const given = {
      kind: 'decision',
      importance: 0.9,
      agent: 'architect',
      session: 's1',
      run: 'run_1',
      validFrom: '2023-01-01',
      validTo: '2024-01-01T12:00:00+02:00',
    };
    await output('memory_store', { key: 'k', value: 'v', ...given });
    expect(await output('memory_get', { key: 'k' })).toMatchObject({
      ...given,
      validFrom: '2023-01-01T00:00:00.000Z',
      validTo: '2024-01-01T10:00:00.000Z',
    });
    expect(await raw('SELECT kind, importance, agent, session, run, valid_to FROM memory_entry')).toStrictEqual([
      { kind: 'decision', importance: 0.9, agent: 'architect', session: 's1', run: 'run_1', valid_to: 1_704_103_200_000 },
    ]);
  });

  test("what is stored belongs to the caller's session, unless another is given", async () => {
    const store = (input: object): Promise<unknown> =>
      app.skillflow.call('memory_store', { value: 1, ...input }, { surface: 'mcp', session: 'session_x' });
    await store({ key: 'mine' });
    await store({ key: 'other', session: 'session_y' });
    await output('memory_store', { key: 'none', value: 1 });
    await app.skillflow.legacy.call(
      'memory_usage',
      { action: 'store', key: 'legacy', value: 'v' },
      { surface: 'mcp', session: 'session_x' },
    );
    expect(await raw('SELECT key, session FROM memory_entry ORDER BY id')).toStrictEqual([
      { key: 'mine', session: 'session_x' },
      { key: 'other', session: 'session_y' },
      { key: 'none', session: null },
      { key: 'legacy', session: 'session_x' },
    ]);
  });

  test('ifVersion stores only over what the caller has seen', async () => {
    expect(await app.call('memory_store', { key: 'k', value: 1, ifVersion: 1 })).toMatchObject({
      ok: false,
      error: { code: 'conflict' },
    });
    await output('memory_store', { key: 'k', value: 1, ifVersion: 0 });
    await output('memory_store', { key: 'k', value: 2, ifVersion: 1 });
    expect(await app.call('memory_store', { key: 'k', value: 3, ifVersion: 1 })).toMatchObject({
      ok: false,
      error: { code: 'conflict' },
    });
    expect(await app.call('memory_store', { key: 'k', value: 3, ifVersion: 0 })).toMatchObject({
      ok: false,
      error: { code: 'conflict' },
    });
    expect(await output('memory_get', { key: 'k' })).toMatchObject({ value: 2, version: 2 });
  });

  test('other keys with the same value are named', async () => {
    await output('memory_store', { key: 'a', value: 'the same' });
    expect(await output('memory_store', { key: 'b', value: 'the same' })).toMatchObject({ duplicates: ['a'] });
  });

  test('an entry is gone from the moment it expires', async () => {
    expect(await output('memory_store', { key: 'k', value: 1, ttlSeconds: 2 })).toMatchObject({
      expiresAt: '2023-11-14T22:13:22.000Z',
    });
    now += 1999;
    expect(await output('memory_get', { key: 'k' })).toMatchObject({ value: 1 });
    now += 1;
    expect(await app.call('memory_get', { key: 'k' })).toMatchObject({ ok: false, error: { code: 'not_found' } });
    expect(await output('memory_list', {})).toMatchObject({ entries: [], total: 0 });
  });

  test('a missing key is an error that names near ones', async () => {
    await output('memory_store', { key: 'release-date', value: 1 });
    expect(await app.call('memory_get', { key: 'relaese-date' })).toMatchObject({
      ok: false,
      error: { code: 'not_found', message: expect.stringMatching(/relaese-date.*default/), hint: 'Did you mean "release-date"?' },
    });
    expect(await app.call('memory_get', { key: 'zzz', namespace: 'other' })).toMatchObject({
      ok: false,
      error: { code: 'not_found', hint: expect.stringMatching(/memory_list/) },
    });
  });
});

describe('memory_list, memory_search, memory_delete', () => {
  test('list pages by namespace and key, with excerpts unless values are asked for', async () => {
    const long = 'x'.repeat(500);
    await output('memory_store', { key: 'b', value: long });
    await output('memory_store', { key: 'a', value: { n: 1 } });
    await output('memory_store', { key: 'a', value: 'there', namespace: 'other' });
    const all = await output('memory_list', {});
    expect(all).toMatchObject({ namespace: null, total: 3, entries: [{ key: 'a' }, { key: 'b' }, { namespace: 'other' }] });
    expect(JSON.stringify(all)).not.toMatch(/"value"/);
    expect(await output('memory_list', { namespace: 'default', offset: 1 })).toMatchObject({
      total: 2,
      entries: [{ key: 'b', bytes: 500, preview: 'x'.repeat(200) }],
    });
    expect(await output('memory_list', { namespace: 'default', values: true })).toMatchObject({
      entries: [{ value: { n: 1 } }, { value: long }],
    });
    expect(await output('memory_list', { prefix: 'a', limit: 1 })).toMatchObject({ total: 2, entries: [{ key: 'a' }] });
    expect(await output('memory_list', { prefix: '%' })).toMatchObject({ total: 0 });
  });

  test('values that are too much for one answer are refused, with a limit that is not', async () => {
    const big = 'x'.repeat(1_020_000);
    const keys = Array.from({ length: 34 }, (_, at) => `big${at}`);
    const memory = await app.skillflow.app.memory('write');
    await memory.storeMany(keys.map((key) => ({ key, value: big, tags: ['lorem'] })));
    for (const [tool, input] of [
      ['memory_list', { values: true, limit: 1000 }],
      ['memory_search', { query: 'lorem', values: true, limit: 100 }],
    ] as const) {
      expect(await app.call(tool, input), tool).toMatchObject({
        ok: false,
        error: {
          code: 'invalid_input',
          message: expect.stringMatching(/34 entries have 34680000 bytes/),
          hint: expect.stringMatching(/limit of at most 32/),
        },
      });
    }
    expect((await output('memory_list', { values: true, limit: 32 }))['entries']).toHaveLength(32);
    expect(await output('memory_list', { limit: 1000 })).toMatchObject({ total: 34 });
  });

  test('search ranks, in one namespace or in all', async () => {
    await output('memory_store', { key: 'one', value: 'the cat sat on the mat' });
    await output('memory_store', { key: 'two', value: 'a dog chased a cat, another cat watched the mat', namespace: 'other' });
    await output('memory_store', { key: 'three', value: 'nothing of the kind' });
    const found = await output('memory_search', { query: 'cats mat' });
    expect(found).toMatchObject({ total: 2, totalIsExact: true, matchedBy: 'words', namespace: null, shortened: false });
    expect(JSON.stringify(found)).not.toMatch(/"value"/);
    expect(await output('memory_search', { query: 'cats mat', namespace: 'other', values: true })).toMatchObject({
      total: 1,
      results: [{ key: 'two', value: 'a dog chased a cat, another cat watched the mat', snippet: expect.stringMatching(/cat/) }],
    });
    expect(await output('memory_search', { query: HOSTILE })).toMatchObject({ results: [] });
  });

  test('search narrows by every filter', async () => {
    await output('memory_store', {
      key: 'auth-flow',
      value: 'the token is renewed before each call',
      kind: 'decision',
      tags: ['auth', 'http'],
      agent: 'architect',
      session: 's1',
    });
    now += 60_000;
    await output('memory_store', { key: 'cache', value: 'each token is cached', namespace: 'perf', tags: ['http'] });
    const keys = async (filter: object): Promise<readonly unknown[]> => {
      const { results } = await output('memory_search', { query: 'token', ...filter });
      return Array.isArray(results) ? results.map((found) => Object(found).key).sort() : [];
    };
    expect(await keys({})).toEqual(['auth-flow', 'cache']);
    for (const filter of [
      { namespace: 'default' },
      { namespaces: ['default', 'nothing'] },
      { kind: 'decision' },
      { tags: ['http', 'auth'] },
      { agent: 'architect' },
      { session: 's1' },
      { keys: 'auth*' },
      { until: '2023-11-14T22:13:30Z' },
      { phrase: 'renewed before' },
    ])
      expect(await keys(filter), JSON.stringify(filter)).toEqual(['auth-flow']);
    expect(await keys({ namespace: 'default', namespaces: ['perf'] })).toEqual(['auth-flow', 'cache']);
    expect(await keys({ since: '2023-11-14T22:13:30Z' })).toEqual(['cache']);
    expect(await keys({ phrase: 'before renewed' })).toEqual([]);
    expect(await keys({ query: '', phrase: 'is cached' })).toEqual(['cache']);
    expect(await keys({ keys: '%' })).toEqual([]);
    expect(await keys({ namespace: '../..' })).toEqual([]);
  });

  test('a result says where it comes from and why it is there; the next page comes by cursor', async () => {
    for (let at = 0; at < 5; at += 1)
      await output('memory_store', { key: `k${at}`, value: `the release is on day ${at}`, agent: 'planner' });
    const first = await output('memory_search', { query: 'release day', limit: 2, explain: true });
    expect(first).toMatchObject({
      total: 5,
      results: [
        {
          agent: 'planner',
          kind: 'note',
          version: 1,
          matched: [expect.stringMatching(/release|day/)],
          score: expect.any(Number),
        },
        { explanation: { words: expect.any(Number) } },
      ],
    });
    const seen = new Set<unknown>();
    let page = first;
    for (;;) {
      for (const found of Object(page['results'])) seen.add(Object(found).key);
      if (page['cursor'] === null) break;
      page = await output('memory_search', { query: 'release day', limit: 2, cursor: page['cursor'] });
    }
    expect(seen.size).toBe(5);
    expect((await app.call('memory_search', { query: 'other words', cursor: String(first['cursor']) })).ok).toBe(false);
  });

  test('maxTokens bounds the answer', async () => {
    for (let at = 0; at < 20; at += 1)
      await output('memory_store', { key: `k${at}`, value: `apples ${'and pears '.repeat(200)} ${at}` });
    const bounded = await output('memory_search', { query: 'apples', limit: 20, maxTokens: 500 });
    expect(bounded).toMatchObject({ shortened: true, total: 20 });
    expect(JSON.stringify(bounded).length).toBeLessThan(500 * 4 * 1.25);
    const { results } = await output('memory_search', { query: 'apples', limit: 1, maxTokens: 5000 });
    expect(results).toMatchObject([{ value: expect.stringMatching(/^apples/) }]);
  });

  test('delete removes the row once; of a missing key it says that nothing was deleted', async () => {
    await output('memory_store', { key: 'k', value: 1 });
    await output('memory_store', { key: 'k', value: 1, namespace: 'other' });
    expect(await output('memory_delete', { key: 'k' })).toStrictEqual({
      namespace: 'default',
      key: 'k',
      deleted: true,
      purged: false,
    });
    const left = 'SELECT namespace FROM memory_entry WHERE deleted_at IS NULL';
    expect(await raw(left)).toStrictEqual([{ namespace: 'other' }]);
    expect(await output('memory_delete', { key: 'k' })).toMatchObject({ deleted: false });
    expect(await output('memory_delete', { key: '%', namespace: HOSTILE })).toMatchObject({ deleted: false });
    expect(await raw(left)).toHaveLength(1);
  });

  test('what was deleted comes back with its value and history; what was purged does not', async () => {
    await output('memory_store', { key: 'k', value: 1, tags: ['t'] });
    await output('memory_store', { key: 'k', value: 2, tags: ['t'] });
    await output('memory_delete', { key: 'k' });
    expect(await output('memory_list', {})).toMatchObject({ total: 0 });
    expect(await output('memory_list', { deleted: true, values: true })).toMatchObject({ total: 1, entries: [{ key: 'k' }] });
    expect(await output('memory_undelete', { key: 'k' })).toMatchObject({ key: 'k' });
    expect(await output('memory_get', { key: 'k' })).toMatchObject({ value: 2, tags: ['t'] });
    expect(await output('memory_get', { key: 'k', version: 1 })).toMatchObject({ value: 1 });
    expect(await output('memory_delete', { key: 'k', purge: true })).toMatchObject({ deleted: true, purged: true });
    expect(await raw('SELECT count(*) AS n FROM memory_entry')).toStrictEqual([{ n: 0 }]);
    expect(await raw('SELECT count(*) AS n FROM memory_version')).toStrictEqual([{ n: 0 }]);
    expect(await app.call('memory_undelete', { key: 'k' })).toMatchObject({ ok: false, error: { code: 'not_found' } });
    expect(await output('memory_delete', { key: 'k', purge: true })).toMatchObject({ deleted: false, purged: false });
  });

  test('list by kind and tag', async () => {
    await output('memory_store', { key: 'a', value: 1, kind: 'fact', tags: ['x', 'y'] });
    await output('memory_store', { key: 'b', value: 2, tags: ['x'] });
    expect(await output('memory_list', { kind: 'fact' })).toMatchObject({ total: 1, entries: [{ key: 'a' }] });
    expect(await output('memory_list', { tag: 'x' })).toMatchObject({ total: 2 });
    expect(await output('memory_list', { tag: 'y', kind: 'note' })).toMatchObject({ total: 0, entries: [] });
  });
});

describe('a wrong call is refused and changes nothing', () => {
  const huge = 'x'.repeat(2 * 1024 * 1024);
  let deep: unknown = 1;
  for (let i = 0; i < 5000; i += 1) deep = [deep];
  const bad: readonly (readonly [string, unknown, string, RegExp])[] = [
    ['memory_store', { key: 'k' }, 'invalid_input', /value.*any JSON/],
    ['memory_list', { keys: '' }, 'invalid_input', /keys is empty/],
    ['memory_search', { query: 'x', since: '2026-02-01', until: '2026-01-01' }, 'invalid_input', /until is not after since/],
    ['memory_store', { value: 1 }, 'invalid_input', /key/],
    ['memory_store', { key: '', value: 1 }, 'invalid_input', /key/],
    ['memory_store', { key: 7, value: 1 }, 'invalid_input', /key.*got 7/],
    ['memory_store', { key: 'a\0b', value: 1 }, 'invalid_input', /key.*NUL/],
    ['memory_store', { key: 'ä'.repeat(300), value: 1 }, 'invalid_input', /key has 600 bytes/],
    ['memory_store', { key: huge, value: 1 }, 'invalid_input', /key/],
    ['memory_store', { key: 'k', value: huge }, 'invalid_input', /value has more than 1048576 bytes/],
    ['memory_store', { key: 'k', value: deep }, 'invalid_input', /value.*nested/],
    ['memory_store', { key: 'k', value: { f: () => 1 } }, 'invalid_input', /value\.f is function/],
    ['memory_store', { key: 'k', value: 1, namespace: 'a\0' }, 'invalid_input', /namespace.*NUL/],
    ['memory_store', { key: 'k', value: 1, namespace: null }, 'invalid_input', /namespace.*null/],
    ['memory_store', { key: 'k', value: 1, ttlSeconds: 0 }, 'invalid_input', /ttlSeconds/],
    ['memory_store', { key: 'k', value: 1, ttlSeconds: -5 }, 'invalid_input', /ttlSeconds/],
    ['memory_store', { key: 'k', value: 1, ttlSeconds: '60' }, 'invalid_input', /ttlSeconds.*got "60"/],
    ['memory_store', { key: 'k', value: 1, tags: 'a' }, 'invalid_input', /tags/],
    ['memory_store', { key: 'k', value: 1, tags: [''] }, 'invalid_input', /tags\[0\] is empty/],
    ['memory_store', { key: 'k', value: 1, ttl: 5 }, 'invalid_input', /ttl/],
    ['memory_store', { key: 'k', value: 1, kind: '' }, 'invalid_input', /kind/],
    ['memory_store', { key: 'k', value: 1, kind: 'x'.repeat(65) }, 'invalid_input', /kind/],
    ['memory_store', { key: 'k', value: 1, importance: 2 }, 'invalid_input', /importance/],
    ['memory_store', { key: 'k', value: 1, importance: NaN }, 'invalid_input', /importance/],
    ['memory_store', { key: 'k', value: 1, agent: 'a\0b' }, 'invalid_input', /agent/],
    ['memory_store', { key: 'k', value: 1, session: huge }, 'invalid_input', /session/],
    ['memory_store', { key: 'k', value: 1, validFrom: 'yesterday' }, 'invalid_input', /validFrom.*ISO 8601.*got "yesterday"/],
    ['memory_store', { key: 'k', value: 1, validFrom: '2026-02-30' }, 'invalid_input', /validFrom/],
    ['memory_store', { key: 'k', value: 1, validFrom: 1_700_000_000 }, 'invalid_input', /validFrom/],
    ['memory_store', { key: 'k', value: 1, validFrom: '2026-02-02', validTo: '2026-02-01' }, 'invalid_input', /valid(From|To)/],
    ['memory_store', { key: 'kept', value: 1, ifVersion: -1 }, 'invalid_input', /ifVersion/],
    ['memory_store', { key: 'kept', value: 1, ifVersion: 7 }, 'conflict', /version/],
    ['memory_get', { key: 'kept', version: 2 }, 'not_found', /kept.*version 2/],
    ['memory_get', { key: 'kept', version: 0 }, 'invalid_input', /version/],
    ['memory_undelete', { key: 'kept' }, 'not_found', /kept/],
    ['memory_undelete', {}, 'invalid_input', /key/],
    ['memory_search', { query: 'x', limit: -1 }, 'invalid_input', /limit.*-1/],
    ['memory_search', { query: 'x', limit: 1e9 }, 'invalid_input', /limit/],
    ['memory_search', { query: 'x', offset: 1e9 }, 'invalid_input', /offset/],
    ['memory_search', { query: 'x', since: 'a week ago' }, 'invalid_input', /since.*ISO 8601/],
    ['memory_search', { query: 'x', validAt: 'never' }, 'invalid_input', /validAt.*or any/],
    ['memory_search', { query: 'x', minScore: 2 }, 'invalid_input', /minScore/],
    ['memory_search', { query: 'x', maxTokens: 0 }, 'invalid_input', /maxTokens/],
    ['memory_search', { query: 'x', cursor: 'made up' }, 'invalid_input', /cursor/],
    ['memory_search', { query: 'x', phrase: '' }, 'invalid_input', /phrase/],
    ['memory_search', { query: 'x', tags: 'a' }, 'invalid_input', /tags/],
    ['memory_search', { query: 'x', namespaces: [''] }, 'invalid_input', /namespace/],
    ['memory_list', { limit: -1 }, 'invalid_input', /limit/],
    ['memory_list', { limit: 1e9 }, 'invalid_input', /limit/],
    ['memory_list', { kind: 7 }, 'invalid_input', /kind/],
    ['memory_get', {}, 'invalid_input', /key/],
    ['memory_get', { key: 'nope' }, 'not_found', /nope/],
    ['memory_get', { key: 'kept', namespace: '../..' }, 'not_found', /\.\.\/\.\./],
    ['memory_search', {}, 'invalid_input', /query/],
    ['memory_search', { query: '  ' }, 'invalid_input', /query/],
    ['memory_search', { query: huge }, 'invalid_input', /query/],
    ['memory_search', { query: 'x', limit: 101 }, 'invalid_input', /limit/],
    ['memory_list', { limit: 0 }, 'invalid_input', /limit/],
    ['memory_list', { limit: 1.5 }, 'invalid_input', /limit/],
    ['memory_list', { offset: -1 }, 'invalid_input', /offset/],
    ['memory_delete', {}, 'invalid_input', /key/],
    ['memory_delete', { key: ['kept'] }, 'invalid_input', /key/],
  ];

  test.each(bad.map(([tool, input, code, message], index) => ({ index, tool, input, code, message })))(
    '$index: $tool $message',
    async ({ tool, input, code, message }) => {
      await output('memory_store', { key: 'kept', value: 'as it was' });
      const before = await entries();
      const result = await app.call(tool, input);
      expect(result).toMatchObject({
        ok: false,
        error: { code, message: expect.stringMatching(message), hint: expect.stringMatching(/./) },
      });
      expect(JSON.stringify(result).length).toBeLessThan(1500);
      expect(await entries()).toStrictEqual(before);
    },
  );

  test('reading a project without a database makes none', async () => {
    expect(await output('memory_list', {})).toMatchObject({ entries: [], total: 0 });
    expect(await output('memory_search', { query: 'x' })).toMatchObject({ results: [] });
    expect(await app.call('memory_get', { key: 'k' })).toMatchObject({ ok: false, error: { code: 'not_found' } });
    expect(await readdir(app.dir)).toStrictEqual([]);
  });

  test('read-only mode', async () => {
    await using readOnly = await createTestApp({ flags: { readOnly: true } });
    expect(await readOnly.call('memory_store', { key: 'k', value: 1 })).toMatchObject({
      ok: false,
      error: { code: 'forbidden' },
    });
    expect(await readOnly.call('memory_delete', { key: 'k' })).toMatchObject({ ok: false, error: { code: 'forbidden' } });
    expect(await readdir(readOnly.dir)).toStrictEqual([]);
  });
});

describe('text', () => {
  const text = async (tool: string, input: unknown): Promise<string> =>
    app.skillflow.render(tool, await output(tool, input), PLAIN);

  test('tables with control characters made visible', async () => {
    expect(await text('memory_list', {})).toBe('No entries.');
    expect(await text('memory_search', { query: 'x' })).toBe('Nothing found.');
    expect(await text('memory_store', { key: 'k\u001B]0;x\u0007', value: 'red \u001B[31mtext' })).toMatch(
      /^stored +k\\x1b\]0;x\\x07\n/,
    );
    expect(await text('memory_list', {})).toBe(
      String.raw`NAMESPACE  KEY            KIND  BYTES  UPDATED (UTC)     VALUE
default    k\x1b]0;x\x07  note  13     2023-11-14T22:13  red \x1b[31mtext`,
    );
    expect(await text('memory_search', { query: 'red' })).toContain(String.raw`red \x1b[31mtext`);
    expect(await text('memory_delete', { key: 'zzz' })).toMatch(/^no such entry +zzz/);
  });

  test('a value is printed line by line', async () => {
    await output('memory_store', { key: 'k', value: 'one\ntwo\u001B[2J' });
    await output('memory_store', { key: 'j', value: { a: [1] } });
    expect(await text('memory_get', { key: 'k' })).toBe(String.raw`one
two\x1b[2J`);
    expect(await text('memory_get', { key: 'j' })).toBe('{\n  "a": [\n    1\n  ]\n}');
  });
});

test('a time that damage has changed keeps no entry from being shown', async () => {
  await output('memory_store', { key: 'good', value: 'good words' });
  await output('memory_store', { key: 'bad', value: 'bad words' });
  await raw(`UPDATE memory_entry SET updated_at = 1152921504606846976, valid_from = -9000000000000000 WHERE key = 'bad'`);
  const bad = { key: 'bad', updatedAt: 'no time', validFrom: 'no time' };
  expect(await output('memory_list', {})).toMatchObject({ entries: [bad, { key: 'good' }] });
  expect(await output('memory_get', { key: 'bad' })).toMatchObject({ value: 'bad words', ...bad });
  expect((await output('memory_search', { query: 'words' }))['results']).toHaveLength(2);
  expect(await output('memory_namespaces', {})).toMatchObject({ namespaces: [{ entries: 2, updatedAt: bad.updatedAt }] });
  expect(await output('memory_stats', {})).toMatchObject({ entries: 2, newestAt: bad.updatedAt });
  expect(await output('memory_history', { key: 'bad' })).toMatchObject({ versions: [{ updatedAt: bad.updatedAt }] });
});
