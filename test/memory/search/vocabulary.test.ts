import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { plainWord, stemOf, wordsOf } from '../../../src/memory/search/stem.ts';
import { STOP_WORDS } from '../../../src/memory/search/stop-words.ts';
import { createVocabulary } from '../../../src/memory/search/vocabulary.ts';

const word = fc.oneof(
  fc.stringMatching(/^[A-Za-z0-9]{1,20}$/),
  fc.constantFrom('The', 'running', 'children', 'Straße', 'café', 'naïve', '東京', '12345', '123', 'I'),
);
const between = fc.constantFrom(' ', ', ', '.', '—', '’', '… ', '\n', '-', '_', '–“', '€', '😀', '\u00a0');
const text = fc.array(fc.tuple(word, between), { maxLength: 40 }).map((parts) => parts.flat().join(''));

test('a text is read as its words, each by the number of its stem', () => {
  fc.assert(
    fc.property(fc.array(text, { maxLength: 5 }), fc.boolean(), (texts, onlyTelling) => {
      const vocabulary = createVocabulary();
      for (const one of texts) {
        const expected = wordsOf(one)
          .filter((some) => !onlyTelling || !/^\d{5,}$/.test(some))
          .map((some) => (STOP_WORDS.has(some) ? null : stemOf(plainWord(some))));
        const count = vocabulary.read(one, onlyTelling);
        const read = [...vocabulary.numbers.subarray(0, count)].map((id) => (id < 0 ? null : vocabulary.stem(id)));
        expect(read).toEqual(expected);
      }
    }),
    { seed: 42 },
  );
});
