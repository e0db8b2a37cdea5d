import { copyFile, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { legacyText } from '../../src/legacy/translate.ts';
import type { LegacyAnswer } from '../../src/legacy/translate.ts';
import { createRuntime } from '../../src/runtime.ts';
import { rawSql } from '../helpers/raw-sql.ts';
import { CALLER, createTestApp } from '../helpers/test-app.ts';
import type { TestApp } from '../helpers/test-app.ts';

const ISO = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;
let now = 1_700_000_000_000;
let app: TestApp;
beforeEach(async () => {
  now = 1_700_000_000_000;
  app = await createTestApp({ runtime: { ...createRuntime('silent'), now: () => now } });
  await good('memory_usage', { action: 'store', key: 'a', value: 'one' });
  await good('memory_usage', { action: 'store', key: 'b', value: 'two', namespace: 'n' });
});
afterEach(() => app[Symbol.asyncDispose]());

type Body = Readonly<Record<string, unknown>>;
const call = (name: string, args: unknown): Promise<LegacyAnswer> => app.skillflow.legacy.call(name, args, CALLER);
const raw = (sql: string): Promise<unknown> => rawSql(app.skillflow.app.config.databasePath, sql);
const entries = (): Promise<unknown> =>
  raw('SELECT namespace, key, value FROM memory_entry WHERE deleted_at IS NULL ORDER BY id');

async function good(name: string, args: object): Promise<Body> {
  const { body, isError } = await call(name, args);
  expect(body).toMatchObject({ success: true, timestamp: expect.stringMatching(ISO) });
  expect(isError).toBe(false);
  expect(JSON.parse(legacyText({ body }))).toStrictEqual(body);
  return body;
}
/** As {@link good}, of a name that 2.7 answers with these keys and nothing else. */
async function echoed(name: string, args: object): Promise<Body> {
  const body = await good(name, args);
  const kinds = Object.entries(body).map(([key, value]) => `${key}:${typeof value}`);
  expect(kinds.slice(0, 5)).toStrictEqual([
    'success:boolean',
    'tool:string',
    'message:string',
    'args:object',
    'timestamp:string',
  ]);
  expect(body).toMatchObject({ tool: name, args });
  return body;
}

describe('files', () => {
  test('memory_backup and memory_restore, in both spellings', async () => {
    const backup = await echoed('memory_backup', { path: 'kept.db' });
    expect(backup).toMatchObject({ entries: 2, path: join(app.dir, 'kept.db'), sha256: expect.stringMatching(/^[0-9a-f]{64}$/) });
    expect((await stat(String(backup['backupPath']))).size).toBe(backup['bytes']);
    expect((await echoed('memory_backup', {}))['path']).toMatch(/\.skillflow/);
    for (const spelling of ['backupPath', 'path']) {
      await good('memory_usage', { action: 'store', key: 'a', value: 'changed' });
      expect(await echoed('memory_restore', { [spelling]: 'kept.db' })).toMatchObject({
        backupPath: 'kept.db',
        safetyBackup: expect.any(String),
      });
      expect(await entries()).toMatchObject([{ key: 'a', value: 'one' }, { key: 'b' }]);
      now += 1000;
    }
    const { structured } = await call('memory_restore', { path: 'kept.db' });
    expect(structured).toMatchObject({ path: 'kept.db' });
    expect(structured).not.toHaveProperty('success');
  });

  test('memory_sync merges another database file; of a server it says what to use', async () => {
    await using other = await createTestApp();
    await other.call('memory_store', { key: 'c', value: 'theirs' });
    const made = await other.skillflow.legacy.call('memory_backup', { path: 'copy.db' }, CALLER);
    await copyFile(String(made.body['path']), join(app.dir, 'theirs.db'));
    expect(await echoed('memory_sync', { target: 'theirs.db' })).toMatchObject({ target: 'theirs.db', added: 1 });
    expect(await entries()).toMatchObject([{ key: 'a' }, { key: 'b' }, { key: 'c', value: 'theirs' }]);
    for (const target of ['libsql://host', 'HTTPS://user:secret@host/x']) {
      const { body, isError } = await call('memory_sync', { target });
      expect({ isError, code: body['code'] }).toEqual({ isError: true, code: 'not_supported' });
      expect(body['hint']).toMatch(/SKILLFLOW_DB_URL/);
      expect(JSON.stringify(body)).not.toContain('secret');
    }
  });

  test('memory_persist takes the session id that 2.7 takes, and syncs all', async () => {
    expect(await echoed('memory_persist', { sessionId: 's' })).toMatchObject({ persisted: true, entries: 2, framesLeft: 0 });
    expect((await call('memory_persist', {})).structured).toMatchObject({ entries: 2 });
  });

  test('memory_compress gives the figures of what it did', async () => {
    await good('memory_usage', { action: 'store', key: 'short', value: 'x', ttl: 1 });
    now += 2000;
    expect(await echoed('memory_compress', {})).toMatchObject({ expired: 1, namespace: null, message: '1 rows removed' });
    expect(await raw("SELECT count(*) AS n FROM memory_entry WHERE key = 'short'")).toStrictEqual([{ n: 0 }]);
    expect(await echoed('memory_compress', { namespace: 'n' })).toMatchObject({ namespace: 'n', expired: 0 });
  });

  test('state_snapshot and context_restore', async () => {
    await good('swarm_init', { topology: 'star' });
    expect(await echoed('state_snapshot', { name: 'before' })).toMatchObject({ snapshotId: 'before', entries: 2 });
    const unnamed = await echoed('state_snapshot', {});
    expect(unnamed['snapshotId']).toEqual(expect.stringMatching(/./));
    await good('agent_spawn', { type: 'coder' });
    await good('memory_usage', { action: 'delete', key: 'a' });
    const back = await echoed('context_restore', { snapshotId: 'before' });
    expect(back).toMatchObject({ snapshotId: 'before', restored: true, safetyBackup: expect.any(String) });
    expect(await entries()).toMatchObject([{ key: 'a' }, { key: 'b' }]);
    expect(await good('agent_list', {})).toMatchObject({ count: 0 });
  });
});

describe('namespaces, figures, cache', () => {
  test('memory_namespace lists, counts, deletes, and creates nothing', async () => {
    expect(await echoed('memory_namespace', { action: 'list', namespace: 'any' })).toMatchObject({
      count: 2,
      namespaces: [{ namespace: 'default', entries: 1 }, { namespace: 'n' }],
    });
    expect(await echoed('memory_namespace', { action: 'create', namespace: 'new' })).toMatchObject({
      exists: false,
      created: false,
    });
    expect(await echoed('memory_namespace', { action: 'create', namespace: 'n' })).toMatchObject({
      exists: true,
      created: false,
    });
    expect(await echoed('memory_namespace', { action: 'stats', namespace: 'n' })).toMatchObject({
      namespace: 'n',
      stats: { entries: 1, valueBytes: 3 },
    });
    expect(await echoed('memory_namespace', { action: 'delete', namespace: 'n' })).toMatchObject({ namespace: 'n', deleted: 1 });
    expect(await entries()).toMatchObject([{ key: 'a' }]);
  });

  test("memory_analytics: this process's memory, and what the store holds", async () => {
    now += 3 * 86_400_000;
    await good('memory_usage', { action: 'store', key: 'later', value: 'three' });
    const day = await good('memory_analytics', {});
    expect(Object.keys(day).slice(0, 6)).toStrictEqual([
      'success',
      'timeframe',
      'current',
      'usage_percentage',
      'recommendations',
      'timestamp',
    ]);
    expect(Object.keys(Object(day['current']))).toStrictEqual(['rss', 'heapTotal', 'heapUsed', 'external', 'arrayBuffers']);
    for (const figure of Object.values(Object(day['current']))) expect(figure).toBeGreaterThan(0);
    expect(Number(day['usage_percentage'])).toBeGreaterThan(1);
    expect(Number(day['usage_percentage'])).toBeLessThanOrEqual(100);
    expect(day).toMatchObject({ timeframe: '24h', written: 1, recommendations: [], store: { entries: 3 } });
    expect(await good('memory_analytics', { timeframe: '7d' })).toMatchObject({ timeframe: '7d', written: 3 });
    for (const [timeframe, written, note] of [
      ['1d', 1, 'no note'],
      ['2h', 1, /24 hours/],
      ['hour', 1, /24 hours/],
      ['48h', 3, /7 days/],
      ['2w', 3, /30 days/],
      ['all', 3, 'no note'],
      ['90d', 3, /all times/],
      ['last __proto__ week', 3, /not understood.*all times/],
      ['constructor', 3, /not understood/],
    ] as const) {
      const body = await good('memory_analytics', { timeframe });
      expect(body).toMatchObject({ timeframe, written });
      expect(body['note'] ?? 'no note').toMatch(note);
    }
    await good('memory_usage', { action: 'delete', key: 'a' });
    expect((await good('memory_analytics', {}))['recommendations']).toEqual([expect.stringMatching(/1 deleted/)]);
  });

  test('cache_manage is a cache: what is set is got until it expires', async () => {
    expect(await echoed('cache_manage', { action: 'get', key: 'k' })).toMatchObject({ hit: false, value: null });
    expect((await good('cache_manage', { action: 'set', key: 'k', value: { a: 1 }, ttl: 10 }))['expiresAt']).toMatch(ISO);
    expect(await echoed('cache_manage', { action: 'get', key: 'k' })).toMatchObject({ hit: true, value: { a: 1 } });
    expect(await echoed('cache_manage', { action: 'stats' })).toMatchObject({ entries: 1, bytes: 7 });
    now += 10_000;
    expect(await echoed('cache_manage', { action: 'get', key: 'k' })).toMatchObject({ hit: false });
    for (const key of ['x', 'y', 'z']) await good('cache_manage', { action: 'set', key, value: key });
    expect(await echoed('cache_manage', { action: 'delete', key: 'x' })).toMatchObject({ deleted: true });
    expect(await echoed('cache_manage', { action: 'delete', key: 'x' })).toMatchObject({ deleted: false });
    expect(await echoed('cache_manage', { action: 'clear' })).toMatchObject({ deleted: 2 });
    expect(await entries()).toHaveLength(2);
  });
});

describe('a wrong call fails visibly and changes nothing', () => {
  const huge = 'x'.repeat(2 * 1024 * 1024);
  const sql = "'); DELETE FROM memory_entry; --";
  const bad: readonly (readonly [string, unknown, RegExp])[] = [
    ['memory_persist', { sessionId: 7 }, /sessionId.*7/],
    ['memory_persist', { other: 1 }, /other/],
    ['memory_namespace', {}, /action/],
    ['memory_namespace', { action: 'drop', namespace: 'n' }, /action.*got "drop"/],
    ['memory_namespace', { action: 'delete' }, /namespace: expected text/],
    ['memory_namespace', { action: 'delete', namespace: '' }, /namespace/],
    ['memory_namespace', { action: 'stats', namespace: huge }, /namespace/],
    ['memory_backup', { path: '../out.db' }, /outside/],
    ['memory_backup', { path: 7 }, /path.*7/],
    ['memory_restore', {}, /path/],
    ['memory_restore', { backupPath: 'nope.db' }, /nope\.db/],
    ['memory_restore', { backupPath: 'a.db', path: 'b.db' }, /path and backupPath/],
    ['memory_restore', { backupPath: sql }, /DELETE FROM/],
    ['memory_compress', { namespace: 7 }, /namespace/],
    ['memory_compress', { namespace: 'a\0' }, /namespace/],
    ['memory_sync', {}, /target/],
    ['memory_sync', { target: '../other.db' }, /outside/],
    ['memory_sync', { target: huge }, /./],
    ['memory_analytics', { timeframe: 7 }, /timeframe.*got 7/],
    ['memory_restore', { backupPath: '../x.db' }, /^backupPath: "..\/x.db" lies outside/],
    ['memory_restore', { path: '../x.db' }, /^path: /],
    ['memory_sync', { target: 7 }, /^memory_sync: target/],
    ['memory_sync', { target: '/etc/path/x' }, /^target: "\/etc\/path\/x" lies outside/],
    ['context_restore', { snapshotId: 'none' }, /none/],
    ['cache_manage', { action: 'set', key: 'k', value: 1, ttl: 1e12 }, /^(?:cache_manage: )?ttl/],
    ['cache_manage', { action: 'get' }, /key: expected text/],
    ['cache_manage', { action: 'set', key: 'k' }, /value: expected/],
    ['cache_manage', { action: 'set', key: 'k', value: huge }, /value/],
    ['cache_manage', { action: 'set', key: 'k', value: 1, ttl: -1 }, /ttl/],
    ['cache_manage', { action: 'prune' }, /action.*got "prune"/],
    ['state_snapshot', { name: '../../up' }, /name/],
    ['state_snapshot', { name: 7 }, /name/],
    ['context_restore', {}, /snapshotId/],
    ['context_restore', { snapshotId: 'nope' }, /nope/],
    ['context_restore', { snapshotId: sql }, /./],
  ];

  test.each(bad.map(([name, args, error], index) => ({ index, name, args, error })))(
    '$index: $name $error',
    async ({ name, args, error }) => {
      const before = [await entries(), (await readdir(app.dir)).sort(), (await readdir(join(app.dir, '.skillflow'))).sort()];
      const { body, isError } = await call(name, args);
      expect(isError).toBe(true);
      expect(body).toMatchObject({ success: false, error: expect.stringMatching(error), timestamp: expect.stringMatching(ISO) });
      expect(Object.keys(body)).toStrictEqual(['success', 'error', 'hint', 'code', 'timestamp']);
      expect(body['code']).not.toBe('internal');
      expect(legacyText({ body }).length).toBeLessThan(3000);
      expect([
        await entries(),
        (await readdir(app.dir)).sort(),
        (await readdir(join(app.dir, '.skillflow'))).sort(),
      ]).toStrictEqual(before);
    },
  );
});
