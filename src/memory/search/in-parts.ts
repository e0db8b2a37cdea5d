/** Bytes of text that one statement reads: a server refuses answers of 10 MB, and JSON makes up to six of one. */
const MOST_BYTES = 1_500_000;

/** Something of a known size. */
export interface Sized {
  readonly id: number;
  /** Bytes of its texts as they are stored. */
  readonly bytes: number;
}

/** The same in the same order, in parts that one statement can read; none is empty. */
export function inParts<T extends Sized>(all: readonly T[]): readonly (readonly T[])[] {
  const parts: T[][] = [];
  let room = 0;
  for (const one of all) {
    const last = parts.at(-1);
    if (last === undefined || one.bytes > room) {
      parts.push([one]);
      room = MOST_BYTES - one.bytes;
    } else {
      last.push(one);
      room -= one.bytes;
    }
  }
  return parts;
}

/** The bytes of an entry's texts, for {@link Sized}; of `memory_entry m`. */
export const BYTES = '(octet_length(m.value) + coalesce(octet_length(m.words), 0))';
