import { existsSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { SkillflowError } from '../../../src/errors.ts';
import { createCare } from '../../../src/memory/care/create-care.ts';
import { createRuntime } from '../../../src/runtime.ts';
import type { Database } from '../../../src/store/database.ts';
import { openDatabase } from '../../../src/store/open-database.ts';
import { put } from './place.ts';

/** Arguments: project, what to do, its argument. Prints `begin` before it and `done` after it, or the error's code. */
const [root = '', what = '', argument = ''] = process.argv.slice(2);
const path = join(root, '.skillflow', 'skillflow.db');
const runtime = createRuntime('silent');

/** Writes entries one by one until the file `stop` is there; prints how many, and the longest that one took. */
async function write(db: Database): Promise<void> {
  let longestMs = 0;
  let written = 0;
  while (!existsSync(join(root, 'stop'))) {
    const begun = performance.now();
    await db.write((queries) => put(queries, 'written', `key ${written}`, { value: written }));
    longestMs = Math.max(longestMs, performance.now() - begun);
    written += 1;
    await runtime.sleep(5);
  }
  writeSync(1, `wrote ${written}, longest ${Math.round(longestMs)} ms\n`);
}

try {
  const db = await openDatabase(path, { runtime });
  const care = createCare({ open: async () => db, runtime, projectRoot: root, databasePath: path });
  const calls: Record<string, () => Promise<unknown>> = {
    backup: () => care.backup(argument),
    restore: () => care.restore(argument),
    export: () => care.export(argument),
    import: () => care.import(argument),
    merge: () => care.merge(argument),
    compact: () => care.compact({ keepVersions: 0 }),
    snapshot: () => care.restoreSnapshot(argument),
    write: () => write(db),
    repair: () => care.doctor({ repair: true }),
  };
  const before = process.memoryUsage.rss();
  writeSync(1, 'begin\n');
  await calls[what]?.();
  writeSync(1, `done ${process.memoryUsage.rss() - before}\n`);
  await db.close();
} catch (error) {
  if (!(error instanceof SkillflowError)) throw error;
  writeSync(1, `error ${error.code} ${error.hint ?? ''}\n`);
}
