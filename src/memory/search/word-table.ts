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

/** Where the halves of a hash begin; {@link firstWith} and {@link secondWith} go on with each character. */
export const FIRST_START = 0x811c9dc5 | 0;
export const SECOND_START = 0x9e3779b9 | 0;

/** FNV-1a. */
export function firstWith(first: number, code: number): number {
  return Math.imul(first ^ code, 0x01000193);
}

/** Another multiplication, with a shift. */
export function secondWith(second: number, code: number): number {
  const product = Math.imul(second ^ code, 0x85ebca6b);
  return product ^ (product >>> 15);
}

const FIRST_SLOTS = 4096;

interface Slots {
  readonly first: Int32Array;
  readonly second: Int32Array;
  readonly values: Int32Array;
}

function slots(count: number): Slots {
  return { first: new Int32Array(count), second: new Int32Array(count), values: new Int32Array(count) };
}

/** The slot that holds a hash, or the empty one where it belongs; `second` is never 0 in a taken one. */
function slotOf({ first: firsts, second: seconds }: Slots, first: number, second: number): number {
  const mask = firsts.length - 1;
  let slot = (first ^ (first >>> 16) ^ (second >>> 7)) & mask;
  while (seconds[slot] !== 0 && (firsts[slot] !== first || seconds[slot] !== second)) slot = (slot + 1) & mask;
  return slot;
}

function put(into: Slots, first: number, second: number, value: number): void {
  const slot = slotOf(into, first, second);
  into.first[slot] = first;
  into.second[slot] = second;
  into.values[slot] = value;
}

export function createWordTable(): WordTable {
  let table = slots(FIRST_SLOTS);
  let size = 0;
  const grow = (): void => {
    const old = table;
    table = slots(2 * old.first.length);
    for (let slot = 0; slot < old.first.length; slot += 1) {
      const second = old.second[slot] ?? 0;
      if (second !== 0) put(table, old.first[slot] ?? 0, second, old.values[slot] ?? 0);
    }
  };
  return {
    find: (first, second) => {
      const slot = slotOf(table, first, second === 0 ? 1 : second);
      return table.second[slot] === 0 ? undefined : table.values[slot];
    },
    add: (first, second, value) => {
      if (2 * size >= table.first.length) grow();
      put(table, first, second === 0 ? 1 : second, value);
      size += 1;
    },
    get size() {
      return size;
    },
  };
}
