import { decode } from '@toon-format/toon';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { formatData, isDataFormat } from '../../src/tools/format-data.ts';

const bytes = (text: string): number => Buffer.byteLength(text);
/** What a reader who does not know which of the two it is makes of a text. */
function read(text: string, value: unknown): unknown {
  return text === JSON.stringify(value) ? JSON.parse(text) : decode(text);
}

describe('what tools answer', () => {
  const rows = Array.from({ length: 20 }, (_, at) => ({ key: `k${at}`, score: at / 10, text: `row ${at}, with a comma` }));
  const nested = { a: { b: { c: [{ d: [1, 'two', null] }, { e: { f: [] } }] } } };

  test('rows of one shape are shorter in TOON, nested data in JSON; auto takes the shorter', async () => {
    for (const value of [{ results: rows, total: 20 }, nested]) {
      const json = await formatData(value, 'json');
      const toon = await formatData(value, 'toon');
      expect(json).toBe(JSON.stringify(value));
      expect(decode(toon)).toEqual(value);
      const auto = await formatData(value, 'auto');
      expect(auto).toBe(bytes(toon) < bytes(json) ? toon : json);
    }
    expect(await formatData({ results: rows }, 'auto')).toMatch(/^results\[20\]\{key,score,text\}:/);
    expect(await formatData(nested, 'auto')).toBe(JSON.stringify(nested));
  });

  test.each([
    ['nothing', {}],
    ['an empty list', []],
    ['null', null],
    ['text that looks like something else', { a: 'true', b: '1', c: '-', d: '- x', e: 'a: b', f: '[1]: x', g: ' ', h: '' }],
    ['control characters', { a: 'x\u0000\u001B[31m\r\n\ty' }],
    ['keys of all kinds', { '': 1, 'a.b': 2, '1': 3, 'x y': 4, '"': 5, '\n': 6, é: 7 }],
    ['a prototype', JSON.parse('{"__proto__": {"polluted": true}, "constructor": 1}')],
    ['large and small numbers', { a: 1e21, b: 1e-7, c: 0.1, d: Number.MAX_SAFE_INTEGER, e: 5e-324 }],
    ['lists of lists', { a: [[1], [2, [3]], [], [[]], { b: [[]] }] }],
    ['rows that differ', [{ a: 1 }, { b: 2 }, { a: [1] }]],
  ])('%s: TOON reads back as the same', async (_what, value) => {
    for (const format of ['toon', 'auto'] as const) expect(read(await formatData(value, format), value)).toEqual(value);
  });

  test('what would not survive is JSON', async () => {
    expect(await formatData({ a: '\uD800' }, 'toon')).toBe('{"a":"\\ud800"}');
    expect(await formatData({}, 'toon')).toBe('{}');
    let deep: unknown = 1;
    for (let at = 0; at < 900; at += 1) deep = { deep };
    expect(await formatData(deep, 'auto')).toBe(JSON.stringify(deep));
  });

  test('any JSON comes back the same, never longer than JSON with auto', async () => {
    await fc.assert(
      fc.asyncProperty(fc.jsonValue({ maxDepth: 5 }), async (made) => {
        const value: unknown = JSON.parse(JSON.stringify(made)); // JSON has no -0
        const json = JSON.stringify(value);
        const toon = await formatData(value, 'toon');
        expect(JSON.stringify(read(toon, value))).toBe(json);
        const auto = await formatData(value, 'auto');
        expect(JSON.stringify(read(auto, value))).toBe(json);
        expect(bytes(auto)).toBeLessThanOrEqual(bytes(json));
      }),
      { seed: 20_261_121, numRuns: 500 },
    );
  });
});

test('the formats for data', () => {
  expect(['json', 'toon', 'auto', 'text', 'yaml', '', 7].map(isDataFormat)).toEqual([
    true,
    true,
    true,
    false,
    false,
    false,
    false,
  ]);
});
