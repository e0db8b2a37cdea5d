import { beforeEach, describe, expect, test } from 'vitest';
import { NotFoundError } from '../../src/errors.ts';
import { useScratch } from '../store/scratch.ts';
import { checkIndex, openMemory, type OpenMemory } from './open-memory.ts';

const scratch = useScratch();
const k = { key: 'k' };
let opened: OpenMemory;

beforeEach(async () => {
  opened = await openMemory(scratch);
});

describe('delete and undelete', () => {
  test('what was deleted comes back as it was, with its history', async () => {
    const { memory } = opened;
    await memory.store({ ...k, value: 'one' });
    await memory.store({ ...k, value: 'two', tags: ['t'] });
    const before = await memory.get(k);
    expect(await memory.delete(k)).toBe(true);
    expect(await memory.delete(k)).toBe(false);
    expect(await memory.get(k)).toBeUndefined();
    expect(await memory.namespaces()).toEqual([]);
    opened.now += 10;
    expect(await memory.undelete(k)).toMatchObject({ id: 1, version: 3, created: false, bytes: 3, duplicates: [] });
    expect(await memory.get(k)).toEqual({ ...before, version: 3, updatedAt: opened.now });
    expect((await memory.history(k)).map(({ preview }) => preview)).toEqual(['two', 'two', 'one']);
    await expect(memory.undelete(k)).rejects.toThrow(NotFoundError);
    await expect(memory.undelete({ key: 'none' })).rejects.toThrow(/there is no deleted entry "none"/);
  });

  test('the name is free: storing again begins a new version, and the history stays', async () => {
    const { memory } = opened;
    await memory.store({ ...k, value: 'one' });
    await memory.delete(k);
    opened.now += 10;
    expect(await memory.store({ ...k, value: 'one' })).toMatchObject({ id: 1, version: 2, created: true });
    expect(await memory.get(k)).toMatchObject({ createdAt: opened.now, version: 2 });
    expect((await memory.history(k)).map(({ version }) => version)).toEqual([2, 1]);
    await expect(memory.undelete(k)).rejects.toThrow(NotFoundError);
  });

  test('what has expired does not come back', async () => {
    const { memory } = opened;
    await memory.store({ ...k, value: 'one', ttlSeconds: 1 });
    await memory.delete(k);
    opened.now += 1000;
    await expect(memory.undelete(k)).rejects.toThrow(NotFoundError);
    expect(await memory.purge(k)).toBe(false);
  });
});

describe('purge', () => {
  test('removes everything, and the id does not come again', async () => {
    const { memory, db } = opened;
    await memory.store({ key: 'other', value: 'o' });
    await memory.store({ ...k, value: 'secret one' });
    await memory.store({ ...k, value: 'secret two' });
    await memory.link(k, { key: 'other' }, 'see');
    await memory.delete(k);
    expect(await memory.purge(k)).toBe(true);
    expect(await memory.purge(k)).toBe(false);
    for (const table of ['memory_version', 'memory_link']) expect(await db.all(`SELECT 1 FROM ${table}`)).toEqual([]);
    await expect(memory.undelete(k)).rejects.toThrow(NotFoundError);
    expect(await memory.store({ ...k, value: 'new' })).toMatchObject({ id: 3, version: 1 });
    await checkIndex(db);
  });
});

describe('deleteNamespace', () => {
  test('deletes all of one namespace, many too, and each can come back', async () => {
    const { memory, db } = opened;
    const names = Array.from({ length: 1200 }, (_, at) => ({ namespace: 'n', key: `k${at}` }));
    await memory.storeMany(names.map((name) => ({ ...name, value: 'v' })));
    await memory.store({ namespace: 'n2', key: 'k', value: 'v' });
    await memory.delete({ namespace: 'n', key: 'k0' });
    expect(await memory.deleteNamespace('n')).toBe(1199);
    expect(await memory.deleteNamespace('n')).toBe(0);
    expect(await memory.deleteNamespace('none')).toBe(0);
    expect((await memory.namespaces()).map(({ namespace }) => namespace)).toEqual(['n2']);
    expect((await memory.list({ namespace: 'n', deleted: true })).total).toBe(1200);
    await memory.undelete({ namespace: 'n', key: 'k7' });
    expect((await memory.list({ namespace: 'n' })).total).toBe(1);
    expect(await memory.undeleteNamespace('n')).toBe(1199);
    expect(await memory.undeleteNamespace('n')).toBe(0);
    expect(await memory.undeleteNamespace('none')).toBe(0);
    expect((await memory.list({ namespace: 'n' })).total).toBe(1200);
    expect(await memory.get({ namespace: 'n', key: 'k9' })).toMatchObject({ version: 2, updatedAt: opened.now + 1 });
    await checkIndex(db);
  });
});

describe('hostile names and texts', () => {
  const TEXTS = [
    "'); DROP TABLE memory_entry; --",
    '../..',
    '__proto__',
    'constructor',
    '" OR 1=1 --',
    '*',
    'a NEAR/2 b',
    '🙂',
    '%s%n',
    '\\',
    '\u202e',
    '?1',
    ':x',
    'NULL',
  ];

  test.each(TEXTS)('%s in every field', async (text) => {
    const { memory, db } = opened;
    const name = { namespace: text, key: text };
    const word = text.replaceAll(/\s/g, '-');
    await memory.store({ ...name, value: { [text]: text }, tags: [text], kind: word, agent: text, session: text, run: text });
    await memory.store({ ...name, value: text, tags: [text], kind: word, agent: text, session: text, run: text });
    await memory.store({ key: 'other', value: 1 });
    expect(await memory.get(name)).toMatchObject({
      ...name,
      value: text,
      tags: [text],
      kind: word,
      agent: text,
      session: text,
      run: text,
    });
    expect((await memory.getVersion(name, 1))?.value).toEqual({ [text]: text });
    expect((await memory.list({ namespace: text, prefix: text, kind: word, tag: text })).total).toBe(1);
    expect(await memory.link(name, { key: 'other' }, word, text)).toBe(true);
    expect(await memory.links({ key: 'other' })).toMatchObject([{ ...name, kind: word, reason: text }]);
    await memory.supersede(name, { key: 'other' }, text);
    expect((await memory.diff(name, 1, 2)).changed).toEqual(['value', 'format']);
    await memory.revert(name, 1);
    expect(await memory.delete(name)).toBe(true);
    expect(await memory.undelete(name)).toMatchObject(name);
    expect(await memory.deleteNamespace(text)).toBe(1);
    expect(await memory.purge(name)).toBe(true);
    expect((await memory.list()).total).toBe(1);
    await checkIndex(db);
  });
});
