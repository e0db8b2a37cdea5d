import { seeded } from '../helpers/seeded.ts';

/** A source of seeded choices. */
export interface Random {
  /** In [0, 1). */
  next(): number;
  /** A whole number from 0 to below `below`. */
  below(below: number): number;
  pick<T>(items: readonly [T, ...T[]]): T;
}

/** The same choices for the same seed. */
export function createRandom(seed: number): Random {
  const next = seeded(seed);
  const below = (count: number): number => Math.floor(next() * count);
  return { next, below, pick: (items) => items[below(items.length)] ?? items[0] };
}
