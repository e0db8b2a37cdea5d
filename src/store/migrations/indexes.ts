import type { Migration } from './index.ts';

/**
 * Entries that wait for their place in the full-text index, at most, and before: four times as many together take half of
 * the time each. On a server none wait.
 */
const MOST_PENDING = { now: 256, before: 64 };

const setMostPending = (most: number): string => `UPDATE memory_fts_folded SET most_pending = ${most} WHERE most_pending > 1`;

export const indexes: Migration = {
  version: 5,
  name: 'indexes',
  up: [
    setMostPending(MOST_PENDING.now),
    // The runs of a swarm, which every claim asks for.
    'CREATE INDEX run_swarm_id ON run (swarm_id) WHERE swarm_id IS NOT NULL',
  ],
  down: [
    'UPDATE memory_fts_folded SET entry_id = max(entry_id, coalesce((SELECT max(id) FROM memory_entry), 0))',
    setMostPending(MOST_PENDING.before),
    'DROP INDEX run_swarm_id',
  ],
};
