import type { Queries } from '../store/database.ts';
import { numberOf } from '../store/row.ts';

/** Tokens and money that may be used; `null` where there is no limit. */
export interface Amounts {
  readonly tokens: number | null;
  readonly costUsd: number | null;
}

/** What an attempt needs room in; asked within its claim, as other attempts may begin or end at the same time. */
export interface Room {
  /** Attempts that the run and the agent may have, this one included; `null` where there is no limit. */
  readonly maxSteps?: { readonly run: number | null; readonly agent: number | null } | undefined;
  /** What the run may use, all its days together, and all runs of the project on one day (UTC). */
  readonly most?: { readonly run: Amounts; readonly day: Amounts } | undefined;
  /**
   * Of one that costs money: how many of its run are about to begin, itself among them, so that what is left of the
   * swarm's pool is divided; `null`: it is to have all that is left.
   */
  readonly sharers?: number | null | undefined;
}

/** What was used. */
export interface Spending {
  readonly tokens: number;
  readonly costUsd: number;
}

const DAY_MS = 86_400_000;
const ATTEMPTS = `SELECT total(attempt) AS attempts, total(CASE WHEN agent_id = ? THEN attempt END) AS own FROM step WHERE run_id = ?`;
const SPENT = `SELECT total(input_tokens + output_tokens + cache_read_tokens + cache_write_tokens) AS tokens, total(cost_usd) AS cost FROM spend`;

async function spentBy(queries: Pick<Queries, 'get'>, where: string, value: string | number): Promise<Spending> {
  const row = (await queries.get(`${SPENT} WHERE ${where}`, [value])) ?? {};
  return { tokens: numberOf(row, 'tokens'), costUsd: numberOf(row, 'cost') };
}

/** What all runs together have used on the day of `now` (UTC). */
export function spentOnDay(queries: Pick<Queries, 'get'>, now: number): Promise<Spending> {
  return spentBy(queries, 'at >= ?', Math.floor(now / DAY_MS) * DAY_MS);
}

const hasLimit = ({ tokens, costUsd }: Amounts): boolean => tokens !== null || costUsd !== null;
const isBelow = (used: Spending, most: Amounts): boolean =>
  used.tokens < (most.tokens ?? Infinity) && used.costUsd < (most.costUsd ?? Infinity);

/** Whether the budgets leave room for another attempt, whoever made those before it. */
export async function hasRoom(
  queries: Queries,
  { runId, agentId, now }: { readonly runId: string; readonly agentId: string; readonly now: number },
  { maxSteps, most }: Room,
): Promise<boolean> {
  if (maxSteps !== undefined && (maxSteps.run !== null || maxSteps.agent !== null)) {
    const row = (await queries.get(ATTEMPTS, [agentId, runId])) ?? {};
    const left = numberOf(row, 'attempts') < (maxSteps.run ?? Infinity) && numberOf(row, 'own') < (maxSteps.agent ?? Infinity);
    if (!left) return false;
  }
  if (most === undefined) return true;
  if (hasLimit(most.run) && !isBelow(await spentBy(queries, 'run_id = ?', runId), most.run)) return false;
  return !hasLimit(most.day) || isBelow(await spentOnDay(queries, now), most.day);
}
