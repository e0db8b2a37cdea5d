/** Numbers in [0, 1) that are the same in every run (source: the "mulberry32" generator). */
export function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

export interface Round {
  readonly name: string;
  readonly perSecond: number;
}

/** How often a second something is done; `work` does it `count` times. */
export async function rate(name: string, count: number, work: () => void | Promise<void>): Promise<Round> {
  const started = performance.now();
  await work();
  return { name, perSecond: (count / (performance.now() - started)) * 1000 };
}
