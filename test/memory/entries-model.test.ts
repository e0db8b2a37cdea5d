// The checks of an operation depend on what the model says of it.
/* oxlint-disable vitest/no-conditional-expect */
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ConflictError, InvalidInputError, NotFoundError } from '../../src/errors.ts';
import type { EntryName } from '../../src/memory/memory.ts';
import { contentHash } from '../../src/store/content-hash.ts';
import type { Database, Row, SqlValue } from '../../src/store/database.ts';
import { textOf } from '../../src/store/row.ts';
import { databaseBackends } from '../helpers/databases.ts';
import { EntriesModel, type Said } from './entries-model.ts';
import { checkIndex, openMemoryAt, type OpenMemory } from './open-memory.ts';

const NAMESPACES = ['a', '../..'];
const KEYS = ['k', '__proto__', "'); DROP TABLE memory_entry; --"];
const NAMES = NAMESPACES.flatMap((namespace) => KEYS.map((key) => ({ namespace, key })));
const VALUES = ['running café', '', 'a "quoted" OR NEAR(x)', { words: ['walked', null] }, 'x\0y', -0, 'running cafés'];

const name = fc.nat(NAMES.length - 1);
const input = fc.record({
  name,
  value: fc.nat(VALUES.length - 1),
  /** `undefined`: not given. */
  tags: fc.option(fc.subarray(['t', '*', '"']), { nil: undefined, freq: 2 }),
  ttlMs: fc.option(fc.integer({ min: 1, max: 50 }), { freq: 3 }),
});
const operation = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({ do: fc.constant('store' as const), inputs: fc.array(input, { minLength: 1, maxLength: 1 }) }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constant('store' as const), inputs: fc.array(input, { minLength: 2, maxLength: 12 }) }),
  },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('revert' as const), name, version: fc.integer({ min: 1, max: 6 }) }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('delete' as const), name }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('undelete' as const), name }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('purge' as const), name }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('supersede' as const), name, by: name }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('deleteNamespace' as const), namespace: fc.constantFrom(...NAMESPACES) }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('wait' as const), ms: fc.integer({ min: 1, max: 2000 }) }) },
);
type Operation = typeof operation extends fc.Arbitrary<infer T> ? T : never;
type Input = typeof input extends fc.Arbitrary<infer T> ? T : never;

const idOf = ({ namespace = '', key }: EntryName): string => `${namespace}\0${key}`;
const nameAt = (at: number): { readonly namespace: string; readonly key: string } => NAMES[at] ?? { namespace: '', key: '' };

const said = (model: EntriesModel, { name: at, value, tags }: Input): Said => ({
  value: VALUES[value] ?? null,
  tags: tags ?? model.tagsOf(idOf(nameAt(at))),
  ended: false,
});

async function storeAll({ memory }: OpenMemory, model: EntriesModel, inputs: readonly Input[]): Promise<void> {
  const stored = inputs.map((one) => ({
    ...nameAt(one.name),
    value: VALUES[one.value] ?? null,
    tags: one.tags,
    ...(one.ttlMs === null ? {} : { ttlSeconds: one.ttlMs / 1000 }),
  }));
  const [first] = stored;
  const results = stored.length === 1 && first !== undefined ? [await memory.store(first)] : await memory.storeMany(stored);
  for (const [at, one] of inputs.entries()) {
    const id = idOf(nameAt(one.name));
    const wasThere = model.isThere(id);
    const version = results[at]?.version ?? NaN;
    const now = said(model, one);
    expect(version).toBe(model.next(id, now));
    expect(results[at]?.created).toBe(!wasThere);
    model.store(id, now, one.ttlMs, version);
  }
}

async function supersede({ memory }: OpenMemory, model: EntriesModel, from: EntryName, by: EntryName): Promise<void> {
  const id = idOf(from);
  const attempt = memory.supersede(from, by);
  if (id === idOf(by)) {
    await expect(attempt).rejects.toThrow(InvalidInputError);
    return;
  }
  if (!model.isThere(id) || !model.isThere(idOf(by))) {
    await expect(attempt).rejects.toThrow(NotFoundError);
    return;
  }
  try {
    await attempt;
  } catch (error) {
    expect(error).toBeInstanceOf(ConflictError); // which ones are refused, links.test.ts tells
    return;
  }
  const entry = model.entries.get(id);
  const current = model.current(id);
  if (entry === undefined || current === undefined || current.ended) return;
  const versions = new Map(entry.versions).set(entry.version + 1, { ...current, ended: true });
  model.entries.set(id, { ...entry, versions, version: entry.version + 1 });
}

async function revert({ memory }: OpenMemory, model: EntriesModel, entryName: EntryName, version: number): Promise<void> {
  const id = idOf(entryName);
  const entry = model.entries.get(id);
  const earlier = entry?.versions.get(version);
  if (!model.isThere(id) || entry === undefined || earlier === undefined) {
    await expect(memory.revert(entryName, version)).rejects.toThrow(NotFoundError);
    return;
  }
  const isSame = JSON.stringify(earlier) === JSON.stringify(model.current(id));
  const result = await memory.revert(entryName, version);
  // Two ends of validity at different times differ, which the model does not know.
  if (!earlier.ended || !isSame) expect(result.version).toBe(isSame ? entry.version : entry.version + 1);
  if (result.version === entry.version) return;
  model.entries.set(id, { ...entry, versions: new Map(entry.versions).set(result.version, earlier), version: result.version });
}

/** What superseded an entry decides whether that is valid; when it does, links.test.ts tells. */
async function followSuperseded({ db }: OpenMemory, model: EntriesModel): Promise<void> {
  for (const row of await db.all('SELECT namespace, key, version, valid_to FROM memory_entry')) {
    const id = idOf({ namespace: textOf(row, 'namespace'), key: textOf(row, 'key') });
    if (row['version'] === model.entries.get(id)?.version) continue;
    model.toggleEnded(id);
    expect(row['version']).toBe(model.entries.get(id)?.version);
    expect(row['valid_to'] !== null).toBe(model.current(id)?.ended);
  }
}

async function run(opened: OpenMemory, model: EntriesModel, operation: Operation): Promise<void> {
  const { memory } = opened;
  switch (operation.do) {
    case 'store':
      return storeAll(opened, model, operation.inputs);
    case 'wait':
      opened.now += operation.ms;
      model.now = opened.now;
      return;
    case 'revert':
      return revert(opened, model, nameAt(operation.name), operation.version);
    case 'supersede':
      return supersede(opened, model, nameAt(operation.name), nameAt(operation.by));
    case 'deleteNamespace': {
      const there = KEYS.map((key) => idOf({ namespace: operation.namespace, key })).filter((id) => model.isThere(id));
      expect(await memory.deleteNamespace(operation.namespace)).toBe(there.length);
      for (const id of there) model.setDeleted(id, true);
      return;
    }
    case 'delete': {
      const id = idOf(nameAt(operation.name));
      const wasThere = model.isThere(id);
      expect(await memory.delete(nameAt(operation.name))).toBe(wasThere);
      if (wasThere) model.setDeleted(id, true);
      return;
    }
    case 'undelete': {
      const id = idOf(nameAt(operation.name));
      const entry = model.entries.get(id);
      const undeleted = memory.undelete(nameAt(operation.name));
      if (entry?.deleted !== true || model.hasExpired(entry)) {
        await expect(undeleted).rejects.toThrow(NotFoundError);
        return;
      }
      expect(await undeleted).toMatchObject({ version: entry.version, created: false });
      model.setDeleted(id, false);
      return;
    }
    case 'purge': {
      const id = idOf(nameAt(operation.name));
      const entry = model.entries.get(id);
      expect(await memory.purge(nameAt(operation.name))).toBe(entry !== undefined && !model.hasExpired(entry));
      model.entries.delete(id);
    }
  }
}

async function checkEntries(opened: OpenMemory, other: OpenMemory['memory'], model: EntriesModel): Promise<void> {
  for (const one of NAMES) {
    const id = idOf(one);
    const entry = model.entries.get(id);
    const expected = model.isThere(id) ? model.current(id) : undefined;
    for (const memory of [opened.memory, other]) {
      const found = await memory.get(one);
      expect(found && { value: found.value, tags: found.tags, ended: found.validTo !== null }).toEqual(expected);
      expect(found?.version).toBe(expected && entry?.version);
    }
    if (expected === undefined || entry === undefined) continue;
    const history = await opened.memory.history(one);
    expect(history.map(({ version }) => version)).toEqual([...entry.versions.keys()].sort((a, b) => b - a));
    for (const [version, { value, tags }] of entry.versions) {
      expect(await opened.memory.getVersion(one, version)).toMatchObject({ value, tags: [...tags] });
    }
  }
}

const rowsById = async (db: Database): Promise<Map<SqlValue | undefined, Row>> =>
  new Map((await db.all('SELECT * FROM memory_entry')).map((row) => [row['id'], row]));

/** The index, the hashes, the versions and the log agree with the entries; what changed since `before` is in the log. */
async function checkDerived(db: Database, before: ReadonlyMap<SqlValue | undefined, Row>, seq: unknown): Promise<void> {
  await checkIndex(db);
  const rows = await rowsById(db);
  for (const row of rows.values()) expect(row['hash']).toEqual(contentHash(textOf(row, 'value')));
  const indexed = (await db.all('SELECT id FROM memory_fts_docsize')).map((row) => Number(row['id']));
  const mark = Number((await db.get('SELECT entry_id FROM memory_fts_folded'))?.['entry_id']);
  expect(indexed.toSorted((a, b) => a - b)).toEqual(
    [...rows.values()]
      .filter((row) => row['deleted_at'] === null && Number(row['id']) <= mark)
      .map((row) => Number(row['id']))
      .toSorted((a, b) => a - b),
  );
  expect(await db.all('SELECT 1 FROM memory_version WHERE entry_id NOT IN (SELECT id FROM memory_entry)')).toEqual([]);
  expect(
    await db.all('SELECT 1 FROM memory_version v JOIN memory_entry e ON e.id = v.entry_id WHERE v.version >= e.version'),
  ).toEqual([]);
  const logged = new Map(
    (await db.all('SELECT entry_id, op FROM chg WHERE seq > ? ORDER BY seq', [Number(seq)])).map((row) => [
      row['entry_id'],
      row['op'],
    ]),
  );
  for (const id of new Set([...before.keys(), ...rows.keys()])) {
    const [old, row] = [before.get(id), rows.get(id)];
    if (JSON.stringify(old) === JSON.stringify(row)) continue;
    expect(logged.get(id) === 'delete').toBe(row === undefined || row['deleted_at'] !== null);
    expect(logged.has(id)).toBe(true);
  }
}

describe.each(databaseBackends())('any sequence of operations on $name', ({ fresh, isRemote }) => {
  test('does what a plain model does, and the index, the versions and the change log never drift', async () => {
    let checked = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(operation, { minLength: 5, maxLength: 40 }), async (operations) => {
        const opened = await openMemoryAt(await fresh());
        const { memory: other } = await opened.another();
        const model = new EntriesModel();
        model.now = opened.now;
        for (const one of operations) {
          const before = await rowsById(opened.db);
          const seq = (await opened.db.get('SELECT coalesce(max(seq), 0) AS seq FROM chg'))?.['seq'];
          await run(opened, model, one);
          if (one.do !== 'store' && one.do !== 'revert' && one.do !== 'supersede') await followSuperseded(opened, model);
          await checkDerived(opened.db, before, seq);
          await checkEntries(opened, other, model);
          checked += 1;
        }
        if (!isRemote) expect(await opened.db.integrity()).toBe('ok');
        if (!isRemote) expect(await opened.db.all('PRAGMA foreign_key_check')).toEqual([]);
        await opened.db.close();
      }),
      { seed: 20, numRuns: isRemote ? 2 : 25 },
    );
    expect(checked).toBeGreaterThan(10);
  }, 120_000);
});
