import { join } from 'node:path';
import { createClient } from '@libsql/client/http';
import { createRuntime } from '../../src/runtime.ts';

const ROOT = join(import.meta.dirname, '..', '..');
const SCRIPT = `import Database from 'libsql';
const [path, sql, params] = process.argv.slice(1);
const statement = new Database(path).prepare(sql);
const rows = statement.reader ? statement.all(JSON.parse(params)) : statement.run(JSON.parse(params));
process.stdout.write(JSON.stringify(rows));`;

async function onServer(url: string, sql: string, params: readonly (string | number)[]): Promise<unknown> {
  const client = createClient({ url });
  try {
    const { columns, rows } = await client.execute({ sql, args: [...params] });
    return rows.map((row) => Object.fromEntries(columns.map((name, index) => [name, row[index]])));
  } finally {
    client.close();
  }
}

/**
 * Runs one statement on a database by the driver alone, nothing of ours is between: on a file in a process of its own.
 * @param path a file's, or the URL of a server
 */
export async function rawSql(path: string, sql: string, params: readonly (string | number)[] = []): Promise<unknown> {
  if (path.startsWith('http')) return onServer(path, sql, params);
  const args = ['--input-type=module', '-e', SCRIPT, path, sql, JSON.stringify(params)];
  const { code, stdout, stderr } = await createRuntime('silent').exec(process.execPath, args, { cwd: ROOT });
  if (code !== 0) throw new Error(stderr);
  const rows: unknown = JSON.parse(stdout.toString('utf8'));
  return rows;
}
