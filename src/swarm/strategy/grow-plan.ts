import { InternalError } from '../../errors.ts';
import type { Plan, PlanStep } from '../plan.ts';
import { judgeRound } from '../topology/judge-round.ts';
import { planStep } from '../topology/topology.ts';
import { lastResult, layersOf } from './layer-score.ts';
import type { LayerResult, Outcomes } from './layer-score.ts';

/** Less than this is no improvement: one finding more is 1, the judges' or the agent's support counts up to .99. */
const MIN_GAIN = 0.05;

/** Steps to append to a plan, and why, one sentence. */
export interface Growth {
  readonly steps: readonly PlanStep[];
  readonly reason: string;
}

/** All who worked so far work again and see the best output; then it is judged as the first layer was. */
function nextLayer({ steps, agents }: Plan, best: PlanStep): readonly PlanStep[] {
  const working = new Set(steps.filter((step) => step.kind !== 'judge').map((step) => step.agentId));
  const workers = agents.filter((agent) => working.has(agent.id));
  const judges = agents.filter((agent) => !working.has(agent.id));
  const round = 1 + steps.reduce((last, step) => Math.max(last, step.round), 0);
  const work = workers.map((agent) => planStep(round, 'work', agent, [best]));
  return [...work, ...judgeRound(work, judges.length === 0 ? workers : judges)];
}

function explain(layer: number, { score, best }: LayerResult, before: number): string {
  const than = layer === 1 ? '' : `, up from ${before.toFixed(2)}`;
  return `Layer ${layer} came to ${score.toFixed(2)}${than}: layer ${layer + 1} builds on ${best.id}.`;
}

/**
 * The next layer of a cascade all of whose steps have ended, or `null` where it stops: `maxRounds` layers were added, the
 * last layer's score is not at least .05 above the one before it (for the first: above 0), or none of its steps has a
 * result. Any other strategy never grows. The score of a layer is the number of findings confirmed by then, plus .99 × the
 * support of its best output (see `layer-score.ts`).
 *
 * A function of the plan and the outcomes alone: another process that goes on with the run grows the same steps, with the
 * same ids.
 *
 * @throws InternalError a step has not ended
 */
export function growPlan(plan: Plan, outcomes: Outcomes, maxRounds: number): Growth | null {
  if (plan.strategy !== 'cascade') return null;
  const open = plan.steps.find(({ id }) => !outcomes.has(id));
  if (open !== undefined) throw new InternalError(`the plan cannot grow before step ${open.id} has ended`);
  const layers = layersOf(plan);
  if (layers.length - 1 >= maxRounds) return null;
  const last = lastResult(layers, outcomes);
  const before = layers.length === 1 ? 0 : (lastResult(layers.slice(0, -1), outcomes)?.score ?? 0);
  if (last === null || last.score < before + MIN_GAIN) return null;
  return { steps: nextLayer(plan, last.best), reason: explain(layers.length, last, before) };
}
