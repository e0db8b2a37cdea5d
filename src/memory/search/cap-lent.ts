import type { Parts } from './ranking.ts';

/** A result with which words of the question it has, as the bits of a number, and which are only lent to it. */
export interface Lent {
  readonly parts: Parts;
  readonly factor: number;
  readonly own: number;
  readonly lent: number;
}

/** What a result keeps at most of the score of one that has itself what is lent to it. */
const MOST = 0.99;

function bitsOf(mask: number): number {
  let count = 0;
  for (let rest = mask; rest !== 0; rest &= rest - 1) count += 1;
  return count;
}

/**
 * Holds what is lent back so far that whoever has all those words itself comes before: a text is never found for its
 * neighbour's sake ahead of one that says the same. Returns the parts in the order given.
 */
export function capLent(all: readonly Lent[]): readonly Parts[] {
  const parts = all.map((one) => one.parts);
  if (all.every(({ lent }) => lent === 0)) return parts;
  /** The least total by the words that a result has itself. */
  const least = new Map<number, number>();
  const order = all.map(({ own, lent }, index) => ({ index, own, lent, bits: bitsOf(own | lent) }));
  order.sort((a, b) => b.bits - a.bits || (a.lent === 0 ? 0 : 1) - (b.lent === 0 ? 0 : 1));
  for (const { index, own, lent } of order) {
    const one = all[index];
    if (one === undefined) continue;
    const { words, neighbours, feedback, links } = one.parts;
    let sum = words + neighbours + feedback + links;
    if (lent !== 0) {
      let limit = Infinity;
      for (const [has, total] of least) if ((has & (own | lent)) === (own | lent)) limit = Math.min(limit, total);
      const room = Math.max(0, (MOST * limit) / one.factor - words - links);
      const reached = neighbours + feedback;
      if (reached > room) {
        const share = room / reached;
        parts[index] = { words, neighbours: neighbours * share, feedback: feedback * share, links };
        sum = words + links + room;
      }
    }
    if (own !== 0 && sum > 0) least.set(own, Math.min(least.get(own) ?? Infinity, one.factor * sum));
  }
  return parts;
}
