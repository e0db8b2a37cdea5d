import { join } from 'node:path';
import { inspect } from 'node:util';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { SkillflowError } from '../../src/errors.ts';
import type { Memory, StoreInput } from '../../src/memory/memory.ts';
import type { SearchAnswer, SearchInput } from '../../src/memory/search/answer.ts';
import type { Database } from '../../src/store/database.ts';
import { numberOf, textOf } from '../../src/store/row.ts';
import { locationOf, onServer } from '../helpers/databases.ts';
import { testRuntime, useScratch } from '../store/scratch.ts';
import { hostileCall, mayChange, nameOf, perform, type HostileCall } from './hostile-calls.ts';
import { openMemory, type OpenMemory } from './open-memory.ts';
import { soundnessFaults } from './soundness.ts';

const SEED = Number(process.env['RELIABILITY_SEED'] ?? 20_261_121);
const NOW = 1_800_000_000_000;
const scratch = useScratch();

/** All that is stored, by name; a fingerprint each. */
async function fingerprints(db: Database): Promise<ReadonlyMap<string, string>> {
  const rows = await db.all(
    'SELECT id, namespace, key, version, hex(hash) AS hash, tags, kind, importance, agent, session, run, ' +
      'updated_at, expires_at, valid_from, valid_to, deleted_at FROM memory_entry',
  );
  return new Map(
    rows.map((row) => [nameOf({ namespace: textOf(row, 'namespace'), key: textOf(row, 'key') }), JSON.stringify(row)]),
  );
}

async function counts(db: Database): Promise<unknown> {
  return db.get(`SELECT (SELECT count(*) FROM memory_version) AS versions, (SELECT count(*) FROM memory_link) AS links,
    (SELECT max(seq) FROM chg) AS changes, (SELECT count(*) FROM sqlite_schema) AS objects`);
}

async function expectStored(memory: Memory, input: StoreInput, result: unknown): Promise<void> {
  const entry = await memory.get(input);
  expect(entry).toMatchObject({ namespace: input.namespace ?? 'default', key: input.key });
  expect(entry?.value).toStrictEqual(input.value);
  // What describes an entry stays as it was where nothing else is given.
  if (input.tags !== undefined) expect(entry?.tags).toEqual([...new Set(input.tags)]);
  if (input.kind !== undefined) expect(entry?.kind).toBe(input.kind);
  if (input.importance !== undefined) expect(entry?.importance).toBeCloseTo(input.importance, 12);
  expect(entry).toMatchObject({
    agent: input.agent ?? null,
    session: input.session ?? null,
    run: input.run ?? null,
    validFrom: input.validFrom === undefined ? null : input.validFrom + 0,
    validTo: input.validTo === undefined ? null : input.validTo + 0,
  });
  if (result !== undefined) expect(result).toMatchObject({ version: entry?.version, id: entry?.id });
}

/** Whether a key fits a glob, told without SQL. */
function fits(key: string, glob: string): boolean {
  const pattern = Array.from(glob, (char) =>
    char === '*' ? '.*' : char === '?' ? '.' : char.replaceAll(/[\\^$+()[\]{}|./-]/gu, '\\$&'),
  );
  return new RegExp(`^${pattern.join('')}$`, 'su').test(key);
}

function expectAnswer(input: SearchInput, { results, total, cursor, matchedBy }: SearchAnswer): void {
  expect(results.length).toBeLessThanOrEqual(input.limit ?? 10);
  expect(total).toBeGreaterThanOrEqual(results.length);
  expect(['words', 'substring', 'vectors']).toContain(matchedBy);
  expect(cursor === null || cursor.length > 0).toBe(true);
  expect(new Set(results.map(({ id }) => id)).size).toBe(results.length);
  for (const found of results) {
    expect(found.score).toBeGreaterThanOrEqual(Math.max(0, input.minScore ?? 0));
    expect(found.score).toBeLessThanOrEqual(1);
    expect(found.snippet.length).toBeLessThanOrEqual(300);
    if (input.namespaces !== undefined) expect(input.namespaces).toContain(found.namespace);
    for (const tag of input.tags ?? []) expect(found.tags).toContain(tag);
    if (input.kind !== undefined) expect(found.kind).toBe(input.kind);
    if (input.agent !== undefined) expect(found.agent).toBe(input.agent);
    if (input.session !== undefined) expect(found.session).toBe(input.session);
    if (input.keys !== undefined) expect(fits(found.key, input.keys), `${found.key} fits ${input.keys}`).toBe(true);
    if (input.since !== undefined) expect(found.updatedAt).toBeGreaterThanOrEqual(input.since);
    if (input.until !== undefined) expect(found.updatedAt).toBeLessThan(input.until);
  }
}

async function expectEffect(memory: Memory, call: HostileCall, result: unknown): Promise<void> {
  switch (call.do) {
    case 'store':
      return expectStored(memory, call.input, result);
    case 'storeMany': {
      expect(result).toHaveLength(call.inputs.length);
      const last = new Map(call.inputs.map((input) => [nameOf(input), input]));
      for (const input of last.values()) await expectStored(memory, input, undefined);
      return;
    }
    case 'get':
      if (result !== undefined) expect(result).toMatchObject({ key: call.name.key, namespace: call.name.namespace ?? 'default' });
      return;
    case 'delete':
    case 'purge':
      expect(await memory.get(call.name)).toBe(undefined);
      return;
    case 'undelete':
    case 'revert':
      expect(result).toMatchObject({ version: (await memory.get(call.name))?.version });
      return;
    case 'deleteNamespace':
      expect((await memory.list({ namespace: call.namespace })).total).toBe(0);
      return;
    case 'list': {
      const { entries } = await memory.list(call.input);
      expect(entries.length).toBeLessThanOrEqual(call.input.limit ?? 50);
      for (const { key, namespace } of entries) {
        expect(key.startsWith(call.input.prefix ?? '')).toBe(true);
        if (call.input.namespace !== undefined) expect(namespace).toBe(call.input.namespace);
      }
      return;
    }
    case 'search':
      expectAnswer(call.input, await memory.search(call.input));
      return;
    default:
      return;
  }
}

/** The only errors that a caller's own input may lead to. */
const CALLERS = ['invalid_input', 'not_found', 'conflict'];

function expectRefusal(error: unknown): void {
  if (!(error instanceof SkillflowError)) throw error;
  expect(CALLERS, error.message).toContain(error.code);
  if (error.code !== 'invalid_input') return;
  const parameter: unknown = error.details?.['parameter'];
  expect(typeof parameter, `${error.message} names the parameter`).toBe('string');
  expect(error.message).toContain(String(parameter).replace(/\[\d+\].*$/, ''));
  expect(error.hint).toBeDefined();
}

async function plant(memory: Memory): Promise<void> {
  for (const key of ["it's", '%', '*', '../..', 'DROP TABLE', '日本', 'plain']) {
    await memory.store({ namespace: 'bystander', key, value: `${key} session token auth` });
    await memory.store({ namespace: 'bystander', key, value: { session: key }, tags: ['a'] });
  }
  await memory.store({ key: 'auth', value: 'token of the session', tags: ['auth'], kind: 'fact', session: 'a' });
}

/** Does a call, and checks that it had exactly its effect, or none. */
async function tryCall({ memory, db }: OpenMemory, call: HostileCall): Promise<void> {
  const [before, countedBefore] = [await fingerprints(db), await counts(db)];
  let result: unknown;
  let refusal: { readonly error: unknown } | undefined;
  try {
    result = await perform(memory, call);
  } catch (error) {
    refusal = { error };
  }
  const after = await fingerprints(db);
  const changed = [...new Set([...before.keys(), ...after.keys()])].filter((name) => before.get(name) !== after.get(name));
  try {
    if (refusal === undefined) {
      const allowed = mayChange(call, [...before.keys()]);
      expect(
        changed.filter((name) => !allowed.includes(name)),
        'others are unaffected',
      ).toEqual([]);
      await expectEffect(memory, call, result);
    } else {
      expectRefusal(refusal.error);
      expect(changed, 'nothing changed').toEqual([]);
      expect(await counts(db)).toEqual(countedBefore);
    }
  } catch (error) {
    throw new Error(`${shown(call)}: ${shown(error instanceof Error ? (error.stack ?? error.message) : error)}`, {
      cause: error,
    });
  }
}

/** Short enough to be read, whatever was generated. */
function shown(value: unknown): string {
  const text = typeof value === 'string' ? value : inspect(value, { depth: 5, maxStringLength: 120, breakLength: Infinity });
  return text.length <= 1500 ? text : `${text.slice(0, 1000)} … ${text.slice(-500)}`;
}

describe(`hostile input (seed ${SEED})`, () => {
  test('each call has its exact effect, or names what is wrong and changes nothing', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(hostileCall(), { minLength: 1, maxLength: 14, size: 'max' }), async (calls) => {
        const path = await locationOf(join(await scratch.folder(), 'skillflow.db'));
        await using opened = await openMemory(path, testRuntime({ now: () => NOW }));
        const { memory, db } = opened;
        await plant(memory);
        for (const call of calls) await tryCall(opened, call);
        expect(numberOf((await db.get(`SELECT count(*) AS n FROM memory_entry WHERE namespace = 'bystander'`)) ?? {}, 'n')).toBe(
          7,
        );
        await db.close();
        expect(await soundnessFaults(path)).toEqual([]);
      }),
      {
        seed: SEED,
        numRuns: Number(process.env['RELIABILITY_RUNS'] ?? (onServer() ? 10 : 120)),
        endOnFailure: true,
        reporter: ({ failed, seed, counterexamplePath, errorInstance }) => {
          if (failed) throw new Error(`seed ${seed}, path ${counterexamplePath}: ${shown(String(errorInstance))}`);
        },
      },
    );
  });
});
