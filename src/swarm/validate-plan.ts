import { InvalidInputError } from '../errors.ts';
import type { Plan, PlanStep } from './plan.ts';

/** Agents of a plan, and of a swarm. */
export const MAX_AGENTS = 512;

function refuse(message: string, hint: string): never {
  throw new InvalidInputError(message, { hint });
}

/** Refuses more agents than a plan takes. */
export function requireFewAgents(total: number): void {
  if (total <= MAX_AGENTS) return;
  refuse(`a plan takes at most ${MAX_AGENTS} agents, got ${total}`, `Use at most ${MAX_AGENTS} agents.`);
}

/** The first id that occurs twice. */
function firstRepeated(ids: readonly string[]): string | undefined {
  const seen = new Set<string>();
  return ids.find((id) => seen.size === seen.add(id).size);
}

/** Takes away, again and again, what sees nothing that is left. What stays stands in a cycle or behind one. */
function findCyclic(steps: ReadonlyMap<string, PlanStep>): ReadonlySet<string> {
  const open = new Map([...steps].map(([id, step]) => [id, new Set(step.sees).size]));
  const readers = new Map<string, string[]>();
  for (const step of steps.values()) {
    for (const id of new Set(step.sees)) {
      const list = readers.get(id);
      if (list === undefined) readers.set(id, [step.id]);
      else list.push(step.id);
    }
  }
  const ready = [...open].filter(([, count]) => count === 0).map(([id]) => id);
  for (let id = ready.pop(); id !== undefined; id = ready.pop()) {
    open.delete(id);
    for (const reader of readers.get(id) ?? []) {
      const left = (open.get(reader) ?? 0) - 1;
      open.set(reader, left);
      if (left === 0) ready.push(reader);
    }
  }
  return new Set(open.keys());
}

/** One cycle among steps of which each sees another of them: `a → b → a`, at most its first ten steps. */
function printCycle(steps: ReadonlyMap<string, PlanStep>, cyclic: ReadonlySet<string>): string {
  const path: string[] = [];
  const placeOf = new Map<string, number>();
  let [id] = cyclic;
  while (id !== undefined && !placeOf.has(id)) {
    placeOf.set(id, path.length);
    path.push(id);
    id = steps.get(id)?.sees.find((seen) => cyclic.has(seen));
  }
  const cycle = [...path.slice(id === undefined ? 0 : placeOf.get(id)), id];
  return cycle.length > 11 ? `${cycle.slice(0, 10).join(' → ')} → … → ${id}` : cycle.join(' → ');
}

function checkStep(step: PlanStep, steps: ReadonlyMap<string, PlanStep>, agents: ReadonlySet<string>): void {
  if (!agents.has(step.agentId)) {
    refuse(`step "${step.id}" is for agent "${step.agentId}", which the plan does not have`, 'Add the agent, or name another.');
  }
  if (!Number.isInteger(step.round) || step.round < 1) {
    refuse(`step "${step.id}" is in round ${step.round}; expected a whole number ≥ 1`, 'Count rounds from 1.');
  }
  const unknown = step.sees.find((id) => !steps.has(id));
  if (unknown !== undefined) {
    refuse(`step "${step.id}" sees "${unknown}", which is no step of the plan`, 'Name steps of the plan only.');
  }
}

/** Refuses the first step that sees one which does not lie before it: a cycle, or steps in the wrong order. */
function checkOrder(steps: ReadonlyMap<string, PlanStep>): void {
  const done = new Set<string>();
  for (const step of steps.values()) {
    const later = step.sees.find((id) => !done.has(id));
    if (later !== undefined) {
      const cyclic = findCyclic(steps);
      if (cyclic.size > 0) {
        refuse(`the plan has a cycle: ${printCycle(steps, cyclic)}`, 'Let one of these steps not see the other.');
      }
      refuse(`step "${step.id}" sees "${later}", which comes after it`, 'List each step after those that it sees.');
    }
    done.add(step.id);
  }
}

/**
 * Checks a plan that came from elsewhere, or was grown: it has steps, at most 512 agents, unique ids, an agent for every
 * step, rounds from 1, and every step sees only steps of the plan that lie before it.
 *
 * @throws InvalidInputError with the first thing that is wrong; a cycle is spelled out
 */
export function validatePlan(plan: Plan): void {
  requireFewAgents(plan.agents.length);
  if (plan.steps.length === 0) refuse('the plan has no steps', 'Give it at least one step.');
  const twiceAgent = firstRepeated(plan.agents.map(({ id }) => id));
  if (twiceAgent !== undefined) refuse(`the plan has two agents "${twiceAgent}"`, 'Give every agent an id of its own.');
  const twice = firstRepeated(plan.steps.map(({ id }) => id));
  if (twice !== undefined) refuse(`the plan has two steps "${twice}"`, 'Give every step an id of its own.');
  const steps = new Map(plan.steps.map((step) => [step.id, step]));
  const agents = new Set(plan.agents.map(({ id }) => id));
  for (const step of plan.steps) checkStep(step, steps, agents);
  checkOrder(steps);
}
