import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { createToolCalls } from './tool-calls.ts';
import type { ToolCalls } from './tool-calls.ts';

let calls: ToolCalls;
beforeEach(async () => {
  calls = await createToolCalls();
});
afterEach(() => calls[Symbol.asyncDispose]());
const output = (tool: string, input: unknown) => calls.output(tool, input);

describe('versions', () => {
  beforeEach(async () => {
    await output('memory_store', { key: 'k', value: 'one\ntwo\nthree', tags: ['a'], agent: 'first' });
    calls.now += 1000;
    await output('memory_store', { key: 'k', value: 'one\n2\nthree', tags: ['a'], agent: 'second' });
  });

  test('memory_history lists them, newest first', async () => {
    expect(await output('memory_history', { key: 'k' })).toMatchObject({
      namespace: 'default',
      key: 'k',
      versions: [
        { version: 2, current: true, agent: 'second', preview: 'one\n2\nthree', updatedAt: '2023-11-14T22:13:21.000Z' },
        { version: 1, current: false, agent: 'first', preview: 'one\ntwo\nthree', updatedAt: '2023-11-14T22:13:20.000Z' },
      ],
    });
    expect(await calls.raw('SELECT version, value, agent FROM memory_version')).toStrictEqual([
      { version: 1, value: 'one\ntwo\nthree', agent: 'first' },
    ]);
    expect(await calls.text('memory_history', { key: 'k' })).toMatch(/^VERSION.*\n2 \(now\) .*second/);
  });

  test('memory_diff shows what differs, by default the last change', async () => {
    const diff = await output('memory_diff', { key: 'k' });
    expect(diff).toMatchObject({ from: 1, to: 2, changed: expect.arrayContaining(['value', 'agent']) });
    expect(diff['value']).toMatch(/^-two$/m);
    expect(diff['value']).toMatch(/^\+2$/m);
    expect(await output('memory_diff', { key: 'k', from: 2, to: 1 })).toMatchObject({ from: 2, to: 1 });
    expect(await output('memory_diff', { key: 'k', from: 2, to: 2 })).toMatchObject({ changed: [], value: '' });
    expect(await calls.text('memory_diff', { key: 'k' })).toMatch(/versions +1 → 2/);
    await output('memory_store', { key: 'new', value: 1 });
    expect(await calls.app.call('memory_diff', { key: 'new' })).toMatchObject({ ok: false, error: { code: 'conflict' } });
  });

  test('memory_revert makes a new version that says what an earlier one said', async () => {
    calls.now += 1000;
    expect(await output('memory_revert', { key: 'k', version: 1 })).toMatchObject({ version: 3, created: false });
    expect(await output('memory_get', { key: 'k' })).toMatchObject({ value: 'one\ntwo\nthree', version: 3 });
    expect(await calls.raw('SELECT version FROM memory_version ORDER BY version')).toHaveLength(2);
    await calls.app.restart();
    expect(await output('memory_get', { key: 'k', version: 2 })).toMatchObject({ value: 'one\n2\nthree' });
  });
});

describe('links', () => {
  beforeEach(async () => {
    await output('memory_store', { key: 'a', value: 'the old way is FTP' });
    await output('memory_store', { key: 'b', value: 'the new way is SSH', namespace: 'other' });
  });

  test('memory_link links, and removes; memory_links shows both ends', async () => {
    const link = { key: 'a', to: 'b', toNamespace: 'other', kind: 'see', reason: 'both are ways' };
    expect(await output('memory_link', link)).toMatchObject({ linked: true, changed: true });
    expect(await output('memory_link', link)).toMatchObject({ linked: true, changed: false });
    expect(await calls.raw('SELECT kind, reason FROM memory_link')).toStrictEqual([{ kind: 'see', reason: 'both are ways' }]);
    expect(await output('memory_links', { key: 'a' })).toMatchObject({
      links: [{ direction: 'from', kind: 'see', namespace: 'other', key: 'b', reason: 'both are ways' }],
    });
    expect(await output('memory_links', { key: 'b', namespace: 'other' })).toMatchObject({
      links: [{ direction: 'to', namespace: 'default', key: 'a' }],
    });
    expect(await calls.text('memory_links', { key: 'a' })).toMatch(/\na +see +other: b +both are ways/);
    expect(await output('memory_link', { ...link, remove: true })).toMatchObject({ linked: false, changed: true });
    expect(await output('memory_link', { ...link, remove: true })).toMatchObject({ linked: false, changed: false });
    expect(await calls.raw('SELECT count(*) AS n FROM memory_link')).toStrictEqual([{ n: 0 }]);
  });

  test('memory_supersede: search leaves the old one out, reading does not', async () => {
    calls.now += 1000;
    expect(await output('memory_supersede', { key: 'a', by: 'b', byNamespace: 'other', reason: 'FTP is off' })).toStrictEqual({
      superseded: { namespace: 'default', key: 'a' },
      by: { namespace: 'other', key: 'b' },
      reason: 'FTP is off',
      undo: 'memory_link {"key":"b","to":"a","namespace":"other","toNamespace":"default","kind":"supersedes","remove":true}',
    });
    calls.now += 1;
    expect(await output('memory_search', { query: 'way' })).toMatchObject({ results: [{ key: 'b' }], total: 1 });
    expect(await output('memory_search', { query: 'way', validAt: 'any' })).toMatchObject({ total: 2 });
    expect(await output('memory_search', { query: 'way', validAt: '2023-11-14T22:13:20.500Z' })).toMatchObject({ total: 2 });
    expect(await output('memory_get', { key: 'a' })).toMatchObject({
      value: 'the old way is FTP',
      validTo: '2023-11-14T22:13:21.000Z',
    });
    expect(await output('memory_links', { key: 'a' })).toMatchObject({ links: [{ kind: 'supersedes', reason: 'FTP is off' }] });
    expect(await output('memory_history', { key: 'a' })).toMatchObject({
      versions: [{ version: 2, supersededBy: { namespace: 'other', key: 'b', reason: 'FTP is off' } }, { version: 1 }],
    });
    expect(await calls.text('memory_history', { key: 'a' })).toMatch(/2 \(now\).*\(superseded by b: FTP is off\)/);
    expect(
      await calls.app.call('memory_supersede', { key: 'b', namespace: 'other', by: 'a', byNamespace: 'default' }),
    ).toMatchObject({
      ok: false,
      error: { code: 'conflict' },
    });
    await output('memory_delete', { key: 'b', namespace: 'other' });
    calls.now += 1;
    expect(await output('memory_search', { query: 'way' })).toMatchObject({ results: [{ key: 'a' }], total: 1 });
    await output('memory_undelete', { key: 'b', namespace: 'other' });
    calls.now += 1;
    expect(await output('memory_search', { query: 'way' })).toMatchObject({ results: [{ key: 'b' }], total: 1 });
  });
});

describe('what was superseded', () => {
  const [old, next] = [
    { namespace: 'default', key: 'old' },
    { namespace: 'default', key: 'next' },
  ];
  beforeEach(async () => {
    await output('memory_store', { ...old, value: 'the way is FTP' });
    await output('memory_store', { ...next, value: 'the way is SSH' });
    calls.now += 1;
  });

  test('holds again when it is taken back as the answer says', async () => {
    const { undo } = z.object({ undo: z.string() }).parse(await output('memory_supersede', { key: 'old', by: 'next' }));
    const [, tool = '', input = ''] = /^(\w+) (.+)$/.exec(undo) ?? [];
    calls.now += 1;
    expect(await output(tool, JSON.parse(input))).toMatchObject({ linked: false, changed: true });
    calls.now += 1;
    expect(await output('memory_search', { query: 'FTP', keys: 'old' })).toMatchObject({ results: [{ key: 'old' }] });
    expect(await output('memory_links', { key: 'old' })).toMatchObject({ links: [] });
  });

  test('holds again when it is stored anew: search finds it, its links say so, and the old link must go before it supersedes in turn', async () => {
    await output('memory_supersede', { key: 'old', by: 'next' });
    const link = { kind: 'supersedes', from: next, to: old, direction: 'to', key: 'next' };
    expect(await output('memory_links', { key: 'old' })).toMatchObject({ links: [{ ...link, holds: true }] });
    calls.now += 1;
    await output('memory_store', { ...old, value: 'the way is FTP after all' });
    expect(await output('memory_search', { query: 'FTP', keys: 'old' })).toMatchObject({ results: [{ key: 'old' }] });
    expect(await output('memory_links', { key: 'old' })).toMatchObject({ links: [{ ...link, holds: false }] });
    expect(await output('memory_links', { key: 'next' })).toMatchObject({
      links: [{ from: next, to: old, direction: 'from', key: 'old', holds: false }],
    });
    expect(await calls.text('memory_links', { key: 'old' })).toMatch(/next +supersedes \(before it was stored anew\) +old/);
    expect(await calls.app.call('memory_supersede', { key: 'next', by: 'old' })).toMatchObject({
      ok: false,
      error: { code: 'conflict', hint: expect.stringContaining('Remove that link first') },
    });
  });
});

describe('namespaces', () => {
  test('are there from their first entry on, and are cleared at once', async () => {
    expect(await output('memory_namespaces', {})).toStrictEqual({ namespaces: [] });
    await output('memory_store', { key: 'a', value: 'xx', namespace: 'n' });
    await output('memory_store', { key: 'b', value: 'x', namespace: 'n' });
    await output('memory_store', { key: 'c', value: 'x', namespace: '../..' });
    expect(await output('memory_namespaces', {})).toMatchObject({
      namespaces: [
        { namespace: '../..', entries: 1, bytes: 1 },
        { namespace: 'n', entries: 2, bytes: 3 },
      ],
    });
    expect(await output('memory_clear', { namespace: 'n' })).toStrictEqual({ namespace: 'n', deleted: 2 });
    expect(await output('memory_clear', { namespace: 'n' })).toStrictEqual({ namespace: 'n', deleted: 0 });
    expect(await calls.raw('SELECT key FROM memory_entry WHERE deleted_at IS NULL')).toStrictEqual([{ key: 'c' }]);
    await output('memory_undelete', { key: 'a', namespace: 'n' });
    expect(await calls.text('memory_namespaces', {})).toMatch(/n +1 +2/);
    const back = await output('memory_clear', { namespace: 'n', undo: true });
    expect(back).toStrictEqual({ namespace: 'n', deleted: 0, broughtBack: 1 });
    expect(await calls.text('memory_namespaces', {})).toMatch(/n +2 +3/);
  });
});
