import { endOrphan } from '../agent/child-mark.ts';
import { ConflictError, InvalidInputError, NotFoundError } from '../errors.ts';
import type { EventBody } from '../events.ts';
import type { Budgets } from '../skill/skill.ts';
import type { Runtime } from '../runtime.ts';
import { amountWords } from './amount-words.ts';
import { emptySummary } from './conclude.ts';
import type { FoldedRun } from './fold.ts';
import type { Journal } from './journal.ts';
import { createKeptRuns } from './kept-runs.ts';
import type { KeptRuns } from './kept-runs.ts';
import type { RunLog, StoredRun } from './run-log.ts';
import { ownerIsGone } from './who-drives.ts';
import { removeOutputs } from './write-outputs.ts';

/** Limits to set instead of a run's own; what is left out stays. */
export type Raise = { readonly [K in keyof Budgets]?: number | undefined };

/** What people do about runs; whoever drives them hears of it. All throw `NotFoundError` for an unknown run. */
export interface RunControl {
  /** A run as its events tell it. */
  look(runId: string): Promise<{ readonly run: StoredRun; readonly state: FoldedRun }>;
  /**
   * Stops a run: who drives it stops within a second; one that waits or that nobody drives is cancelled at once. Throws
   * `ConflictError` when it has ended.
   */
  cancel(runId: string, reason: string, isDriven: boolean): Promise<void>;
  /**
   * Answers the gate at which a run waits. Throws `ConflictError` when it waits at none, or at another one.
   * @returns the gate
   */
  approve(
    runId: string,
    answer: { readonly gate?: string | undefined; readonly approved: boolean; readonly note: string | null },
  ): Promise<string>;
  /**
   * Sets higher limits: of the run, and of what its agents may each use where it was that at which the run paused. Throws
   * `InvalidInputError` for one that is not above what was used already, `ConflictError` when the run has ended, or paused at
   * the project's limit of a day.
   */
  raise(runId: string, raise: Raise): Promise<void>;
  /**
   * Has a step and all that depends on it done again; the files of an earlier result are removed. Throws `NotFoundError` for
   * an unknown step, `ConflictError` while the run is driven.
   * @returns the steps
   */
  repeat(runId: string, fromStep: string, isDriven: boolean): Promise<readonly string[]>;
}

export interface RunControlDeps {
  readonly log: RunLog;
  readonly journal: Journal;
  readonly runtime: Runtime;
  readonly projectRoot: string;
  /** Default: nothing is kept. */
  readonly kept?: KeptRuns | undefined;
}

/** A step and all steps that see its output, directly or through others, in the plan's order. */
function dependents({ steps }: FoldedRun, from: string): readonly { readonly id: string; readonly agentId: string }[] {
  const again = new Set([from]);
  for (const step of steps.values()) if (step.sees.some((id) => again.has(id))) again.add(step.id);
  return [...steps.values()].filter(({ id }) => again.has(id));
}

/** How calls name what a budget limits, and how much of it one of their unit is. */
const CALLED: Readonly<Record<keyof Budgets, { readonly parameter: string; readonly per: number }>> = {
  tokens: { parameter: 'maxTokens', per: 1 },
  costUsd: { parameter: 'maxCostUsd', per: 1 },
  wallMs: { parameter: 'maxSeconds', per: 1000 },
  steps: { parameter: 'maxSteps', per: 1 },
};

function usedOf(state: FoldedRun, what: keyof Budgets): number {
  const used = state.used.get('');
  if (what === 'wallMs') return state.activeMs;
  return used?.[what] ?? 0;
}

/** The controls over the runs of one database. */
export function createRunControl({ log, journal, runtime, projectRoot, kept = createKeptRuns() }: RunControlDeps): RunControl {
  const look: RunControl['look'] = async (runId) => {
    const run = await log.load(runId);
    const { state } = await kept.fold(runId, (after) => journal.read(runId, { after, limit: 1_000 }));
    return { run, state };
  };
  /** What processes that are gone had under way: it may have been paid for, and what they had started would cost more. */
  const endOrphans = async (runId: string): Promise<void> => {
    for (const { id, agentId, status, owner, epoch, attempt, provider, called, child } of (
      await look(runId)
    ).state.steps.values()) {
      if (status !== 'running' || owner === null || !ownerIsGone(owner, runtime)) continue;
      const claim = { runId, stepId: id, agentId, owner, epoch, attempt };
      const stopped = { code: 'cancelled', reason: 'its process was gone', provider: provider ?? '', possiblyBilled: called };
      await log.fail(claim, { ...stopped, retryAt: runtime.now() });
      if (child !== null) await endOrphan(child, runtime);
    }
  };
  const ended = (runId: string, { status }: FoldedRun): ConflictError =>
    new ConflictError(`the run ${runId} has ended: it is ${status}`, {
      hint: 'Look at it with `skillflow show`; nothing was changed.',
    });

  return {
    look,
    cancel: async (runId, reason, isDriven) => {
      const run = await log.load(runId);
      const asked = await log.askCancel(runId, reason);
      if (asked === null) throw ended(runId, (await look(runId)).state);
      // Whoever drives it ends it, unless it waits: also since the question whether it is driven was answered.
      if (isDriven && (await log.flags(runId)).waiting === null) return;
      await log.finish(runId, 'cancelled', emptySummary({ run }, reason), { type: 'run_cancelled', reason });
      await removeOutputs(projectRoot, runId); // of one that was killed when it had written them
      await endOrphans(runId);
    },
    approve: async (runId, { gate, approved, note }) => {
      const { state } = await look(runId);
      const first = state.asked?.gate;
      if (first === undefined) {
        const isAnswered = state.waiting === 'approval';
        throw new ConflictError(`the run ${runId} waits for no approval${isAnswered ? ' any more: it was answered' : ''}`, {
          hint: isAnswered
            ? `Go on with it by \`skillflow resume ${runId}\`; nothing was changed.`
            : 'Look at it with `skillflow show`; nothing was changed.',
        });
      }
      if (gate !== undefined && gate !== first) {
        throw new ConflictError(`the run ${runId} does not wait at the gate ${JSON.stringify(gate)}, but at "${first}"`, {
          hint: `Answer "${first}", or leave the gate out; nothing was changed.`,
        });
      }
      const [given] = await log.note(runId, [{ type: 'approval_given', gate: first, approved, note }]);
      if (given?.seq === state.seq + 1) return first; // nobody has written in between
      const stands = (await look(runId)).state.approvals.get(first)?.approved ?? approved;
      if (stands === approved) return first;
      throw new ConflictError(`the approval "${first}" was ${stands ? 'given' : 'refused'} elsewhere at the same time`, {
        hint: 'Look at the run with `skillflow show`; the first answer counts.',
      });
    },
    raise: async (runId, raise) => {
      const { run, state } = await look(runId);
      if (state.status !== 'running') throw ended(runId, state);
      const { budget } = run.spec.swarm;
      const { paused } = state;
      if (paused?.scope === 'day' && raise[paused.what] !== undefined) {
        throw new ConflictError(
          `the run ${runId} paused at the limit of the day, ${amountWords(paused.what, paused.limit)}, not at its own`,
          {
            hint: "Raise the project's limit of a day in the configuration, or go on tomorrow (UTC); nothing was changed.",
          },
        );
      }
      const limits: Record<'run' | 'agent', Budgets> = { run: budget.run, agent: budget.agent };
      const events: EventBody[] = [];
      for (const what of ['tokens', 'costUsd', 'wallMs', 'steps'] as const) {
        const to = raise[what];
        if (to === undefined) continue;
        const isAgents = paused?.scope === 'agent' && paused.what === what;
        const used = isAgents ? paused.used : usedOf(state, what);
        if (to <= used) {
          const { parameter, per } = CALLED[what];
          const least = used / per;
          throw new InvalidInputError(`${parameter}: expected more than ${least}; ${amountWords(what, used)} used already`, {
            hint: `Give more than ${least}; nothing was changed.`,
            details: { parameter },
          });
        }
        const scope = isAgents ? 'agent' : 'run';
        events.push({ type: 'budget_raised', what: isAgents ? `agent ${what}` : what, from: limits[scope][what], to });
        limits[scope] = { ...limits[scope], [what]: to };
      }
      if (events.length === 0) return;
      await log.respecify(runId, { ...run.spec, swarm: { ...run.spec.swarm, budget: limits } }, events);
    },
    repeat: async (runId, fromStep, isDriven) => {
      const { state } = await look(runId);
      if (!state.steps.has(fromStep)) {
        throw new NotFoundError(`the run ${runId} has no step ${JSON.stringify(fromStep)}`, {
          hint: `Its steps: ${[...state.steps.keys()].slice(0, 20).join(', ')}.`,
        });
      }
      if (isDriven) {
        throw new ConflictError(`the run ${runId} is under way`, {
          hint: 'Wait for its end, or cancel it first; nothing was changed.',
        });
      }
      const steps = dependents(state, fromStep);
      await log.wake(runId, { reset: steps });
      await removeOutputs(projectRoot, runId); // they tell of what does not stand any more
      return steps.map(({ id }) => id);
    },
  };
}
