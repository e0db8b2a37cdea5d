import { writeSync } from 'node:fs';
import { join } from 'node:path';
import { SkillflowError } from '../../../src/errors.ts';
import { createCare } from '../../../src/memory/care/create-care.ts';
import { createRuntime } from '../../../src/runtime.ts';
import { openDatabase } from '../../../src/store/open-database.ts';

/** Arguments: project, what to do, its argument. Prints `begin` before it and `done` after it, or the error's code. */
const [root = '', what = '', argument = ''] = process.argv.slice(2);
const path = join(root, '.skillflow', 'skillflow.db');
const runtime = createRuntime('silent');

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
