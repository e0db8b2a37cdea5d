import { plainWord, stemOf, wordsOf } from './stem.ts';
import { STOP_WORDS } from './stop-words.ts';
import { createWordTable, FIRST_START, hashOf, SECOND_START } from './word-table.ts';

/** Numbers for stems, so that a read entry is a small array. A number means the same for as long as the vocabulary lives. */
export interface Vocabulary {
  /** The number of a word's stem; -1 for a stop word. The word is in lower case. */
  of(word: string): number;
  /** The number of a stem, also when no word of it was seen yet. */
  ofStem(stem: string, word: string): number;
  stem(id: number): string;
  /** {@link beginningOf} its stem. */
  beginning(id: number): number;
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
const LONG_DIGITS = 5;
/** By byte: an ASCII letter or digit in lower case; else 0. */
const LOWER = Uint8Array.from({ length: 256 }, (_, code) => {
  const character = String.fromCharCode(code);
  return /[a-z0-9]/i.test(character) ? character.toLowerCase().charCodeAt(0) : 0;
});
const NINE = 57;
/** Typographic punctuation, U+2000 to U+206F, begins with these bytes: no letter, digit or mark is among it. */
const PUNCTUATION = 0xe2;
const PUNCTUATION_NEXT = 0x80;
const PUNCTUATION_LAST = 0x81;
const PUNCTUATION_LAST_TO = 0xaf;
/** Words of most texts fit at first. */
const FIRST_NUMBERS = 2048;
/** A string that is cut out of another is a copy below this length (V8), and keeps the whole other one alive above. */
const COPIED_CHARACTERS = 13;

const UTF8 = new TextEncoder();

/** A string that keeps no larger one alive. */
function copied(ascii: string): string {
  return ascii.length < COPIED_CHARACTERS ? ascii : Buffer.from(ascii, 'latin1').toString('latin1');
}

/** The first two characters as a number: what differs in it differs, and it is at hand sooner than the text. */
export function beginningOf(text: string): number {
  return ((text.charCodeAt(0) || 0) << 14) ^ (text.charCodeAt(1) || 0);
}

export function createVocabulary(): Vocabulary {
  const byWord = createWordTable();
  const byStem = createWordTable();
  const stems: string[] = [];
  const beginnings: number[] = [];
  const words: string[] = [];
  let numbers = new Int32Array(FIRST_NUMBERS);
  let bytes = new Uint8Array(3 * FIRST_NUMBERS);
  const ofStem: Vocabulary['ofStem'] = (stem, word) => {
    const [first, second] = hashOf(stem);
    const known = byStem.find(first, second);
    if (known !== undefined) return known;
    const number = stems.length;
    stems.push(stem);
    beginnings.push(beginningOf(stem));
    words.push(word);
    byStem.add(first, second, number);
    return number;
  };
  /** Takes in a word that is new. */
  const add = (word: string, first: number, second: number): number => {
    const number = STOP_WORDS.has(word) ? -1 : ofStem(stemOf(plainWord(word)), word);
    byWord.add(first, second, number);
    return number;
  };
  const of: Vocabulary['of'] = (word) => {
    const [first, second] = hashOf(word);
    return byWord.find(first, second) ?? add(word, first, second);
  };
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
    if (3 * text.length > bytes.length) bytes = new Uint8Array(3 * text.length);
    const length = UTF8.encodeInto(text, bytes).written;
    const [found, from] = [numbers, bytes];
    let count = 0;
    let start = -1;
    let digits = true;
    let first = FIRST_START;
    let second = SECOND_START;
    /** How many bytes more there are than characters. */
    let more = 0;
    for (let index = 0; index <= length; index += 1) {
      const byte = index < length ? (from[index] ?? 0) : 0;
      const lower = LOWER[byte] ?? 0;
      if (lower !== 0) {
        if (start < 0) start = index;
        if (lower > NINE) digits = false;
        // As `hashOf` does; calls are slow before they are compiled.
        first = Math.imul(first ^ lower, 0x01000193);
        const product = Math.imul(second ^ lower, 0x85ebca6b);
        second = product ^ (product >>> 15);
        continue;
      }
      if (start >= 0) {
        if (!onlyTelling || !digits || index - start < LONG_DIGITS) {
          found[count] =
            byWord.find(first, second) ?? add(copied(text.slice(start - more, index - more).toLowerCase()), first, second);
          count += 1;
        }
        start = -1;
        digits = true;
        first = FIRST_START;
        second = SECOND_START;
      }
      if (byte < 128) continue;
      const [next, last] = [from[index + 1] ?? 0, from[index + 2] ?? 0];
      const isPunctuation =
        byte === PUNCTUATION && (next === PUNCTUATION_NEXT || (next === PUNCTUATION_LAST && last <= PUNCTUATION_LAST_TO));
      if (!isPunctuation) return readAny(text, onlyTelling);
      index += 2;
      more += 2;
    }
    return count;
  };
  return {
    of,
    ofStem,
    stem: (id) => stems[id] ?? '',
    beginning: (id) => beginnings[id] ?? -1,
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
