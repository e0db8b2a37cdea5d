import type { AbsorbReport } from './care.ts';

/** An `AbsorbReport` under way; of conflicts it holds all that there were since it was made. */
export type Tally = { -readonly [Name in keyof AbsorbReport]: AbsorbReport[Name] } & {
  conflicts: AbsorbReport['conflicts'][number][];
};

const CONFLICTS_NAMED = 20;

export function newTally(): Tally {
  return {
    added: 0,
    updated: 0,
    kept: 0,
    unchanged: 0,
    deleted: 0,
    removed: 0,
    expired: 0,
    versions: 0,
    links: 0,
    linksLeftOut: 0,
    conflicts: [],
  };
}

/** Adds the counts of what has just been committed, and as many of its conflicts as are still named. */
export function addTally(total: Tally, part: Tally): void {
  total.added += part.added;
  total.updated += part.updated;
  total.kept += part.kept;
  total.unchanged += part.unchanged;
  total.deleted += part.deleted;
  total.removed += part.removed;
  total.expired += part.expired;
  total.versions += part.versions;
  total.links += part.links;
  total.linksLeftOut += part.linksLeftOut;
  total.conflicts.push(...part.conflicts.slice(0, CONFLICTS_NAMED - total.conflicts.length));
}

/** Entries of the source that are dealt with. */
export function handled({ added, updated, kept, unchanged, expired }: AbsorbReport): number {
  return added + updated + kept + unchanged + expired;
}
