import type { Database } from '../../src/store/database.ts';
import { openDatabase, type OpenDatabaseOptions } from '../../src/store/open-database.ts';
import { openRemoteDatabase } from '../../src/store/open-remote.ts';

/** Opens a file's path, or the URL of a server. Also for programs that tests start: it needs no vitest. */
export function openLocation(location: string, options: Omit<OpenDatabaseOptions, 'key'>): Promise<Database> {
  return /^https?:\/\//.test(location) ? openRemoteDatabase({ url: location, ...options }) : openDatabase(location, options);
}
