import { createMemory, type Memory } from '../../src/memory/memory.ts';
import { createSearch } from '../../src/memory/search/search.ts';
import type { Runtime } from '../../src/runtime.ts';
import type { Database } from '../../src/store/database.ts';
import { openLocation } from '../helpers/open-location.ts';

export interface OpenMemory extends AsyncDisposable {
  readonly db: Database;
  readonly memory: Memory;
}

/** The memory in a database, a file or at the URL of a server, as the app composes it, without vectors. */
export async function openMemory(location: string, runtime: Runtime, readOnly = false): Promise<OpenMemory> {
  const db = await openLocation(location, { runtime, readOnly });
  const open = async (): Promise<Database> => db;
  const search = createSearch({ open, runtime });
  return {
    db,
    memory: createMemory({ open, runtime, search: (input) => search.search(input) }),
    [Symbol.asyncDispose]: () => db.close(),
  };
}
