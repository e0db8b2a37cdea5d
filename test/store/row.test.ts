import { expect, test } from 'vitest';
import { DatabaseDamagedError, InternalError } from '../../src/errors.ts';
import { openEmptyDatabase } from '../../src/store/project-database.ts';
import {
  bytesOf,
  bytesOnly,
  numberColumns,
  numberOf,
  numberOnly,
  numberOrNull,
  textBytes,
  textColumns,
  textOf,
  textOrNull,
} from '../../src/store/row.ts';
import { testRuntime } from './scratch.ts';

const GARBLED = `CAST(x'41ff42' AS TEXT)`;
const columns = (what: string): string =>
  `${textBytes(what)} AS text, ${numberOnly(what)} AS number, ${bytesOnly(what)} AS bytes`;

test('what is there is handed out as it is', async () => {
  await using db = await openEmptyDatabase(testRuntime());
  const text = (await db.get(`SELECT ${columns(`'grün 🌱'`)}`)) ?? {};
  expect(textOf(text, 'text')).toBe('grün 🌱');
  for (const number of ['0', '-1', '0.1', '1e300', '9007199254740991']) {
    expect(numberOf((await db.get(`SELECT ${columns(number)}`)) ?? {}, 'number')).toBe(Number(number));
  }
  expect(bytesOf((await db.get(`SELECT ${columns(`x'00ff'`)}`)) ?? {}, 'bytes')).toEqual(new Uint8Array([0, 255]));
  const none = (await db.get(`SELECT ${columns('NULL')}`)) ?? {};
  expect([textOrNull(none, 'text'), numberOrNull(none, 'number'), none['bytes']]).toEqual([null, null, null]);
});

test('what damage has made of it is an error, not the end of the process', async () => {
  await using db = await openEmptyDatabase(testRuntime());
  const row = (await db.get(`SELECT ${columns(GARBLED)}`)) ?? {};
  expect(() => textOf(row, 'text')).toThrow(DatabaseDamagedError);
  expect(() => numberOf(row, 'number')).toThrow(DatabaseDamagedError);
  expect(() => numberOrNull(row, 'number')).toThrow(DatabaseDamagedError);
  expect(() => bytesOf(row, 'bytes')).toThrow(DatabaseDamagedError);
  const blob = (await db.get(`SELECT ${columns(`x'00ff'`)}`)) ?? {};
  expect(() => numberOf(blob, 'number')).toThrow(DatabaseDamagedError);
  const number = (await db.get(`SELECT ${columns('5')}`)) ?? {};
  expect(() => bytesOf(number, 'bytes')).toThrow(DatabaseDamagedError);
  expect(() => numberOf({ none: null }, 'none')).toThrow(DatabaseDamagedError);
});

test('a column that was not asked for is a defect of ours', () => {
  for (const read of [textOf, numberOf, textOrNull, numberOrNull, bytesOf]) expect(() => read({}, 'gone')).toThrow(InternalError);
});

test('columns keep their names', async () => {
  await using db = await openEmptyDatabase(testRuntime());
  const sql = `SELECT ${textColumns(['a', 'b'], 't.')}, ${numberColumns(['c'], 't.')} FROM (SELECT 'x' AS a, NULL AS b, 7 AS c) t`;
  const row = (await db.get(sql)) ?? {};
  expect([textOf(row, 'a'), textOrNull(row, 'b'), numberOf(row, 'c')]).toEqual(['x', null, 7]);
});
