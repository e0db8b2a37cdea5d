import { writeSync } from 'node:fs';
import { toSkillflowError } from '../../src/errors.ts';
import { createRuntime } from '../../src/runtime.ts';
import { openDatabase } from '../../src/store/open-database.ts';
import { useEverything, type Told } from './use-everything.ts';

/**
 * Does everything with some databases, one after the other. Argument: JSON of their paths. Prints a line before each call, and
 * what failed after each database, so that a crash is known by what led to it.
 */
const paths: readonly string[] = JSON.parse(process.argv[2] ?? '[]');
const runtime = createRuntime('silent');

async function use(path: string): Promise<readonly Told[]> {
  try {
    await using db = await openDatabase(path, { runtime });
    return await useEverything(db, path, runtime, (doing) => writeSync(1, `${JSON.stringify({ doing })}\n`));
  } catch (error) {
    const { code, message } = toSkillflowError(error);
    return [{ what: 'open', code, message }];
  }
}

for (const path of paths) {
  writeSync(1, `${JSON.stringify({ ends: path, told: await use(path) })}\n`);
}
