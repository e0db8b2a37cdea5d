import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { globPattern } from '../../../src/agent/tools/list-files.ts';
import { linearPattern } from '../../../src/agent/tools/linear-pattern.ts';

/** Patterns of everything that is known, small enough for JavaScript's own engine to be the judge. */
const { pattern: patterns } = fc.letrec<{ pattern: string; atom: string }>((tie) => ({
  atom: fc.oneof(
    { depthSize: 'small' },
    fc.constantFrom('a', 'b', '.', '[ab]', '[^a]', '\\d', '\\w', '\\s', '\\b', '\\B', '^', '$', '\\.', 'A'),
    tie('pattern').map((inner) => `(${inner})`),
  ),
  pattern: fc
    .array(fc.tuple(tie('atom'), fc.constantFrom('', '', '', '*', '+', '?', '{2}', '{1,3}', '{1,}', '+?')), { maxLength: 4 })
    .map((parts) => parts.map(([atom, times]) => (/^(?:\^|\$|\\b|\\B)$/u.test(atom) ? atom : atom + times)).join(''))
    .chain((first) => fc.constantFrom(first, `${first}|b`)),
}));

test('matches what JavaScript matches', () => {
  fc.assert(
    fc.property(
      patterns.filter(({ length }) => length <= 30),
      fc.string({ unit: fc.constantFrom('a', 'b', 'A', '1', ' ', '.'), maxLength: 8 }),
      fc.boolean(),
      (source, text, small) => {
        expect(linearPattern(source, small)(text)).toBe(new RegExp(source, small ? 'is' : 's').test(text));
      },
    ),
    { numRuns: 3_000, seed: 11 },
  );
});

test('never backtracks', () => {
  expect(linearPattern('^(a+)+$', false)(`${'a'.repeat(2_000)}b`)).toBe(false);
});

test('globs stay within a folder unless they say otherwise', () => {
  expect(['a.ts', 'src/a.ts', 'a.tsx'].map(globPattern('*.ts'))).toEqual([true, false, false]);
  expect(['a.ts', 'src/x/a.ts'].map(globPattern('**/a.ts'))).toEqual([true, true]);
  expect(['a+b.ts', 'aab.ts'].map(globPattern('a+b.t?'))).toEqual([true, false]);
});
