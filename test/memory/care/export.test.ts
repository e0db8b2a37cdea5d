import { copyFileSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { beforeEach, describe, expect, test } from 'vitest';
import { ConflictError, InvalidInputError, SkillflowError } from '../../../src/errors.ts';
import { createMemory } from '../../../src/memory/memory.ts';
import type { JsonValue } from '../../../src/memory/value.ts';
import { openEmptyDatabase } from '../../../src/store/project-database.ts';
import { createCare } from '../../../src/memory/care/create-care.ts';
import { onServer } from '../../helpers/databases.ts';
import { testRuntime, useScratch } from '../../store/scratch.ts';
import { everything, faults, filesBelow, link, noReport, NOW, openPlace, put, say, type Place } from './place.ts';

const scratch = useScratch();
let place: Place;
let other: Place;

beforeEach(async () => {
  place = await openPlace(scratch);
  other = await openPlace(scratch);
});

/** Exports here, imports there. */
async function carry(namespace?: string): Promise<ReturnType<Place['care']['import']>> {
  await place.care.export('e.jsonl', { namespace, overwrite: true });
  writeFileSync(join(other.root, 'e.jsonl'), readFileSync(join(place.root, 'e.jsonl')));
  return other.care.import('e.jsonl');
}

describe('an export brings back', () => {
  test('everything: versions, links, deletions, provenance, validity, times', async () => {
    const a = await say(place, 'a', 'one', { at: NOW - 9000, tags: ['x', 'ü'], agent: 'reviewer', importance: 0.1 + 0.2 });
    await say(place, 'a', { two: 2 }, { at: NOW - 8000, kind: 'fact', validFrom: -5, validTo: NOW });
    await say(place, 'a', 'three', { at: NOW - 7000, expiresAt: NOW + 1000 });
    const b = await say(place, '日本', '値', { namespace: 'ns' });
    await say(place, 'gone', 'deleted');
    await say(place, 'expired', 'x', { expiresAt: NOW });
    await place.db.run('UPDATE memory_entry SET deleted_at = ? WHERE key = ?', [NOW - 10, 'gone']);
    await place.db.run(`UPDATE memory_entry SET session = 's', run = 'r' WHERE key = 'a'`);
    await link(place, b, a, 'supersedes', 'because\n"so"');
    await link(place, a, b, 'about');
    expect(await carry()).toEqual(noReport({ added: 3, deleted: 1, versions: 2, links: 2 }));
    await place.db.run(`DELETE FROM memory_entry WHERE key = 'expired'`);
    expect(await everything(other.db)).toEqual(await everything(place.db));
    expect(await faults(other.db)).toEqual([]);
    expect(await other.care.import('e.jsonl')).toEqual(noReport({ unchanged: 3, deleted: 1 }));
    expect(await everything(other.db)).toEqual(await everything(place.db));
  });

  test.each<[string, JsonValue]>([
    ['a whole MiB', 'x'.repeat(1024 * 1024)],
    ['a MiB of control characters', '\u0001'.repeat(1024 * 1024)],
    ['NUL and lone surrogates', 'a\0b\ud800c'],
    ['JSON with them', { 'k\0': ['\udc00', -0, 1e308, 5e-324, null, true] }],
    ['text like JSON', '{"a": 1}'],
    ['line ends', 'a\r\nb\u2028c\u0085'],
    ['names of prototypes', JSON.parse('{"__proto__": {"constructor": 1}}')],
    ['1,000 levels', JSON.parse(`${'['.repeat(999)}${']'.repeat(999)}`)],
    ['empty text', ''],
  ])('%s', async (_, value) => {
    await say(place, 'k', 'before');
    await say(place, 'k', value);
    await carry();
    expect(await everything(other.db)).toEqual(await everything(place.db));
  });

  test('any memory', async () => {
    const text = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 8 }).filter((name) => !/[\0\p{Surrogate}]/u.test(name));
    const entry = fc.record({
      namespace: text,
      key: text,
      value: fc.jsonValue({ maxDepth: 3 }),
      at: fc.nat(),
      tags: fc.uniqueArray(text, { maxLength: 3 }),
      importance: fc.double({ min: 0, max: 1, noNaN: true }),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(entry, { maxLength: 12 }), async (entries) => {
        for (const { db } of [place, other]) await db.run('DELETE FROM memory_entry');
        await place.db.write(async (queries) => {
          for (const { namespace, key, value, ...said } of entries) {
            await put(queries, namespace, key, { ...said, value: JSON.parse(JSON.stringify(value)) });
          }
        });
        await carry();
        expect(await everything(other.db)).toEqual(await everything(place.db));
      }),
      { seed: 3, numRuns: onServer() ? 8 : 40 },
    );
    expect(await faults(other.db)).toEqual([]);
  });

  test('one namespace alone, on either side', async () => {
    const a = await say(place, 'a', 'v', { namespace: 'one' });
    const b = await say(place, 'b', 'v', { namespace: 'one' });
    const c = await say(place, 'c', 'v', { namespace: 'two' });
    await link(place, a, b, 'in');
    await link(place, a, c, 'out');
    expect(await carry('one')).toEqual(noReport({ added: 2, links: 1 }));
    const third = await openPlace(scratch);
    await place.care.export('all.jsonl');
    writeFileSync(join(third.root, 'all.jsonl'), readFileSync(join(place.root, 'all.jsonl')));
    expect(await third.care.import('all.jsonl', { namespace: 'one' })).toEqual(noReport({ added: 2, links: 1 }));
  });
});

describe('an export can always be imported', () => {
  test('with the longest reason of a link', async () => {
    for (const key of ['a', 'b']) await say(place, key, key);
    const memory = createMemory({ open: async () => place.db, runtime: testRuntime({ now: () => NOW }) });
    await memory.link({ key: 'a' }, { key: 'b' }, 'about', 'because '.repeat(512));
    expect(await carry()).toEqual(noReport({ added: 2, links: 1 }));
    expect(await everything(other.db)).toEqual(await everything(place.db));
  });

  test('with what was superseded before it began to hold, which never holds', async () => {
    const memory = createMemory({ open: async () => place.db, runtime: testRuntime({ now: () => NOW }) });
    await memory.store({ key: 'a', value: 1, validFrom: NOW });
    await memory.store({ key: 'b', value: 2, validFrom: NOW + 1000 });
    await memory.store({ key: 'c', value: 3 });
    for (const key of ['a', 'b']) await memory.supersede({ key }, { key: 'c' });
    expect((await everything(place.db)).entries).toMatchObject([{ valid_to: NOW }, { valid_to: NOW }, { valid_to: null }]);
    expect(await carry()).toMatchObject({ added: 3, links: 2 });
    expect(await everything(other.db)).toEqual(await everything(place.db));
  });

  test('and what has a time that is none is left out, and named', async () => {
    for (const key of ['a', 'b', 'c']) await say(place, key, key);
    await place.db.run(`UPDATE memory_entry SET updated_at = 1152921504606846976 WHERE key = 'a'`);
    await place.db.run(`UPDATE memory_entry SET created_at = -5 WHERE key = 'b'`);
    expect(await place.care.export('e.jsonl')).toMatchObject({ entries: 1, leftOut: 2, damaged: [{ key: 'a' }, { key: 'b' }] });
    copyFileSync(join(place.root, 'e.jsonl'), join(other.root, 'e.jsonl'));
    expect(await other.care.import('e.jsonl')).toEqual(noReport({ added: 1 }));
  });
});

test('a link by which an entry would supersede itself through others is left out', async () => {
  const entry = (key: string): object => ({ type: 'entry', namespace: 'n', key, value: key, updatedAt: 1 });
  const supersedes = (from: string, to: string): object => ({
    type: 'link',
    from: { namespace: 'n', key: from },
    to: { namespace: 'n', key: to },
    kind: 'supersedes',
    createdAt: 1,
  });
  const write = (...links: readonly object[]): void => {
    const lines = [
      { type: 'skillflow-memory', format: 1 },
      ...['a', 'b', 'c'].map(entry),
      ...links,
      { type: 'end', entries: 3, versions: 0, links: links.length },
    ];
    writeFileSync(join(place.root, 'e.jsonl'), lines.map((line) => JSON.stringify(line)).join('\n'));
  };
  write(supersedes('a', 'b'), supersedes('b', 'c'), supersedes('c', 'a'));
  expect(await place.care.import('e.jsonl')).toEqual(noReport({ added: 3, links: 2, linksLeftOut: 1 }));
  const before = await everything(place.db);
  expect(before.links).toMatchObject([
    { fk: 'a', tk: 'b' },
    { fk: 'b', tk: 'c' },
  ]);
  write(supersedes('c', 'a'), supersedes('a', 'c'));
  expect(await place.care.import('e.jsonl')).toEqual(noReport({ unchanged: 3, links: 1, linksLeftOut: 1 }));
  expect((await everything(place.db)).links).toHaveLength(3);
});

describe('the file', () => {
  test('is a new one, or replaces an older export when told to, and nothing else', async () => {
    await say(place, 'a', 'v');
    const first = await place.care.export('e.jsonl');
    expect(first).toEqual({
      path: join(place.root, 'e.jsonl'),
      entries: 1,
      versions: 0,
      links: 0,
      bytes: readFileSync(first.path).length,
      leftOut: 0,
      damaged: [],
    });
    await say(place, 'b', 'v');
    await expect(place.care.export('e.jsonl')).rejects.toMatchObject({
      code: 'invalid_input',
      hint: expect.stringMatching(/overwrite/),
    });
    expect(readFileSync(first.path)).toHaveLength(first.bytes);
    expect((await place.care.export('e.jsonl', { overwrite: true })).entries).toBe(2);
    writeFileSync(join(place.root, 'mine.ts'), 'code');
    for (const overwrite of [false, true])
      await expect(place.care.export('mine.ts', { overwrite })).rejects.toThrow(InvalidInputError);
    await expect(place.care.export('.skillflow/skillflow.db')).rejects.toThrow(ConflictError);
    expect(readFileSync(join(place.root, 'mine.ts'), 'utf8')).toBe('code');
    expect(filesBelow(place.root)).toEqual(['e.jsonl', 'mine.ts']);
  });

  test('of an empty memory has two lines', async () => {
    const db = await openEmptyDatabase(testRuntime());
    scratch.onCleanUp(() => db.close());
    const root = await scratch.folder();
    const care = createCare({
      open: async () => db,
      runtime: testRuntime(),
      projectRoot: root,
      databasePath: join(root, 'x.db'),
    });
    expect(await care.export('e.jsonl')).toMatchObject({ entries: 0 });
    expect(readFileSync(join(root, 'e.jsonl'), 'utf8').split('\n')).toHaveLength(3);
  });

  test('has all but what cannot be read, which is named', async () => {
    const [a, b] = [await say(place, 'a', { fine: true }), await say(place, 'b', 'one')];
    await say(place, 'b', 'two');
    await say(place, 'c', 'three', { tags: ['t'] });
    await link(place, a, b, 'about');
    await place.db.run(`UPDATE memory_entry SET value = '{"broken' WHERE key = 'a'`);
    await place.db.run(`UPDATE memory_entry SET tags = '["t' WHERE key = 'c'`);
    await place.db.run(`UPDATE memory_version SET tags = '{}', value = '{"', format = 'json'`);
    const said = { entries: 2, versions: 0, leftOut: 2, damaged: [{ key: 'a' }, { key: 'b', version: 1 }, { key: 'c' }] };
    expect(await place.care.export('e.jsonl')).toMatchObject(said);
    copyFileSync(join(place.root, 'e.jsonl'), join(other.root, 'e.jsonl'));
    expect(await other.care.import('e.jsonl')).toEqual(noReport({ added: 2 }));
    expect((await everything(other.db)).entries).toMatchObject([{ key: 'b' }, { key: 'c', tags: '["skillflow-damaged"]' }]);
  });

  test('may hold an entry twice: the newest wins, the other is its earlier version', async () => {
    await say(place, 'k', 'old', { at: 10 });
    await place.care.export('e.jsonl');
    const [head, entry = '', end = ''] = readFileSync(join(place.root, 'e.jsonl'), 'utf8').split('\n');
    const newer = entry.replace('"old"', '"new"').replace('"updatedAt":10', '"updatedAt":20');
    writeFileSync(
      join(other.root, 'e.jsonl'),
      [head, newer, entry, newer, end.replace('"entries":1', '"entries":3'), ''].join('\n'),
    );
    expect(await other.care.import('e.jsonl')).toMatchObject({ added: 1, kept: 1, unchanged: 1 });
    const { entries, versions } = await everything(other.db);
    expect(entries).toMatchObject([{ value: 'new', version: 2 }]);
    expect(versions).toMatchObject([{ value: 'old', version: 1 }]);
  });
});

// The file is read before anything is written; care/remote.test.ts has such a line on a server.
describe.skipIf(onServer())('a wrong line is named, and nothing changes', () => {
  const HEAD = '{"type":"skillflow-memory","format":1}';
  const ENTRY = { type: 'entry', namespace: 'n', key: 'k', updatedAt: 1, value: 1 };
  const END = '{"type":"end","entries":2,"versions":0,"links":0}';
  const line = (parts: object): string => JSON.stringify({ ...ENTRY, key: 'other', ...parts });
  const good = JSON.stringify(ENTRY);
  const ENDS = { from: { namespace: 'n', key: 'k' }, to: { namespace: 'n', key: 'l' } };
  const linkLine = (parts: object): string => JSON.stringify({ type: 'link', ...ENDS, kind: 'a', createdAt: 1, ...parts });

  async function refusal(content: string | Uint8Array): Promise<{ message: string; details: unknown }> {
    writeFileSync(join(place.root, 'e.jsonl'), content);
    const error: unknown = await place.care.import('e.jsonl').catch((thrown: unknown) => thrown);
    if (!(error instanceof InvalidInputError)) throw new Error(`expected InvalidInputError, got ${String(error)}`);
    expect(error.hint).toMatch(/\w/);
    expect((await everything(place.db)).entries).toEqual([]);
    return { message: error.message, details: error.details };
  }

  test.each<[string, string, RegExp, string | undefined]>([
    ['no JSON', '{"type":', /^line 3: it is no JSON/, ''],
    ['no object', '[1]', /^line 3: it is no JSON object/, ''],
    ['no type', '{}', /^line 3: type /, 'type'],
    ['another type', '{"type":"x"}', /^line 3: type /, 'type'],
    ['no key', JSON.stringify({ ...ENTRY, key: undefined }), /^line 3: key /, 'key'],
    ['empty key', line({ key: '' }), /^line 3: key is empty/, 'key'],
    ['long key', line({ key: 'x'.repeat(513) }), /^line 3: key has/, 'key'],
    ['NUL in a key', line({ key: 'a\0' }), /^line 3: key has a NUL/, 'key'],
    ['lone surrogate in an agent', line({ agent: '\ud800' }), /^line 3: agent has/, 'agent'],
    ['number as key', line({ key: 1 }), /^line 3: key /, 'key'],
    ['no value', JSON.stringify({ ...ENTRY, key: 'o', value: undefined }), /^line 3: value is missing/, 'value'],
    ['large value', line({ value: 'x'.repeat(1024 * 1024 + 1) }), /^line 3: value has/, 'value'],
    ['deep value', `${line({}).slice(0, -2)}${'['.repeat(100_000)}${']'.repeat(100_000)}}`, /^line 3: value .*levels/, 'value'],
    ['text as time', line({ updatedAt: '1' }), /^line 3: updatedAt /, 'updatedAt'],
    ['negative time', line({ updatedAt: -1 }), /^line 3: updatedAt /, 'updatedAt'],
    ['fraction as version', line({ version: 1.5 }), /^line 3: version /, 'version'],
    ['huge version', line({ version: 1e300 }), /^line 3: version /, 'version'],
    ['version that none can follow', line({ version: Number.MAX_SAFE_INTEGER }), /^line 3: version /, 'version'],
    ...['updatedAt', 'createdAt', 'deletedAt', 'expiresAt', 'validFrom', 'validTo'].map(
      (field): [string, string, RegExp, string] => [
        `${field} that no calendar has`,
        line({ [field]: 8.64e15 + 1 }),
        new RegExp(`^line 3: ${field} is wrong`),
        field,
      ],
    ),
    ['validFrom before all calendars', line({ validFrom: -9e15 }), /^line 3: validFrom is wrong/, 'validFrom'],
    ['two words as kind', line({ kind: 'two words' }), /^line 3: kind is .*not one word/, 'kind'],
    ['empty agent', line({ agent: '' }), /^line 3: agent is empty/, 'agent'],
    ['link to itself', linkLine({ to: ENDS.from }), /^line 3: an entry cannot be linked to itself/, 'to'],
    ['two words as kind of link', linkLine({ kind: 'two words' }), /^line 3: kind is .*not one word/, 'kind'],
    ['long reason', linkLine({ reason: 'x'.repeat(4097) }), /^line 3: reason has/, 'reason'],
    ['link without a time', linkLine({ createdAt: 9e15 }), /^line 3: createdAt is wrong/, 'createdAt'],
    ['importance', line({ importance: 2 }), /^line 3: importance /, 'importance'],
    ['tags', line({ tags: 'a' }), /^line 3: tags /, 'tags'],
    ['a tag', line({ tags: ['a', 5] }), /^line 3: tags.1 /, 'tags.1'],
    ['many tags', line({ tags: Array.from({ length: 65 }, (_, n) => `t${n}`) }), /^line 3: tags has 65/, 'tags'],
    ['unknown field', line({ more: 1 }), /^line 3: more is no field/, 'more'],
    ['__proto__', line({}).replace('{', '{"__proto__":{"key":"x"},'), /^line 3: __proto__ /, '__proto__'],
    ['version of another', line({ type: 'version' }), /^line 3: a version of another entry/, undefined],
    ['version out of order', line({ type: 'version', key: 'k' }), /^line 3: version 1 is out of order/, undefined],
    ['link without end', '{"type":"link","from":{"namespace":"n","key":"k"},"kind":"a","createdAt":1}', /^line 3: to /, 'to'],
    ['second head', HEAD, /^line 3: an export begins a second time/, undefined],
    [
      'more than 16 MiB',
      `${line({}).slice(0, -1)},"x":"${'x'.repeat(16 * 1024 * 1024)}"}`,
      /^line 3: it has more than/,
      undefined,
    ],
  ])('%s', async (_, wrong, message, field) => {
    const refused = await refusal([HEAD, good, wrong, END, ''].join('\n'));
    expect(refused.message).toMatch(message);
    expect(refused.message.length).toBeLessThan(300);
    expect(refused.details).toMatchObject(field === undefined ? { line: 3 } : { line: 3, field });
  });

  test.each<[string, string | Uint8Array, RegExp]>([
    ['an empty file', '', /^line 1: the end line is missing/],
    ['no head', `${good}\n`, /^line 1: no export begins here/],
    ['a later format', '{"type":"skillflow-memory","format":2}\n', /^line 1: format /],
    ['cut off after a line', `${HEAD}\n${good}\n`, /^line 3: the end line is missing/],
    ['a line missing', `${HEAD}\n${good}\n${END}\n`, /^line 3: the file has 1 entries/],
    ['something after the end', `${HEAD}\n${END.replace('2', '0')}\n${good}\n`, /^line 3: it comes after the end/],
    [
      'an entry after links',
      [
        HEAD,
        '{"type":"link","from":{"namespace":"n","key":"k"},"to":{"namespace":"n","key":"l"},"kind":"a","createdAt":1}',
        good,
      ].join('\n'),
      /^line 3: an entry after the links/,
    ],
    [
      'no UTF-8',
      Buffer.concat([Buffer.from(`${HEAD}\n`), Buffer.from([0x22, 0xff, 0xfe, 0x22, 10])]),
      /^line 2: it is not UTF-8/,
    ],
    ['a database', Buffer.from(`SQLite format 3\0${'x'.repeat(84)}\n`), /^line 1: the file is a database, no export/],
    ['an encrypted database', Buffer.alloc(4096, 0xee), /^line 1: it is not UTF-8/],
  ])('%s', async (_, content, message) => {
    expect((await refusal(content)).message).toMatch(message);
  });

  test('blank lines, CRLF and a missing last line end are fine', async () => {
    writeFileSync(join(place.root, 'e.jsonl'), `${HEAD}\r\n\r\n${good}\r\n  \n${END.replace('2', '1')}`);
    expect(await place.care.import('e.jsonl')).toMatchObject({ added: 1 });
  });

  test('any change of a good file brings in all or nothing, and crashes never', async () => {
    for (let n = 0; n < 20; n += 1) await say(place, `k${n}`, { n, text: 'some words' });
    await place.care.export('e.jsonl');
    const whole = readFileSync(join(place.root, 'e.jsonl'));
    await fc.assert(
      fc.asyncProperty(fc.nat(whole.length - 1), fc.nat(255), fc.nat(whole.length), async (at, byte, length) => {
        const bytes = Buffer.from(whole.subarray(0, Math.max(at + 1, length)));
        bytes[at] = byte;
        writeFileSync(join(other.root, 'e.jsonl'), bytes);
        await other.db.run('DELETE FROM memory_entry');
        const outcome: unknown = await other.care.import('e.jsonl').catch((error: unknown) => error);
        const { entries } = await everything(other.db);
        const said = outcome instanceof SkillflowError ? outcome.code : 'brought in';
        expect([`invalid_input 0`, 'brought in 20', 'brought in 19']).toContain(`${said} ${entries.length}`);
      }),
      { seed: 4, numRuns: 150 },
    );
    expect(existsSync(join(other.root, 'e.jsonl'))).toBe(true);
    expect(await faults(other.db)).toEqual([]);
  });
});
