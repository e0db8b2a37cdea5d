import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { claudeFlow2 } from '../../compat/claude-flow-2.ts';
import { legacyListing } from '../../src/legacy/row.ts';
import { legacyText } from '../../src/legacy/translate.ts';
import type { LegacyAnswer } from '../../src/legacy/translate.ts';
import { createRuntime } from '../../src/runtime.ts';
import { allTools } from '../../src/tools/all-tools.ts';
import { memorySearchOutput } from '../../src/tools/memory-search.ts';
import { CALLER, createTestApp } from '../helpers/test-app.ts';
import type { TestApp } from '../helpers/test-app.ts';
import { CLAUDE_FLOW_2_NAMES } from './claude-flow-2-names.ts';

/** Keys and types that callers of 2.7 read, in order. */
const KEYS = {
  swarm_init:
    'success:boolean swarmId:string topology:string maxAgents:number strategy:string status:string persisted:boolean timestamp:string',
  agent_spawn:
    'success:boolean agentId:string type:string name:string status:string capabilities:array persisted:boolean timestamp:string',
  task_orchestrate:
    'success:boolean taskId:string task:string strategy:string priority:string status:string persisted:boolean timestamp:string',
  swarm_status:
    'success:boolean swarmId:string topology:string agentCount:number activeAgents:number taskCount:number pendingTasks:number completedTasks:number timestamp:string',
  agent_list: 'success:boolean swarmId:string agents:array count:number timestamp:string',
  memory_search:
    'success:boolean pattern:string namespace:string results:array count:number timestamp:string total:number tool:string message:string args:object',
  store:
    'success:boolean action:string key:string namespace:string stored:boolean size:number id:number storage_type:string timestamp:string',
  retrieve:
    'success:boolean action:string key:string value:string found:boolean namespace:string storage_type:string timestamp:string',
  list: 'success:boolean action:string namespace:string entries:array count:number storage_type:string timestamp:string',
  search:
    'success:boolean action:string pattern:string namespace:string results:array count:number storage_type:string timestamp:string',
  delete: 'success:boolean action:string key:string namespace:string deleted:boolean storage_type:string timestamp:string',
} as const;
const ISO = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;

let now = 1_700_000_000_000;
let app: TestApp;
beforeEach(async () => {
  now = 1_700_000_000_000;
  app = await createTestApp({ runtime: { ...createRuntime('silent'), now: () => now } });
});
afterEach(() => app[Symbol.asyncDispose]());

const call = (name: string, args: unknown): Promise<LegacyAnswer> => app.skillflow.legacy.call(name, args, CALLER);

/** The answer of a call that must go well, with its first keys checked against the table. */
async function good(name: string, args: unknown, keys: keyof typeof KEYS): Promise<Readonly<Record<string, unknown>>> {
  const { body, isError } = await call(name, args);
  expect(body).toMatchObject({ success: true, timestamp: expect.stringMatching(ISO) });
  expect(isError).toBe(false);
  const expected = KEYS[keys].split(' ');
  const seen = Object.entries(body).map(([key, value]) => `${key}:${Array.isArray(value) ? 'array' : typeof value}`);
  expect(seen.slice(0, expected.length)).toStrictEqual(expected);
  expect(JSON.parse(legacyText({ body }))).toStrictEqual(body);
  return body;
}
const rowCounts = async (): Promise<unknown> => {
  const db = await app.skillflow.app.database('read');
  return db.get(
    `SELECT (SELECT count(*) FROM swarm) AS swarms, (SELECT count(*) FROM agent) AS agents, (SELECT count(*) FROM task) AS tasks,
      (SELECT count(*) FROM memory_entry WHERE deleted_at IS NULL) AS entries`,
  );
};

describe('names', () => {
  test('all 90 of 2.7 are there once: 39 with an effect, 51 refused', () => {
    const { supported, unsupported } = app.skillflow.legacy.names;
    expect(supported).toHaveLength(39);
    expect(unsupported).toHaveLength(51);
    expect([...supported, ...unsupported].sort()).toStrictEqual([...CLAUDE_FLOW_2_NAMES].sort());
  });

  test('the tools behind the rows exist, and the shared names are tools', () => {
    const tools = new Set(allTools.map(({ name }) => name));
    for (const row of claudeFlow2.rows) for (const tool of row.tools) expect(tools).toContain(tool);
    for (const row of claudeFlow2.rows) expect(row.tools.includes(row.name)).toBe(tools.has(row.name));
    const listed = legacyListing(claudeFlow2.rows).filter((row) => row.listed);
    expect(listed.map(({ name }) => name)).toStrictEqual(['swarm_init', 'task_orchestrate', 'memory_usage']);
    expect(JSON.stringify(listed).length).toBeLessThan(1300);
  });

  test('a refused name has no effect, and its hint names only tools that answer', async () => {
    const known = new Set([...allTools.map(({ name }) => name), ...app.skillflow.legacy.names.supported]);
    for (const { names, hint } of claudeFlow2.unsupported) {
      for (const word of hint.match(/\b[a-z]+(?:_[a-z]+)+\b/g) ?? []) expect(known).toContain(word);
      for (const name of names) {
        const { body, isError, structured } = await call(name, { swarmId: 'x', action: 'store', anything: [1] });
        expect(Object.keys(body)).toStrictEqual(['success', 'error', 'hint', 'code', 'timestamp']);
        expect(body).toMatchObject({ success: false, code: 'not_supported', hint });
        expect(isError).toBe(true);
        expect(structured).toBe(body);
      }
    }
    expect(await rowCounts()).toStrictEqual({ swarms: 0, agents: 0, tasks: 0, entries: 0 });
  });

  test.each(['memory_usge', 'swarm-init', 'mcp__claude-flow__swarm_init', '', 'toString'])('%j is an error', async (name) => {
    const { body, isError } = await call(name, {});
    expect(isError).toBe(true);
    expect(body).toMatchObject({ success: false, code: 'not_found' });
  });
  test('near names are offered', async () => {
    expect((await call('memory_usge', {})).body['hint']).toMatch(/memory_usage/);
  });
});

describe('swarms, agents, tasks', () => {
  test('swarm_init persists what it says', async () => {
    const body = await good(
      'swarm_init',
      { topology: 'hierarchical', maxAgents: 3, strategy: 'x', session: 'ignored' },
      'swarm_init',
    );
    expect(body).toMatchObject({ topology: 'hierarchical', maxAgents: 3, strategy: 'x', persisted: true });
    const db = await app.skillflow.app.database('read');
    expect(await db.get('SELECT topology, max_agents FROM swarm WHERE id = ?', [String(body['swarmId'])])).toMatchObject({
      topology: 'hierarchy',
      max_agents: 3,
    });
    for (const topology of ['mesh', 'ring', 'star']) {
      expect(await good('swarm_init', { topology }, 'swarm_init')).toMatchObject({ topology, maxAgents: 8, strategy: 'auto' });
    }
  });

  test('agent_spawn takes both spellings; the reply shows the requested type', async () => {
    await call('swarm_init', { topology: 'star' });
    const first = await good('agent_spawn', { type: 'analyst', name: 'A', capabilities: ['x'] }, 'agent_spawn');
    expect(first).toMatchObject({ type: 'analyst', name: 'A', role: 'code-analyzer', status: 'registered', persisted: true });
    expect(await good('agent_spawn', { agentType: 'coder' }, 'agent_spawn')).toMatchObject({ type: 'coder' });
    expect(await call('agent_spawn', { type: 'coder', agentType: 'tester' })).toMatchObject({ isError: true });
    const { structured } = await call('agent_spawn', { type: 'reviewer' });
    expect(structured).toMatchObject({ type: 'reviewer', role: 'reviewer' });
    expect(structured).not.toHaveProperty('success');
    const list = await good('agent_list', {}, 'agent_list');
    expect(list).toMatchObject({
      count: 3,
      agents: [{ id: first['agentId'], type: 'analyst' }, { type: 'coder' }, { type: 'reviewer' }],
    });
  });

  test('every agent type of 2.7 is accepted', async () => {
    await call('swarm_init', { topology: 'star', maxAgents: 100 });
    const types =
      'coordinator analyst optimizer documenter monitor specialist architect task-orchestrator code-analyzer perf-analyzer api-docs performance-benchmarker system-architect researcher coder tester reviewer';
    for (const type of types.split(' ')) await good('agent_spawn', { type }, 'agent_spawn');
    expect(await rowCounts()).toMatchObject({ agents: 17 });
  });

  test('a task starts a run that waits for its steps to be done, and is read again after a restart', async () => {
    await call('swarm_init', { topology: 'mesh' });
    await call('agent_spawn', { type: 'coder' });
    const first = await good(
      'task_orchestrate',
      { task: 'one', priority: 'high', strategy: 'parallel', extra: 1 },
      'task_orchestrate',
    );
    expect(first).toMatchObject({ task: 'one', status: 'awaiting_host', persisted: true, runId: expect.stringMatching(/^run_/) });
    const second = await good('task_orchestrate', { task: 'two', dependencies: [first['taskId']] }, 'task_orchestrate');
    expect(second).toMatchObject({ status: 'blocked', reason: expect.stringContaining(String(first['taskId'])), runId: null });
    const status = await good('swarm_status', {}, 'swarm_status');
    expect(status).toMatchObject({
      tasksByStatus: { awaiting_host: 1, blocked: 1 },
      topology: 'mesh',
      agentCount: 1,
      activeAgents: 0,
      taskCount: 2,
      pendingTasks: 2,
      completedTasks: 0,
    });
    await app.restart();
    expect(await good('swarm_status', {}, 'swarm_status')).toStrictEqual(status);
    const task = await call('task_status', { taskId: first['taskId'] });
    expect(task.body).toMatchObject({ success: true, taskId: first['taskId'], task: 'one', status: 'awaiting_host' });
    expect(task.structured).toMatchObject({ taskId: first['taskId'], description: 'one' });
    expect((await call('agent_list', {})).body).toMatchObject({ count: 1 });
  });
});

describe('memory', () => {
  const usage = (action: 'store' | 'retrieve' | 'list' | 'delete' | 'search', args: object) =>
    good('memory_usage', { action, ...args }, action);

  test('store and retrieve: the value comes back exactly, as an entry of ours', async () => {
    const value = '{"looks":"like JSON"}';
    expect(await usage('store', { key: 'k', value, unknown: true })).toMatchObject({
      namespace: 'default',
      stored: true,
      size: 21,
      storage_type: 'libsql',
    });
    expect(await usage('retrieve', { key: 'k' })).toMatchObject({ value, found: true });
    expect(await app.call('memory_get', { key: 'k' })).toMatchObject({ ok: true, output: { value } });
    await app.restart();
    expect(await usage('retrieve', { key: 'k' })).toMatchObject({ value });
  });

  test('retrieve of nothing says found: false', async () => {
    const { body, isError } = await call('memory_usage', { action: 'retrieve', key: 'nope' });
    expect(isError).toBe(false);
    expect(body).toMatchObject({ success: true, value: null, found: false });
    expect(Object.keys(body)).toStrictEqual(KEYS.retrieve.split(' ').map((key) => key.split(':')[0]));
  });

  test('ttl is in seconds', async () => {
    await usage('store', { key: 'k', value: 'v', ttl: 60 });
    now += 59_999;
    expect(await usage('retrieve', { key: 'k' })).toMatchObject({ found: true });
    now += 1;
    expect((await call('memory_usage', { action: 'retrieve', key: 'k' })).body).toMatchObject({ found: false });
  });

  test('list is of one namespace, whole, in pages', async () => {
    for (const key of ['a', 'b', 'c']) await usage('store', { key, value: key.repeat(300), namespace: 'n' });
    await usage('store', { key: 'elsewhere', value: 'x' });
    expect(await usage('list', { namespace: 'n' })).toMatchObject({
      count: 3,
      entries: [{ key: 'a', value: 'a'.repeat(300), size: 300 }, {}, {}],
    });
    expect(await usage('list', { namespace: 'n', limit: 1, offset: 1 })).toMatchObject({
      count: 1,
      total: 3,
      entries: [{ key: 'b' }],
    });
    expect(await usage('list', {})).toMatchObject({ count: 1, entries: [{ key: 'elsewhere' }] });
    expect(await usage('list', { namespace: 'n', pattern: '' })).toMatchObject({ count: 3, total: 3 });
  });

  test('search finds two words apart, by value, pattern or query', async () => {
    await usage('store', { key: 'k', value: 'red apples and green pears' });
    await usage('store', { key: 'other', value: 'blue' });
    for (const field of ['value', 'pattern', 'query']) {
      const found = await usage('search', { [field]: 'pears red' });
      expect(found).toMatchObject({
        pattern: 'pears red',
        count: 1,
        results: [{ key: 'k', value: 'red apples and green pears' }],
      });
    }
    expect(await good('memory_search', { pattern: 'apples', namespace: 'default' }, 'memory_search')).toMatchObject({
      pattern: 'apples',
      count: 1,
      results: [{ key: 'k' }],
    });
    const native = await call('memory_search', { query: 'apples', limit: 5 });
    expect(native.structured).toMatchObject({ query: 'apples', total: 1 });
    expect(native.body).toMatchObject({ pattern: 'apples', namespace: null });
  });

  describe('patterns', () => {
    beforeEach(async () => {
      const said = [
        ['food', 'pears'],
        ['far', 'an f in it: f'],
        ['b[1]', 'about fo and auth'],
        ['auth-flow', 'tokens'],
        ['auth-keys', 'auth by key'],
      ] as const;
      for (const [key, value] of said) await usage('store', { key, value });
      await usage('store', { key: 'fa', value: 'elsewhere', namespace: 'n' });
    });
    const keysOf = (body: Readonly<Record<string, unknown>>): readonly unknown[] =>
      z
        .array(z.looseObject({ key: z.string() }))
        .parse(body['results'] ?? body['entries'])
        .map(({ key }) => key);

    test.each([
      ['*', ['auth-flow', 'auth-keys', 'b[1]', 'far', 'food'], 5],
      ['fo*', ['food', 'b[1]'], 2], // by its key, by its word
      ['f?r', ['far'], 1],
      ['auth*', ['auth-flow', 'auth-keys', 'b[1]'], 3], // by both counts once
      ['*h-*s', ['auth-keys'], 1],
      ['b[1?', ['b[1]'], 1],
      ['what of the pears?', ['food'], 1],
      ['none*', [], 0],
    ] as const)('%s', async (pattern, keys, total) => {
      expect(keysOf(await usage('search', { pattern }))).toStrictEqual(keys);
      const found = await good('memory_search', { pattern, namespace: 'default' }, 'memory_search');
      expect(keysOf(found)).toStrictEqual(keys);
      expect(found).toMatchObject({ pattern, namespace: 'default', total });
      const { structured } = await call('memory_search', { pattern, namespace: 'default' });
      expect(memorySearchOutput.parse(structured)).toMatchObject({ query: pattern, total });
    });

    test('all namespaces, pages, whole values', async () => {
      expect(keysOf((await call('memory_search', { pattern: 'fa*' })).body)).toStrictEqual(['far', 'fa']);
      const pages: unknown[] = [];
      for (const offset of [0, 1, 2, 3, 4, 5])
        pages.push(keysOf((await call('memory_search', { pattern: 'auth*', limit: 1, offset })).body));
      expect(pages.flat()).toStrictEqual(['auth-flow', 'auth-keys', 'b[1]']);
      expect(await call('memory_search', { pattern: 'food*', values: true })).toMatchObject({
        body: { results: [{ value: 'pears' }] },
      });
      expect(await call('memory_search', { pattern: 'auth*', tags: ['none'] })).toMatchObject({ body: { total: 0 } });
    });

    test('list takes them as well', async () => {
      expect(keysOf(await usage('list', { pattern: 'f*' }))).toStrictEqual(['far', 'food']);
      expect(await usage('list', { pattern: '*' })).toMatchObject({ count: 5 });
      expect(await usage('list', { pattern: 'food' })).toMatchObject({ count: 1 });
    });
  });

  test('delete says whether there was something', async () => {
    await usage('store', { key: 'k', value: 'v' });
    expect(await usage('delete', { key: 'k' })).toMatchObject({ deleted: true });
    expect(await usage('delete', { key: 'k' })).toMatchObject({ deleted: false });
    expect(await rowCounts()).toMatchObject({ entries: 0 });
  });
});

describe('a wrong call fails visibly and changes nothing', () => {
  const huge = 'x'.repeat(2 * 1024 * 1024);
  const sql = "'); DELETE FROM swarm; --";
  const bad: readonly (readonly [string, unknown, RegExp])[] = [
    ['swarm_init', { topology: 42 }, /topology.*42/],
    ['swarm_init', { topology: 'adaptive' }, /topology.*"hierarchical"\|"mesh"\|"ring"\|"star".*got "adaptive"/],
    ['swarm_init', { topology: 'star', maxAgents: 'many' }, /maxAgents.*number.*got "many"/],
    ['swarm_init', { topology: 'star', maxAgents: 0 }, /maxAgents/],
    ['swarm_init', { topology: 'star', strategy: huge }, /strategy/],
    ['swarm_init', 'star', /swarm_init/],
    ['agent_spawn', {}, /type/],
    ['agent_spawn', { type: sql }, /type/],
    ['agent_spawn', { type: 'coder', swarmId: 'swarm_nope' }, /swarm_nope/],
    ['agent_spawn', { type: 'coder', swarmId: sql }, /DELETE FROM swarm/],
    ['agent_list', { swarmId: 'swarm_nope' }, /swarm_nope/],
    ['swarm_status', { swarmId: 'swarm_nope' }, /swarm_nope/],
    ['swarm_status', { verbose: true }, /verbose/],
    ['task_orchestrate', {}, /task_orchestrate: task/],
    ['task_orchestrate', { task: huge }, /task_orchestrate: task/],
    ['task_orchestrate', { task: 'a\0b' }, /task_orchestrate: task.*NUL/],
    ['task_orchestrate', { task: 'x', priority: 'urgent' }, /priority.*got "urgent"/],
    ['task_orchestrate', { task: 'x', dependencies: ['task_nope'] }, /task_nope/],
    ['task_status', { taskId: 'task_nope' }, /task_nope/],
    ['task_status', {}, /taskId/],
    ['memory_usage', {}, /action/],
    ['memory_usage', { action: 'bogus' }, /action.*"store"\|"retrieve"\|"list"\|"delete"\|"search".*got "bogus"/],
    ['memory_usage', { action: 'constructor' }, /action/],
    ['memory_usage', { action: 'store', key: 'k' }, /value: expected.*store/],
    ['memory_usage', { action: 'store', value: 'v' }, /key: expected text.*store/],
    ['memory_usage', { action: 'store', key: 'k', value: huge }, /value/],
    ['memory_usage', { action: 'store', key: 'k', value: 'v', ttl: -1 }, /ttl/],
    ['memory_usage', { action: 'store', key: 'k', value: 'v', ttl: '60' }, /ttl.*got "60"/],
    ['memory_usage', { action: 'store', key: 'a\0b', value: 'v' }, /key/],
    ['memory_usage', { action: 'store', key: 'k', value: 'v', namespace: 'a\0b' }, /namespace/],
    ['memory_usage', { action: 'retrieve' }, /key/],
    ['memory_usage', { action: 'delete' }, /key/],
    ['memory_usage', { action: 'search' }, /pattern/],
    ['memory_usage', { action: 'search', pattern: ' ' }, /pattern: expected text.*not blank/],
    ['memory_usage', { action: 'search', value: 7 }, /pattern: expected text.*got number/],
    ['memory_usage', { action: 'list', limit: 0 }, /limit/],
    ['memory_usage', { action: 'store', key: 'k', value: 'v', ttl: 1e12 }, /^ttl is/],
    ['memory_usage', { action: 'search', value: huge }, /^value has more than/],
    ['memory_usage', { action: 'search', query: huge }, /^query has more than/],
    ['memory_usage', { action: 'list', pattern: huge }, /^pattern has more than/],
    ['memory_search', { pattern: '*', limit: 'ten' }, /^memory_search: limit/],
    ['memory_search', { pattern: huge }, /^pattern has more than/],
    ['memory_search', { pattern: 7 }, /^memory_search: pattern:/],
    ['memory_search', {}, /query/],
    ['memory_search', { pattern: 'x', limit: 1000 }, /limit/],
    ['memory_search', { pattern: 'x', query: 'y' }, /query and pattern/],
  ];

  test.each(bad.map(([name, args, error], index) => ({ index, name, args, error })))(
    '$index: $name $error',
    async ({ name, args, error }) => {
      await call('swarm_init', { topology: 'star' });
      await call('memory_usage', { action: 'store', key: 'kept', value: 'v' });
      const before = await rowCounts();
      const { body, isError } = await call(name, args);
      expect(isError).toBe(true);
      expect(body).toMatchObject({ success: false, error: expect.stringMatching(error), timestamp: expect.stringMatching(ISO) });
      expect(Object.keys(body)).toStrictEqual(['success', 'error', 'hint', 'code', 'timestamp']);
      expect(legacyText({ body }).length).toBeLessThan(2000);
      expect(await rowCounts()).toStrictEqual(before);
    },
  );
});
