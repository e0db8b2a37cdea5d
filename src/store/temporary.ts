import { readdir, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import type { Runtime } from '../runtime.ts';
import { makeFolder } from './folder.ts';

/** `.skillflow-<host>-<pid>-<id>.tmp`, and the files that SQLite keeps beside it. */
function prefix({ host }: Runtime): string {
  return `.skillflow-${host.replaceAll(/[^\w.]/g, '_')}-`;
}

/** Removes what processes of this host that are gone have left behind. */
async function sweep(folder: string, runtime: Runtime): Promise<void> {
  const start = prefix(runtime);
  for (const name of await readdir(folder)) {
    if (!name.startsWith(start) || !/\.tmp(?:-wal|-shm|-journal)?$/.test(name)) continue;
    const pid = Number.parseInt(name.slice(start.length), 10);
    if (Number.isSafeInteger(pid) && !runtime.alive(pid)) await unlink(join(folder, name)).catch(() => undefined); // another sweeper may be faster
  }
}

async function removeWithSideFiles(path: string): Promise<void> {
  for (const ending of ['', '-wal', '-shm', '-journal']) await unlink(`${path}${ending}`).catch(() => undefined); // most are not there
}

/**
 * Gives `work` the path of a file to make in a folder, and removes what is left of it afterwards. The folder is made
 * where it is absent. Errors: `StorageError`, those of `work`.
 */
export async function withTemporary<T>(folder: string, runtime: Runtime, work: (path: string) => Promise<T>): Promise<T> {
  await makeFolder(folder);
  await sweep(folder, runtime);
  const path = join(folder, `${prefix(runtime)}${runtime.pid}-${runtime.id('t')}.tmp`);
  try {
    return await work(path);
  } finally {
    await removeWithSideFiles(path);
  }
}
