import type { BudgetReached } from '../events.ts';
import type { Budgets } from '../skill/skill.ts';
import type { Queries } from '../store/database.ts';
import { numberOf } from '../store/row.ts';
import { poolLimits, swarmUsage } from './swarm-budget.ts';
import type { SwarmUsage } from './swarm-budget.ts';
import { SWARM, toSwarm } from './swarm-records.ts';

/** What all runs of a swarm's tasks may use together, as it stands now. */
export interface Pool {
  readonly swarmId: string;
  readonly limits: Budgets;
  readonly used: SwarmUsage;
  /** What attempts under way may still use of it. */
  readonly held: { readonly tokens: number; readonly costUsd: number };
  /** Other runs of the swarm that are driven, and have no attempt under way at this moment. */
  readonly idle: number;
}

/** What an attempt may use of a pool; `null` where there is no limit. */
export interface PoolPart {
  readonly tokens: number | null;
  readonly costUsd: number | null;
}

const HELD = `SELECT total(json_extract(event.body, '$.pool.tokens')) AS tokens, total(json_extract(event.body, '$.pool.costUsd')) AS cost
  FROM run JOIN step ON step.run_id = run.id JOIN event ON event.run_id = run.id AND event.type = 'step_started'
    AND json_extract(event.body, '$.stepId') = step.id AND json_extract(event.body, '$.epoch') = step.epoch
  WHERE run.swarm_id = ? AND run.status = 'running' AND step.status = 'running' AND step.lease_until >= ?`;
const IDLE = `SELECT count(*) AS n FROM run WHERE swarm_id = ? AND id <> ? AND status = 'running' AND waiting IS NULL AND lease_until >= ?
  AND NOT EXISTS (SELECT 1 FROM step WHERE step.run_id = run.id AND step.status = 'running')`;

/** A run, and the swarm that it is done by. */
interface PoolPlace {
  readonly runId: string;
  readonly swarmId: string | null;
}

/** The pool that a run's swarm has; `null` where it has none. */
export async function readPool(queries: Queries, { runId, swarmId }: PoolPlace, now: number): Promise<Pool | null> {
  if (swarmId === null) return null;
  const row = await queries.get(`${SWARM} WHERE id = ?`, [swarmId]);
  if (row === undefined) return null;
  const swarm = toSwarm(row);
  const limits = poolLimits(swarm);
  if (limits === null) return null;
  const used = await swarmUsage(queries, swarmId);
  if (limits.tokens === null && limits.costUsd === null)
    return { swarmId, limits, used, held: { tokens: 0, costUsd: 0 }, idle: 0 };
  const held = (await queries.get(HELD, [swarmId, now])) ?? {};
  const idle = numberOf((await queries.get(IDLE, [swarmId, runId, now])) ?? {}, 'n');
  return { swarmId, limits, used, held: { tokens: numberOf(held, 'tokens'), costUsd: numberOf(held, 'cost') }, idle };
}

/** What of a pool leaves no room for another attempt. */
export function poolReached(pool: Pool | null): BudgetReached | null {
  if (pool === null) return null;
  const { swarmId, limits, used } = pool;
  for (const what of ['steps', 'tokens', 'costUsd', 'wallMs'] as const) {
    const limit = limits[what];
    if (limit !== null && used[what] >= limit) return { scope: 'swarm', swarmId, what, limit, used: used[what] };
  }
  return null;
}

const WHATS = ['tokens', 'costUsd'] as const;

/** Whether what is left of a pool is with attempts that are under way: when they are over, there may be room again. */
export function isPoolHeld(pool: Pool | null): boolean {
  return pool !== null && (pool.held.tokens > 0 || pool.held.costUsd > 0);
}

/**
 * What an attempt may use of a pool, so that all attempts under way together may never use more than there is.
 * @param sharers those of its run that are about to begin, itself among them; `null`: it gets all that is left
 * @returns `null` when all that is left is with others
 */
export function poolPart({ limits, used, held, idle }: Pool, sharers: number | null): PoolPart | null {
  const part: { tokens: number | null; costUsd: number | null } = { tokens: null, costUsd: null };
  for (const what of WHATS) {
    const limit = limits[what];
    if (limit === null) continue;
    const left = limit - used[what] - held[what];
    if (left <= 0) return null;
    const own = sharers === null ? left : left / (sharers + idle);
    part[what] = what === 'tokens' ? Math.floor(own) : own;
  }
  return part;
}
