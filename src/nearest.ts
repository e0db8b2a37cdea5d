/** Longest word compared; the cost grows with the square of it. */
const MAX_LENGTH = 128;

/** Insertions, deletions, substitutions and swaps of neighbours that turn `a` into `b` (optimal string alignment). */
function editDistance(a: string, b: string): number {
  let beforeLast: readonly number[] = [];
  let last: readonly number[] = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i += 1) {
    const row = [i];
    for (let j = 1; j <= b.length; j += 1) {
      const cost = a[i - 1] === b[j - 1] ? 0 : 1;
      let best = Math.min((last[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1, (last[j - 1] ?? 0) + cost);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) best = Math.min(best, (beforeLast[j - 2] ?? 0) + 1);
      row.push(best);
    }
    beforeLast = last;
    last = row;
  }
  return last[b.length] ?? 0;
}

/**
 * The candidates that a misspelt word may have meant, nearest first, at most three: those within a third of the
 * longer word's length, or that contain it or are contained in it. Empty where none is near.
 */
export function nearest(word: string, candidates: readonly string[]): readonly string[] {
  const wanted = word.slice(0, MAX_LENGTH).toLowerCase();
  const scored = candidates.flatMap((candidate) => {
    const other = candidate.slice(0, MAX_LENGTH).toLowerCase();
    const distance = editDistance(wanted, other);
    const contained = Math.min(wanted.length, other.length) >= 4 && (wanted.includes(other) || other.includes(wanted));
    return contained || distance <= Math.max(1, Math.max(wanted.length, other.length) / 3) ? [{ candidate, distance }] : [];
  });
  return scored
    .sort((a, b) => a.distance - b.distance || a.candidate.localeCompare(b.candidate))
    .slice(0, 3)
    .map(({ candidate }) => candidate);
}
