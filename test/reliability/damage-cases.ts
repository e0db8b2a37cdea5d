import type { Random } from './random.ts';

/** A database to be used after it was damaged. */
export interface DamageCase {
  readonly path: string;
  /** Entries that it held before. */
  readonly entries: number;
  readonly readOnly: boolean;
}

/** What came of using it. */
export interface DamageOutcome {
  /** The error of opening; `null`: it opened. */
  readonly refused: { readonly code: string; readonly message: string } | null;
  /** Entries that came back as they were stored. */
  readonly right: number;
  /** Keys of entries that came back differently. */
  readonly wrong: readonly string[];
  /** Those of them whose hash does not tell either. */
  readonly untold: readonly string[];
  /** Numbers of entries that were said not to be there. */
  readonly missing: readonly number[];
  /** Entries that a list counts; `null`: an error. */
  readonly listed: number | null;
  readonly integrity: string | null;
  readonly errors: readonly { readonly code: string; readonly message: string }[];
}

export const keyOf = (n: number): string => `key-${n}`;
export const valueOf = (n: number): string => `entry${n}z session token ${`word${n % 7} `.repeat(20 + (n % 50))}`;

/** One way to damage a file; gives the new content, or `null` to remove the file. */
export interface Damage {
  readonly name: string;
  apply(bytes: Buffer): Buffer | null;
}

export function cutAt(offset: number): Damage {
  return { name: `cut at ${offset}`, apply: (bytes) => bytes.subarray(0, offset) };
}

export function flipAt(offset: number, bit: number): Damage {
  return {
    name: `bit ${bit} of byte ${offset} flipped`,
    apply: (bytes) => {
      const copy = Buffer.from(bytes);
      copy[offset] = (copy[offset] ?? 0) ^ (1 << bit);
      return copy;
    },
  };
}

/** Overwrites a block with what `fill` gives for each byte. */
export function blockAt(offset: number, length: number, what: string, fill: () => number): Damage {
  return {
    name: `${length} bytes of ${what} at ${offset}`,
    apply: (bytes) => {
      const copy = Buffer.from(bytes);
      for (let at = offset; at < Math.min(offset + length, copy.length); at += 1) copy[at] = fill();
      return copy;
    },
  };
}

export const removed: Damage = { name: 'removed', apply: () => null };

export function appended(length: number, random: Random): Damage {
  return {
    name: `${length} bytes of garbage appended`,
    apply: (bytes) => Buffer.concat([bytes, Buffer.from(Array.from({ length }, () => random.below(256)))]),
  };
}

/** Seeded damages of a file of so many bytes, in all its parts. */
export function damagesOf(size: number, count: number, random: Random): readonly Damage[] {
  const garbage = (): number => random.below(256);
  const zero = (): number => 0;
  return Array.from({ length: count }, (_damage, n) => {
    const offset = random.below(size);
    const page = Math.floor(offset / 4096) * 4096;
    switch (n % 6) {
      case 0:
        return cutAt(offset);
      case 1:
        return flipAt(offset, random.below(8));
      case 2:
        return flipAt(page + random.below(12), random.below(8)); // the header of a page
      case 3:
        return blockAt(offset, 1 + random.below(600), 'garbage', garbage);
      case 4:
        return blockAt(page, 4096, 'zeros', zero);
      default:
        return blockAt(page, 4096, 'garbage', garbage);
    }
  });
}
