import { describe, expect, test } from 'vitest';
import { fields, moreLine, table } from '../../src/tools/table.ts';

const STYLE = { color: false, width: 40 };

describe('table', () => {
  test('aligns by display width and cuts the last column', () => {
    const text = table(
      ['key', 'value'],
      [
        ['一二', 'x'.repeat(60)],
        ['abcdefgh', 'short'],
      ],
      STYLE,
    );
    expect(text).toBe(`KEY       VALUE\n一二      ${'x'.repeat(29)}…\nabcdefgh  short`);
  });

  test('makes control characters visible and adds no colour unless asked', () => {
    const hostile = table(['key'], [['\u001B[31mred\u0007\n\u202Eevil']], STYLE);
    expect(hostile).toBe(String.raw`KEY
\x1b[31mred\x07\n\u202eevil`);
    expect(table(['key'], [['a']], { color: true, width: 40 })).toBe('\u001B[1mKEY\u001B[22m\na');
  });

  test('without rows there is the head alone', () => {
    expect(table(['a', 'b'], [], STYLE)).toBe('A  B');
  });
});

test('fields leave out what is null', () => {
  expect(fields({ a: 1, long: null, name: 'x\ny' }, STYLE)).toBe(String.raw`a     1
name  x\ny`);
});

test('moreLine says how to read on', () => {
  expect(moreLine(2, 2, 0)).toBe('');
  expect(moreLine(2, 5, 2)).toBe('\n3–4 of 5; more with offset 4');
  expect(moreLine(0, 5, 9)).toBe('');
});
