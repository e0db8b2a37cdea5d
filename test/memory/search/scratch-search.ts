import { createMemory, type Memory } from '../../../src/memory/memory.ts';
import type { SearchedVectors } from '../../../src/memory/search/near.ts';
import { createSearch } from '../../../src/memory/search/search.ts';
import type { Database } from '../../../src/store/database.ts';
import type { DatabaseBackend } from '../../helpers/databases.ts';
import { testRuntime } from '../../store/scratch.ts';

export interface ScratchMemory {
  readonly memory: Memory;
  readonly db: Database;
  /** Milliseconds of the clock, which goes on by one with every look at it. */
  now(): number;
  sleep(ms: number): void;
  /** The same memory over another connection. */
  open(): Promise<Memory>;
  /** Keys of what is found. */
  keys(query: string, rest?: object): Promise<readonly string[]>;
}

/** A memory in a database of its own. */
export async function scratchMemory(
  { fresh }: DatabaseBackend,
  vectors?: (db: Database) => SearchedVectors,
): Promise<ScratchMemory> {
  let clock = 1_000;
  const runtime = testRuntime({ now: () => (clock += 1) });
  const place = await fresh();
  const db = await place.open(runtime);
  const { search } = createSearch({ open: async () => db, runtime, vectors: vectors?.(db) });
  const memory = createMemory({ open: async () => db, runtime, search });
  return {
    memory,
    db,
    now: () => clock,
    open: async () => {
      const another = await place.open(runtime);
      return createMemory({ open: async () => another, runtime });
    },
    sleep: (ms) => void (clock += ms),
    keys: async (query, rest = {}) => (await memory.search({ query, ...rest })).results.map((result) => result.key),
  };
}
