import { numberOf, numberOnly } from '../../store/row.ts';
import type { Runtime } from '../../runtime.ts';
import type { Queries } from '../../store/database.ts';
import { dropObject, isSameObject, type ExpectedSchema, type SchemaObject } from '../../store/schema.ts';
import type { Examined } from './examined.ts';
import { isFullText, isPart } from './full-text.ts';

/** What a database has otherwise than the migrations make it. */
interface Deviation {
  readonly expected: SchemaObject;
  /** What has its name instead; `undefined` when nothing has. */
  readonly actual: SchemaObject | undefined;
}

const LOG = 'chg';
/** Both or neither: vectors mean nothing without their space. */
const VECTORS = ['embedding_space', 'embedding'];

const nameOf = ({ expected: { type, name }, actual }: Deviation): string =>
  `the ${type} ${name} ${actual === undefined ? 'is missing' : 'is not as it should be'}`;

function isMissingTable({ expected, actual }: Deviation): boolean {
  return expected.type === 'table' && actual === undefined;
}

/**
 * An empty log of changes is filled with all entries. Its numbers begin where none has been: at the time, which grows
 * faster than the log, so that nobody who has read the old one takes a new change for one already seen.
 */
async function remakeLog(queries: Queries, now: number): Promise<void> {
  await queries.run('DELETE FROM sqlite_sequence WHERE name = ?', [LOG]);
  await queries.run('INSERT INTO sqlite_sequence (name, seq) VALUES (?, ?)', [LOG, now]);
  await queries.run(
    `INSERT INTO chg (entry_id, op) SELECT id, CASE WHEN deleted_at IS NULL THEN 'update' ELSE 'delete' END FROM memory_entry`,
  );
}

/** Without vectors, and without a space of an earlier number: who still has an index of one finds that it is gone. */
async function remakeVectors(queries: Queries, objects: readonly SchemaObject[]): Promise<void> {
  const isThere = (await queries.get(`SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'embedding'`)) !== undefined;
  const used = isThere ? 'SELECT max(space_id) FROM embedding' : 'SELECT NULL';
  const spaces = await queries.get(
    `SELECT ${numberOnly(`coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'embedding_space'), (${used}), 0)`)} AS seq`,
  );
  for (const name of VECTORS.toReversed()) await dropObject(queries, name);
  for (const name of VECTORS) {
    for (const { sql } of objects.filter((object) => object.type === 'table' && object.name === name)) await queries.run(sql);
  }
  const last = numberOf(spaces ?? {}, 'seq');
  if (last !== 0) await queries.run(`INSERT INTO sqlite_sequence (name, seq) VALUES ('embedding_space', ?)`, [last]);
}

async function mend(
  queries: Queries,
  deviations: readonly Deviation[],
  { objects }: ExpectedSchema,
  now: number,
): Promise<string> {
  const tables = deviations.filter(isMissingTable);
  if (tables.some(({ expected }) => VECTORS.includes(expected.name))) await remakeVectors(queries, objects);
  for (const { expected } of tables.filter(({ expected: { name } }) => name === LOG)) {
    await queries.run(expected.sql);
    await remakeLog(queries, now);
  }
  for (const { expected } of deviations.filter(({ expected: { type } }) => type !== 'table')) {
    await dropObject(queries, expected.name);
    await queries.run(expected.sql);
  }
  return 'it was made anew';
}

function sentence(deviations: readonly Deviation[]): string {
  return deviations.map(nameOf).join(', ');
}

/**
 * Compares what a database has with what the migrations make. What holds nothing of its own is mended: indexes, triggers,
 * views, the log of changes, vectors. What else it has is not ours to judge.
 */
export function checkStructure(
  actual: readonly SchemaObject[],
  expected: ExpectedSchema,
  runtime: Runtime,
): { readonly findings: readonly Examined[]; readonly fullText: readonly string[] } {
  const byName = new Map(actual.map((object) => [object.name, object]));
  const deviations = expected.objects.flatMap((object): Deviation[] => {
    const found = byName.get(object.name);
    const isSame = found !== undefined && (isPart(object.name) ? found.type === 'table' : isSameObject(found, object));
    return isSame ? [] : [{ expected: object, actual: found }];
  });
  const fullText = deviations.filter(({ expected: { name } }) => isFullText(name));
  const others = deviations.filter((deviation) => !fullText.includes(deviation));
  const canBeMade = ({ expected: { type, name }, actual: found }: Deviation): boolean =>
    type === 'table' ? found === undefined && (name === LOG || VECTORS.includes(name)) : found?.type !== 'table';
  const lost = others.filter((deviation) => deviation.expected.type === 'table' && !canBeMade(deviation));
  const lostNames = lost.map(({ expected: { name } }) => name);
  const mendable = others.filter((deviation) => canBeMade(deviation) && !lostNames.includes(deviation.expected.table));
  const findings: Examined[] = [];
  if (mendable.length > 0) {
    const repair = (queries: Queries): Promise<string> => mend(queries, mendable, expected, runtime.now());
    findings.push({ check: 'schema', status: 'wrong', detail: sentence(mendable), repair });
  }
  if (lost.length > 0) {
    const detail = `${sentence(lost)}; what it held cannot be made anew: restore a backup into a new database`;
    findings.push({ check: 'schema', status: 'wrong', detail });
  }
  if (findings.length === 0) findings.push({ check: 'schema', status: 'ok', detail: 'every table, index and trigger is there' });
  return { findings, fullText: fullText.map(nameOf) };
}
