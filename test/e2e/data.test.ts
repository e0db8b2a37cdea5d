import { existsSync, mkdirSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { askJson } from './answers.ts';
import type { ErrorAnswer } from './answers.ts';
import { connectMcp } from './mcp-client.ts';
import { createPlace, createReviewedRepository, skillflow } from './product.ts';
import type { Place } from './product.ts';

interface Entry {
  readonly namespace: string;
  readonly key: string;
  readonly value: unknown;
}
interface Listing {
  readonly entries: readonly Entry[];
  readonly total: number;
}

let place: Place;
beforeAll(() => {
  place = createPlace();
});
afterAll(() => place.remove());

describe.concurrent('memory', { timeout: 60_000 }, () => {
  /** Keys and values that shells, terminals, SQL, JSON and people stumble over. */
  const HOSTILE: readonly (readonly [string, string])[] = [
    ["'; DROP TABLE entry; --", "Robert'); DROP TABLE entry;--"],
    ['%_like_%', '100% _sure_'],
    ['../../etc/passwd', '$(touch pwned) `touch pwned` ; touch pwned'],
    ['__proto__', '{"__proto__": {"polluted": true}}'],
    ['line\nbreak\ttab', 'first\r\nsecond\n'],
    ['esc\u001B[31m', '\u001B]0;title\u0007\u202Edesrever'],
    ['naïve 日本語 👩‍👩‍👧', 'e\u0301 is not \u00E9'],
    ['" \\ \' `', '\\u0000 \\n "quoted"'],
    ['number', '42'],
    ['blank', ' '],
  ];

  test('keys and values of any kind come back as they were', async () => {
    const { dir } = place;
    for (const [key, value] of HOSTILE) {
      expect((await skillflow(['memory', 'store', key, value, '--namespace', 'hostile'], { cwd: dir })).code, key).toBe(0);
    }
    for (const [key, value] of HOSTILE.slice(3, 6)) {
      const { code, body } = await askJson<Entry>(['memory', 'get', key, '--namespace', 'hostile'], { cwd: dir });
      expect({ code, key: body.key, value: body.value }).toEqual({ code: 0, key, value });
    }
    const { body } = await askJson<Listing>(['memory', 'list', '--namespace', 'hostile', '--values'], { cwd: dir });
    expect(body.total).toBe(HOSTILE.length);
    expect(new Map(body.entries.map(({ key, value }) => [key, value]))).toEqual(new Map(HOSTILE));
    const shown = await skillflow(['memory', 'list', '--namespace', 'hostile'], { cwd: dir });
    expect(shown.stdout).not.toMatch(/[\u0000-\u0009\u000B-\u001F\u007F-\u009F\u202E]/u);
    expect(shown.stdout.trim().split('\n')).toHaveLength(HOSTILE.length + 1);
    expect(readdirSync(dir)).toEqual(['.skillflow']);
  });

  test('search finds by words, delete removes, and says when there was nothing', async () => {
    const { dir } = place;
    const said = ['ships on a Thursday', '--tags', 'plan', '--tags', 'team'];
    expect(await skillflow(['memory', 'store', 'release-day', ...said], { cwd: dir })).toMatchObject({ code: 0, stderr: '' });
    const found = await askJson<{ results: readonly Entry[] }>(['memory', 'search', 'thursday ships'], { cwd: dir });
    expect(found).toMatchObject({ code: 0, body: { results: [{ key: 'release-day' }] } });
    expect((await askJson(['memory', 'search', '"*:^- NEAR('], { cwd: dir })).code).toBe(0);
    for (const deleted of [true, false])
      expect(await askJson(['memory', 'delete', 'release-day'], { cwd: dir })).toMatchObject({ code: 0, body: { deleted } });
    const gone = await askJson<ErrorAnswer>(['memory', 'get', 'release-day'], { cwd: dir });
    expect(gone).toMatchObject({ code: 2, body: { error: { code: 'not_found' } } });
  });

  test('a value comes from stdin for "-", and may begin with dashes after "--"', async () => {
    const { dir } = place;
    const text = `${'long line '.repeat(10_000)}\nende\n`;
    expect((await skillflow(['memory', 'store', 'piped', '-'], { cwd: dir, input: text })).code).toBe(0);
    expect((await askJson<Entry>(['memory', 'get', 'piped'], { cwd: dir })).body.value).toBe(text);
    expect((await skillflow(['memory', 'store', '--', '--key', '--json'], { cwd: dir })).code).toBe(0);
    const { body } = await askJson<Entry>(['memory', 'get', '--', '--key'], { cwd: dir });
    expect(body).toMatchObject({ key: '--key', value: '--json' });
    expect((await skillflow(['memory', 'store', 'flagged', '--value=--x=y'], { cwd: dir })).code).toBe(0);
    expect((await askJson<Entry>(['memory', 'get', 'flagged'], { cwd: dir })).body.value).toBe('--x=y');
  });

  test('call reaches every tool by its MCP name, legacy names too, and reads JSON from stdin', async () => {
    const { dir } = place;
    const input = JSON.stringify({ key: 'called', value: { deep: [1, null, 'x'] }, namespace: 'calls' });
    expect(await askJson(['call', 'memory_store', '-'], { cwd: dir, input })).toMatchObject({ code: 0, body: { created: true } });
    expect(await askJson(['call', 'memory_get', '{"key":"called","namespace":"calls"}'], { cwd: dir })).toMatchObject({
      code: 0,
      body: { value: { deep: [1, null, 'x'] } },
    });
    const legacy = '{"action":"retrieve","key":"called","namespace":"calls"}';
    expect(await askJson(['call', 'memory_usage', legacy], { cwd: dir })).toMatchObject({ code: 0, body: { success: true } });
    expect(await askJson(['call', 'neural_train', '{}'], { cwd: dir })).toMatchObject({ code: 1, body: { success: false } });
    const failed = await askJson(['call', 'skill_run', '{"skill":"code-review-swarm","base":"HEAD"}'], { cwd: dir });
    expect(failed).toMatchObject({ code: 1, body: { error: { code: 'unavailable' } } });
  });
});

describe('several processes', { timeout: 120_000 }, () => {
  test('what the shell writes a running server reads in its next call, and the reverse', async () => {
    const shared = createPlace();
    const { dir } = shared;
    {
      await using server = await connectMcp(dir);
      await using other = await connectMcp(dir);
      await server.call('memory_store', { key: 'k', value: 'by the server' });
      // Read once before, so that a copy in RAM would be old.
      expect((await server.call('memory_get', { key: 'k' })).structured).toMatchObject({ value: 'by the server' });
      expect((await other.call('memory_get', { key: 'k' })).structured).toMatchObject({ value: 'by the server' });
      expect((await server.call('memory_search', { query: 'shell' })).structured).toMatchObject({ total: 0 });
      for (let round = 1; round <= 3; round += 1) {
        const value = `by the shell, round ${round}`;
        expect((await skillflow(['memory', 'store', 'k', value], { cwd: dir })).code).toBe(0);
        for (const one of [server, other]) {
          expect((await one.call('memory_get', { key: 'k' })).structured).toMatchObject({ value, version: 2 * round });
          expect((await one.call('memory_search', { query: `shell ${round}` })).structured).toMatchObject({
            results: [{ key: 'k', snippet: expect.stringContaining(`round ${round}`) }],
          });
        }
        await other.call('memory_store', { key: 'k', value: `by the other, round ${round}` });
        expect((await server.call('memory_get', { key: 'k' })).structured).toMatchObject({
          value: `by the other, round ${round}`,
        });
        expect((await askJson<Entry>(['memory', 'get', 'k'], { cwd: dir })).body.value).toBe(`by the other, round ${round}`);
      }
      expect((await skillflow(['memory', 'delete', 'k'], { cwd: dir })).code).toBe(0);
      expect((await server.call('memory_get', { key: 'k' })).structured).toMatchObject({ error: { code: 'not_found' } });
      expect((await server.call('memory_search', { query: 'shell' })).structured).toMatchObject({ total: 0 });
      await server.call('memory_undelete', { key: 'k' });
      expect((await askJson<Entry>(['memory', 'get', 'k'], { cwd: dir })).code).toBe(0);
    }
    shared.remove();
  });

  test('a restored backup and a merge by the shell are seen by a running server', async () => {
    const shared = createPlace();
    const { dir } = shared;
    {
      await using server = await connectMcp(dir);
      await server.call('memory_store', { key: 'k', value: 'first' });
      expect((await skillflow(['memory', 'backup', 'b.db'], { cwd: dir })).code).toBe(0);
      await server.call('memory_store', { key: 'k', value: 'second' });
      const restored = await askJson<{ safetyBackup: string }>(['memory', 'restore', 'b.db'], { cwd: dir });
      expect(restored.code).toBe(0);
      expect(existsSync(restored.body.safetyBackup)).toBe(true);
      expect((await server.call('memory_get', { key: 'k' })).structured).toMatchObject({ value: 'first' });
      await server.call('memory_store', { key: 'k', value: 'third' });
      expect((await skillflow(['memory', 'merge', restored.body.safetyBackup], { cwd: dir })).code).toBe(0);
      expect((await server.call('memory_get', { key: 'k' })).structured).toMatchObject({ value: 'third' });
      const { body } = await askJson<{ ok: boolean }>(['memory', 'doctor'], { cwd: dir });
      expect(body.ok).toBe(true);
    }
    shared.remove();
  });

  test('within a session of Claude Code the shell stores as part of it', async () => {
    const shared = createPlace();
    const { dir } = shared;
    await skillflow(['memory', 'store', 'in', 'v'], { cwd: dir, env: { CLAUDE_SESSION_ID: 'session-7' } });
    await skillflow(['memory', 'store', 'said', 'v', '--session', 'other'], {
      cwd: dir,
      env: { CLAUDE_SESSION_ID: 'session-7' },
    });
    await skillflow(['memory', 'store', 'out', 'v'], { cwd: dir });
    const { body } = await askJson<{ entries: readonly { key: string; session: string | null }[] }>(['memory', 'list'], {
      cwd: dir,
    });
    expect(body.entries.map(({ key, session }) => [key, session])).toEqual([
      ['in', 'session-7'],
      ['out', null],
      ['said', 'other'],
    ]);
    shared.remove();
  });
});

describe.concurrent('the project', { timeout: 60_000 }, () => {
  test('is the same from a subfolder, by --root, by CLAUDE_PROJECT_DIR and under a home with skills', async () => {
    const repository = createReviewedRepository('a project');
    const { dir } = repository;
    const elsewhere = createPlace();
    mkdirSync(join(dir, '..', '.skillflow', 'skills'), { recursive: true });
    mkdirSync(join(dir, 'src', 'deep'));
    await skillflow(['memory', 'store', 'from', 'below'], { cwd: join(dir, 'src', 'deep'), env: { HOME: join(dir, '..') } });
    expect(existsSync(join(dir, '.skillflow', 'skillflow.db'))).toBe(true);
    const get = ['memory', 'get', 'from'];
    const HOME = join(dir, '..');
    const answers = await Promise.all([
      askJson<Entry>(get, { cwd: dir, env: { HOME } }),
      askJson<Entry>(get, { cwd: join(dir, 'src'), env: { HOME } }),
      askJson<Entry>(['--root', dir, ...get], { cwd: elsewhere.dir }),
      askJson<Entry>([`--root=${join('..', 'a project')}`, ...get], { cwd: dir }),
      askJson<Entry>(get, { cwd: elsewhere.dir, env: { CLAUDE_PROJECT_DIR: dir } }),
      askJson<Entry>(['--root', dir, ...get], { cwd: elsewhere.dir, env: { CLAUDE_PROJECT_DIR: elsewhere.dir } }),
    ]);
    for (const [at, { code, body }] of answers.entries())
      expect({ code, value: body.value }, `way ${at}`).toEqual({ code: 0, value: 'below' });
    expect(readdirSync(elsewhere.dir)).toEqual([]);
    repository.remove();
    elsewhere.remove();
  });

  test('readers leave no trace where there is nothing yet', async () => {
    const { dir, remove } = createPlace();
    const readers = [
      ['runs'],
      ['memory', 'list'],
      ['memory', 'search', 'x'],
      ['memory', 'stats'],
      ['memory', 'doctor'],
      ['memory', 'vectors'],
      ['memory', 'namespaces'],
      ['snapshot', 'list'],
      ['cache', 'get', 'k'],
      ['health'],
      ['skills'],
      ['config'],
      ['swarm', 'status'],
    ];
    for (const args of readers) expect([0, 2], args.join(' ')).toContain((await askJson(args, { cwd: dir })).code);
    for (const args of [['runs'], ['memory', 'list'], ['memory', 'doctor'], ['health']])
      expect((await skillflow([...args, '--read-only'], { cwd: dir })).code, args.join(' ')).toBe(0);
    expect(readdirSync(dir)).toEqual([]);
    remove();
  });

  test('read-only refuses every writer with exit 1, and writes nothing', async () => {
    const repository = createReviewedRepository();
    const { dir } = repository;
    const writers = [
      ['memory', 'store', 'k', 'v'],
      ['memory', 'delete', 'k'],
      ['memory', 'backup'],
      ['memory', 'doctor', '--repair'],
      ['cache', 'set', 'k', 'v'],
      ['run', 'code-review-swarm', '--base', 'HEAD~1'],
      ['swarm', 'create'],
    ];
    for (const args of writers) {
      const { code, body } = await askJson<ErrorAnswer>(['--read-only', ...args], { cwd: dir });
      expect({ code, error: body.error.code }, args.join(' ')).toEqual({ code: 1, error: 'forbidden' });
    }
    const { code, body } = await askJson<ErrorAnswer>(['memory', 'store', 'k', 'v'], {
      cwd: dir,
      env: { SKILLFLOW_READ_ONLY: '1' },
    });
    expect({ code, error: body.error.code }).toEqual({ code: 1, error: 'forbidden' });
    expect(readdirSync(dir).sort()).toEqual(['.git', 'README.md', 'src']);

    await skillflow(['memory', 'store', 'k', 'v'], { cwd: dir });
    const path = join(dir, '.skillflow', 'skillflow.db');
    const before = readFileSync(path);
    for (const args of writers) expect((await skillflow(['--read-only', ...args], { cwd: dir })).code).toBe(1);
    expect(await askJson(['--read-only', 'memory', 'get', 'k'], { cwd: dir })).toMatchObject({ code: 0, body: { value: 'v' } });
    expect(readFileSync(path).equals(before)).toBe(true);
    repository.remove();
  });
});
