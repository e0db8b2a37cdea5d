import { InternalError } from '../../errors.ts';
import type { Plan, PlanStep } from '../plan.ts';
import { judgeRound } from '../topology/judge-round.ts';
import { planStep } from '../topology/topology.ts';
import { lastResult, layersOf } from './layer-score.ts';
import type { LayerResult, Outcomes } from './layer-score.ts';

/** Less than this is no improvement: one finding more is 1, the judges' or the agent's support counts up to .99. */
const MIN_GAIN = 0.05;

/** What becomes of a plan that can grow, and why, one sentence. */
export type Growth =
  /** Steps to append. */
  | { readonly grows: true; readonly steps: readonly PlanStep[]; readonly reason: string }
  /** `no_gain`: the last layer improved too little; `no_result`: none of its steps has a result; `bound`: no more may be added. */
  | { readonly grows: false; readonly why: 'no_gain' | 'no_result' | 'bound'; readonly reason: string };

/** All who worked so far work again and see the best output; then it is judged as the first layer was. */
function nextLayer({ steps, agents }: Plan, best: PlanStep): readonly PlanStep[] {
  const working = new Set(steps.filter((step) => step.kind !== 'judge').map((step) => step.agentId));
  const workers = agents.filter((agent) => working.has(agent.id));
  const judges = agents.filter((agent) => !working.has(agent.id));
  const round = 1 + steps.reduce((last, step) => Math.max(last, step.round), 0);
  const work = workers.map((agent) => planStep(round, 'work', agent, [best]));
  return [...work, ...judgeRound(work, judges.length === 0 ? workers : judges)];
}

/** What the last layer came to, in words. */
function came(layer: number, { score }: LayerResult, before: number): string {
  const than = layer === 1 ? '' : `, ${score > before ? 'up from' : 'after'} ${before.toFixed(2)}`;
  return `Layer ${layer} came to ${score.toFixed(2)}${than}`;
}

/**
 * The next layer of a cascade all of whose steps have ended, or why it stops: none of the last layer's steps has a result,
 * its score is not at least .05 above that of the one before it (for the first: above 0), or `maxRounds` layers were added.
 * `null` for any other strategy: those never grow. The score of a layer is the number of findings confirmed by then, plus
 * .99 × the support of its best output (see `layer-score.ts`).
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
  const layer = layers.length;
  const last = lastResult(layers, outcomes);
  if (last === null) {
    return { grows: false, why: 'no_result', reason: `No step of layer ${layer} has a result: nothing can build on it.` };
  }
  const before = layer === 1 ? 0 : (lastResult(layers.slice(0, -1), outcomes)?.score ?? 0);
  const result = came(layer, last, before);
  if (last.score < before + MIN_GAIN) {
    return { grows: false, why: 'no_gain', reason: `${result}: a further layer needs a gain of at least ${MIN_GAIN}.` };
  }
  if (layer - 1 >= maxRounds) {
    return { grows: false, why: 'bound', reason: `${result}: max_rounds, which is ${maxRounds}, allows no further layer.` };
  }
  return { grows: true, steps: nextLayer(plan, last.best), reason: `${result}: layer ${layer + 1} builds on ${last.best.id}.` };
}
