import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { runCli } from '../../src/cli/cli.ts';
import { allTools } from '../../src/tools/all-tools.ts';
import { listTool } from '../../src/tools/listing.ts';
import { createTestApp } from '../helpers/test-app.ts';
import type { TestApp } from '../helpers/test-app.ts';

const listings = allTools.map(listTool);
let app: TestApp;
beforeEach(async () => {
  app = await createTestApp();
  await app.call('memory_store', { key: 'a', value: 'v' });
});
afterEach(() => app[Symbol.asyncDispose]());

/** The exit code of a command line, and what it printed on stdout and on stderr. */
async function run(...argv: readonly string[]): Promise<{ readonly code: number; readonly out: string; readonly err: string }> {
  const [out, err]: [string[], string[]] = [[], []];
  const { skillflow } = app;
  const code = await runCli({
    argv,
    version: '0.0.0',
    listings,
    // The app is the test's, which closes it.
    openApp: async () => ({
      app: skillflow.app,
      legacy: skillflow.legacy,
      call: skillflow.call,
      render: skillflow.render,
      [Symbol.asyncDispose]: async () => undefined,
    }),
    serveMcp: async () => undefined,
    print: (text) => void out.push(text),
    complain: (text) => void err.push(text),
    readStdin: async () => '',
    env: {},
    stdoutTty: false,
    stderrTty: false,
    columns: 100,
    readLine: async () => null,
    stdinTty: false,
    stderrSize: () => ({ columns: 100, rows: 24 }),
    ticks: () => performance.now(),
    signal: new AbortController().signal,
  });
  return { code, out: out.join(''), err: err.join('') };
}

describe('a wrong command line exits with 2 and says what is wrong', () => {
  test.each([
    [['memory', 'bogus'], /no command "bogus" of memory\n +See skillflow memory --help/],
    [['memory', 'serch', 'x'], /no command "serch" of memory\n +Did you mean skillflow memory search/],
    [['memory'], /^skillflow: memory needs another word\n +See skillflow memory --help/],
    [['memry', 'list'], /no command "memry"\n +Did you mean skillflow memory list/],
    [['memory', 'supersede', 'a', 'a'], /superseded by itself/],
    [['memory', 'link', 'a', 'a'], /linked to itself/],
    [['memory', 'get', 'none'], /no entry "none"/],
    [['memory', 'backup', '../x.db'], /outside the project/],
    [['memory', 'export', '/etc/x.jsonl'], /outside the project/],
    [['memory', 'list', '--limit', 'many'], /--limit is "many"; expected a number/],
  ])('%j', async (argv, message) => {
    const { code, out, err } = await run(...argv);
    expect(out).toBe('');
    expect(err).toMatch(message);
    expect(code).toBe(2);
  });

  test.each([
    ['memory_usage', '{"action": "store", "key": "k"}', 2],
    ['memory_restore', '{"backupPath": "../x.db"}', 2],
    ['context_restore', '{"snapshotId": "none"}', 2],
    ['neural_train', '{}', 1],
    ['memory_usage', '{"action": "list"}', 0],
  ])('call %s %s', async (name, input, expected) => {
    expect((await run('call', name, input)).code).toBe(expected);
  });

  test('what policy forbids whatever is given exits with 1', async () => {
    await app[Symbol.asyncDispose]();
    app = await createTestApp({ flags: { readOnly: true } });
    const { code, err } = await run('memory', 'store', 'k', 'v');
    expect(err).toMatch(/read-only/);
    expect(code).toBe(1);
  });
});

describe('a secret in the wrong place is not shown', () => {
  const secret = 'hunter2-0123456789abcdefXYZ';
  test.each([
    [['memory', 'store', 'k', 'v', secret]],
    [['memory', 'store', 'k', 'v', `-p${secret}`]],
    [['memory', 'store', 'k', 'v', `--passwd=${secret}`]],
    [['memory', 'store', 'k', 'v', '--ttl-seconds', secret]],
    [['memory', 'store', 'k', 'v', '--valid-from', secret]],
    [['memory', 'list', `--values=${secret}`]],
    [['memory', 'list', '--format', secret]],
    [['run', 'x', '--fail-on', secret]],
    [['call', 'memory_store', secret]],
    [['call', 'memory_store', `{"key": "k", "value": "v", "kind": ["${secret}"]}`]],
    [['call', 'memory_usage', `{"action": "${secret}"}`]],
    [['tools', secret]],
    [['tools', `--key=${secret}`]],
    [['mcp', secret]],
    [['completions', secret]],
  ])('%j', async (argv) => {
    const { code, out, err } = await run(...argv);
    expect(code).toBe(2);
    expect(out + err).not.toContain('0123456789');
  });
});
