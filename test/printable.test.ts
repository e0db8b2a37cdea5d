import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  described,
  displayWidth,
  printable,
  printableLines,
  printableProse,
  truncate,
  truncateStart,
  wrap,
} from '../src/printable.ts';

const anyText = fc.string({ unit: 'binary', maxLength: 80 });
const seed = 20_250_102;

describe('printable', () => {
  it.each([
    ['plain text', 'plain text'],
    ['', ''],
    ['a\nb\r\tc', String.raw`a\nb\r\tc`],
    ['\u001B[31mred\u0007', String.raw`\x1b[31mred\x07`],
    ['\u009B1m\u007F', String.raw`\x9b1m\x7f`],
    ['a\u202Eb\u2066\u200E', String.raw`a\u202eb\u2066\u200e`],
    ['a\u200Bb\uFEFF\u2028', String.raw`a\u200bb\ufeff\u2028`],
    ['a\u{E0041}', String.raw`a\u{e0041}`],
    ['a\uD800b', String.raw`a\ud800b`],
    ['a\u3164b', String.raw`a\u3164b`],
    ['a\u200Db', String.raw`a\u200db`],
    ['👩\u200D👧', '👩\u200D👧'],
    ['می\u200Cخواهم', 'می\u200Cخواهم'],
    [`e${'\u0301'.repeat(9)}`, `e${'\u0301'.repeat(8)}${String.raw`\u0301`}`],
    ['Grüße, 世界', 'Grüße, 世界'],
  ])('shows %j as %j', (text, shown) => {
    expect(printable(text)).toBe(shown);
  });

  it('leaves nothing that acts on a terminal, and changes nothing twice', () => {
    fc.assert(
      fc.property(anyText, (text) => {
        const shown = printable(text);
        expect(shown).not.toMatch(/[\p{Cc}\p{Cs}\p{Zl}\p{Zp}\u202A-\u202E\u2066-\u2069]/u);
        expect(printable(shown)).toBe(shown);
      }),
      { seed },
    );
  });

  it('collapses white space of prose and keeps lines as lines', () => {
    expect(printableProse('  one\n\n two\t\u0007 ')).toBe(String.raw`one two \x07`);
    expect(printableLines('a\r\n\tb\u001B\n\nc\n')).toEqual(['a', String.raw`  b\x1b`, '', 'c']);
    expect(printableLines('')).toEqual(['']);
  });
});

describe('displayWidth', () => {
  it.each([
    ['', 0],
    ['abc', 3],
    ['漢字', 4],
    ['ｱ', 1],
    ['Ａ', 2],
    ['e\u0301', 1],
    ['한', 2],
    ['\u1112\u1161\u11AB', 2],
    ['👩‍👩‍👧‍👦', 2],
    ['🇩🇪', 2],
    ['1️⃣', 2],
    ['❤️', 2],
    ['❤', 1],
    ['…', 1],
  ])('%j takes %i columns', (text, width) => {
    expect(displayWidth(text)).toBe(width);
  });
});

describe('long texts', () => {
  it('measures across the pieces in which it reads', () => {
    expect(displayWidth('👩‍👩‍👧‍👦'.repeat(500))).toBe(1000);
    expect(displayWidth(`x${'🇩🇪'.repeat(500)}`)).toBe(1001);
    expect(displayWidth(`${'x'.repeat(255)}${'漢😀'.repeat(300)}`)).toBe(1455);
  });

  it('cuts a megabyte without delay', () => {
    const started = performance.now();
    expect(truncate('é'.repeat(1_000_000), 10)).toBe(`${'é'.repeat(9)}…`);
    expect(wrap('é'.repeat(20_000), 80)).toHaveLength(250);
    expect(performance.now() - started).toBeLessThan(5_000);
  });
});

describe('cutting', () => {
  it('cuts between graphemes and says so', () => {
    expect(truncate('abcdef', 6)).toBe('abcdef');
    expect(truncate('abcdef', 4)).toBe('abc…');
    expect(truncate('漢字漢字', 4)).toBe('漢…');
    expect(truncate('x👩‍👧y', 3)).toBe('x…');
    expect(truncate('ab', 1)).toBe('…');
    expect(truncateStart('src/deep/file.ts', 10)).toBe('…p/file.ts');
    expect(truncateStart('漢字漢字', 4)).toBe('…字');
    expect(truncateStart('short', 10)).toBe('short');
  });

  it.each([
    ['urgent', '"urgent"'],
    ['1,000', '"1,000"'],
    ['1e999', '"1e999"'],
    ['4111111111111111', 'text 411…(16 characters)'],
    ['hunter2', 'text h…(7 characters)'],
    ['sk-live-0123456789abcdef', 'text sk-l…(24 characters)'],
    ['\u202eabcdefghi\n', String.raw`text \u202ea…(11 characters)`],
    ['', 'empty text'],
    [60, '60'],
    [4_111_111_111_111_111, 'a long number'],
    [null, 'null'],
    [undefined, 'nothing'],
    [false, 'false'],
    [['secret'], 'a list of 1'],
    [{ password: 'secret', b: 1 }, 'an object of 2'],
    [() => 'secret', 'a function'],
  ])('describes %j without showing it', (value, expected) => {
    expect(described(value)).toBe(expected);
  });

  it('wraps at spaces and breaks words that are too long', () => {
    expect(wrap('one two three', 8)).toEqual(['one two', 'three']);
    expect(wrap('abcdefghij k', 4)).toEqual(['abcd', 'efgh', 'ij k']);
    expect(wrap('漢字漢字', 5)).toEqual(['漢字', '漢字']);
    expect(wrap('', 10)).toEqual(['']);
  });

  it('never exceeds the width, and wrapping loses nothing but spaces', () => {
    fc.assert(
      fc.property(anyText, fc.integer({ min: 2, max: 40 }), (text, width) => {
        const shown = printable(text);
        for (const cut of [truncate(shown, width), truncateStart(shown, width), ...wrap(shown, width)]) {
          expect(displayWidth(cut)).toBeLessThanOrEqual(width);
        }
        expect(wrap(shown, width).join('').replaceAll(' ', '')).toBe(shown.replaceAll(' ', ''));
      }),
      { seed, numRuns: 300 },
    );
  });
});
