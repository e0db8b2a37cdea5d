import { join } from 'node:path';
import { createRuntime } from '../../src/runtime.ts';

const ROOT = join(import.meta.dirname, '..', '..');
const SCRIPT = `import Database from 'libsql';
const [path, sql, params] = process.argv.slice(1);
const statement = new Database(path).prepare(sql);
const rows = statement.reader ? statement.all(JSON.parse(params)) : statement.run(JSON.parse(params));
process.stdout.write(JSON.stringify(rows));`;

/** Runs one statement on a database file in a process of its own, by the driver alone: nothing of ours is between. */
export async function rawSql(path: string, sql: string, params: readonly (string | number)[] = []): Promise<unknown> {
  const args = ['--input-type=module', '-e', SCRIPT, path, sql, JSON.stringify(params)];
  const { code, stdout, stderr } = await createRuntime('silent').exec(process.execPath, args, { cwd: ROOT });
  if (code !== 0) throw new Error(stderr);
  const rows: unknown = JSON.parse(stdout.toString('utf8'));
  return rows;
}
