/** One round of an instant run-off. */
export interface RunoffRound {
  /** Ballots whose highest option still standing is this one; in the order of the options. */
  readonly counts: readonly { readonly option: string; readonly count: number }[];
  /** Options that leave after this round. */
  readonly eliminated: readonly string[];
  /** Ballots all of whose options have left. */
  readonly exhausted: number;
}

export interface Runoff {
  /** `null`: a tie. */
  readonly winner: string | null;
  readonly rounds: readonly RunoffRound[];
  /** Between whom it is tied, where it is: who of them should leave cannot be told. */
  readonly tied: readonly string[];
}

type Counts = ReadonlyMap<string, number>;

function countFirsts(standing: readonly string[], rankings: readonly (readonly string[])[]): Counts {
  const isStanding = new Set(standing);
  const counts = new Map(standing.map((option) => [option, 0]));
  for (const ranking of rankings) {
    const first = ranking.find((option) => isStanding.has(option));
    if (first !== undefined) counts.set(first, (counts.get(first) ?? 0) + 1);
  }
  return counts;
}

/**
 * Who leaves: the option with the fewest ballots. Of several, the one that had fewer in the latest earlier round in which
 * they differ; if they never did, all of them where together they have fewer than the next, since then none could win in
 * any order; otherwise they are tied and nobody leaves.
 */
function leaving(
  counts: Counts,
  earlier: readonly Counts[],
): { readonly gone: readonly string[]; readonly tied: readonly string[] } {
  const fewest = Math.min(...counts.values());
  let lowest = [...counts.keys()].filter((option) => counts.get(option) === fewest);
  const others = [...counts.values()].filter((count) => count > fewest);
  if (others.length > 0 && lowest.length * fewest < Math.min(...others)) return { gone: lowest, tied: [] };
  for (const before of [...earlier].reverse()) {
    const least = Math.min(...lowest.map((option) => before.get(option) ?? 0));
    lowest = lowest.filter((option) => (before.get(option) ?? 0) === least);
  }
  return lowest.length === 1 ? { gone: lowest, tied: [] } : { gone: [], tied: lowest };
}

/**
 * Ranked choice by instant run-off: an option that more than half of the ballots still in play put first wins; else the
 * option with the fewest leaves, and its ballots pass on to their next option. A ballot without one is exhausted and no
 * longer in play. A tie in who leaves is broken backwards (see `leaving`); what that leaves open is a tie, never a draw
 * of lots and never the order of the options.
 *
 * `options` are unique; each ranking names some of them, none twice, best first. Without any ranking all are tied.
 */
export function instantRunoff(options: readonly string[], rankings: readonly (readonly string[])[]): Runoff {
  const rounds: RunoffRound[] = [];
  const earlier: Counts[] = [];
  let standing = options;
  for (;;) {
    const counts = countFirsts(standing, rankings);
    const inPlay = [...counts.values()].reduce((sum, count) => sum + count, 0);
    const winner = standing.find((option) => (counts.get(option) ?? 0) * 2 > inPlay) ?? null;
    const { gone, tied } = winner === null ? leaving(counts, earlier) : { gone: [], tied: [] };
    rounds.push({
      counts: standing.map((option) => ({ option, count: counts.get(option) ?? 0 })),
      eliminated: gone,
      exhausted: rankings.length - inPlay,
    });
    if (gone.length === 0) return { winner, rounds, tied };
    earlier.push(counts);
    standing = standing.filter((option) => !gone.includes(option));
  }
}
