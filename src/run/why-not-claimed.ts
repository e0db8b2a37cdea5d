import { NotFoundError } from '../errors.ts';
import { doerOf } from './execute-step.ts';
import type { FoldedStep } from './fold.ts';
import { ENDED } from './ready-steps.ts';
import type { RunSession } from './run-session.ts';

/** Which step a host asked for. */
export interface WantedStep {
  readonly stepId?: string | undefined;
  /** An agent's id or name. */
  readonly agentId?: string | undefined;
}

type Place = Pick<RunSession, 'run' | 'thinkers' | 'fold'>;

/** How many ids a text names. */
const MAX_NAMED = 5;

function named(ids: readonly string[]): string {
  const more = ids.length - MAX_NAMED;
  return `${ids.slice(0, MAX_NAMED).join(', ')}${more > 0 ? `, and ${more} more` : ''}`;
}

/** Whether an agent of a run has this id or name. */
export function isAgent({ id, name }: { readonly id: string; readonly name?: string | undefined }, wanted: string): boolean {
  return id === wanted || name === wanted;
}

/** Throws `NotFoundError` where no agent of the run has this id or name. */
export function requireAgent({ run }: Place, wanted: string): void {
  const { agents } = run.spec;
  if (agents.some((agent) => isAgent(agent, wanted))) return;
  throw new NotFoundError(`the run ${run.runId} has no agent ${JSON.stringify(wanted)}`, {
    hint: `Its agents: ${named(agents.map(({ id, name }) => name ?? id))}.`,
  });
}

function whyNot(place: Place, step: FoldedStep): string {
  const { id, agentId, status, sees, reason } = step;
  const { steps } = place.fold.state;
  if (ENDED.has(status)) return `the step ${id} is ${status}`;
  const { name } = doerOf(place, step).provider;
  if (name !== 'host') return `the step ${id} is not for the host: ${name} does it`;
  if (status === 'running') return `the step ${id} is claimed already`;
  const open = sees.filter((seen) => !ENDED.has(steps.get(seen)?.status ?? ''));
  if (open.length > 0) return `the step ${id} is not ready: it waits for ${named(open)}`;
  const before = [...steps.values()].find((one) => one.agentId === agentId && !ENDED.has(one.status));
  if (before !== undefined && before.id !== id) return `the step ${id} is not ready: its agent has ${before.id} to do first`;
  return `the step ${id} cannot be claimed now${reason === null ? '' : `: ${reason}`}`;
}

/** Why a step that a host asked for cannot be claimed; `null` where it asked for none in particular. */
export function whyNotClaimed(place: Place, { stepId, agentId }: WantedStep): string | null {
  const { steps } = place.fold.state;
  const step = stepId === undefined ? undefined : steps.get(stepId);
  if (step === undefined && agentId === undefined) return null;
  if (step === undefined) {
    const own = [...steps.values()].filter((one) => isAgent(doerOf(place, one).agent, agentId ?? ''));
    const next = own.find(({ status }) => !ENDED.has(status));
    return next === undefined ? `the agent ${agentId} has no step left to do` : whyNot(place, next);
  }
  const { agent } = doerOf(place, step);
  if (agentId !== undefined && !isAgent(agent, agentId))
    return `the step ${step.id} is one of ${agent.name ?? agent.id}, not of ${agentId}`;
  return whyNot(place, step);
}
