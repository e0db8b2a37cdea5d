import { writeSync } from 'node:fs';
import { SkillflowError } from '../../src/errors.ts';
import { createRuntime } from '../../src/runtime.ts';
import type { Queries } from '../../src/store/database.ts';
import { openDatabase } from '../../src/store/open-database.ts';

/** Arguments: database, name, number of writes, characters a write. Prints the id of each run whose write was acknowledged. */
const [path = '', name = '', count = '0', characters = '10'] = process.argv.slice(2);

async function record(queries: Queries, id: string): Promise<void> {
  await queries.run("INSERT INTO run (id, skill, task, status, provider, created_at) VALUES (?, 's', ?, 'running', 'local', 1)", [
    id,
    'x'.repeat(Number(characters)),
  ]);
  await queries.run("INSERT INTO event (run_id, seq, type, at, body) VALUES (?, 1, 'run_started', 1, '{}')", [id]);
}

try {
  const db = await openDatabase(path, { runtime: createRuntime('silent') });
  for (let n = 0; n < Number(count); n += 1) {
    const id = `${name}-${n}`;
    await db.write((queries) => record(queries, id));
    writeSync(1, `${id}\n`);
  }
  await db.close();
} catch (error) {
  if (!(error instanceof SkillflowError)) throw error;
  writeSync(1, `error ${JSON.stringify({ code: error.code, message: error.message, hint: error.hint })}\n`);
}
