import { isDeepStrictEqual } from 'node:util';
import type { ChangeSet } from '../changes.ts';
import type { RunEvent } from '../events.ts';
import { createFold } from './fold.ts';
import type { Fold } from './fold.ts';
import { parseSpec } from './run-spec.ts';
import type { RunSpec } from './run-spec.ts';

/** A run's row as the database has it. */
interface StoredRow {
  readonly runId: string;
  /** JSON. */
  readonly spec: string;
}

/**
 * The runs that this process looked at last, as far as it has read them: a plan of hundreds of agents takes megabytes of
 * events, and hosts come back to the same run with every step. What is kept is taken only where the journal still says
 * the same, so that a database that was put back is read anew.
 */
export interface KeptRuns {
  /**
   * A run as its events tell it, for the caller alone to go on with.
   * @param read events after a place, in order, a part of them at a time
   */
  fold(runId: string, read: (after: number) => Promise<readonly RunEvent[]>): Promise<Fold>;
  /** What a run was started with; its input never changes, its budgets do. */
  input(row: StoredRow, readChanges: () => Promise<ChangeSet>): Promise<{ readonly spec: RunSpec; readonly changes: ChangeSet }>;
}

interface Kept {
  readonly fold: Fold;
  /** The newest event that is in it. */
  last: RunEvent | null;
}

interface Input {
  readonly json: string;
  readonly spec: RunSpec;
  readonly changes: ChangeSet;
}

/** How many runs are kept. */
const MAX_RUNS = 4;

/** Makes a key the newest of a map, and drops the oldest of too many. */
function keep<T>(map: Map<string, T>, key: string, value: T): void {
  map.delete(key);
  map.set(key, value);
  const [oldest] = map.keys();
  if (map.size > MAX_RUNS && oldest !== undefined) map.delete(oldest);
}

/** Whether the journal still has the newest event of a fold. */
async function stillHolds({ last }: Kept, read: (after: number) => Promise<readonly RunEvent[]>): Promise<boolean> {
  if (last === null) return false;
  const [first] = await read(last.seq - 1);
  return isDeepStrictEqual(first, last);
}

export function createKeptRuns(): KeptRuns {
  const folds = new Map<string, Kept>();
  const inputs = new Map<string, Input>();
  return {
    fold: async (runId, read) => {
      const known = folds.get(runId);
      const kept = known !== undefined && (await stillHolds(known, read)) ? known : { fold: createFold(), last: null };
      for (;;) {
        const events = await read(kept.fold.state.seq);
        const newest = events.at(-1);
        if (newest === undefined) break;
        kept.fold.apply(events);
        // Another caller may have read further meanwhile.
        if (newest.seq === kept.fold.state.seq) kept.last = newest;
      }
      if (kept.last !== null) keep(folds, runId, kept);
      return kept.fold.copy();
    },
    input: async ({ runId, spec: json }, readChanges) => {
      const known = inputs.get(runId);
      const input =
        known?.json === json ? known : { json, spec: parseSpec(json), changes: known?.changes ?? (await readChanges()) };
      keep(inputs, runId, input);
      return { spec: input.spec, changes: input.changes };
    },
  };
}
