import type { AskLimits } from '../agent/provider.ts';
import type { BudgetReached } from '../events.ts';
import type { Budgets, SwarmSpec } from '../skill/skill.ts';
import type { FoldedRun, Used } from './fold.ts';

/** What may be used on one day (UTC) over all runs of a project, and what was used today before this run's own part. */
export interface DayBudget {
  readonly tokens: number | null;
  readonly costUsd: number | null;
  readonly usedTokens: number;
  readonly usedCostUsd: number;
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
  day: DayBudget,
  clock: Clock,
): BudgetReached | null {
  const all = state.used.get('') ?? NOTHING;
  const own = state.used.get(agentId) ?? NOTHING;
  const ofRun = reached(budget.run, all, activeMs(state, clock.now, clock.since), 'run');
  if (ofRun !== null) return ofRun;
  const ofAgent = reached(budget.agent, own, own.wallMs, 'agent', agentId);
  if (ofAgent !== null || !paid) return ofAgent;
  const usedTokens = day.usedTokens + all.tokens;
  const usedCostUsd = day.usedCostUsd + all.costUsd;
  if (day.costUsd !== null && usedCostUsd >= day.costUsd) {
    return { scope: 'day', what: 'costUsd', limit: day.costUsd, used: usedCostUsd };
  }
  if (day.tokens !== null && usedTokens >= day.tokens)
    return { scope: 'day', what: 'tokens', limit: day.tokens, used: usedTokens };
  return null;
}

/** The limit of tokens or money that is nearest to being reached; `null` where there is none. */
export function nearestBudget(
  budget: SwarmSpec['budget'],
  state: FoldedRun,
  agentId: string,
  day: DayBudget,
): BudgetReached | null {
  const all = state.used.get('') ?? NOTHING;
  const own = state.used.get(agentId) ?? NOTHING;
  const whats = ['tokens', 'costUsd'] as const;
  const today = { tokens: day.usedTokens + all.tokens, costUsd: day.usedCostUsd + all.costUsd };
  const limits = whats.flatMap((what): readonly (BudgetReached | null)[] => [
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

/**
 * What one attempt may still spend.
 * @param sharers attempts that may be under way at once: what is left of the run's is divided among them
 */
export function limitsFor(
  budget: SwarmSpec['budget'],
  state: FoldedRun,
  agentId: string,
  day: DayBudget,
  sharers: number,
): AskLimits {
  const all = state.used.get('') ?? NOTHING;
  const own = state.used.get(agentId) ?? NOTHING;
  const tokens = least(left(budget.run.tokens, all.tokens), left(day.tokens, day.usedTokens + all.tokens));
  const costUsd = least(left(budget.run.costUsd, all.costUsd), left(day.costUsd, day.usedCostUsd + all.costUsd));
  const maxTokens = least(tokens === null ? null : Math.floor(tokens / sharers), left(budget.agent.tokens, own.tokens));
  const maxCostUsd = least(costUsd === null ? null : costUsd / sharers, left(budget.agent.costUsd, own.costUsd));
  return { maxTokens, maxCostUsd };
}
