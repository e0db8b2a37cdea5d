import { NotFoundError } from '../errors.ts';
import type { Queries, Row } from '../store/database.ts';
import { SWARM, toSwarm } from './swarm-records.ts';
import type { SwarmRecord } from './swarm-records.ts';

/** The swarm that is meant where none is named; `undefined` when none is active. */
export async function newestActive(queries: Queries): Promise<SwarmRecord | undefined> {
  const sql = `${SWARM} WHERE status = 'active' ORDER BY swarm.created_at DESC, rowid DESC LIMIT 1`;
  const row = await queries.get(sql);
  return row === undefined ? undefined : toSwarm(row);
}

/** The named swarm whatever its status, else the newest active one. Throws `NotFoundError`. */
export async function findSwarm(queries: Queries, swarmId: string | undefined): Promise<SwarmRecord> {
  if (swarmId === undefined) {
    const newest = await newestActive(queries);
    if (newest !== undefined) return newest;
    throw new NotFoundError('there is no active swarm', { hint: 'Create one with swarm_create.' });
  }
  const row = await queries.get(`${SWARM} WHERE id = ?`, [swarmId]);
  if (row !== undefined) return toSwarm(row);
  throw new NotFoundError(`there is no swarm ${JSON.stringify(swarmId)}`, {
    hint: 'Leave swarmId out for the newest active swarm, or create one with swarm_create.',
  });
}

/** As {@link findSwarm}, for what is about to change it. */
export async function findActiveSwarm(queries: Queries, swarmId: string | undefined): Promise<SwarmRecord> {
  const swarm = await findSwarm(queries, swarmId);
  if (swarm.status === 'active') return swarm;
  throw new NotFoundError(`the swarm ${swarm.swarmId} was destroyed`, {
    hint: 'Name an active swarm, or create one with swarm_create.',
  });
}

/** Inserts rows that have the same columns, in one statement. */
export async function insertRows(queries: Queries, table: 'swarm' | 'agent' | 'task', rows: readonly Row[]): Promise<void> {
  const columns = Object.keys(rows[0] ?? {});
  if (columns.length === 0) return;
  const values = columns.map((_column, at) => `json_extract(value, '$[${at}]')`).join(', ');
  await queries.run(`INSERT INTO ${table}(${columns.join(', ')}) SELECT ${values} FROM json_each(?)`, [
    JSON.stringify(rows.map((row) => columns.map((column) => row[column]))),
  ]);
}
