import { copyFile, mkdir, readFile, readdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { onServer } from '../helpers/databases.ts';
import { rawSql } from '../helpers/raw-sql.ts';
import { createToolCalls } from './tool-calls.ts';
import type { Output, ToolCalls } from './tool-calls.ts';

let calls: ToolCalls;
beforeEach(async () => {
  calls = await createToolCalls();
  await calls.output('memory_store', { key: 'a', value: 'one', tags: ['t'] });
  calls.now += 1000;
  await calls.output('memory_store', { key: 'a', value: 'two', tags: ['t'] });
  await calls.output('memory_store', { key: 'b', value: { n: [1] }, namespace: 'other' });
  await calls.output('memory_link', { key: 'a', to: 'b', toNamespace: 'other' });
  calls.now += 1000;
});
afterEach(() => calls[Symbol.asyncDispose]());
const output = (tool: string, input: unknown): Promise<Output> => calls.output(tool, input);
const entries = (): Promise<unknown> =>
  calls.raw('SELECT namespace, key, value, version FROM memory_entry WHERE deleted_at IS NULL ORDER BY id');

// A backup or a snapshot is a copy of the file, and what is mended is backed up before; a server's database has none.
const isOnServer = onServer();
const ABOUT_THE_FILE = /^memory_(?:backup|restore)|skillflow\.db/;

describe.skipIf(isOnServer)('backup and restore', () => {
  test('a backup is a database with what was there; restoring goes back to it, after another backup', async () => {
    const made = await output('memory_backup', {});
    const path = String(made['path']);
    expect(made).toMatchObject({ entries: 2, versions: expect.any(Number), sha256: expect.stringMatching(/^[0-9a-f]{64}$/) });
    expect((await stat(path)).size).toBe(made['bytes']);
    expect(JSON.parse(await readFile(String(made['manifestPath']), 'utf8'))).toMatchObject({ sha256: made['sha256'] });
    expect(await rawSql(path, 'SELECT key FROM memory_entry ORDER BY id')).toStrictEqual([{ key: 'a' }, { key: 'b' }]);

    await output('memory_store', { key: 'a', value: 'three' });
    await output('memory_store', { key: 'later', value: 'x' });
    const restored = await output('memory_restore', { path });
    expect(restored).toMatchObject({ removed: 1 });
    expect(await entries()).toMatchObject([{ key: 'a', value: 'two' }, { key: 'b' }]);
    expect(await output('memory_get', { key: 'a', version: 1 })).toMatchObject({ value: 'one' });
    expect(await rawSql(String(restored['safetyBackup']), "SELECT value FROM memory_entry WHERE key = 'a'")).toStrictEqual([
      { value: 'three' },
    ]);
  });

  test('a backup goes where it is told to, never over a file', async () => {
    expect(await output('memory_backup', { path: 'keep/one.db' })).toMatchObject({ path: join(calls.app.dir, 'keep', 'one.db') });
    expect(await calls.app.call('memory_backup', { path: 'keep/one.db' })).toMatchObject({
      ok: false,
      error: { code: 'conflict' },
    });
    expect((await readdir(join(calls.app.dir, 'keep'))).sort()).toEqual(['one.db', 'one.db.json']);
    expect(await calls.text('memory_backup', { path: 'keep/two.db' })).toMatch(/entries +2/);
  });
});

describe('export, import, merge', () => {
  test('an export comes back whole in another project', async () => {
    const made = await output('memory_export', { path: 'out.jsonl' });
    expect(made).toMatchObject({ entries: 2, versions: 1, bytes: (await stat(join(calls.app.dir, 'out.jsonl'))).size });
    await using fresh = await createToolCalls();
    await copyFile(join(calls.app.dir, 'out.jsonl'), join(fresh.app.dir, 'in.jsonl'));
    expect(await fresh.output('memory_import', { path: 'in.jsonl' })).toMatchObject({ added: 2, updated: 0, links: 1 });
    expect(await fresh.output('memory_get', { key: 'a', version: 1 })).toMatchObject({ value: 'one', tags: ['t'] });
    expect(await fresh.output('memory_get', { key: 'b', namespace: 'other' })).toMatchObject({ value: { n: [1] } });
    expect(await fresh.output('memory_links', { key: 'a' })).toMatchObject({ links: [{ key: 'b' }] });
    expect(await fresh.output('memory_import', { path: 'in.jsonl' })).toMatchObject({ added: 0, unchanged: 2 });
  });

  test('an older export is replaced only when that is asked for', async () => {
    await output('memory_export', { path: 'out.jsonl' });
    await output('memory_store', { key: 'c', value: 'x' });
    expect(await calls.app.call('memory_export', { path: 'out.jsonl' })).toMatchObject({
      ok: false,
      error: { code: 'invalid_input', hint: expect.stringMatching(/--overwrite/) },
    });
    expect(await output('memory_export', { path: 'out.jsonl', overwrite: true })).toMatchObject({ entries: 3 });
  });

  test('one namespace alone, out and in', async () => {
    expect(await output('memory_export', { path: 'other.jsonl', namespace: 'other' })).toMatchObject({ entries: 1 });
    await output('memory_export', { path: 'all.jsonl' });
    for (const key of ['a', 'b'])
      await output('memory_delete', { key, namespace: key === 'a' ? 'default' : 'other', purge: true });
    expect(await output('memory_import', { path: 'all.jsonl', namespace: 'other' })).toMatchObject({ added: 1 });
    expect(await output('memory_import', { path: 'other.jsonl' })).toMatchObject({ added: 0, unchanged: 1 });
    expect(await output('memory_get', { key: 'b', namespace: 'other' })).toMatchObject({ value: { n: [1] } });
    expect(await output('memory_list', {})).toMatchObject({ total: 1 });
  });

  test('merge brings in what another database knows; the newer version wins', async () => {
    await using theirs = await createToolCalls({ isFile: true });
    theirs.now = calls.now + 5000;
    await theirs.output('memory_store', { key: 'a', value: 'newer' });
    await theirs.output('memory_store', { key: 'c', value: 'theirs' });
    const copy = await theirs.output('memory_backup', {});
    await copyFile(String(copy['path']), join(calls.app.dir, 'theirs.db'));
    expect(await output('memory_merge', { path: 'theirs.db' })).toMatchObject({
      added: 1,
      updated: 1,
      conflicts: [{ namespace: 'default', key: 'a', kept: 'theirs' }],
    });
    expect(await output('memory_get', { key: 'a' })).toMatchObject({ value: 'newer' });
    const { versions } = await output('memory_history', { key: 'a' });
    expect(JSON.stringify(versions)).toContain('"two"');
    expect(await calls.text('memory_merge', { path: 'theirs.db' })).toMatch(/unchanged +\d/);
  });
});

describe.skipIf(isOnServer)('snapshots', () => {
  test('bring memory, swarms, agents and tasks back, and say what changed', async () => {
    await output('swarm_create', { topology: 'mesh' });
    expect(await output('snapshot_create', { name: 'before' })).toMatchObject({ name: 'before', entries: 2 });
    expect(await output('snapshot_list', {})).toMatchObject({ snapshots: [{ name: 'before', entries: 2 }] });
    await output('agent_spawn', { type: 'coder' });
    await output('memory_store', { key: 'a', value: 'three' });
    await output('memory_store', { key: 'later', value: 'x' });
    const back = await output('snapshot_restore', { name: 'before' });
    expect(back['differences']).toEqual(
      expect.arrayContaining([
        expect.objectContaining({ what: 'agents', removed: 1 }),
        expect.objectContaining({ what: 'memory' }),
      ]),
    );
    expect(await entries()).toMatchObject([{ key: 'a', value: 'two' }, { key: 'b' }]);
    expect(await output('agent_list', {})).toMatchObject({ total: 0 });
    expect((await stat(String(back['safetyBackup']))).isFile()).toBe(true);
    expect(await calls.text('snapshot_list', {})).toMatch(/before/);
    for (const name of ['nope', '../before', 'x'.repeat(500), ''])
      expect((await calls.app.call('snapshot_restore', { name })).ok, name.slice(0, 10)).toBe(false);
    for (const name of ['../up', '/tmp/x', 'a\0b', 'x'.repeat(5000)])
      expect((await calls.app.call('snapshot_create', { name })).ok, name.slice(0, 10)).toBe(false);
    expect(await output('snapshot_list', {})).toMatchObject({ snapshots: [{ name: 'before' }] });
  });
});

describe('care', () => {
  test('stats count what is there', async () => {
    await output('memory_delete', { key: 'b', namespace: 'other' });
    expect(await output('memory_stats', {})).toMatchObject({
      namespace: null,
      entries: 1,
      versions: 1,
      deleted: 1,
      byNamespace: [{ namespace: 'default', entries: 1, bytes: 3 }],
      byAge: { day: 1, week: 0, month: 0, older: 0 },
      process: { rss: expect.any(Number), heapUsed: expect.any(Number) },
    });
    expect(await output('memory_stats', { namespace: 'other' })).toMatchObject({ namespace: 'other', entries: 0 });
    expect(await calls.text('memory_stats', {})).toMatch(/entries +1\n/);
  });

  test('compact removes what is expired and long deleted, for good', async () => {
    await output('memory_store', { key: 'gone', value: 'x'.repeat(1000), ttlSeconds: 1 });
    await output('memory_delete', { key: 'b', namespace: 'other' });
    calls.now += 40 * 86_400_000;
    expect(await output('memory_compact', { keepVersions: 0 })).toMatchObject({ expired: 1, purged: 1, versions: 1 });
    expect(await calls.raw('SELECT key FROM memory_entry')).toStrictEqual([{ key: 'a' }]);
    expect(await calls.raw('SELECT count(*) AS n FROM memory_version')).toStrictEqual([{ n: 0 }]);
    expect(await output('memory_compact', {})).toMatchObject({ expired: 0, purged: 0, versions: 0 });
  });

  test.skipIf(isOnServer)('doctor finds a full-text index that lies, and mends it after a backup', async () => {
    expect(await output('memory_doctor', {})).toMatchObject({ ok: true, backup: null });
    await calls.raw("INSERT INTO memory_fts (memory_fts) VALUES ('delete-all')");
    const wrong = await output('memory_doctor', {});
    expect(wrong).toMatchObject({ ok: false, backup: null });
    expect(wrong['findings']).toEqual(expect.arrayContaining([expect.objectContaining({ check: 'full-text', status: 'wrong' })]));
    const mended = await output('memory_doctor', { repair: true });
    expect((await stat(String(mended['backup']))).isFile()).toBe(true);
    expect(await output('memory_doctor', {})).toMatchObject({ ok: true });
    expect(await output('memory_search', { query: 'two', limit: 1 })).toMatchObject({ results: [{ key: 'a' }] });
    expect(await calls.text('memory_doctor', {})).toMatch(/full-text +ok/);
  });

  test('doctor only looks, also read-only and where there is no database; repairing is refused then', async () => {
    await using empty = await createToolCalls({ flags: { readOnly: true } });
    expect(await empty.output('memory_doctor', {})).toMatchObject({ ok: true });
    expect(await empty.app.call('memory_doctor', { repair: true })).toMatchObject({ ok: false, error: { code: 'forbidden' } });
    expect(await readdir(empty.app.dir)).toEqual([]);
  });

  test.skipIf(isOnServer)('persist leaves nothing in the log', async () => {
    expect(await output('memory_persist', {})).toMatchObject({ entries: 2, framesLeft: 0 });
    const file = await readFile(calls.app.skillflow.app.config.databasePath);
    expect(file.includes('two')).toBe(true);
  });
});

describe('a wrong call is refused and changes nothing', () => {
  const outside = join('..', 'outside.db');
  const bad: readonly (readonly [string, object, string, RegExp])[] = [
    ['memory_backup', { path: outside }, 'forbidden', /outside/],
    ['memory_backup', { path: '/etc/passwd' }, 'forbidden', /\/etc\/passwd/],
    ['memory_backup', { path: 'a\0b' }, 'invalid_input', /path/],
    ['memory_backup', { path: '.skillflow/skillflow.db' }, 'conflict', /skillflow\.db/],
    ['memory_backup', { file: 'x' }, 'invalid_input', /file/],
    ['memory_restore', {}, 'invalid_input', /path/],
    ['memory_restore', { path: 'nope.db' }, 'not_found', /nope\.db/],
    ['memory_restore', { path: 'text.db' }, '', /text\.db/],
    ['memory_restore', { path: outside }, 'forbidden', /outside/],
    ['memory_restore', { path: 'linked.db' }, '', /./],
    ['memory_export', { path: outside }, 'forbidden', /outside/],
    ['memory_export', { path: '' }, 'invalid_input', /path/],
    ['memory_export', { path: 'bad.jsonl' }, 'invalid_input', /exists already/],
    ['memory_export', { path: 'text.db', overwrite: true }, 'invalid_input', /is no export/],
    ['memory_export', { path: 'x.jsonl', namespace: 'a\0' }, 'invalid_input', /namespace/],
    ['memory_import', { path: 'nope.jsonl' }, 'not_found', /nope\.jsonl/],
    ['memory_import', { path: 'bad.jsonl' }, 'invalid_input', /line 1|bad\.jsonl/],
    ['memory_import', { path: 'folder' }, 'invalid_input', /folder/],
    ['memory_merge', { path: 'text.db' }, '', /text\.db/],
    ['memory_merge', { path: '.skillflow/skillflow.db' }, 'invalid_input', /skillflow\.db/],
    ['memory_merge', { path: "'; DROP TABLE memory_entry; --" }, 'not_found', /DROP TABLE/],
    ['memory_compact', { deletedDays: -1 }, 'invalid_input', /deletedDays/],
    ['memory_compact', { keepVersions: 1.5 }, 'invalid_input', /keepVersions/],
    ['memory_compact', { namespace: '' }, 'invalid_input', /namespace/],
    ['memory_doctor', { repair: 'yes' }, 'invalid_input', /repair/],
    ['memory_stats', { namespace: 7 }, 'invalid_input', /namespace/],
    ['memory_history', { key: 'nope' }, 'not_found', /nope/],
    ['memory_history', {}, 'invalid_input', /key/],
    ['memory_diff', { key: 'a', from: 1, to: 9 }, 'not_found', /9/],
    ['memory_diff', { key: 'a', from: 0 }, 'invalid_input', /from/],
    ['memory_revert', { key: 'a' }, 'invalid_input', /version/],
    ['memory_revert', { key: 'a', version: 9 }, 'not_found', /9/],
    ['memory_revert', { key: 'nope', version: 1 }, 'not_found', /nope/],
    ['memory_link', { key: 'a', to: 'nope' }, 'not_found', /nope/],
    ['memory_link', { key: 'a', to: 'b', toNamespace: 'other', kind: '' }, 'invalid_input', /kind/],
    ['memory_link', { key: 'a' }, 'invalid_input', /to/],
    ['memory_links', { key: 'nope' }, 'not_found', /nope/],
    ['memory_supersede', { key: 'a', by: 'a' }, 'invalid_input', /itself/],
    ['memory_supersede', { key: 'a', by: 'nope' }, 'not_found', /nope/],
    ['memory_supersede', { key: 'a' }, 'invalid_input', /by/],
    ['memory_clear', {}, 'invalid_input', /namespace/],
    ['memory_clear', { namespace: '' }, 'invalid_input', /namespace/],
    ['memory_embed', { maxContents: 0 }, 'invalid_input', /maxContents/],
    ['memory_embed', {}, 'unavailable', /off/],
  ];

  const possible = bad.filter(([tool, input]) => !isOnServer || !ABOUT_THE_FILE.test(`${tool} ${JSON.stringify(input)}`));
  test.each(possible.map(([tool, input, code, message], index) => ({ index, tool, input, code, message })))(
    '$index: $tool $message',
    async ({ tool, input, code, message }) => {
      const { dir } = calls.app;
      await writeFile(join(dir, 'text.db'), 'this is no database, and long enough to be looked at'.repeat(20));
      await writeFile(join(dir, 'bad.jsonl'), 'not json\n');
      await mkdir(join(dir, 'folder'));
      const state = async (): Promise<unknown> => [await entries(), (await readdir(dir, { recursive: true })).sort()];
      const before = await state();
      const result = await calls.app.call(tool, input);
      expect(result).toMatchObject({
        ok: false,
        error: {
          code: expect.stringMatching(code === '' ? /^(?!internal$)/ : new RegExp(`^${code}$`)),
          message: expect.stringMatching(message),
          hint: expect.stringMatching(/./),
        },
      });
      expect(await state()).toStrictEqual(before);
    },
  );
});
