import { execFileSync } from 'node:child_process';
import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import type { AskEvent } from '../../../src/agent/provider.ts';
import type { AgentToolDeps } from '../../../src/agent/tools/agent-tool.ts';
import { createToolbox, type Toolbox } from '../../../src/agent/tools/toolbox.ts';
import type { ChangeSet } from '../../../src/changes.ts';
import { openGit } from '../../../src/analysis/git.ts';
import { redactSecrets } from '../../../src/analysis/secrets-redact.ts';
import { testRuntime, useScratch } from '../../store/scratch.ts';
import { askRequest, changeSet, testRole } from '../ask-request.ts';

const scratch = useScratch();
const runtime = testRuntime();
const DEPS: AgentToolDeps = { runtime, redact: redactSecrets };
const TOKEN = 'ghp_0123456789abcdefABCDEF0123456789abcd';

let root = '';
let changes: ChangeSet;
let events: AskEvent[];

beforeEach(async () => {
  const folder = await scratch.folder();
  root = join(folder, 'project');
  await mkdir(join(root, '.git'), { recursive: true });
  await mkdir(join(root, 'node_modules/x'), { recursive: true });
  await writeFile(join(folder, 'outside.txt'), 'outside');
  await writeFile(join(root, '.git/config'), 'secret');
  await writeFile(join(root, '.env'), `TOKEN=${TOKEN}`);
  await writeFile(join(root, '.env.example'), 'TOKEN=');
  await writeFile(join(root, 'node_modules/x/index.js'), 'needle');
  await writeFile(join(root, 'binary.bin'), Buffer.from([1, 0, 2]));
  changes = await changeSet(root, {
    'src/a.ts': 'one\ntwo needle\nthree\n',
    'src/deep/b.ts': `const token = "${TOKEN}"; // NEEDLE\n`,
    'aaaa.txt': `${'a'.repeat(5_000)}\n`,
  });
  await symlink(join(folder, 'outside.txt'), join(root, 'link.txt'));
  await symlink(folder, join(root, 'linked'));
  await symlink(join(root, '.env'), join(root, 'harmless.txt'));
  await symlink(join(root, 'src/a.ts'), join(root, 'inside.ts'));
  events = [];
});

const box = (deps: Partial<AgentToolDeps> = {}, parts: Parameters<typeof askRequest>[1] = {}): Toolbox =>
  createToolbox(askRequest(changes, parts, events), { ...DEPS, ...deps });

describe('places that are refused', () => {
  test.each([
    '../outside.txt',
    '../../etc/passwd',
    '/etc/passwd',
    'link.txt',
    'linked/outside.txt',
    '.git/config',
    'src/../.git/config',
    '.GIT/config',
    '.skillflow/store.db',
    '.env',
    'harmless.txt',
    'src/../../outside.txt',
  ])('%s', async (path) => {
    const tools = box();
    for (const [name, input] of [
      ['read_file', { path }],
      ['list_files', { folder: path }],
      ['grep', { pattern: 'x', folder: path }],
    ] as const) {
      expect(await tools.call(name, input)).toMatchObject({ outcome: 'refused' });
    }
    expect(tools.refusals()).toHaveLength(3);
    expect(events.every((event) => event.type === 'tool_called' && event.outcome === 'refused')).toBe(true);
    expect(JSON.stringify(events)).not.toContain(TOKEN);
  });

  test('a tool that the role lacks', async () => {
    const agent = { id: 'a', type: 't', capabilities: [], role: testRole(['grep']) };
    const tools = box({}, { agent });
    expect(tools.definitions.map(({ name }) => name)).toEqual(['grep']);
    expect(await tools.call('read_file', { path: 'src/a.ts' })).toMatchObject({ outcome: 'refused' });
    expect(await tools.call('rm', {})).toMatchObject({ outcome: 'refused' });
    expect(tools.refusals().map(({ what }) => what)).toEqual(['tool', 'tool']);
  });
});

describe('read_file', () => {
  test('shows lines with numbers, and links that stay inside', async () => {
    const tools = box();
    expect((await tools.call('read_file', { path: 'src/a.ts', startLine: 2, lines: 1 })).text).toBe(
      'src/a.ts, lines 2–2 of 4\n2| two needle',
    );
    expect((await tools.call('read_file', { path: join(root, 'inside.ts') })).text).toContain('1| one');
  });

  test('hides secrets', async () => {
    const { text } = await box().call('read_file', { path: 'src/deep/b.ts' });
    expect(text).toContain('const token');
    expect(text).not.toContain(TOKEN);
  });

  test('reads what is under review where that is not what the disk holds', async () => {
    changes = { ...changes, files: changes.files.map((file) => ({ ...file, text: 'staged' })) };
    expect((await box().call('read_file', { path: 'src/a.ts' })).text).toContain('1| staged');
  });

  test.each([['missing.ts'], ['src'], ['binary.bin'], ['a\0b']])('%s is an error in words', async (path) => {
    expect(await box().call('read_file', { path })).toMatchObject({ outcome: 'error' });
  });

  test('a wrong input is an error in words', async () => {
    for (const input of [{}, null, 'x', { path: 'a', lines: -1 }, { path: 7 }]) {
      expect(await box().call('read_file', input)).toMatchObject({ outcome: 'error' });
    }
  });
});

describe('list_files and grep', () => {
  test('leave out links, other code and secrets', async () => {
    expect((await box().call('list_files', {})).text.split('\n')).toEqual([
      '.env.example',
      'aaaa.txt',
      'binary.bin',
      'src/a.ts',
      'src/deep/b.ts',
    ]);
    expect((await box().call('list_files', { glob: 'src/**/*.ts' })).text).toBe('src/a.ts\nsrc/deep/b.ts');
    expect((await box().call('list_files', { glob: '*.ts' })).text).toBe('no such file');
  });

  test('search literally, by pattern, and say what was not searched', async () => {
    const { text } = await box().call('grep', { pattern: 'needle' });
    expect(text).toBe(
      'src/a.ts:2: two needle\n(1 binary or unreadable files were not searched; of 1 lines only the first 2000 characters were searched)',
    );
    const any = await box().call('grep', { pattern: 'n(e)+d.e\\b', regex: true, ignoreCase: true, glob: 'src/**' });
    expect(any.text).toContain('src/a.ts:2:');
    expect(any.text).toContain('src/deep/b.ts:1:');
    expect(any.text).not.toContain(TOKEN);
  });

  test('a pattern that would run forever elsewhere ends', async () => {
    expect(await box().call('grep', { pattern: '(a+)+$b|(a|a)*c', regex: true })).toMatchObject({ outcome: 'ok' });
  });

  test.each(['(', '[a', 'a**', '(?=x)', '\\1', 'a{999}', '(a{64}){64}'])('%s is refused in words', async (pattern) => {
    expect(await box().call('grep', { pattern, regex: true })).toMatchObject({ outcome: 'error' });
  });
});

describe('git_diff', () => {
  test('shows the change, of files under review alone', async () => {
    const git = (...args: readonly string[]): string =>
      execFileSync('git', ['-c', 'user.name=t', '-c', 'user.email=t@t', ...args], { cwd: repo, encoding: 'utf8' });
    const repo = await scratch.folder();
    git('init', '-q');
    await changeSet(repo, { 'a.ts': 'one\n', '.env': 'A=1\n', 'b.ts': 'one\n' });
    git('add', '-A');
    git('commit', '-qm', 'first');
    const files = await changeSet(repo, { 'a.ts': 'one\ntwo\n', '.env': `A=${TOKEN}\n` });
    await writeFile(join(repo, 'b.ts'), 'not under review\n');
    const head = git('rev-parse', 'HEAD').trim();
    changes = { ...files, mode: 'uncommitted', git: { top: repo, head, branch: 'main', shallow: false } };
    const tools = box({ git: async (at, args, signal) => (await openGit({ runtime, root: at, signal }))(args) });
    const { text } = await tools.call('git_diff', {});
    expect(text).toContain('+two');
    expect(text).not.toMatch(/under review|A=/u);
    expect((await tools.call('git_diff', { paths: ['b.ts'] })).text).toBe('none of these files is in the change set');
    expect(await tools.call('git_diff', { paths: ['.env'] })).toMatchObject({ outcome: 'refused' });
    expect(await tools.call('git_diff', { paths: ['--output=x'] })).toMatchObject({ outcome: 'error' });
  });

  test('says that there is none', async () => {
    expect(await box().call('git_diff', {})).toMatchObject({
      outcome: 'ok',
      text: expect.stringContaining('nothing to compare'),
    });
  });
});

describe('memory, findings and messages', () => {
  test('say where they are not available', async () => {
    for (const [name, input] of [
      ['memory_search', { query: 'x' }],
      ['memory_store', { key: 'k', text: 't' }],
      ['send_message', { to: 'b', body: 'x' }],
    ] as const) {
      expect(await box().call(name, input)).toMatchObject({ outcome: 'error' });
    }
  });

  test('reach what they are given, without secrets', async () => {
    const stored: string[] = [];
    const tools = box({
      memory: {
        search: async (scope, query) => [{ key: query, text: `${scope.agentId} ${TOKEN}` }],
        store: async (_scope, key, text) => void stored.push(key, text),
      },
      mail: async ({ agentId }, to, body) => void stored.push(agentId, to, body),
    });
    expect((await tools.call('memory_search', { query: 'q' })).text).toMatch(/^## q\nreviewer-1 ghp_/u);
    await tools.call('memory_store', { key: 'k', text: `is ${TOKEN}` });
    await tools.call('send_message', { to: 'b', body: 'hello' });
    expect(stored).toHaveLength(5);
    expect(stored.filter((_, i) => i !== 1)).toEqual(['k', 'reviewer-1', 'b', 'hello']);
    expect(JSON.stringify(stored)).not.toContain(TOKEN);
  });

  test('collect findings, of files that are there', async () => {
    const finding = { severity: 'low', confidence: 'low', startLine: 1, endLine: 1, message: 'm', evidence: 'e' };
    const tools = box();
    expect(await tools.call('report_finding', { ...finding, file: './src/a.ts' })).toMatchObject({ outcome: 'ok' });
    expect(await tools.call('report_finding', { ...finding, file: '../x' })).toMatchObject({ outcome: 'refused' });
    expect(tools.reported()).toMatchObject([{ file: 'src/a.ts' }]);
    const judge = box({}, { kind: 'judge' });
    expect(await judge.call('report_finding', { ...finding, file: 'src/a.ts' })).toMatchObject({ outcome: 'error' });
  });
});
