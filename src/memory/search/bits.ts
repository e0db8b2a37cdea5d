/** Larger numbers are never in a set, which so takes at most 0.5 MB. */
const MAX_ID = 4_000_000;

/** A set of whole numbers from 0 to 4 million; larger ones are not taken in. */
export interface Bits {
  has(id: number): boolean;
  add(id: number): void;
  delete(id: number): void;
}

export function createBits(): Bits {
  let words = new Uint32Array(64);
  return {
    has: (id) => id <= MAX_ID && ((words[id >>> 5] ?? 0) & (1 << (id & 31))) !== 0,
    add: (id) => {
      if (id > MAX_ID) return;
      const at = id >>> 5;
      if (at >= words.length) {
        const larger = new Uint32Array(Math.max(at + 1, 2 * words.length));
        larger.set(words);
        words = larger;
      }
      words[at] = (words[at] ?? 0) | (1 << (id & 31));
    },
    delete: (id) => {
      const at = id >>> 5;
      if (id <= MAX_ID && at < words.length) words[at] = (words[at] ?? 0) & ~(1 << (id & 31));
    },
  };
}
