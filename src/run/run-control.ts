import { endOrphan } from '../agent/child-mark.ts';
import { isPaid } from '../agent/provider.ts';
import { ConflictError, InvalidInputError, NotFoundError } from '../errors.ts';
import type { EventBody } from '../events.ts';
import type { Budgets } from '../skill/skill.ts';
import type { Runtime } from '../runtime.ts';
import { emptySummary } from './conclude.ts';
import { createFold } from './fold.ts';
import type { FoldedRun } from './fold.ts';
import type { Journal } from './journal.ts';
import type { RunLog, StoredRun } from './run-log.ts';
import { ownerIsGone } from './who-drives.ts';

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
   * Has a step and all that depends on it done again. Throws `NotFoundError` for an unknown step, `ConflictError` while the
   * run is driven.
   * @returns the steps
   */
  repeat(runId: string, fromStep: string, isDriven: boolean): Promise<readonly string[]>;
}

export interface RunControlDeps {
  readonly log: RunLog;
  readonly journal: Journal;
  readonly runtime: Runtime;
}

/** A step and all steps that see its output, directly or through others, in the plan's order. */
function dependents({ steps }: FoldedRun, from: string): readonly { readonly id: string; readonly agentId: string }[] {
  const again = new Set([from]);
  for (const step of steps.values()) if (step.sees.some((id) => again.has(id))) again.add(step.id);
  return [...steps.values()].filter(({ id }) => again.has(id));
}

function usedOf(state: FoldedRun, what: keyof Budgets): number {
  const used = state.used.get('');
  if (what === 'wallMs') return state.activeMs;
  return used?.[what] ?? 0;
}

/** The controls over the runs of one database. */
export function createRunControl({ log, journal, runtime }: RunControlDeps): RunControl {
  const look: RunControl['look'] = async (runId) => {
    const run = await log.load(runId);
    const folded = createFold();
    for (;;) {
      const events = await journal.read(runId, { after: folded.state.seq, limit: 1_000 });
      if (events.length === 0) return { run, state: folded.state };
      folded.apply(events);
    }
  };
  /** What processes that are gone had under way: it may have been paid for, and what they had started would go on to cost money. */
  const endOrphans = async (runId: string): Promise<void> => {
    for (const { id, agentId, status, owner, epoch, attempt, provider, child } of (await look(runId)).state.steps.values()) {
      if (status !== 'running' || owner === null || !ownerIsGone(owner, runtime)) continue;
      const claim = { runId, stepId: id, agentId, owner, epoch, attempt };
      const possiblyBilled = isPaid(provider);
      const stopped = { code: 'cancelled', reason: 'its process was gone', provider: provider ?? '', possiblyBilled };
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
      await endOrphans(runId);
    },
    approve: async (runId, { gate, approved, note }) => {
      const { state } = await look(runId);
      const open = [...state.approvals].filter(([, { approved: answer }]) => answer === null).map(([name]) => name);
      const [first] = open;
      if (state.waiting !== 'approval' || first === undefined) {
        throw new ConflictError(`the run ${runId} waits for no approval`, {
          hint: 'Look at it with `skillflow show`; nothing was changed.',
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
          `the run ${runId} paused at the limit of the day, ${paused.limit} (${paused.what}), not at its own`,
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
          throw new InvalidInputError(`${what} is ${to}, and ${used} are used already`, {
            hint: `Give more than ${used}; nothing was changed.`,
            details: { parameter: what },
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
      await log.wake(runId, steps);
      return steps.map(({ id }) => id);
    },
  };
}
