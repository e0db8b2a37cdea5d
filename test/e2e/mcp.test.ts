import { readFileSync } from 'node:fs';
import { decode } from '@toon-format/toon';
import { Client as ModernClient } from '@modelcontextprotocol/client';
import { StdioClientTransport as ModernTransport } from '@modelcontextprotocol/client/stdio';
import { Client as OldClient } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport as OldTransport } from '@modelcontextprotocol/sdk/client/stdio.js';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { connectMcp } from './mcp-client.ts';
import { BIN, createPlace, createReviewedRepository, plainEnvironment, skillflow, startSkillflow } from './product.ts';
import type { Place } from './product.ts';

interface Message {
  readonly id?: number;
  readonly method?: string;
  readonly params?: Record<string, unknown>;
  readonly result?: {
    readonly content?: { readonly text: string }[];
    readonly structuredContent?: Record<string, unknown>;
    readonly isError?: boolean;
    readonly tools?: unknown[];
  };
  readonly error?: { readonly code: number; readonly message: string };
}

const INIT = {
  jsonrpc: '2.0',
  id: 1,
  method: 'initialize',
  params: { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'test', version: '1' } },
};

function callMessage(id: number, name: string, args: unknown, meta?: object): object {
  return {
    jsonrpc: '2.0',
    id,
    method: 'tools/call',
    params: { name, arguments: args, ...(meta === undefined ? {} : { _meta: meta }) },
  };
}

function parseLines(stdout: string): readonly Message[] {
  return stdout
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line));
}

/** Writes all messages at once, closes stdin at once, and reads whatever is answered. */
async function converse(
  place: Place,
  messages: readonly object[],
  args: readonly string[] = ['mcp'],
): Promise<{ answers: readonly Message[]; stdout: string; stderr: string; code: number | null }> {
  const input = `${[INIT, ...messages].map((message) => JSON.stringify(message)).join('\n')}\n`;
  const { stdout, stderr, code } = await skillflow(args, { cwd: place.dir, input });
  return { answers: parseLines(stdout), stdout, stderr, code };
}

const textOf = (message: Message | undefined): Record<string, unknown> =>
  JSON.parse(message?.result?.content?.[0]?.text ?? 'null');

let place: Place;
beforeAll(() => {
  place = createReviewedRepository();
});
afterAll(() => place.remove());

describe('stdio', () => {
  test('answers all that was asked before stdin closed, in JSON-RPC only, and leaves', async () => {
    const calls = Array.from({ length: 50 }, (_, index) =>
      callMessage(index + 2, 'memory_store', { key: `k${index}`, value: `v${index}` }),
    );
    const { answers, stdout, stderr, code } = await converse(place, calls);
    expect(code).toBe(0);
    expect(stderr).toBe('');
    expect(answers.map(({ id }) => id).sort((a, b) => Number(a) - Number(b))).toEqual(
      Array.from({ length: 51 }, (_, index) => index + 1),
    );
    expect(answers.every(({ error, result }) => error === undefined && result?.isError !== true)).toBe(true);
    for (const line of stdout.trim().split('\n')) expect(JSON.parse(line)).toMatchObject({ jsonrpc: '2.0' });
    const { stdout: listed } = await skillflow(['memory', 'get', 'k49', '--json'], { cwd: place.dir });
    expect(JSON.parse(listed)).toMatchObject({ value: 'v49' });
  });

  test('calls that arrive together see the writes before them', async () => {
    const fresh = createPlace();
    const { answers } = await converse(fresh, [
      callMessage(2, 'memory_store', { key: 'q', value: 'one' }),
      callMessage(3, 'memory_get', { key: 'q' }),
      callMessage(4, 'swarm_init', { topology: 'ring' }),
      callMessage(5, 'swarm_status', {}),
      callMessage(6, 'memory_usage', { action: 'store', key: 'q', value: 'two' }),
      callMessage(7, 'memory_usage', { action: 'retrieve', key: 'q' }),
    ]);
    expect(answers.find(({ id }) => id === 3)?.result?.structuredContent).toMatchObject({ value: 'one' });
    expect(textOf(answers.find(({ id }) => id === 5))).toMatchObject({ success: true, topology: 'ring' });
    expect(textOf(answers.find(({ id }) => id === 7))).toMatchObject({ found: true, value: 'two' });
    fresh.remove();
  });

  test('a signal in the middle of a run cancels it, answers, and says nothing else', async () => {
    const large = createPlace();
    for (let file = 0; file < 300; file += 1) {
      const lines = Array.from({ length: 60 }, (_, line) => `export function f${line}(req) { return eval(req.body.x${line}); }`);
      large.write(`src/m${file}.js`, lines.join('\n'));
    }
    const child = startSkillflow(['mcp'], { cwd: large.dir });
    let stdout = '';
    let stderr = '';
    child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
      const isUnderWay = stdout.includes('notifications/progress');
      stdout += chunk;
      if (!isUnderWay && stdout.includes('notifications/progress')) child.kill('SIGTERM');
    });
    child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
      stderr += chunk;
    });
    const run = callMessage(
      2,
      'skill_run',
      { skill: 'code-review-swarm', tree: true, provider: 'local' },
      { progressToken: 'p' },
    );
    child.stdin.write(`${JSON.stringify(INIT)}\n${JSON.stringify(run)}\n`);
    const code = await new Promise((resolve) => void child.on('close', resolve));
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(parseLines(stdout).find(({ id }) => id === 2)?.result?.structuredContent).toMatchObject({ status: 'cancelled' });
    const { stdout: runs } = await skillflow(['runs', '--json'], { cwd: large.dir });
    expect(JSON.parse(runs)).toMatchObject({ runs: [{ status: 'cancelled' }] });
    large.remove();
  });

  test('drains a run that is still going when stdin closes', async () => {
    const { answers } = await converse(place, [
      callMessage(2, 'skill_run', { skill: 'code-review-swarm', base: 'HEAD~1', provider: 'local' }),
    ]);
    expect(answers.find(({ id }) => id === 2)?.result?.structuredContent).toMatchObject({ status: 'completed', files: 1 });
  });

  test('legacy users type "mcp start"', async () => {
    const { answers } = await converse(place, [{ jsonrpc: '2.0', id: 2, method: 'tools/list' }], ['mcp', 'start']);
    expect(answers.find(({ id }) => id === 2)?.result?.tools?.length).toBeGreaterThan(12);
  });

  test('tools/list stays within 10 KB', async () => {
    const { answers } = await converse(place, [{ jsonrpc: '2.0', id: 2, method: 'tools/list' }]);
    expect(Buffer.byteLength(JSON.stringify(answers.find(({ id }) => id === 2)?.result?.tools))).toBeLessThanOrEqual(10_240);
  });

  test('what is no JSON, an unknown method and an unknown tool are errors, and the server goes on', async () => {
    const input = [
      JSON.stringify(INIT),
      'this is no JSON',
      '{"jsonrpc":"2.0","id":2,"method":"no/such"}',
      JSON.stringify(callMessage(3, 'no_such_tool', {})),
      JSON.stringify(callMessage(4, 'health', {})),
      '',
    ].join('\n');
    const { stdout, code } = await skillflow(['mcp'], { cwd: place.dir, input });
    const answers = parseLines(stdout);
    expect(code).toBe(0);
    expect(answers.find(({ id }) => id === 2)?.error?.code).toBe(-32_601);
    expect(answers.find(({ id }) => id === 3)?.error).toMatchObject({
      code: -32_602,
      message: expect.stringContaining('no_such_tool'),
    });
    expect(answers.find(({ id }) => id === 4)?.result?.structuredContent).toMatchObject({ ok: true });
  });

  test('bad arguments are answered with isError, name the parameter, and change nothing', async () => {
    const { answers } = await converse(place, [
      callMessage(2, 'memory_store', { key: 7, value: 'x' }),
      callMessage(3, 'memory_store', { key: 'k' }),
      callMessage(4, 'skill_run', { skill: 'code-review-swarm', base: 'main', tree: true }),
      callMessage(5, 'skill_run', { skill: '../../etc' }),
      callMessage(6, 'run_status', { runId: 'run_nope' }),
      callMessage(7, 'memory_store', { key: 'big', value: 'x'.repeat(2_000_000) }),
      callMessage(8, 'memory_get', { key: 'big' }),
    ]);
    for (const id of [2, 3, 4, 5, 6, 7, 8])
      expect(answers.find((answer) => answer.id === id)?.result, `call ${id}`).toMatchObject({ isError: true });
    expect(textOf(answers.find(({ id }) => id === 2))).toMatchObject({
      error: { code: 'invalid_input', message: expect.stringContaining('key') },
    });
    expect(textOf(answers.find(({ id }) => id === 6))).toMatchObject({ error: { code: 'not_found' } });
  });

  test('sends progress that grows, when it is asked for', async () => {
    const { answers } = await converse(place, [
      callMessage(2, 'skill_run', { skill: 'code-review-swarm', tree: true, provider: 'local' }, { progressToken: 'p' }),
    ]);
    const progress = answers
      .filter(({ method }) => method === 'notifications/progress')
      .map(({ params }) => Number(params?.['progress']));
    expect(progress.length).toBeGreaterThan(0);
    expect(progress).toEqual([...progress].sort((a, b) => a - b));
    expect(new Set(progress).size).toBe(progress.length);
  });

  test('in read-only mode writers are refused and readers answer', async () => {
    const { answers } = await converse(
      place,
      [callMessage(2, 'memory_store', { key: 'ro', value: 'x' }), callMessage(3, 'run_list', {})],
      ['mcp', '--read-only'],
    );
    expect(textOf(answers.find(({ id }) => id === 2))).toMatchObject({ error: { code: 'forbidden' } });
    expect(answers.find(({ id }) => id === 3)?.result?.isError).toBeUndefined();
  });

  test.skipIf(process.platform !== 'linux')('leaves no process behind, however it is stopped', async () => {
    for (const signal of ['SIGTERM', 'SIGINT', 'SIGKILL'] as const) {
      const child = startSkillflow(['mcp'], { cwd: place.dir });
      const closed = new Promise<void>((resolve) => void child.on('close', () => resolve()));
      child.stdin.on('error', () => undefined);
      child.stdin.write(
        `${JSON.stringify(INIT)}\n${JSON.stringify(callMessage(2, 'skill_run', { skill: 'code-review-swarm', tree: true, provider: 'local' }))}\n`,
      );
      await new Promise<void>((resolve) => void child.stdout.once('data', () => resolve()));
      const pid = child.pid ?? 0;
      child.kill(signal);
      await closed;
      const children = (() => {
        try {
          return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim();
        } catch {
          return '';
        }
      })();
      expect(children).toBe('');
      expect(() => process.kill(pid, 0)).toThrow();
    }
  });
});

describe('clients of both eras', () => {
  test('the old client (2025-11-25) lists and calls', async () => {
    const client = new OldClient({ name: 'old', version: '1' });
    await client.connect(
      new OldTransport({
        command: process.execPath,
        args: [BIN, 'mcp'],
        cwd: place.dir,
        env: stringEnvironment(place.dir),
        stderr: 'inherit',
      }),
    );
    try {
      const { tools } = await client.listTools();
      expect(tools.map(({ name }) => name)).toEqual(
        expect.arrayContaining(['skill_run', 'memory_store', 'swarm_init', 'memory_usage']),
      );
      expect(await client.callTool({ name: 'memory_store', arguments: { key: 'old', value: { a: [1] } } })).toMatchObject({
        structuredContent: { key: 'old', created: true },
      });
    } finally {
      await client.close();
    }
  });

  test('the new client (2026-07-28) discovers, lists and calls, and sees what the old one wrote', async () => {
    const client = new ModernClient({ name: 'new', version: '1' }, { versionNegotiation: { mode: 'auto' } });
    await client.connect(
      new ModernTransport({
        command: process.execPath,
        args: [BIN, 'mcp'],
        cwd: place.dir,
        env: stringEnvironment(place.dir),
        stderr: 'inherit',
      }),
    );
    try {
      expect(client.getNegotiatedProtocolVersion()).toBe('2026-07-28');
      expect((await client.listTools()).tools.length).toBeGreaterThan(12);
      expect(await client.callTool({ name: 'memory_get', arguments: { key: 'old' } })).toMatchObject({
        structuredContent: { value: { a: [1] } },
      });
    } finally {
      await client.close();
    }
  });
});

test('a settings file that is wrong is said by each call, until it is right', async () => {
  const broken = createPlace();
  broken.write('.skillflow/config.json', '{"threads": "many"}');
  const client = new OldClient({ name: 'old', version: '1' });
  await client.connect(
    new OldTransport({
      command: process.execPath,
      args: [BIN, 'mcp'],
      cwd: broken.dir,
      env: stringEnvironment(broken.dir),
      stderr: 'inherit',
    }),
  );
  try {
    expect(await client.callTool({ name: 'run_list', arguments: {} })).toMatchObject({
      isError: true,
      structuredContent: { error: { code: 'invalid_input', message: expect.stringContaining('threads') } },
    });
    broken.write('.skillflow/config.json', '{"threads": 1}');
    expect(await client.callTool({ name: 'run_list', arguments: {} })).toMatchObject({ structuredContent: { runs: [] } });
  } finally {
    await client.close();
    broken.remove();
  }
});

describe('settings of the server', () => {
  const large = 'memory_backup';
  test('tools/list shows all with --tools all, by the environment and by the settings file', async () => {
    const fresh = createPlace();
    const names = async (args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<readonly string[]> => {
      await using client = await connectMcp(fresh.dir, args, env);
      return await client.toolNames();
    };
    const usual = await names([]);
    expect(usual).not.toContain(large);
    const all = await names(['--tools', 'all']);
    expect(all).toEqual(expect.arrayContaining([...usual, large, 'memory_history', 'cache_manage', 'snapshot_restore']));
    expect(await names([], { SKILLFLOW_MCP_TOOLS: 'all' })).toEqual(all);
    expect(await names([], { CLAUDE_FLOW_MCP_TOOLS: 'all' })).toEqual(all);
    expect(await names(['--tools', 'default'], { SKILLFLOW_MCP_TOOLS: 'all' })).toEqual(usual);
    expect(await names([], { SKILLFLOW_MCP_TOOLS: 'nonsense' })).toEqual(usual);
    fresh.write('.skillflow/config.json', '{"mcpTools": "all"}');
    expect(await names([])).toEqual(all);
    expect(await names([], { SKILLFLOW_MCP_TOOLS: 'default' })).toEqual(usual);
    fresh.write('.skillflow/config.json', '{"mcpTools": 7}');
    expect(await names([])).toEqual(usual);
    fresh.remove();
  });

  test('what is not listed is answered', async () => {
    const fresh = createPlace();
    {
      await using client = await connectMcp(fresh.dir);
      await client.call('memory_store', { key: 'a', value: 'v' });
      expect((await client.call('memory_history', { key: 'a' })).structured).toMatchObject({ versions: [{ version: 1 }] });
      expect((await client.call(large, {})).structured).toMatchObject({ entries: 1 });
    }
    fresh.remove();
  });

  test('texts come as TOON when that is asked for; structured content and legacy texts stay', async () => {
    const fresh = createPlace();
    for (const [args, env] of [
      [['--format', 'toon'], {}],
      [[], { SKILLFLOW_OUTPUT: 'toon' }],
    ] as const) {
      await using client = await connectMcp(fresh.dir, args, env);
      await client.call('memory_store', { key: 'a', value: 'v' });
      const { text, structured } = await client.call('memory_get', { key: 'a' });
      expect(text).toMatch(/^namespace: default\nkey: a\n/);
      expect(decode(text)).toEqual(structured);
      expect(JSON.parse((await client.call('memory_search', { query: 'v' })).text)).toMatchObject({ success: true });
    }
    await using client = await connectMcp(fresh.dir, [], { SKILLFLOW_OUTPUT: 'xml' });
    expect((await client.call('memory_get', { key: 'a' })).structured).toMatchObject({
      error: { code: 'invalid_input', message: expect.stringContaining('SKILLFLOW_OUTPUT') },
    });
  });
});

describe('legacy names', () => {
  test('act, and answer in the legacy shape', async () => {
    const fresh = createPlace();
    const { answers } = await converse(fresh, [
      callMessage(2, 'swarm_init', { topology: 'mesh', maxAgents: 2 }),
      callMessage(3, 'memory_usage', { action: 'store', key: 'a', value: '{"not":"parsed"}', namespace: 'ns' }),
      callMessage(4, 'neural_train', {}),
    ]);
    expect(textOf(answers.find(({ id }) => id === 2))).toMatchObject({
      success: true,
      topology: 'mesh',
      maxAgents: 2,
      persisted: true,
    });
    expect(textOf(answers.find(({ id }) => id === 4))).toMatchObject({ success: false, code: 'not_supported' });
    expect(answers.find(({ id }) => id === 4)?.result?.isError).toBe(true);
    const again = await converse(fresh, [
      callMessage(2, 'swarm_status', {}),
      callMessage(3, 'memory_usage', { action: 'retrieve', key: 'a', namespace: 'ns' }),
    ]);
    expect(textOf(again.answers.find(({ id }) => id === 2))).toMatchObject({ success: true, topology: 'mesh', agentCount: 0 });
    expect(textOf(again.answers.find(({ id }) => id === 3))).toMatchObject({ found: true, value: '{"not":"parsed"}' });
    fresh.remove();
  });
});

function stringEnvironment(cwd: string): Record<string, string> {
  return Object.fromEntries(
    Object.entries(plainEnvironment(cwd)).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])),
  );
}
