/**
 * Numbers by words, without keeping the words: what is compared is a hash of 64 bits, so two of 60,000 words are taken for
 * one with a chance of 1 in 10^10, and then an entry ranks as if it had the other word.
 */
export interface WordTable {
  /** The number of a word by the two halves of its hash; `undefined` when it is not there. */
  find(first: number, second: number): number | undefined;
  /** Adds one that is not there. */
  add(first: number, second: number, value: number): void;
  readonly size: number;
}

/** Where the halves of a hash begin; {@link hashOf} goes on with each character. */
export const FIRST_START = 0x811c9dc5 | 0;
export const SECOND_START = 0x9e3779b9 | 0;

/** FNV-1a. */
function firstWith(first: number, code: number): number {
  return Math.imul(first ^ code, 0x01000193);
}

/** Another multiplication, with a shift. */
function secondWith(second: number, code: number): number {
  const product = Math.imul(second ^ code, 0x85ebca6b);
  return product ^ (product >>> 15);
}

/** Both halves of the hash of a text. */
export function hashOf(text: string): readonly [first: number, second: number] {
  let first = FIRST_START;
  let second = SECOND_START;
  for (let index = 0; index < text.length; index += 1) {
    const code = text.charCodeAt(index);
    first = firstWith(first, code);
    second = secondWith(second, code);
  }
  return [first, second];
}

const FIRST_SLOTS = 4096;
/** Numbers of a slot, side by side since they are read together: the halves of the hash and the value. */
const FIELDS = 3;

/** Where the slot begins that holds a hash, or the empty one where it belongs; `second` is never 0 in a taken one. */
function placeOf(table: Int32Array, mask: number, first: number, second: number): number {
  let slot = (first ^ (first >>> 16) ^ (second >>> 7)) & mask;
  for (;;) {
    const place = slot * FIELDS;
    const its = table[place + 1];
    if (its === 0 || (its === second && table[place] === first)) return place;
    slot = (slot + 1) & mask;
  }
}

export function createWordTable(): WordTable {
  let count = FIRST_SLOTS;
  let table = new Int32Array(FIELDS * count);
  let size = 0;
  const put = (first: number, second: number, value: number): void => {
    const place = placeOf(table, count - 1, first, second);
    table[place] = first;
    table[place + 1] = second;
    table[place + 2] = value;
  };
  const grow = (): void => {
    const old = table;
    count *= 2;
    table = new Int32Array(FIELDS * count);
    for (let place = 0; place < old.length; place += FIELDS) {
      const second = old[place + 1] ?? 0;
      if (second !== 0) put(old[place] ?? 0, second, old[place + 2] ?? 0);
    }
  };
  return {
    find: (first, second) => {
      const place = placeOf(table, count - 1, first, second === 0 ? 1 : second);
      return table[place + 1] === 0 ? undefined : table[place + 2];
    },
    add: (first, second, value) => {
      if (2 * size >= count) grow();
      put(first, second === 0 ? 1 : second, value);
      size += 1;
    },
    get size() {
      return size;
    },
  };
}
