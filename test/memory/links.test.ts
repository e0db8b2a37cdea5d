import { beforeEach, describe, expect, test } from 'vitest';
import { ConflictError, InvalidInputError, NotFoundError } from '../../src/errors.ts';
import { createCare } from '../../src/memory/care/create-care.ts';
import { useScratch } from '../store/scratch.ts';
import { checkIndex, openMemory, type OpenMemory } from './open-memory.ts';

const scratch = useScratch();
const [a, b, c] = [{ key: 'a' }, { key: 'b' }, { namespace: 'other', key: 'c' }] as const;
let opened: OpenMemory;

beforeEach(async () => {
  opened = await openMemory(scratch);
  for (const name of [a, b, c]) await opened.memory.store({ ...name, value: name.key });
});

describe('supersede', () => {
  test('ends the validity in a new version, and links the two with the reason', async () => {
    const { memory, db } = opened;
    opened.now += 7;
    await memory.supersede(a, b, "it's 'new'; --\0");
    expect(await memory.get(a)).toMatchObject({ version: 2, validTo: opened.now, updatedAt: opened.now, value: 'a' });
    expect((await memory.get(b))?.validTo).toBeNull();
    const linked = { kind: 'supersedes', reason: "it's 'new'; -- ", createdAt: opened.now, namespace: 'default', holds: true };
    expect(await memory.links(a)).toEqual([{ ...linked, direction: 'to', key: 'b', id: 2 }]);
    expect(await memory.links(b)).toEqual([{ ...linked, direction: 'from', key: 'a', id: 1 }]);
    opened.now += 1;
    await memory.supersede(a, b); // again: it stays as it is
    expect(await memory.get(a)).toMatchObject({ version: 2, validTo: opened.now - 1 });
    expect(await memory.links(a)).toEqual([{ ...linked, direction: 'to', key: 'b', id: 2 }]);
    expect(await memory.revert(a, 1)).toMatchObject({ version: 3 });
    expect((await memory.get(a))?.validTo).toBeNull();
    await checkIndex(db);
  });

  test('never in a circle, and nothing changes when it is refused', async () => {
    const { memory } = opened;
    await memory.supersede(a, b);
    await memory.supersede(b, c);
    for (const [name, by] of [
      [c, a],
      [b, a],
      [c, b],
    ] as const) {
      await expect(memory.supersede(name, by)).rejects.toThrow(ConflictError);
    }
    await expect(memory.supersede(c, c)).rejects.toThrow(InvalidInputError);
    expect((await memory.get(c))?.validTo).toBeNull();
    expect(await memory.links(c)).toHaveLength(1);
    await memory.supersede(a, c); // more than one may
    expect(await memory.links(a)).toHaveLength(2);
  });

  test('both must be there', async () => {
    const { memory } = opened;
    await expect(memory.supersede(a, { key: 'none' })).rejects.toThrow(NotFoundError);
    await expect(memory.supersede({ key: 'none' }, a)).rejects.toThrow(/there is no entry "none"/);
    await memory.delete(b);
    await expect(memory.supersede(a, b)).rejects.toThrow(NotFoundError);
    expect((await memory.get(a))?.version).toBe(1);
    await expect(memory.supersede(a, { key: '' })).rejects.toThrow(/^by\.key is empty/);
    await expect(memory.supersede(a, b, 'x'.repeat(4097))).rejects.toThrow(/^reason has .*4097|^reason has more than 4096/);
  });
});

describe('what superseded goes, and comes back', () => {
  const ended = async (name: { readonly key: string }): Promise<boolean> =>
    ((await opened.memory.get(name))?.validTo ?? null) !== null;

  test.each(['delete', 'deleteNamespace', 'purge', 'unlink'] as const)('%s makes the other valid again', async (how) => {
    const { memory, db } = opened;
    await memory.store({ ...a, value: 'a', validTo: 9_000_000 });
    opened.now += 1;
    await memory.supersede(a, c, 'better');
    opened.now += 1;
    if (how === 'deleteNamespace') await memory.deleteNamespace(c.namespace);
    else if (how === 'unlink') await memory.unlink(c, a, 'supersedes');
    else await memory[how](c);
    expect(await memory.get(a)).toMatchObject({ value: 'a', version: 4, updatedAt: opened.now, validTo: 9_000_000 });
    await checkIndex(db);
  });

  test.each(['upkeep', 'the same name', 'compact'] as const)(
    '%s that removes it once it has expired does so too',
    async (how) => {
      const { memory, db } = opened;
      const brief = { namespace: 'other', key: 'brief' };
      await memory.store({ ...brief, value: 'brief', ttlSeconds: 1 });
      await memory.store({ ...b, value: 'b', ttlSeconds: 60 });
      await memory.supersede(a, b);
      await memory.supersede(b, brief);
      await memory.supersede(brief, c); // a ← b ← brief ← c
      await memory.store({ key: 'without links', value: 1, ttlSeconds: 1 });
      const later = async (ms: number): Promise<void> => {
        opened.now += ms;
        if (how === 'the same name')
          await memory.storeMany([
            { ...brief, value: 'anew' },
            { key: 'without links', value: 2 },
          ]);
        else if (how === 'upkeep') await memory.store({ key: 'else', value: opened.now });
        else
          await createCare({ open: async () => db, runtime: opened.runtime, projectRoot: '/', databasePath: '/none' }).compact();
      };
      await later(5000);
      expect(await memory.links(b)).toMatchObject([
        { direction: 'from', key: 'a' },
        { direction: 'to', key: 'c', kind: 'supersedes' },
      ]);
      expect([await ended(a), await ended(b)]).toEqual([true, true]);
      await memory.delete(c);
      expect([await ended(a), await ended(b)]).toEqual([true, false]);
      await later(100_000);
      expect(await ended(a)).toBe(false);
      expect((await memory.search({ query: 'a' })).results.map(({ key }) => key)).toContain('a');
      await checkIndex(db);
    },
  );

  test('stored in one call with what has expired and superseded it, it is the version after', async () => {
    const { memory } = opened;
    await memory.store({ key: 'brief', value: 'brief', ttlSeconds: 1 });
    await memory.supersede(a, { key: 'brief' });
    opened.now += 5000;
    const [, stored] = await memory.storeMany([
      { key: 'brief', value: 'anew' },
      { ...a, value: 'other' },
    ]);
    expect(stored).toMatchObject({ version: 4 });
    expect(await memory.get(a)).toMatchObject({ version: 4, value: 'other', validTo: null });
  });

  test('undelete ends it again, unless it was written since', async () => {
    const { memory } = opened;
    await memory.supersede(a, b);
    for (const wrote of [false, true]) {
      opened.now += 1;
      await memory.delete(b);
      expect(await ended(a)).toBe(false);
      if (wrote) await memory.store({ ...a, value: 'new' }); // in the same millisecond
      opened.now += 1;
      await memory.undelete(b);
      expect(await ended(a)).toBe(!wrote);
    }
  });

  test('the whole chain counts, in whatever order it goes and comes back', async () => {
    const { memory } = opened;
    await memory.supersede(a, b);
    opened.now += 1;
    await memory.supersede(b, c);
    opened.now += 1;
    await memory.delete(b);
    expect(await ended(a)).toBe(true); // c holds
    opened.now += 1;
    await memory.delete(c);
    expect(await ended(a)).toBe(false);
    opened.now += 1;
    await memory.undelete(c);
    expect(await ended(a)).toBe(true);
    await memory.undelete(b);
    expect([await ended(a), await ended(b), await ended(c)]).toEqual([true, true, false]);
    await memory.purge(b);
    expect(await memory.links(a)).toMatchObject([{ direction: 'to', kind: 'supersedes', key: 'c' }]);
    expect(await ended(a)).toBe(true);
    await memory.purge(c);
    expect(await ended(a)).toBe(false);
  });

  test('one of two that supersede it is enough', async () => {
    const { memory } = opened;
    await memory.supersede(a, b);
    opened.now += 1;
    await memory.supersede(a, c);
    await memory.purge(b);
    expect(await ended(a)).toBe(true);
    await memory.delete(c);
    expect(await ended(a)).toBe(false);
  });

  test('the history tells by what and why, also when that is deleted', async () => {
    const { memory } = opened;
    opened.now += 1;
    await memory.supersede(a, c, 'c is newer');
    const by = { namespace: 'other', key: 'c', reason: 'c is newer' };
    expect((await memory.history(a)).map(({ supersededBy }) => supersededBy)).toEqual([by, null]);
    opened.now += 1;
    await memory.delete(c);
    expect((await memory.history(a)).map(({ supersededBy }) => supersededBy)).toEqual([null, by, null]);
    await memory.purge(c);
    expect((await memory.history(a)).map(({ supersededBy }) => supersededBy)).toEqual([null, null, null]);
  });
});

describe('links', () => {
  test('are made once for a kind, told from both ends, and removed', async () => {
    const { memory } = opened;
    expect(await memory.link(a, c, 'about', 'why')).toBe(true);
    expect(await memory.link(a, c, 'about')).toBe(false);
    expect(await memory.link(a, c, 'see')).toBe(true);
    expect(await memory.link(c, a, 'about')).toBe(true);
    expect((await memory.links(a)).map(({ direction, kind, reason, key }) => [direction, kind, reason, key])).toEqual([
      ['from', 'about', 'why', 'c'],
      ['from', 'see', null, 'c'],
      ['to', 'about', null, 'c'],
    ]);
    expect(await memory.unlink(a, c, 'about')).toBe(true);
    expect(await memory.unlink(a, c, 'about')).toBe(false);
    expect(await memory.links(a)).toHaveLength(2);
    await expect(memory.links({ key: 'none' })).rejects.toThrow(NotFoundError);
  });

  test('go with a purged entry, and hide with a deleted one', async () => {
    const { memory, db } = opened;
    await memory.link(a, b, 'see');
    await memory.link(a, c, 'see');
    await memory.delete(b);
    expect(await memory.links(a)).toHaveLength(1);
    await memory.undelete(b);
    expect(await memory.links(a)).toHaveLength(2);
    await memory.purge(b);
    expect(await memory.links(a)).toHaveLength(1);
    expect(await db.get('SELECT count(*) AS n FROM memory_link')).toEqual({ n: 1 });
  });

  test('what cannot be is refused', async () => {
    const { memory } = opened;
    await expect(memory.link(a, b, 'supersedes')).rejects.toThrow(InvalidInputError);
    await expect(memory.link(a, b, 'two words')).rejects.toThrow(/^kind is text t…\(9 characters\), not one word/);
    await expect(memory.link(a, b, 'x'.repeat(65))).rejects.toThrow(InvalidInputError);
    await expect(memory.link(a, a, 'see')).rejects.toThrow(InvalidInputError);
    await expect(memory.link(a, { key: 'a\0' }, 'see')).rejects.toThrow(/^to\.key has a NUL/);
    // @ts-expect-error: a caller without types
    await expect(memory.link(a, b, 'see', 7)).rejects.toThrow(/^reason is a number/);
  });
});
