import * as z from 'zod';
import type { Queries } from '../store/database.ts';
import { textBytes, textColumns, textOf, textOrNull } from '../store/row.ts';
import { storedJson } from './stored-json.ts';

/** What a run waits for comes before that it runs. */
export const RUN_STATUS = `CASE run.waiting WHEN 'host' THEN 'awaiting_host' WHEN 'budget' THEN 'paused'
  WHEN 'approval' THEN 'awaiting_approval' ELSE run.status END`;

/** How a task without a run stands, and why. `cancelled`: as things are it never begins. */
export interface Unbegun {
  readonly state: 'blocked' | 'not_started' | 'cancelled';
  readonly because: string;
}

/** Named reasons; there may be a hundred. */
const MAX_NAMED = 5;
const ids = z.array(z.string());

/** Tasks, and all that they wait for, each once, before those that wait for it: a task names only ones that were there. */
const CLOSURE = `WITH RECURSIVE wanted(id) AS (SELECT value FROM json_each(?) UNION SELECT needed.value FROM wanted
    JOIN task ON task.id = wanted.id AND task.run_id IS NULL JOIN json_each(task.dependencies) AS needed)
  SELECT ${textBytes('task.id')} AS id, ${textBytes(RUN_STATUS)} AS run_status, ${textColumns(['dependencies'])},
    ${textBytes('task.swarm_id')} AS swarm_id, ${textBytes('swarm.status')} AS swarm_status
  FROM wanted JOIN task ON task.id = wanted.id LEFT JOIN run ON run.id = task.run_id LEFT JOIN swarm ON swarm.id = task.swarm_id
  ORDER BY task.rowid`;

const named = (tasks: readonly (readonly [id: string, state: string])[]): string =>
  tasks
    .slice(0, MAX_NAMED)
    .map(([id, state]) => `${id} is ${state}`)
    .join(', ');

/** A task waits as long as what it depends on may still complete; then it begins, or never does. */
function standing(needed: readonly (readonly [id: string, state: string])[]): Unbegun {
  const dead = needed.filter(([, state]) => state === 'failed' || state === 'cancelled');
  if (dead.length > 0) {
    const way = 'complete that with run_retry, and this one begins; or submit it anew without it';
    return { state: 'cancelled', because: `it depends on others that did not complete: ${named(dead)}; ${way}` };
  }
  const open = needed.filter(([, state]) => state !== 'completed');
  if (open.length > 0) return { state: 'blocked', because: `it depends on others: ${named(open)}` };
  return { state: 'not_started', because: 'claim it with task_claim' };
}

/** Of those of the tasks that have no run, how they stand. */
export async function unbegunTasks(queries: Queries, taskIds: readonly string[]): Promise<ReadonlyMap<string, Unbegun>> {
  const states = new Map<string, string>();
  const unbegun = new Map<string, Unbegun>();
  for (const row of await queries.all(CLOSURE, [JSON.stringify(taskIds)])) {
    const id = textOf(row, 'id');
    const runStatus = textOrNull(row, 'run_status');
    if (runStatus !== null) {
      states.set(id, runStatus);
      continue;
    }
    const dependencies = storedJson(ids, textOf(row, 'dependencies'), 'the dependencies of a task');
    const stands: Unbegun =
      textOrNull(row, 'swarm_status') === 'destroyed'
        ? { state: 'cancelled', because: `its swarm ${textOf(row, 'swarm_id')} was destroyed before it began` }
        : standing(dependencies.map((needed) => [needed, states.get(needed) ?? 'gone'] as const));
    states.set(id, stands.state);
    unbegun.set(id, stands);
  }
  return unbegun;
}
