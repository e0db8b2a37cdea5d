import type { AskLimits } from '../agent/provider.ts';
import type { Spending } from './claim-room.ts';
import { readySteps } from './ready-steps.ts';
import type { FoldedStep } from './fold.ts';
import type { RunSession } from './run-session.ts';

/** How what is left of a budget is divided. */
export interface Share {
  /** Attempts that get parts of it: this one, and those that are about to begin. */
  readonly sharers: number;
  /** What attempts under way may still use: it is nobody else's. */
  readonly held: Spending;
}

/** All that is left, for one attempt. */
export const WHOLE: Share = { sharers: 1, held: { tokens: 0, costUsd: 0 } };

/** Divides what is left of budgets among the paid attempts of this process. */
export interface Sharing {
  /** Paid attempts that what is left is to do for: those under way without a part, and those that could begin now. */
  sharers(): number;
  /** Gives an attempt its part of `all`, and holds it for as long as the attempt lasts. */
  grant(stepId: string, all: AskLimits, part: (share: Share) => AskLimits): AskLimits;
  /** An attempt is over: its part is free again, and whether it could have been larger. */
  end(stepId: string): { readonly couldBeLarger: boolean };
  /** From now on one attempt after another, each with all that is left. */
  goSingly(): void;
  isSingle(): boolean;
}

interface Grant extends Spending {
  readonly couldBeLarger: boolean;
}

/** @param most attempts that may be under way at once */
export function createSharing(
  session: Pick<RunSession, 'fold'>,
  underWay: ReadonlyMap<string, unknown>,
  most: number,
  isPaid: (step: FoldedStep) => boolean,
): Sharing {
  const grants = new Map<string, Grant>();
  let isSingle = false;
  const slots = (): number => (isSingle ? 1 : most);
  const sharers = (): number => {
    const { state } = session.fold;
    const begun = [...underWay.keys()].flatMap((id) => (grants.has(id) ? [] : (state.steps.get(id) ?? [])));
    const ready = [...readySteps(state)].filter(({ id, status }) => status === 'waiting' && !underWay.has(id));
    const paid = [...begun, ...ready].filter(isPaid);
    return Math.max(1, Math.min(paid.length, slots() - grants.size));
  };
  const held = (): Spending => {
    const sum = { tokens: 0, costUsd: 0 };
    for (const { tokens, costUsd } of grants.values()) {
      sum.tokens += tokens;
      sum.costUsd += costUsd;
    }
    return sum;
  };
  return {
    sharers,
    grant: (stepId, all, part) => {
      const limits = part({ sharers: sharers(), held: held() });
      const isPart = limits.maxTokens !== all.maxTokens || limits.maxCostUsd !== all.maxCostUsd;
      const couldBeLarger = isPart && !(isSingle && underWay.size === 1);
      grants.set(stepId, { tokens: limits.maxTokens ?? 0, costUsd: limits.maxCostUsd ?? 0, couldBeLarger });
      return limits;
    },
    end: (stepId) => {
      const couldBeLarger = grants.get(stepId)?.couldBeLarger ?? false;
      grants.delete(stepId);
      return { couldBeLarger };
    },
    goSingly: () => {
      isSingle = true;
    },
    isSingle: () => isSingle,
  };
}
