import type { Plan, PlanStep } from '../plan.ts';

/** How a step ended, as far as growing a plan needs it. `output` is there where it was completed. */
export interface EndedStep {
  readonly status: string;
  readonly output?: {
    readonly findings: readonly { readonly id: string }[];
    readonly ballots: readonly { readonly subject: string; readonly voter: string; readonly vote: string }[];
    /** How sure the agent is, 0–1. */
    readonly confidence?: number;
  };
}

export type Outcomes = ReadonlyMap<string, EndedStep>;

/** What a layer came to. */
export interface LayerResult {
  /** Findings confirmed up to and with this layer, plus .99 × the support of its best output. */
  readonly score: number;
  /** Whose output the next layer sees. */
  readonly best: PlanStep;
}

/** A whole finding always outweighs any support. */
const SUPPORT_WEIGHT = 0.99;

interface Tally {
  readonly confirms: number;
  readonly rejects: number;
}

/**
 * The layers of a cascade: each ends with the round that judges it, or, with one agent and so without judges, with each
 * step.
 */
export function layersOf({ steps, agents }: Plan): readonly (readonly PlanStep[])[] {
  const layers: PlanStep[][] = [];
  for (const [i, step] of steps.entries()) {
    const before = steps[i - 1];
    const isNew = before === undefined || agents.length === 1 || (before.kind === 'judge' && step.kind !== 'judge');
    if (isNew) layers.push([step]);
    else layers.at(-1)?.push(step);
  }
  return layers;
}

/** Who made each subject a ballot may be about: a finding's id, or a step's for its text. */
function authorsOf(steps: readonly PlanStep[], outcomes: Outcomes): ReadonlyMap<string, ReadonlySet<string>> {
  const authors = new Map<string, Set<string>>();
  const add = (subject: string, agentId: string): void => {
    const known = authors.get(subject);
    if (known === undefined) authors.set(subject, new Set([agentId]));
    else known.add(agentId);
  };
  for (const { id, agentId, kind, sees } of steps) {
    if (kind === 'judge') continue;
    const passedOn = new Set(sees.flatMap((seen) => outcomes.get(seen)?.output?.findings.map((finding) => finding.id) ?? []));
    add(id, agentId);
    for (const finding of outcomes.get(id)?.output?.findings ?? []) if (!passedOn.has(finding.id)) add(finding.id, agentId);
  }
  return authors;
}

/**
 * Ballots of judges on what others made, by subject. Each judge has one vote a subject, its first; nobody votes in
 * another's name or on what it reported itself.
 */
function tally(steps: readonly PlanStep[], outcomes: Outcomes): ReadonlyMap<string, Tally> {
  const authors = authorsOf(steps, outcomes);
  const counted = new Map<string, Tally>();
  const voted = new Set<string>();
  for (const { id, agentId, kind } of steps) {
    if (kind !== 'judge') continue;
    for (const { subject, voter, vote } of outcomes.get(id)?.output?.ballots ?? []) {
      const key = JSON.stringify([subject, voter]);
      const made = authors.get(subject);
      if (voter !== agentId || made === undefined || made.has(voter) || voted.has(key)) continue;
      voted.add(key);
      const { confirms, rejects } = counted.get(subject) ?? { confirms: 0, rejects: 0 };
      counted.set(subject, {
        confirms: confirms + (vote === 'confirm' ? 1 : 0),
        rejects: rejects + (vote === 'reject' ? 1 : 0),
      });
    }
  }
  return counted;
}

/** 0–1: the share of the judges that confirm a step's output, else its own confidence, else 0. */
function supportOf(step: PlanStep, outcomes: Outcomes, tallies: ReadonlyMap<string, Tally>): number {
  const { confirms, rejects } = tallies.get(step.id) ?? { confirms: 0, rejects: 0 };
  if (confirms + rejects > 0) return confirms / (confirms + rejects);
  const confidence = outcomes.get(step.id)?.output?.confidence ?? 0;
  return Number.isFinite(confidence) ? Math.min(1, Math.max(0, confidence)) : 0;
}

/**
 * What the last of some layers came to; `null` where none of its steps has a result. A finding is confirmed when more
 * judges confirm than reject it, over all these layers. The best output of a layer is the one with the most confirmed
 * findings in it plus .99 × its support; of equal ones the latest round's, then the first.
 */
export function lastResult(layers: readonly (readonly PlanStep[])[], outcomes: Outcomes): LayerResult | null {
  const steps = layers.flat();
  const tallies = tally(steps, outcomes);
  const isConfirmed = (subject: string): boolean => {
    const { confirms, rejects } = tallies.get(subject) ?? { confirms: 0, rejects: 0 };
    return confirms > rejects;
  };
  const confirmedIn = (some: readonly PlanStep[]): number => {
    const ids = some.flatMap(({ id, kind }) => (kind === 'judge' ? [] : (outcomes.get(id)?.output?.findings ?? [])));
    return new Set(ids.map((finding) => finding.id).filter(isConfirmed)).size;
  };
  let best: { readonly step: PlanStep; readonly support: number; readonly value: number } | null = null;
  for (const step of layers.at(-1) ?? []) {
    if (step.kind === 'judge' || outcomes.get(step.id)?.output === undefined) continue;
    const support = supportOf(step, outcomes, tallies);
    const value = confirmedIn([step]) + SUPPORT_WEIGHT * support;
    const isBetter = best === null || value > best.value || (value === best.value && step.round > best.step.round);
    if (isBetter) best = { step, support, value };
  }
  return best === null ? null : { score: confirmedIn(steps) + SUPPORT_WEIGHT * best.support, best: best.step };
}
