import { InvalidInputError } from '../errors.ts';
import type { Plan, PlanAgent, PlanStep } from './plan.ts';
import { arrange } from './strategy/arrange.ts';
import { chooseStrategy } from './strategy/choose-strategy.ts';
import type { FixedStrategy } from './strategy/choose-strategy.ts';
import { chooseTopology } from './topology/choose-topology.ts';
import type { Choice, FixedTopology, TaskShape } from './topology/choose-topology.ts';
import type { Members } from './topology/topology.ts';
import { MAX_AGENTS, requireFewAgents, validatePlan } from './validate-plan.ts';

const MAX_SPAN = 64;
const DEFAULT_SPAN = 4;
const MAX_ROUNDS = 16;
const DEFAULT_ROUNDS = 3;

/** Members of one kind, as a skill declares them. */
export interface AgentSpecLike {
  /** Of one agent, `count` 1; default: ids made of the type. */
  readonly id?: string;
  readonly name?: string;
  readonly type: string;
  /** Whole, ≥ 1. */
  readonly count: number;
  readonly capabilities: readonly string[];
  readonly prompt?: string;
  readonly model?: string;
}

export interface PlanInput {
  readonly topology: FixedTopology | 'adaptive';
  readonly agents: readonly AgentSpecLike[];
  /** Default `plan`. */
  readonly strategy?: FixedStrategy | 'adaptive';
  /** What the run is for, in words: `adaptive` reads it. Default: nothing. */
  readonly task?: string;
  /** How many agents report to one, 1–64; default 4. */
  readonly span?: number;
  /** Rounds that a cascade may add, 0–16; default 3. */
  readonly maxRounds?: number;
  /** The type whose agents alone decide: they do not work but judge the results. Default `null`: none. */
  readonly judge?: string | null;
  /** The role that a type stands for; default: the type is the role. */
  readonly roleOf?: (type: string) => string;
}

/** The role whose first member leads: the hub of a star, the root of a hierarchy. */
const LEADER = 'coordinator';

function requireWhole(value: number, min: number, max: number, what: string): void {
  if (Number.isInteger(value) && value >= min && value <= max) return;
  throw new InvalidInputError(`${what} is ${value}; expected a whole number from ${min} to ${max}`, {
    hint: `Set ${what} to a whole number from ${min} to ${max}.`,
  });
}

function requireCounts(agents: readonly AgentSpecLike[]): void {
  for (const [i, { count }] of agents.entries()) {
    if (!Number.isInteger(count) || count < 1) requireWhole(count, 1, MAX_AGENTS, `agents[${i}].count`);
  }
  requireFewAgents(agents.reduce((sum, spec) => sum + spec.count, 0));
}

/** Numbers the agents of a type across all specs of it without ids; an id that another type bears already is passed over. */
function nameAgents(specs: readonly AgentSpecLike[]): PlanAgent[] {
  const totals = new Map<string, number>();
  for (const spec of specs) if (spec.id === undefined) totals.set(spec.type, (totals.get(spec.type) ?? 0) + spec.count);
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
      id: spec.id ?? nextId(spec.type),
      ...(spec.name === undefined ? {} : { name: spec.name }),
      type: spec.type,
      capabilities: [...spec.capabilities],
      ...(spec.prompt === undefined ? {} : { prompt: spec.prompt }),
      ...(spec.model === undefined ? {} : { model: spec.model }),
    })),
  );
}

/** At least one agent that works, and those that only judge. */
function split(agents: readonly PlanAgent[], judge: string | null): { workers: Members; judges: readonly PlanAgent[] } {
  const judges = agents.filter(({ type }) => type === judge);
  const [first, ...others] = agents.filter(({ type }) => type !== judge);
  if (first === undefined) {
    const message = judges.length === 0 ? 'a plan needs at least one agent, got none' : 'a plan needs agents besides the judge';
    throw new InvalidInputError(message, { hint: 'Declare at least one agent that works.' });
  }
  if (judge !== null && judges.length === 0) {
    throw new InvalidInputError(`the judge is "${judge}", but no agent is of this type`, {
      hint: `Name a type of the agents: ${[...new Set(agents.map(({ type }) => type))].slice(0, 20).join(', ')}.`,
    });
  }
  return { workers: [first, ...others], judges };
}

/** Who leads, and where that decides a hierarchy's root, why. Without a coordinator it is the first. */
function chooseLead(
  workers: Members,
  topology: FixedTopology,
  roleOf: (type: string) => string,
): { readonly lead: PlanAgent; readonly reasons: readonly string[] } {
  const leader = workers.find(({ type }) => roleOf(type) === LEADER);
  const lead = leader ?? workers[0];
  const decides = leader !== undefined && topology === 'hierarchy' && workers.length > 1;
  return { lead, reasons: decides ? [`Root ${lead.name ?? lead.id}: the first with the role ${LEADER}.`] : [] };
}

function chooseBoth(input: PlanInput, shape: TaskShape): { strategy: FixedStrategy; topology: FixedTopology; reasons: string[] } {
  const strategy: Choice<FixedStrategy> | FixedStrategy =
    input.strategy === 'adaptive' ? chooseStrategy(shape, input.maxRounds ?? DEFAULT_ROUNDS) : (input.strategy ?? 'plan');
  const topology = input.topology === 'adaptive' ? chooseTopology(shape) : input.topology;
  const name = typeof strategy === 'string' ? strategy : strategy.choice;
  // These two have a shape of their own, which is said instead of a choice that has no effect.
  const isShaped = name === 'fusion' || name === 'neuro-divergent';
  const shapedAs = name === 'fusion' ? 'star' : 'mesh';
  const reasons = typeof strategy === 'string' ? [] : [strategy.reason];
  if (isShaped && input.topology !== shapedAs) reasons.push(`Topology ${shapedAs}: the strategy ${name} is one.`);
  if (!isShaped && typeof topology !== 'string') reasons.push(topology.reason);
  return { strategy: name, topology: typeof topology === 'string' ? topology : topology.choice, reasons };
}

/** Outputs that pass from one agent to another. */
function countMessages(steps: readonly PlanStep[]): number {
  const agentOf = new Map(steps.map((step) => [step.id, step.agentId]));
  return steps.reduce((sum, step) => sum + step.sees.filter((id) => agentOf.get(id) !== step.agentId).length, 0);
}

/**
 * Makes the graph of steps that a topology and a strategy make of agents; of a cascade, its first layer. Pure and
 * deterministic: the same input gives a deep-equal plan. Agents keep the order in which they are declared.
 *
 * @throws InvalidInputError no agents, none besides the judge, more than 512, a count that is no whole number ≥ 1, a span
 *   outside 1–64, rounds outside 0–16, a judge that is no agent's type, an id that is given twice
 */
export function makePlan(input: PlanInput): Plan {
  requireCounts(input.agents);
  const span = input.span ?? DEFAULT_SPAN;
  requireWhole(span, 1, MAX_SPAN, 'span');
  requireWhole(input.maxRounds ?? DEFAULT_ROUNDS, 0, MAX_ROUNDS, 'maxRounds');
  const named = nameAgents(input.agents);
  const { workers, judges } = split(named, input.judge ?? null);
  const shape = { types: workers.map(({ type }) => type), task: input.task ?? '', span };
  const { strategy, topology, reasons } = chooseBoth(input, shape);
  const { lead, reasons: leading } = chooseLead(workers, topology, input.roleOf ?? ((type) => type));
  const arranged = arrange(strategy, { workers, judges, topology, lead, span });
  const why = [...reasons, ...(arranged.topology === 'hierarchy' ? leading : [])];
  const changed = new Map(arranged.workers.map((agent) => [agent.id, agent]));
  const plan: Plan = {
    topology: arranged.topology,
    strategy,
    ...(why.length === 0 ? {} : { reason: why.join(' ') }),
    agents: named.map((agent) => changed.get(agent.id) ?? agent),
    steps: arranged.steps,
    messages: countMessages(arranged.steps),
  };
  validatePlan(plan);
  return plan;
}
