import { createMemory, type Memory } from '../../src/memory/memory.ts';
import { createSearch } from '../../src/memory/search/search.ts';
import type { Runtime } from '../../src/runtime.ts';
import type { Database } from '../../src/store/database.ts';
import { openDatabase } from '../../src/store/open-database.ts';

export interface OpenMemory extends AsyncDisposable {
  readonly db: Database;
  readonly memory: Memory;
}

/** The memory in a database file, as the app composes it, without vectors. */
export async function openMemory(path: string, runtime: Runtime, readOnly = false): Promise<OpenMemory> {
  const db = await openDatabase(path, { runtime, readOnly });
  const open = async (): Promise<Database> => db;
  const search = createSearch({ open, runtime });
  return {
    db,
    memory: createMemory({ open, runtime, search: (input) => search.search(input) }),
    [Symbol.asyncDispose]: () => db.close(),
  };
}
