import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createTestApp } from '../helpers/test-app.ts';
import type { TestApp } from '../helpers/test-app.ts';
import { runCommand, type Ran } from './run-command.ts';

let app: TestApp;
beforeEach(async () => {
  app = await createTestApp();
  await app.call('memory_store', { key: 'a', value: 'v' });
});
afterEach(() => app[Symbol.asyncDispose]());

const run = (...argv: readonly string[]): Promise<Ran> => runCommand(app, argv);

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

describe('a value', () => {
  const odd = 'a\tb\r\nc\u001B[31m\u202E\uFEFFd\n\n';

  test('goes from a pipe to a pipe byte for byte, and to a terminal without what would steer it', async () => {
    const stdin = Buffer.from(`\uFEFF${odd}`);
    expect((await runCommand(app, ['memory', 'store', 'k', '-'], { stdin })).code).toBe(0);
    expect((await run('memory', 'get', 'k')).out).toBe(stdin.toString());
    const { out } = await runCommand(app, ['memory', 'get', 'k'], { stdoutTty: true });
    expect(out).toContain(String.raw`\x1b[31m\u202e\ufeffd`);
    expect(out).not.toContain('\u001B');
  });

  test('that is no text goes into a pipe as JSON', async () => {
    await app.call('memory_store', { key: 'k', value: { 'a\u202E': ['\u0085'] } });
    const { out } = await run('memory', 'get', 'k');
    expect(out.endsWith('}\n')).toBe(true);
    expect(JSON.parse(out)).toEqual({ 'a\u202E': ['\u0085'] });
  });

  test.each([
    ['memory', 'store', 'k', '-'],
    ['call', 'memory_store', '-'],
  ])('that is no UTF-8 is refused, and nothing is stored: %s %s', async (...argv) => {
    const stdin = Buffer.concat([Buffer.from('{"key":"k","value":"a'), Buffer.from([0xff, 0xfe]), Buffer.from('b"}')]);
    const { code, out, err } = await runCommand(app, [...argv], { stdin });
    expect([code, out]).toEqual([2, '']);
    expect(err).toMatch(/stdin is not text in UTF-8/);
    expect((await run('memory', 'get', 'k')).code).toBe(2);
  });
});

test('a tag with a comma is stored as it is, and said to be one', async () => {
  const { code, err } = await run('memory', 'store', 'k', 'v', '--tags', 'one,two', 'three');
  expect(code).toBe(0);
  expect(err).toMatch(/is one tag, comma and all; several are: --tags one two/);
  expect((await run('memory', 'get', 'k', '--json')).out).toContain('"tags":["one,two","three"]');
  expect((await run('memory', 'store', 'k', 'v', '--tags', 'one', 'two')).err).toBe('');
  await run('memory', 'store', 'k', 'v', '--tags=');
  expect((await run('memory', 'get', 'k', '--json')).out).toContain('"tags":[]');
});

test('totals that are not exact are told as the least that there is', async () => {
  const { memory } = app.skillflow.app;
  await (await memory('write')).storeMany(Array.from({ length: 1100 }, (_, at) => ({ key: `k${at}`, value: 'apple' })));
  expect((await run('memory', 'search', 'apple', '--limit', '2')).out).toMatch(/1–2 of at least 1000; more with offset 2/);
  const legacy = await run('call', 'memory_search', '{"pattern": "apple", "limit": 2}');
  expect(JSON.parse(legacy.out)).toMatchObject({ total: 1000, totalIsExact: false, message: '2 of at least 1000 found' });
});

test('a long key takes a third of a terminal at most', async () => {
  await app.call('memory_store', { key: 'x'.repeat(500), value: 'v' });
  for (const command of [['list'], ['search', 'v']]) {
    const { out } = await run('memory', ...command);
    for (const line of out.trim().split('\n')) expect(line.length).toBeLessThanOrEqual(100);
  }
});

test('what was deleted is said to have been', async () => {
  await run('memory', 'delete', 'a');
  const { code, err } = await run('memory', 'get', 'a');
  expect(code).toBe(2);
  expect(err).toMatch(/It was deleted; .*memory undelete/);
});

test('settings of several parts are shown in words', async () => {
  const { out } = await run('config');
  expect(out).toMatch(/^models +small none, standard none, large none/m);
  expect(out).not.toContain('[object');
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

test('a terminal that can move no cursor sees no progress drawn in place', async () => {
  const dir = join(app.dir, '.skillflow', 'skills', 'looks');
  await mkdir(dir, { recursive: true });
  await writeFile(join(dir, 'SKILL.md'), '---\nname: looks\ndescription: Use when something is looked at.\n---\n\nText.\n');
  await writeFile(join(dir, 'swarm.yaml'), 'agents:\n  - { type: analyst, capabilities: [secrets] }\n');
  const inTerminal = async (name: string): Promise<Ran> => {
    let now = 0;
    const ticks = (): number => (now += 1_000);
    return runCommand(app, ['run', 'looks', '--tree'], { stderrTty: true, env: { TERM: name, NO_COLOR: '1' }, ticks });
  };
  expect(await inTerminal('xterm')).toMatchObject({ code: 0, err: expect.stringContaining('\u001B[K') });
  expect(await inTerminal('dumb')).toMatchObject({ code: 0, err: expect.not.stringContaining('\u001B') });
});
