import type { Runtime } from '../runtime.ts';
import type { Database, Queries } from '../store/database.ts';

/** What the parts of the memory work with. */
export interface MemoryContext {
  /** Opens the project's database, once a call has been found valid. */
  readonly open: () => Promise<Database>;
  readonly runtime: Runtime;
  /**
   * Runs `body` in one transaction, with the time (ms) under the lock, and does a little of the upkeep after it.
   * @param rows about how many rows it writes
   */
  readonly write: <T>(rows: number, body: (queries: Queries, now: number) => Promise<T>) => Promise<T>;
}
