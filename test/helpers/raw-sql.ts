import { join } from 'node:path';
import { createClient } from '@libsql/client/http';
import Database from 'libsql';
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

/** Of a query: it needs no process of its own, since SQLite shares the locks of a file among a process's connections. */
function query(path: string, sql: string, params: readonly (string | number)[]): unknown {
  const db = new Database(path, { readonly: true });
  try {
    const rows: unknown = JSON.parse(JSON.stringify(db.prepare(sql).all([...params])));
    return rows;
  } finally {
    db.close();
  }
}

/**
 * Runs one statement by the driver alone, nothing of ours is between; what may change something does so on a file in a
 * process of its own.
 * @param path a file's, or the URL of a server
 */
export async function rawSql(path: string, sql: string, params: readonly (string | number)[] = []): Promise<unknown> {
  if (path.startsWith('http')) return onServer(path, sql, params);
  if (/^\s*SELECT\b/i.test(sql)) return query(path, sql, params);
  const args = ['--input-type=module', '-e', SCRIPT, path, sql, JSON.stringify(params)];
  const { code, stdout, stderr } = await createRuntime('silent').exec(process.execPath, args, { cwd: ROOT });
  if (code !== 0) throw new Error(stderr);
  const rows: unknown = JSON.parse(stdout.toString('utf8'));
  return rows;
}
