import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Runtime } from '../runtime.ts';
import { connect } from './connection.ts';
import type { Database } from './database.ts';
import { makeFolder } from './folder.ts';
import { createLocalDatabase } from './local-database.ts';
import { migrateTo } from './migration.ts';
import { openDatabase } from './open-database.ts';
import type { OpenDatabaseOptions } from './open-database.ts';
import { codeOf, storageError } from './storage-error.ts';

/** What a project's `.skillflow` keeps out of version control: everything but what people write there. */
const IGNORE = '*\n!config.json\n!skills/\n!skills/**\n';

/** Makes `.skillflow`, with what keeps it out of version control. Errors: `StorageError`. */
export async function makeProjectFolder(folder: string): Promise<void> {
  const ignore = join(folder, '.gitignore');
  if (existsSync(ignore)) return; // the folder alone may come from a clone, with what people wrote there
  try {
    await makeFolder(folder);
    await writeFile(ignore, IGNORE, { flag: 'wx' });
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return; // another process was faster
    throw storageError(error, 'create the folder', folder);
  }
}

/** Opens a project's database; its folder, where it is new, is kept out of version control. Errors as `openDatabase`. */
export async function openProjectDatabase(path: string, options: OpenDatabaseOptions): Promise<Database> {
  if (options.readOnly !== true) await makeProjectFolder(dirname(path));
  return openDatabase(path, options);
}

/** A database in memory without any entries: what readers of a project without a database see. Its path is `:memory:`. */
export async function openEmptyDatabase(runtime: Runtime): Promise<Database> {
  const db = createLocalDatabase(await connect(':memory:', 'write'), runtime, false);
  await migrateTo(db);
  return db;
}
