import { join } from 'node:path';
import { createMemory, type Memory } from '../../src/memory/memory.ts';
import type { Runtime } from '../../src/runtime.ts';
import type { Database } from '../../src/store/database.ts';
import { locationOf, type DatabasePlace } from '../helpers/databases.ts';
import { openLocation } from '../helpers/open-location.ts';
import { testRuntime, type useScratch } from '../store/scratch.ts';

export interface OpenMemory {
  /** A path, or the URL of a server. */
  readonly location: string;
  readonly db: Database;
  readonly memory: Memory;
  readonly runtime: Runtime;
  /** The clock, in ms. */
  now: number;
  /** Another connection to the same database, with a memory of its own, on the same clock. */
  another(): Promise<{ readonly db: Database; readonly memory: Memory }>;
}

/** A memory on a new database, with a clock that only the test moves. */
export async function openMemory(scratch: ReturnType<typeof useScratch>, parts: Partial<Runtime> = {}): Promise<OpenMemory> {
  const location = await locationOf(join(await scratch.folder(), 'skillflow.db'));
  return openMemoryAt(
    {
      location,
      open: async (runtime = testRuntime()) => {
        const db = await openLocation(location, { runtime });
        scratch.onCleanUp(() => db.close());
        return db;
      },
    },
    parts,
  );
}

/** A memory on any new database, with a clock that only the test moves. */
export async function openMemoryAt(place: DatabasePlace, parts: Partial<Runtime> = {}): Promise<OpenMemory> {
  const runtime = testRuntime({ now: () => opened.now, ...parts });
  const another: OpenMemory['another'] = async () => {
    const db = await place.open(runtime);
    return { db, memory: createMemory({ open: async () => db, runtime }) };
  };
  const opened: OpenMemory = { location: place.location, runtime, now: 1_000_000, another, ...(await another()) };
  return opened;
}

/** Fails when the full-text index does not say exactly what the entries say. */
export async function checkIndex(db: Database): Promise<void> {
  await db.run("INSERT INTO memory_fts (memory_fts, rank) VALUES ('integrity-check', 1)");
}
