import { copyFileSync, mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import { connect } from '../../src/store/connection.ts';
import type { Database, Queries, Row } from '../../src/store/database.ts';
import { openDatabase } from '../../src/store/open-database.ts';
import { textOf } from '../../src/store/row.ts';
import { start, testRuntime, useScratch } from '../store/scratch.ts';
import { bundle } from './processes.ts';
import { fillEverything, useEverything, type Told } from './use-everything.ts';

const SEED = Number(process.env['RELIABILITY_SEED'] ?? 20_261_121);

const scratch = useScratch();

/** What damage can put in place of a value. Distinct, for what is unique. */
const GARBAGE = {
  'text that is not UTF-8': `CAST(x'fffe80' AS TEXT) || abs(random())`,
  'plain text': `'x' || abs(random())`,
  'a blob': `CAST(CAST(x'fffe80' AS TEXT) || abs(random()) AS BLOB)`,
  'a number': 'abs(random()) % 100000',
  NULL: 'NULL',
} as const;

/** Errors that say that something is wrong with what is stored, or that it does not allow what is asked for. */
const TYPED = new Set(['database_damaged', 'storage', 'conflict', 'not_found', 'embedder', 'unavailable', 'invalid_input']);

/** The tables without their types and constraints, and without triggers, so that anything can be put into them. */
async function loosened<T>(path: string, work: (run: (sql: string) => void) => T): Promise<T> {
  const edit = async (
    statements: readonly (readonly [sql: string, params: readonly (string | number | null)[]])[],
  ): Promise<void> => {
    const connection = await connect(path, 'write');
    connection.exec('PRAGMA writable_schema = ON');
    connection.exec('BEGIN');
    for (const [sql, params] of statements) connection.run(sql, params);
    connection.exec('COMMIT');
    connection.close();
  };
  const before = await connect(path, 'write');
  const tables =
    before.all(`SELECT rowid AS place, sql FROM sqlite_schema WHERE type = 'table' AND sql NOT LIKE '%VIRTUAL%' AND name NOT LIKE 'sqlite_%'
    AND name NOT LIKE 'memory_fts%'`);
  const triggers = before.all(`SELECT type, name, tbl_name, rootpage, sql FROM sqlite_schema WHERE type = 'trigger'`);
  before.close();
  const loose = (sql: string): string =>
    sql
      .replaceAll(/--.*$/gm, '')
      .replaceAll(/\b(?:TEXT|INTEGER|REAL|BLOB)\b(?! PRIMARY KEY)/g, '')
      .replaceAll(/NOT NULL|CHECK \([^()]*(?:\([^()]*\))?[^()]*\)|REFERENCES \w+ \(\w+\) ON DELETE (?:CASCADE|SET NULL)/g, '')
      .replace(/\) STRICT(, )?/, (_all, more: string | undefined) => (more === undefined ? ')' : ') '));
  await edit([
    ["DELETE FROM sqlite_schema WHERE type = 'trigger'", []],
    ...tables.map(
      (row) => ['UPDATE sqlite_schema SET sql = ? WHERE rowid = ?', [loose(textOf(row, 'sql')), Number(row['place'])]] as const,
    ),
  ]);
  const connection = await connect(path, 'write');
  try {
    return work((sql) => void connection.run(sql));
  } finally {
    connection.close();
    await edit([
      ...tables.map(
        (row) => ['UPDATE sqlite_schema SET sql = ? WHERE rowid = ?', [textOf(row, 'sql'), Number(row['place'])]] as const,
      ),
      ...triggers.map(
        (row) =>
          [
            'INSERT INTO sqlite_schema (type, name, tbl_name, rootpage, sql) VALUES (?, ?, ?, ?, ?)',
            ['type', 'name', 'tbl_name', 'rootpage', 'sql'].map((column) => (column === 'rootpage' ? 0 : textOf(row, column))),
          ] as const,
      ),
    ]);
  }
}

/** A database with rows in all tables, large enough that opening it does not look at all of it. */
async function createOriginal(): Promise<string> {
  const path = join(await scratch.folder(), 'skillflow.db');
  const db = await openDatabase(path, { runtime: testRuntime() });
  await fillEverything(db, path, testRuntime());
  await db.run('CREATE TABLE padding (bytes BLOB)');
  await db.run('INSERT INTO padding VALUES (zeroblob(1200000))');
  await db.close();
  return path;
}

const OF_MEMORY = [
  'memory_entry',
  'memory_version',
  'memory_link',
  'chg',
  'embedding_space',
  'embedding',
  'sqlite_sequence',
  'memory_fts_data',
  'memory_fts_docsize',
  'memory_fts_config',
  'memory_fts_folded',
];
const OF_OTHERS = [
  'run',
  'step',
  'event',
  'swarm',
  'agent',
  'task',
  'run_input',
  'spend',
  'message',
  'delivery',
  'poll',
  'poll_ballot',
  'voter_record',
];

interface Column {
  readonly table: string;
  readonly column: string;
  readonly isText: boolean;
}

async function columnsOf(path: string, tables: readonly string[]): Promise<readonly Column[]> {
  const connection = await connect(path, 'write');
  try {
    return tables.flatMap((table) =>
      connection.all('SELECT name, type FROM pragma_table_info(?)', [table]).map((row): Column => ({
        table,
        column: textOf(row, 'name'),
        isText: textOf(row, 'type') === 'TEXT',
      })),
    );
  } finally {
    connection.close();
  }
}

/**
 * All columns, one of the memory's together with one of the others': no call reads both but those that look at the whole
 * file, and to these it is the same whether one column or two are not of their type.
 */
async function pairedColumns(path: string): Promise<readonly (readonly Column[])[]> {
  const ours = await columnsOf(path, OF_MEMORY);
  const others = await columnsOf(path, OF_OTHERS);
  return [true, false].flatMap((isText) => {
    const [left, right] = [ours, others].map((columns) => columns.filter((one) => one.isText === isText));
    const count = Math.max(left?.length ?? 0, right?.length ?? 0);
    return Array.from({ length: count }, (_, at) => [left?.[at], right?.[at]].filter((one) => one !== undefined));
  });
}

/** Every fourth column, by itself. */
async function someColumns(path: string): Promise<readonly (readonly Column[])[]> {
  const columns = await columnsOf(path, [...OF_MEMORY, ...OF_OTHERS]);
  return columns.filter((_, at) => (at + SEED) % 4 === 0).map((column) => [column]);
}

interface Case {
  readonly path: string;
  readonly name: string;
}

/** A copy of the database with garbage in all rows of some columns; `undefined`: they take none, as a rowid does. */
async function garbled(original: string, columns: readonly Column[], what: keyof typeof GARBAGE): Promise<Case | undefined> {
  const path = join(dirname(original), columns.map(({ table, column }) => `${table}-${column}`).join('-'), 'skillflow.db');
  mkdirSync(dirname(path));
  copyFileSync(original, path);
  const put = await loosened(path, (run) =>
    columns.filter(({ table, column }) => {
      try {
        run(`UPDATE ${table} SET ${column} = ${GARBAGE[what]}`);
        return true;
      } catch {
        return false;
      }
    }),
  );
  const names = put.map(({ table, column }) => `${table}.${column}`);
  return put.length > 0 ? { path, name: `${names.join(' and ')} is ${what}` } : undefined;
}

const ANY: readonly (keyof typeof GARBAGE)[] = ['plain text', 'a blob', 'a number', 'NULL'];

test.each([
  ['text that is not UTF-8', pairedColumns, (): keyof typeof GARBAGE => 'text that is not UTF-8'],
  ['something else', someColumns, (at: number): keyof typeof GARBAGE => ANY[at % ANY.length] ?? 'NULL'],
] as const)(
  `%s in any column ends no process, and every error says what is wrong (seed ${SEED})`,
  async (_what, choose, garbageOf) => {
    const original = await createOriginal();
    const cases: Case[] = [];
    for (const [at, columns] of (await choose(original)).entries()) {
      const made = await garbled(original, columns, garbageOf(at));
      if (made !== undefined) cases.push(made);
    }
    expect(cases.length).toBeGreaterThan(30);
    const worker = await bundle('columns-worker.ts');
    scratch.onCleanUp(() => worker.remove());
    const { code, lines, stderr } = await start(process.execPath, [worker.path, JSON.stringify(cases.map(({ path }) => path))]);
    const told = lines.map((line): { readonly doing?: string; readonly told?: readonly Told[] } => JSON.parse(line));
    const outcomes = told.flatMap((line) => line.told ?? []);
    const done = told.filter((line) => line.told !== undefined).length;
    expect({ code, stderr }, `in ${cases[done]?.name}: ${told.at(-1)?.doing}`).toEqual({ code: 0, stderr: '' });
    expect(done).toBe(cases.length);
    expect(outcomes.length).toBeGreaterThan(cases.length);
    const faults = told
      .filter((line) => line.told !== undefined)
      .flatMap((line, at) => (line.told ?? []).map((error) => ({ ...error, name: cases[at]?.name })))
      .filter((error) => !TYPED.has(error.code));
    expect(faults).toEqual([]);
  },
  240_000,
);

/** A database that remembers its statements, and what texts they gave. */
function watched(db: Database, statements: Set<string>, texts: Set<string>): Database {
  const seen = <T extends Row | undefined>(sql: string, row: T): T => {
    for (const [column, value] of Object.entries(row ?? {}))
      if (typeof value === 'string' && value !== '') texts.add(`${column}: ${sql}`);
    return row;
  };
  const queries = (inner: Queries): Queries => ({
    all: async (sql, params) => {
      statements.add(sql);
      return (await inner.all(sql, params)).map((row) => seen(sql, row));
    },
    get: async (sql, params) => {
      statements.add(sql);
      return seen(sql, await inner.get(sql, params));
    },
    run: (sql, params) => inner.run(sql, params),
  });
  const own = queries(db);
  return new Proxy(db, {
    get: (target, key) => {
      if (key === 'all') return own.all;
      if (key === 'get') return own.get;
      if (key === 'write')
        return <T>(body: (inner: Queries) => Promise<T>): Promise<T> => target.write((inner) => body(queries(inner)));
      return Reflect.get(target, key);
    },
  });
}

/** Always a number, whatever the file holds. */
function isRowid(table: string, column: string): boolean {
  return column === 'rowid' || column === (table === 'chg' ? 'seq' : 'id');
}

test('no statement hands out a column as its table holds it', async () => {
  const path = await createOriginal();
  const statements = new Set<string>();
  const texts = new Set<string>();
  await using db = await openDatabase(path, { runtime: testRuntime() });
  await useEverything(watched(db, statements, texts), path, testRuntime());
  expect([...texts].filter((text) => !/^(?:direction|ids|states):/.test(text) && !/PRAGMA|pragma_|RETURNING/.test(text))).toEqual(
    [],
  );
  const { default: Native } = await import('libsql');
  const native = new Native(path);
  const bare = [...statements].flatMap((sql) => {
    const statement = native.prepare(sql);
    if (!statement.reader || /^PRAGMA|RETURNING/.test(sql)) return [];
    return statement
      .columns()
      .filter(({ column, table }) => column !== null && !isRowid(table ?? '', column) && !/json_each|pragma_/.test(table ?? ''))
      .map(({ column, table }) => `${table}.${column}: ${sql}`);
  });
  native.close();
  expect(bare).toEqual([]);
});
