/**
 * What can be done about a run that does not go on by itself. Calls are named as `executor/call-words.ts` reads them, so
 * that every surface shows them in its own way.
 */
import type { BudgetReached } from '../events.ts';
import { amountWords } from '../run/amount-words.ts';
import type { RunState } from '../run/runs.ts';
import type { Budgets } from '../skill/skill.ts';

const call = (tool: string, input: Readonly<Record<string, unknown>>): string => `${tool} ${JSON.stringify(input)}`;

interface Reached {
  readonly scope: string;
  readonly agentId?: string | null | undefined;
  readonly what: BudgetReached['what'];
  readonly limit: number;
  readonly used: number;
}

type Limits = Readonly<Record<BudgetReached['what'], number>>;
/** What is suggested in place of no limit, or of nothing at all. */
const FIRST: Limits = { tokens: 1_000_000, costUsd: 1, wallMs: 60_000, steps: 10 };
/** What `run_resume` and `swarm_budget` take at most. */
const MOST_OF_RUN: Limits = { tokens: 1e12, costUsd: 100_000, wallMs: 31_536_000_000, steps: 1e9 };
const MOST_OF_SWARM: Limits = { tokens: 1e12, costUsd: 1e6, wallMs: 86_400_000, steps: 100_000 };

/** Twice a limit, in whole cents, seconds, tokens or attempts; `null` when what is taken at most is used already. */
function doubled({ what, limit, used }: Pick<Reached, 'what' | 'limit' | 'used'>, most: Limits): number | null {
  const twice = Math.max(limit, used) * 2 || FIRST[what];
  const unit = what === 'costUsd' ? 0.01 : what === 'wallMs' ? 1000 : 1;
  const whole = what === 'costUsd' ? Math.ceil(twice * 100) / 100 : Math.ceil(twice / unit) * unit;
  const amount = Math.min(whole, most[what]);
  return amount > used ? amount : null;
}

/** The parameter of `run_resume` that raises a budget, and what stands in it when the budget is doubled. */
function raised(reached: Pick<Reached, 'what' | 'limit' | 'used'>): Readonly<Record<string, number>> | null {
  const to = doubled(reached, MOST_OF_RUN);
  if (to === null) return null;
  const { what } = reached;
  if (what === 'costUsd') return { maxCostUsd: to };
  if (what === 'wallMs') return { maxSeconds: to / 1000 };
  return what === 'tokens' ? { maxTokens: to } : { maxSteps: to };
}

/** `the run may use $0.40 and has used $0.38`. */
export function budgetWords({ scope, agentId, what, limit, used }: Reached): string {
  const whose = scope === 'agent' ? (agentId ?? 'an agent') : scope === 'day' ? 'the project today' : `the ${scope}`;
  return `${whose} may use ${amountWords(what, limit)} and has used ${amountWords(what, used)}`;
}

export function hostWays(id: string, allHeldUntil: number | null): string {
  const claim = call('task_claim', { taskId: id });
  if (allHeldUntil === null) return `Claim a step with ${claim}, do it, answer with task_complete.`;
  const until = new Date(allHeldUntil).toISOString();
  return `All steps that are ready are claimed: answer them with task_complete. The first that is not answered is free again at ${until}, with ${claim}.`;
}

/** What is to be known of a run that paused. */
export interface PausedRun {
  /** Whether nobody knows the price of a model. */
  readonly unpriced: boolean;
  /** All that the run has used. */
  readonly tokens: number;
  /** Of a run that paused at its swarm's budget. */
  readonly swarm: PausedSwarm | null;
}

export interface PausedSwarm {
  /** Its limits, what was used, and the agents among whom it is divided; `null` when there is room again. */
  readonly pool: {
    readonly swarmId: string;
    readonly limits: Budgets;
    readonly used: Limits;
    readonly agents: readonly string[];
  } | null;
  /** The run's own limit of the same, where it would leave no more room. */
  readonly own: Pick<Reached, 'what' | 'limit' | 'used'> | null;
}

function swarmWays(id: string, reached: Reached, { pool, own }: PausedSwarm): string {
  const resume = call('run_resume', { runId: id, ...(own === null ? {} : raised(own)) });
  if (pool === null) return `There is room in the swarm's budget again. To go on: ${resume}`;
  const { swarmId, limits, used, agents } = pool;
  const given = (['tokens', 'costUsd', 'wallMs', 'steps'] as const).flatMap(
    (what): readonly (readonly [string, number | null])[] => {
      const limit = limits[what];
      if (limit === null) return [];
      const isToRise = what === reached.what || limit < used[what];
      return [[what, isToRise ? doubled({ what, limit, used: used[what] }, MOST_OF_SWARM) : limit]];
    },
  );
  if (given.some(([, amount]) => amount === null)) {
    return `The swarm's limit cannot be higher. To go on without limits: ${call('swarm_budget', { swarmId, release: true })}, then ${resume}`;
  }
  const raise = call('swarm_budget', { swarmId, ...Object.fromEntries(given), ...(agents.length === 0 ? {} : { agents }) });
  return `To go on with a higher limit of the swarm: ${raise}, then ${resume}`;
}

export function budgetWays(id: string, reached: Reached, { unpriced, tokens, swarm }: PausedRun): string {
  const end = `to end it: ${call('run_cancel', { runId: id })}.`;
  if (unpriced) {
    const bounded = call('run_resume', { runId: id, ...raised({ what: 'tokens', limit: FIRST.tokens / 2, used: tokens }) });
    const known = 'or take a model whose price is known (SKILLFLOW_MODEL_SMALL, _STANDARD, _LARGE; unset, they are)';
    return `The price of a model is not known, so no limit in dollars can be kept, however high: limit its tokens instead, ${bounded}, ${known} and ${call('run_resume', { runId: id })}; ${end}`;
  }
  if (reached.scope === 'day') {
    const raise = reached.what === 'costUsd' ? 'SKILLFLOW_DAY_BUDGET_USD' : 'SKILLFLOW_DAY_BUDGET_TOKENS';
    return `To go on: raise the project's limit of a day (${raise}) or wait for the next day (UTC), then ${call('run_resume', { runId: id })}; ${end}`;
  }
  if (swarm !== null) return `${swarmWays(id, reached, swarm)}; ${end}`;
  const more = raised(reached);
  if (more === null) return `The limit cannot be higher; ${end}`;
  return `To go on with a higher limit: ${call('run_resume', { runId: id, ...more })}; ${end}`;
}

export function approvalWays(id: string): string {
  const answer = (approved: boolean): string => call('run_approve', { runId: id, approved });
  return `A person decides: ${answer(true)} or ${answer(false)}.`;
}

/** Of a run whose question was answered, by a process that ended before it went on. */
export function answeredWays(id: string): string {
  return `Its question was answered. Go on with it: ${call('run_resume', { runId: id })}.`;
}

/**
 * Of a run that waits see what it waits for; `null`: there is nothing to do.
 * @param isUndone whether nobody could do a step of it: doing them again with the same provider would be no different
 */
export function waysOn(id: string, status: RunState, isUndone = false): string | null {
  if (status === 'interrupted') return `Go on with it: ${call('run_resume', { runId: id })}.`;
  if (status !== 'failed' && status !== 'cancelled') return null;
  if (isUndone) return 'Run the skill again with another provider.';
  return `Do steps of it again with ${call('run_retry', { runId: id, from: '<step>' })}, or run the skill again.`;
}

/** Why a run that has not completed has no report yet, and what to do. */
export function waysToReport(id: string, status: RunState): string {
  const look = call('run_status', { runId: id });
  if (status === 'running') return `It is under way: wait for its end; ${look} shows how far it is.`;
  return waysOn(id, status) ?? `See what it waits for with ${look}.`;
}
