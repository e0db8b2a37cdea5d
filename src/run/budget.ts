import type { AskLimits } from '../agent/provider.ts';
import type { BudgetReached } from '../events.ts';
import type { Budgets, SwarmSpec } from '../skill/skill.ts';
import type { Amounts } from './claim-room.ts';
import type { FoldedRun, FoldedStep, Used } from './fold.ts';
import type { Share } from './sharing.ts';
import { poolReached } from './swarm-pool.ts';
import type { Pool, PoolPart } from './swarm-pool.ts';

/** What all runs of a project may use on one day (UTC), and what they have used today, this run included. */
export interface DayBudget extends Amounts {
  readonly usedTokens: number;
  readonly usedCostUsd: number;
  /** Attempts of other paid runs that are under way: what is left is divided with them as well. */
  readonly others: number;
}

/** Limits that a run shares with others. */
interface Shared {
  readonly day: DayBudget;
  /** `null` where its swarm has none. */
  readonly pool: Pool | null;
}

const WHATS = ['steps', 'tokens', 'costUsd', 'wallMs'] as const;
const NOTHING: Used = { tokens: 0, costUsd: 0, unpriced: 0, steps: 0, wallMs: 0 };

function reached(limits: Budgets, used: Used, wallMs: number, scope: 'run' | 'agent', agentId?: string): BudgetReached | null {
  const amounts = { steps: used.steps, tokens: used.tokens, costUsd: used.costUsd, wallMs };
  for (const what of WHATS) {
    const limit = limits[what];
    if (limit === null || amounts[what] < limit) continue;
    return { scope, ...(agentId === undefined ? {} : { agentId }), what, limit, used: amounts[what] };
  }
  return null;
}

/** Milliseconds of work up to now. */
function activeMs(state: FoldedRun, now: number, sinceMs: number): number {
  return state.activeMs + Math.max(0, now - sinceMs);
}

/** When the last event was, for time that has passed since. */
export interface Clock {
  readonly now: number;
  /** Since when this process has worked without an event. */
  readonly since: number;
}

/** The first budget that leaves no room for another attempt of an agent; `null` when all do. */
export function budgetReached(
  budget: SwarmSpec['budget'],
  state: FoldedRun,
  agentId: string,
  paid: boolean,
  { day, pool }: Shared,
  clock: Clock,
): BudgetReached | null {
  const ofSwarm = poolReached(pool);
  if (ofSwarm !== null) return ofSwarm;
  const all = state.used.get('') ?? NOTHING;
  const own = state.used.get(agentId) ?? NOTHING;
  const ofRun = reached(budget.run, all, activeMs(state, clock.now, clock.since), 'run');
  if (ofRun !== null) return ofRun;
  const ofAgent = reached(budget.agent, own, own.wallMs, 'agent', agentId);
  if (ofAgent !== null || !paid) return ofAgent;
  const { usedTokens, usedCostUsd } = day;
  if (day.costUsd !== null && usedCostUsd >= day.costUsd) {
    return { scope: 'day', what: 'costUsd', limit: day.costUsd, used: usedCostUsd };
  }
  if (day.tokens !== null && usedTokens >= day.tokens)
    return { scope: 'day', what: 'tokens', limit: day.tokens, used: usedTokens };
  return null;
}

/**
 * The wall time that is used up while attempts are under way: the run's, or that of an agent of theirs. `null` while the
 * run waits for people, as that time does not count.
 */
export function wallReached(
  budget: SwarmSpec['budget'],
  state: FoldedRun,
  underWay: readonly Pick<FoldedStep, 'agentId' | 'startedAt'>[],
  clock: Clock,
): BudgetReached | null {
  const { waiting, paused } = state;
  if (waiting !== null) return paused?.what === 'wallMs' && paused.scope === 'run' ? paused : null;
  const { wallMs: most } = budget.run;
  const used = activeMs(state, clock.now, clock.since);
  if (most !== null && used >= most) return { scope: 'run', what: 'wallMs', limit: most, used };
  const { wallMs: limit } = budget.agent;
  if (limit === null) return null;
  const byAgent = new Map<string, number>();
  for (const { agentId, startedAt } of underWay) {
    const before = byAgent.get(agentId) ?? state.used.get(agentId)?.wallMs ?? 0;
    byAgent.set(agentId, before + Math.max(0, clock.now - (startedAt ?? clock.now)));
  }
  const spent = [...byAgent].find(([, wallMs]) => wallMs >= limit);
  return spent === undefined ? null : { scope: 'agent', agentId: spent[0], what: 'wallMs', limit, used: spent[1] };
}

/** The limit of tokens or money that is nearest to being reached; `null` where there is none. */
export function nearestBudget(
  budget: SwarmSpec['budget'],
  state: FoldedRun,
  agentId: string,
  { day, pool }: Shared,
): BudgetReached | null {
  const all = state.used.get('') ?? NOTHING;
  const own = state.used.get(agentId) ?? NOTHING;
  const whats = ['tokens', 'costUsd'] as const;
  const today = { tokens: day.usedTokens, costUsd: day.usedCostUsd };
  const ofPool = pool === null ? null : { scope: 'swarm' as const, swarmId: pool.swarmId };
  const limits = whats.flatMap((what): readonly (BudgetReached | null)[] => [
    ofPool === null ? null : withLimit({ ...ofPool, what, used: pool?.used[what] ?? 0 }, pool?.limits[what] ?? null),
    withLimit({ scope: 'run', what, used: all[what] }, budget.run[what]),
    withLimit({ scope: 'agent', agentId, what, used: own[what] }, budget.agent[what]),
    withLimit({ scope: 'day', what, used: today[what] }, day[what]),
  ]);
  const shareOf = ({ used, limit }: BudgetReached): number => (limit === 0 ? 1 : used / limit);
  return limits.reduce((nearest, one) => {
    if (one === null || nearest === null) return nearest ?? one;
    return shareOf(one) > shareOf(nearest) ? one : nearest;
  }, null);
}

function withLimit(reached: Omit<BudgetReached, 'limit'>, limit: number | null): BudgetReached | null {
  return limit === null ? null : { ...reached, limit };
}

function least(...limits: readonly (number | null)[]): number | null {
  const given = limits.filter((limit) => limit !== null);
  return given.length === 0 ? null : Math.max(0, Math.min(...given));
}

const left = (limit: number | null, used: number): number | null => (limit === null ? null : limit - used);
const share = (amount: number | null, sharers: number): number | null => (amount === null ? null : amount / sharers);

/**
 * What one attempt may still spend.
 * @param part what it may use of its swarm's pool
 * @param share what is left of the run's is divided in so many parts, what is left of the day's among those of all runs as
 *   well; what attempts under way may use is not left
 */
export function limitsFor(
  budget: SwarmSpec['budget'],
  state: FoldedRun,
  agentId: string,
  { day, part }: { readonly day: DayBudget; readonly part: PoolPart | null },
  { sharers, held }: Share,
): AskLimits {
  const all = state.used.get('') ?? NOTHING;
  const own = state.used.get(agentId) ?? NOTHING;
  const ofDay = sharers + day.others;
  const tokens = least(
    part?.tokens ?? null,
    share(left(budget.run.tokens, all.tokens + held.tokens), sharers),
    share(left(day.tokens, day.usedTokens + held.tokens), ofDay),
    left(budget.agent.tokens, own.tokens),
  );
  const maxCostUsd = least(
    part?.costUsd ?? null,
    share(left(budget.run.costUsd, all.costUsd + held.costUsd), sharers),
    share(left(day.costUsd, day.usedCostUsd + held.costUsd), ofDay),
    left(budget.agent.costUsd, own.costUsd),
  );
  return { maxTokens: tokens === null ? null : Math.floor(tokens), maxCostUsd };
}
