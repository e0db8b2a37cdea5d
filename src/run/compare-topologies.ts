import { roleNameOf } from '../agent/roles/aliases.ts';
import { makePlan } from '../swarm/make-plan.ts';
import type { Plan } from '../swarm/plan.ts';
import type { AgentRecord } from './swarm-records.ts';

/** Figures of the plan that a topology makes. */
export interface PlanFigures {
  readonly topology: string;
  readonly steps: number;
  /** Steps of the longest chain. */
  readonly criticalPath: number;
  /** Outputs passed between agents. */
  readonly messages: number;
  /** Most steps in one round. */
  readonly widest: number;
}

export interface ComparedTopologies {
  readonly plans: readonly PlanFigures[];
  /** What `adaptive` chooses for the task. */
  readonly recommended: string;
  readonly reason: string;
}

function figures({ topology, steps, messages }: Plan): PlanFigures {
  const depths = new Map<string, number>();
  const rounds = new Map<number, number>();
  for (const { id, round, sees } of steps) {
    depths.set(id, 1 + Math.max(0, ...sees.map((seen) => depths.get(seen) ?? 0)));
    rounds.set(round, (rounds.get(round) ?? 0) + 1);
  }
  return {
    topology,
    steps: steps.length,
    criticalPath: Math.max(...depths.values()),
    messages,
    widest: Math.max(...rounds.values()),
  };
}

/**
 * What each topology makes of a swarm's agents, and which one suits a task.
 *
 * @throws InvalidInputError no agents, or more than a plan takes
 */
export function compareTopologies(agents: readonly AgentRecord[], task = ''): ComparedTopologies {
  const members = agents.map(({ type, capabilities }) => ({ type, count: 1, capabilities }));
  const plans = (['star', 'hierarchy', 'ring', 'mesh'] as const).map((topology) =>
    figures(makePlan({ topology, agents: members, task, roleOf: roleNameOf })),
  );
  const { topology, reason } = makePlan({ topology: 'adaptive', agents: members, task, roleOf: roleNameOf });
  return { plans, recommended: topology, reason: reason ?? `Topology ${topology}.` };
}
