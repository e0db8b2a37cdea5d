import { UNKNOWN_PRICE } from '../agent/provider.ts';
import type { BudgetReached } from '../events.ts';
import type { FoldedRun, FoldedStep } from '../run/fold.ts';
import type { SwarmSpec } from '../skill/skill.ts';
import type { App } from './tool.ts';
import type { PausedRun, PausedSwarm } from './ways-on.ts';

/** Whether an attempt found no room because nobody knows what its model costs. */
function isUnpriced({ code, reason }: Pick<FoldedStep, 'code' | 'reason'>): boolean {
  return code === 'budget' && reason?.startsWith(UNKNOWN_PRICE) === true;
}

/** A swarm's limits, where they still leave no room. */
async function poolOf(app: App, swarmId: string, { what, limit: before }: BudgetReached): Promise<PausedSwarm['pool']> {
  const swarms = await app.swarms('read');
  const { allocation, used } = await swarms.budget(swarmId);
  const limit = allocation?.pool[what] ?? null;
  // An attempt may have been too large for what was left.
  if (allocation === null || limit === null || (limit > before && limit > used[what])) return null;
  const there = new Set((await swarms.members(swarmId)).agents.map(({ agentId }) => agentId));
  const agents = allocation.agents.filter((id) => there.has(id));
  return { swarmId, limits: allocation.pool, used, agents };
}

/** What is to be known of a run that paused, to tell how it goes on. */
export async function pausedRun(
  app: App,
  state: FoldedRun,
  reached: BudgetReached,
  budget: SwarmSpec['budget'],
): Promise<PausedRun> {
  const { what, swarmId } = reached;
  const all = state.used.get('');
  const limit = budget.run[what];
  const used = what === 'wallMs' ? state.activeMs : (all?.[what] ?? 0);
  const isTight = limit !== null && limit - used <= reached.limit - reached.used;
  return {
    unpriced: [...state.steps.values()].some(isUnpriced),
    tokens: all?.tokens ?? 0,
    swarm:
      swarmId === undefined ? null : { pool: await poolOf(app, swarmId, reached), own: isTight ? { what, limit, used } : null },
  };
}
