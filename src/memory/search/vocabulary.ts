import { plainWord, stemOf, wordsOf } from './stem.ts';
import { STOP_WORDS } from './stop-words.ts';
import { createWordTable, FIRST_START, firstWith, SECOND_START, secondWith, type WordTable } from './word-table.ts';

/** Numbers for stems, so that a read entry is a small array. A number means the same for as long as the vocabulary lives. */
export interface Vocabulary {
  /** The number of a word's stem; -1 for a stop word. The word is in lower case. */
  of(word: string): number;
  /** The number of a stem, also when no word of it was seen yet. */
  ofStem(stem: string, word: string): number;
  stem(id: number): string;
  /** A word of that stem. */
  word(id: number): string;
  /**
   * Writes the numbers of a text's words into {@link Vocabulary.numbers}, from its beginning, -1 for stop words, and
   * returns how many words there are. Valid until the next call.
   * @param onlyTelling leave out numbers of five digits and more
   */
  read(text: string, onlyTelling?: boolean): number;
  readonly numbers: Int32Array;
  /** Stems known. */
  readonly size: number;
  /** Words seen. */
  readonly words: number;
}

const LONG_NUMBER = /^\d{5,}$/;
/** By ASCII character: in lower case when it is of a word, else 0. */
const LOWER = Uint8Array.from({ length: 128 }, (_, code) => {
  const character = String.fromCharCode(code);
  return /[a-z0-9]/i.test(character) ? character.toLowerCase().charCodeAt(0) : 0;
});
const NINE = 57;
/** Typographic punctuation: no letter, digit or mark is among it. */
const PUNCTUATION_FROM = 0x2000;
const PUNCTUATION_TO = 0x206f;
/** Words of the longest text that is read fit at first. */
const FIRST_NUMBERS = 8192;

/** The number of a word, made by `make` when it is new. */
function numberIn(table: WordTable, word: string, make: () => number): number {
  let first = FIRST_START;
  let second = SECOND_START;
  for (let index = 0; index < word.length; index += 1) {
    const code = word.charCodeAt(index);
    first = firstWith(first, code);
    second = secondWith(second, code);
  }
  const known = table.find(first, second);
  if (known !== undefined) return known;
  const made = make();
  table.add(first, second, made);
  return made;
}

export function createVocabulary(): Vocabulary {
  const byWord = createWordTable();
  const byStem = createWordTable();
  const stems: string[] = [];
  const words: string[] = [];
  let numbers = new Int32Array(FIRST_NUMBERS);
  const ofStem: Vocabulary['ofStem'] = (stem, word) =>
    numberIn(byStem, stem, () => {
      words.push(word);
      return stems.push(stem) - 1;
    });
  const of: Vocabulary['of'] = (word) =>
    numberIn(byWord, word, () => (STOP_WORDS.has(word) ? -1 : ofStem(stemOf(plainWord(word)), word)));
  /** The word at a place of a text in ASCII; copied, since a slice would keep the whole text. */
  const at = (text: string, start: number, end: number): number =>
    of(Buffer.from(text.slice(start, end).toLowerCase(), 'latin1').toString('latin1'));
  const readAny = (text: string, onlyTelling: boolean): number => {
    let count = 0;
    for (const word of wordsOf(text)) {
      if (!onlyTelling || !LONG_NUMBER.test(word)) numbers[count++] = of(Buffer.from(word).toString());
    }
    return count;
  };
  const read: Vocabulary['read'] = (text, onlyTelling = false) => {
    // A word and what follows it are two characters at least.
    if (text.length > 2 * numbers.length) numbers = new Int32Array(text.length);
    const found = numbers;
    let count = 0;
    let start = -1;
    let digits = true;
    let first = FIRST_START;
    let second = SECOND_START;
    for (let index = 0; index <= text.length; index += 1) {
      const code = index < text.length ? text.charCodeAt(index) : 0;
      if (code >= 128 && (code < PUNCTUATION_FROM || code > PUNCTUATION_TO)) return readAny(text, onlyTelling);
      const lower = code < 128 ? (LOWER[code] ?? 0) : 0;
      if (lower !== 0) {
        if (start < 0) start = index;
        if (lower > NINE) digits = false;
        first = firstWith(first, lower);
        second = secondWith(second, lower);
      } else if (start >= 0) {
        if (!onlyTelling || !digits || index - start < 5) {
          found[count] = byWord.find(first, second) ?? at(text, start, index);
          count += 1;
        }
        start = -1;
        digits = true;
        first = FIRST_START;
        second = SECOND_START;
      }
    }
    return count;
  };
  return {
    of,
    ofStem,
    stem: (id) => stems[id] ?? '',
    word: (id) => words[id] ?? '',
    read,
    get numbers() {
      return numbers;
    },
    get size() {
      return stems.length;
    },
    get words() {
      return byWord.size;
    },
  };
}
