import type { PlanAgent, PlanStep } from '../plan.ts';
import type { FixedTopology } from '../topology/choose-topology.ts';
import { hierarchy } from '../topology/hierarchy.ts';
import { judgeRound } from '../topology/judge-round.ts';
import { mesh } from '../topology/mesh.ts';
import { ring } from '../topology/ring.ts';
import { star } from '../topology/star.ts';
import { planStep } from '../topology/topology.ts';
import type { ArrangeSteps, Lead, Members } from '../topology/topology.ts';
import type { FixedStrategy } from './choose-strategy.ts';

const TOPOLOGIES = { star, mesh, ring, hierarchy } as const satisfies Record<FixedTopology, ArrangeSteps>;
const STYLES = ['convergent', 'divergent', 'lateral', 'systems'] as const;

/** Who does what, before it is arranged. */
export interface Team extends Lead {
  /** Who works. */
  readonly workers: Members;
  /** Who only judges, and whose ballots alone count; none: the workers judge each other. */
  readonly judges: readonly PlanAgent[];
  readonly topology: FixedTopology;
}

/** Agents with what a strategy gave them, and the steps of the first layer. */
export interface Arranged {
  readonly workers: readonly PlanAgent[];
  readonly topology: FixedTopology;
  readonly steps: readonly PlanStep[];
}

/** Steps and the round that judges their results: by the judges where there are any, else by all. */
function withJudges(
  steps: readonly PlanStep[],
  workers: readonly PlanAgent[],
  judges: readonly PlanAgent[],
): readonly PlanStep[] {
  return [...steps, ...judgeRound(steps, judges.length === 0 ? workers : judges)];
}

/** Once, as the topology says. Judges, where there are any, take the place of the round in which a mesh judges itself. */
function once({ workers, judges, topology, lead, span }: Team): Arranged {
  const steps = TOPOLOGIES[topology](workers, { lead, span });
  if (judges.length === 0) return { workers, topology, steps };
  return {
    workers,
    topology,
    steps: withJudges(
      steps.filter((step) => step.kind !== 'judge'),
      workers,
      judges,
    ),
  };
}

/** As `once`, and judged in every topology: whether a layer was worth it is measured by its judges. */
function cascade(team: Team): Arranged {
  const arranged = once(team);
  const isJudged = arranged.steps.some((step) => step.kind === 'judge');
  return isJudged ? arranged : { ...arranged, steps: withJudges(arranged.steps, team.workers, team.judges) };
}

/** All work by themselves, the hub too; it then merges everything, and the others judge the merged result. A star. */
function fusion({ workers, judges, lead }: Team): Arranged {
  const work = workers.map((agent) => planStep(1, 'work', agent));
  const steps = workers.length === 1 ? work : [...work, planStep(2, 'merge', lead, work)];
  return { workers, topology: 'star', steps: withJudges(steps, workers, judges) };
}

/** A mesh whose members think in different ways: convergent, divergent, lateral, systems, and again. */
function neuroDivergent(team: Team): Arranged {
  const styled = (agent: PlanAgent, i: number): PlanAgent => ({ ...agent, style: STYLES[i % STYLES.length] ?? STYLES[0] });
  const [first, ...others] = team.workers;
  const workers: Members = [styled(first, 0), ...others.map((agent, i) => styled(agent, i + 1))];
  return once({ ...team, workers, topology: 'mesh' });
}

const STRATEGIES = { plan: once, cascade, fusion, 'neuro-divergent': neuroDivergent } as const satisfies Record<
  FixedStrategy,
  (team: Team) => Arranged
>;

/** The first layer of a strategy. `fusion` is a star and `neuro-divergent` a mesh, whatever topology is asked for. */
export function arrange(strategy: FixedStrategy, team: Team): Arranged {
  return STRATEGIES[strategy](team);
}
