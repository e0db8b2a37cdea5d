import { InvalidInputError } from '../errors.ts';
import type { Plan, PlanAgent } from './plan.ts';
import { hierarchy } from './topology/hierarchy.ts';
import { mesh } from './topology/mesh.ts';
import { ring } from './topology/ring.ts';
import { star } from './topology/star.ts';
import type { ArrangeSteps, Members } from './topology/topology.ts';

const TOPOLOGIES = { star, mesh, ring, hierarchy } as const satisfies Record<string, ArrangeSteps>;

const MAX_AGENTS = 512;
const MAX_SPAN = 64;
const DEFAULT_SPAN = 4;

/** Members of one kind, as a skill declares them. */
export interface AgentSpecLike {
  readonly type: string;
  /** Whole, ≥ 1. */
  readonly count: number;
  readonly capabilities: readonly string[];
  readonly prompt?: string;
}

export interface PlanInput {
  readonly topology: keyof typeof TOPOLOGIES;
  readonly agents: readonly AgentSpecLike[];
  /** Hierarchy only: how many agents report to one, 1–64; default 4. */
  readonly span?: number;
}

function requireWhole(value: number, min: number, max: number, what: string): void {
  if (Number.isInteger(value) && value >= min && value <= max) return;
  throw new InvalidInputError(`${what} is ${value}; expected a whole number from ${min} to ${max}`, {
    hint: `Set ${what} to a whole number from ${min} to ${max}.`,
  });
}

function requireCounts(agents: readonly AgentSpecLike[]): void {
  for (const [i, spec] of agents.entries()) requireWhole(spec.count, 1, MAX_AGENTS, `agents[${i}].count`);
  const total = agents.reduce((sum, spec) => sum + spec.count, 0);
  if (total <= MAX_AGENTS) return;
  throw new InvalidInputError(`a plan takes at most ${MAX_AGENTS} agents, got ${total}`, {
    hint: 'Lower the counts of the agents.',
  });
}

/** Numbers the agents of a type across all specs of it; an id that another type bears already is passed over. */
function nameAgents(specs: readonly AgentSpecLike[]): PlanAgent[] {
  const totals = new Map<string, number>();
  for (const spec of specs) totals.set(spec.type, (totals.get(spec.type) ?? 0) + spec.count);
  const taken = new Set([...totals].filter(([, total]) => total === 1).map(([type]) => type));
  const lastNumber = new Map<string, number>();
  const nextId = (type: string): string => {
    if (totals.get(type) === 1) return type;
    let number = lastNumber.get(type) ?? 0;
    do number += 1;
    while (taken.has(`${type}-${number}`));
    lastNumber.set(type, number);
    taken.add(`${type}-${number}`);
    return `${type}-${number}`;
  };
  return specs.flatMap((spec) =>
    Array.from({ length: spec.count }, () => ({
      id: nextId(spec.type),
      type: spec.type,
      capabilities: [...spec.capabilities],
      ...(spec.prompt === undefined ? {} : { prompt: spec.prompt }),
    })),
  );
}

/**
 * Makes the graph of steps that a topology makes of agents. Pure and deterministic: the same input gives a deep-equal
 * plan. Agents keep the order in which they are declared.
 *
 * @throws InvalidInputError no agents, more than 512, a count that is no whole number ≥ 1, a span outside 1–64
 */
export function makePlan(input: PlanInput): Plan {
  requireCounts(input.agents);
  const span = input.span ?? DEFAULT_SPAN;
  requireWhole(span, 1, MAX_SPAN, 'span');
  const [first, ...others] = nameAgents(input.agents);
  if (first === undefined) {
    throw new InvalidInputError('a plan needs at least one agent, got none', { hint: 'Declare at least one agent.' });
  }
  const agents: Members = [first, ...others];
  const steps = TOPOLOGIES[input.topology](agents, span);
  const agentOf = new Map(steps.map((step) => [step.id, step.agentId]));
  const messages = steps.reduce((sum, step) => sum + step.sees.filter((id) => agentOf.get(id) !== step.agentId).length, 0);
  return { topology: input.topology, agents, steps, messages };
}
