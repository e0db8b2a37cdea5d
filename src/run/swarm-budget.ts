import * as z from 'zod';
import { ConflictError, InvalidInputError, NotFoundError } from '../errors.ts';
import type { Runtime } from '../runtime.ts';
import type { Budgets, SwarmSpec } from '../skill/skill.ts';
import type { Database, Queries } from '../store/database.ts';
import { numberOf } from '../store/row.ts';
import { registeredAgents } from './agents.ts';
import { findActiveSwarm, findSwarm } from './find-swarm.ts';
import type { AgentRecord, Json, SwarmRecord } from './swarm-records.ts';
import { storedValue } from './stored-json.ts';

/** Where the record of a swarm keeps its budget. */
const KEY = '$budget';
const WHATS = ['tokens', 'costUsd', 'wallMs', 'steps'] as const;

/** Limits of what the tasks of a swarm may use. Times in milliseconds. */
export interface Allocation {
  readonly allocationId: string;
  /** Of all runs of the swarm's tasks together. */
  readonly pool: Budgets;
  /** Of each agent in one run; `null` where the pool was not divided. */
  readonly share: Budgets | null;
  /** Ids of the agents it was divided among. */
  readonly agents: readonly string[];
  /** Milliseconds since the epoch. */
  readonly setAt: number;
}

/** What the runs of a swarm have used: `wallMs` is that of steps that ended, added up. */
export interface SwarmUsage {
  readonly tokens: number;
  /** Of the attempts whose model has a known price. */
  readonly costUsd: number;
  /** Attempts whose model has none. */
  readonly unpriced: number;
  readonly wallMs: number;
  readonly steps: number;
}

export interface SwarmBudget {
  readonly swarm: SwarmRecord;
  /** `null`: its tasks have no limits. */
  readonly allocation: Allocation | null;
  readonly used: SwarmUsage;
  /** Of the pool, at least 0; `null` where there is no limit. */
  readonly left: Budgets;
}

/** How a pool is divided in equal parts: not at all, among all registered agents, or among these, by id or by name. */
export type Division = 'none' | 'all' | readonly string[];

/** Budgets of swarms: what a task that is started later may use. */
export interface SwarmBudgets {
  /** Throws `NotFoundError`. */
  budget(swarmId?: string): Promise<SwarmBudget>;
  /**
   * Replaces the pool. Throws `NotFoundError` for an unknown agent, and when the swarm is unknown or destroyed;
   * `ConflictError` when more than the pool was used already, or a part of it would be nothing.
   */
  setBudget(pool: Budgets, division: Division, swarmId?: string): Promise<SwarmBudget>;
  /** Takes the limits away. Throws `NotFoundError`, also when the swarm was destroyed. */
  releaseBudget(swarmId?: string): Promise<SwarmBudget>;
}

const limit = z.number().min(0).nullable();
const budgets = z.object({ tokens: limit, costUsd: limit, wallMs: limit, steps: limit });
const allocation = z.object({
  allocationId: z.string(),
  pool: budgets,
  share: budgets.nullable(),
  agents: z.array(z.string()),
  setAt: z.number(),
});
const UNLIMITED: Budgets = { tokens: null, costUsd: null, wallMs: null, steps: null };

function allocationOf({ config }: SwarmRecord): Allocation | null {
  const kept = Object.hasOwn(config, KEY) ? config[KEY] : undefined;
  return kept === undefined ? null : storedValue(allocation, kept, 'the budget of a swarm');
}

/** What all runs of a swarm may use together; `null` where it has no budget. */
export function poolLimits(swarm: SwarmRecord): Budgets | null {
  return allocationOf(swarm)?.pool ?? null;
}

/** Throws `InvalidInputError` for a config that would be taken for a budget. */
export function requireNoBudget(config: Readonly<Record<string, Json>>): void {
  if (!Object.hasOwn(config, KEY)) return;
  throw new InvalidInputError(`config: the key ${KEY} is kept for the budget of the swarm`, {
    hint: 'Use another key, and set a budget with swarm_budget; nothing was changed.',
    details: { parameter: 'config' },
  });
}

/** What the runs of a swarm have used up to now. A sum of what is no number is 0. */
export async function swarmUsage(queries: Queries, swarmId: string): Promise<SwarmUsage> {
  const spent = await queries.get(
    `SELECT total(input_tokens + output_tokens + cache_read_tokens + cache_write_tokens) AS tokens, total(cost_usd) AS cost, count(*) - count(cost_usd) AS unpriced
     FROM spend WHERE run_id IN (SELECT id FROM run WHERE swarm_id = ?)`,
    [swarmId],
  );
  const worked = await queries.get(
    `SELECT total(attempt) AS steps, total(max(ended_at - started_at, 0)) AS wall FROM step
     WHERE run_id IN (SELECT id FROM run WHERE swarm_id = ?)`,
    [swarmId],
  );
  return {
    tokens: numberOf(spent ?? {}, 'tokens'),
    costUsd: numberOf(spent ?? {}, 'cost'),
    unpriced: numberOf(spent ?? {}, 'unpriced'),
    wallMs: numberOf(worked ?? {}, 'wall'),
    steps: numberOf(worked ?? {}, 'steps'),
  };
}

function eachOf(pool: Budgets, change: (amount: number, what: keyof Budgets) => number): Budgets {
  const changed = (what: keyof Budgets): number | null => {
    const amount = pool[what];
    return amount === null ? null : change(amount, what);
  };
  return { tokens: changed('tokens'), costUsd: changed('costUsd'), wallMs: changed('wallMs'), steps: changed('steps') };
}

async function view(queries: Queries, swarm: SwarmRecord): Promise<SwarmBudget> {
  const kept = allocationOf(swarm);
  const used = await swarmUsage(queries, swarm.swarmId);
  const left = eachOf(kept?.pool ?? UNLIMITED, (amount, what) => Math.max(0, amount - used[what]));
  return { swarm, allocation: kept, used, left };
}

/**
 * The limits that a new run of a swarm begins with: what is left of the pool now, and of that an agent its part. What is
 * used up limits no run by itself: the pool does, which may be raised.
 */
export async function taskBudget(queries: Queries, swarm: SwarmRecord | null): Promise<SwarmSpec['budget']> {
  if (swarm === null || allocationOf(swarm) === null) return { run: UNLIMITED, agent: UNLIMITED };
  const { allocation: kept, left } = await view(queries, swarm);
  const some = (amount: number | null): number | null => (amount === 0 ? null : amount);
  const run = { tokens: some(left.tokens), costUsd: some(left.costUsd), wallMs: some(left.wallMs), steps: some(left.steps) };
  return { run, agent: kept?.share ?? UNLIMITED };
}

function requireUnused(pool: Budgets, used: SwarmUsage): void {
  for (const what of WHATS) {
    const amount = pool[what];
    if (amount === null || amount >= used[what]) continue;
    throw new ConflictError(`${what}: a pool of ${amount} is less than the ${used[what]} that the swarm's runs have used`, {
      hint: `Give at least ${used[what]}; nothing was changed.`,
      details: { parameter: what },
    });
  }
}

/** Whole tokens, milliseconds, steps and millionths of a dollar, so that all parts together are never more than the pool. */
function divided(pool: Budgets, parts: number): Budgets {
  return eachOf(pool, (amount, what) => {
    const share = what === 'costUsd' ? Math.floor((amount * 1e6) / parts) / 1e6 : Math.floor(amount / parts);
    if (share > 0 || amount === 0) return share;
    throw new ConflictError(`${what}: ${amount} cannot be divided among ${parts} agents: a part would be nothing`, {
      hint: 'Give more, or divide it among fewer agents; nothing was changed.',
      details: { parameter: what },
    });
  });
}

function sharers(registered: readonly AgentRecord[], { swarmId }: SwarmRecord, division: Division): readonly string[] {
  if (division === 'none') return [];
  if (division === 'all') {
    if (registered.length > 0) return registered.map(({ agentId }) => agentId);
    throw new ConflictError(`the swarm ${swarmId} has no agents to divide a budget among`, {
      hint: 'Spawn some with agent_spawn first; nothing was changed.',
    });
  }
  const ids = division.map((word) => {
    const found = registered.find(({ agentId }) => agentId === word) ?? registered.find(({ name }) => name === word);
    if (found !== undefined) return found.agentId;
    throw new NotFoundError(`agents: the swarm ${swarmId} has no registered agent ${JSON.stringify(word)}`, {
      hint: 'Give ids or names that agent_list shows; nothing was changed.',
      details: { parameter: 'agents' },
    });
  });
  return [...new Set(ids)];
}

/** The budgets of the swarms of one project's database. */
export function createSwarmBudgets({ db, runtime }: { readonly db: Database; readonly runtime: Runtime }): SwarmBudgets {
  const keep = async (queries: Queries, swarm: SwarmRecord, kept: Allocation | null): Promise<SwarmBudget> => {
    const { [KEY]: _before, ...others } = swarm.config;
    const { pool, share, agents = [], ...rest } = kept ?? {};
    const stored =
      pool === undefined
        ? others
        : { ...others, [KEY]: { ...rest, pool: { ...pool }, share: share ? { ...share } : null, agents: [...agents] } };
    const now = runtime.now();
    await queries.run('UPDATE swarm SET config = ?, updated_at = ? WHERE id = ?', [JSON.stringify(stored), now, swarm.swarmId]);
    return view(queries, { ...swarm, config: storedValue(z.record(z.string(), z.json()), stored, 'a swarm'), updatedAt: now });
  };
  return {
    budget: async (wanted) => view(db, await findSwarm(db, wanted)),
    setBudget: (pool, division, wanted) =>
      db.write(async (queries) => {
        const swarm = await findActiveSwarm(queries, wanted);
        const agents = sharers(await registeredAgents(queries, swarm.swarmId), swarm, division);
        requireUnused(pool, await swarmUsage(queries, swarm.swarmId));
        const share = agents.length === 0 ? null : divided(pool, agents.length);
        return keep(queries, swarm, { allocationId: runtime.id('allocation'), pool, share, agents, setAt: runtime.now() });
      }),
    releaseBudget: (wanted) => db.write(async (queries) => keep(queries, await findActiveSwarm(queries, wanted), null)),
  };
}
