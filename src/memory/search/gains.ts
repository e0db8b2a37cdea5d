import type { Passage } from './passages.ts';
import { byTotal, type Ranked } from './ranking.ts';

/** What an entry gains by another result, and by which. */
export interface Gain {
  readonly gain: number;
  readonly source: Ranked;
  readonly by: 'link' | 'name';
}

/** Adds gains to results, and to them the entries that only have a gain, as far as they are among `passages`. */
export function addGains(
  ranked: readonly Ranked[],
  gains: ReadonlyMap<number, Gain>,
  passages: ReadonlyMap<number, Passage>,
): readonly Ranked[] {
  if (gains.size === 0) return ranked;
  const known = new Set(ranked.map((one) => one.passage.id));
  const added = [...gains].flatMap(([id, { source, by }]): Ranked[] => {
    const passage = known.has(id) ? undefined : passages.get(id);
    if (passage === undefined) return [];
    const parts = { words: 0, neighbours: 0, feedback: 0, links: 0 };
    return [{ passage, parts, factor: 1, nextTo: null, reached: { from: source.passage, by } }];
  });
  return [...ranked, ...added]
    .map((one) => {
      const links = Math.max(one.parts.links, gains.get(one.passage.id)?.gain ?? 0);
      return { ...one, parts: { ...one.parts, links } };
    })
    .sort(byTotal);
}
