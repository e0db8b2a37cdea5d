import type { RunEvent } from '../events.ts';
import { pausedWords } from '../run/amount-words.ts';
import { createFold } from '../run/fold.ts';
import type { FoldedRun, FoldedStep } from '../run/fold.ts';
import { eventWords } from './event-words.ts';

/** Steps by how they stand. */
export type StepCounts = Readonly<Record<FoldedStep['status'], number>>;

/** A member of a run's swarm, as people watch it. */
export interface AgentView {
  readonly id: string;
  readonly state: 'running' | 'waiting' | 'completed' | 'failed' | 'skipped';
  /** What it works on, or why it stands where it does; `''` where there is nothing to say. */
  readonly doing: string;
  /** When the step it works on was started, ms since the epoch. */
  readonly since: number | null;
  readonly steps: StepCounts;
  readonly tokens: number;
  /** US dollars of what has a known price. */
  readonly costUsd: number;
}

/** A run as people watch it. All texts come from data, and may hold any character. */
export interface RunView {
  readonly runId: string;
  readonly skill: string;
  readonly provider: string;
  readonly topology: string;
  readonly status: FoldedRun['status'];
  /** What it waits for, in words; `null` while it goes on. */
  readonly waiting: string | null;
  readonly steps: StepCounts;
  /** Those with most to tell first: running, failed, waiting, ended. */
  readonly agents: readonly AgentView[];
  readonly findings: number;
  /** Ballots of completed steps; how they were cast stays secret until the decision. */
  readonly ballots: number;
  readonly decisions: { readonly confirmed: number; readonly rejected: number; readonly open: number };
  readonly tokens: number;
  readonly costUsd: number;
  /** Paid attempts whose price is not known. */
  readonly unpriced: number;
  /** At which cost the run pauses, US dollars; `null` without such a limit, or before spending was announced. */
  readonly budgetUsd: number | null;
  /** ms since the epoch; `null` before the first event. */
  readonly startedAt: number | null;
  readonly endedAt: number | null;
  /** The last thing that happened. */
  readonly last: string;
}

/** Follows a run: events in, a view out. */
export interface RunViewer {
  apply(events: readonly RunEvent[]): void;
  view(): RunView;
  /** The place of the last event. */
  seq(): number;
}

const NO_STEPS: StepCounts = { waiting: 0, running: 0, completed: 0, skipped: 0, failed: 0 };
const RANK: Readonly<Record<AgentView['state'], number>> = { running: 0, failed: 1, waiting: 2, completed: 3, skipped: 4 };

function count(steps: readonly FoldedStep[]): StepCounts {
  const counts = { ...NO_STEPS };
  for (const { status } of steps) counts[status] += 1;
  return counts;
}

function stateOf({ running, failed, waiting, completed }: StepCounts): AgentView['state'] {
  if (running > 0) return 'running';
  if (failed > 0) return 'failed';
  if (waiting > 0) return 'waiting';
  return completed > 0 ? 'completed' : 'skipped';
}

function doingOf(state: AgentView['state'], steps: readonly FoldedStep[]): string {
  const step = steps.find(({ status }) => status === state);
  if (step === undefined) return '';
  const again = step.attempt > 1 ? `, attempt ${step.attempt}` : '';
  if (state === 'running') return `${step.kind}${step.round > 1 ? `, round ${step.round}` : ''}${again}`;
  return step.reason ?? '';
}

function agentView(run: FoldedRun, id: string, steps: readonly FoldedStep[]): AgentView {
  const counts = count(steps);
  const state = stateOf(counts);
  const used = run.used.get(id);
  return {
    id,
    state,
    doing: doingOf(state, steps),
    since: state === 'running' ? (steps.find(({ status }) => status === 'running')?.startedAt ?? null) : null,
    steps: counts,
    tokens: used?.tokens ?? 0,
    costUsd: used?.costUsd ?? 0,
  };
}

function agentsOf(run: FoldedRun): readonly AgentView[] {
  const byAgent = new Map<string, FoldedStep[]>((run.started?.agents ?? []).map(({ id }) => [id, []]));
  for (const step of run.steps.values()) {
    const own = byAgent.get(step.agentId);
    if (own === undefined) byAgent.set(step.agentId, [step]);
    else own.push(step);
  }
  const agents = [...byAgent].flatMap(([id, steps]) => (steps.length === 0 ? [] : [agentView(run, id, steps)]));
  return agents.sort((a, b) => RANK[a.state] - RANK[b.state]);
}

/** What a run waits for, in words. */
function waitingOf({ status, waiting, paused, asked }: FoldedRun): string | null {
  if (status !== 'running' || waiting === null) return null;
  if (waiting === 'host') return 'waits for the host to do its steps';
  if (waiting === 'budget') {
    return paused === null ? 'paused: a budget is used up' : pausedWords(paused);
  }
  return asked === null ? 'its question was answered: it can go on' : `waits for the approval "${asked.gate}"`;
}

function decisionsOf({ decisions }: FoldedRun): RunView['decisions'] {
  const counts = { confirmed: 0, rejected: 0, open: 0 };
  for (const { outcome } of decisions) counts[outcome === 'confirmed' || outcome === 'rejected' ? outcome : 'open'] += 1;
  return counts;
}

/** The limit in dollars after an event. */
function budgetAfter(before: number | null, event: RunEvent): number | null {
  if (event.type === 'spending_announced') return event.budgetUsd;
  return event.type === 'budget_raised' && event.what === 'costUsd' ? event.to : before;
}

export function createRunViewer(): RunViewer {
  const fold = createFold();
  let budgetUsd: number | null = null;
  let last = '';
  return {
    apply: (events) => {
      for (const event of events) budgetUsd = budgetAfter(budgetUsd, event);
      last = eventWords(events).at(-1)?.text ?? last;
      fold.apply(events);
    },
    seq: () => fold.state.seq,
    view: () => {
      const run = fold.state;
      const steps = [...run.steps.values()];
      const used = run.used.get('');
      const outputs = steps.flatMap(({ output }) => output ?? []);
      return {
        runId: run.started?.runId ?? '',
        skill: run.started?.skill ?? '',
        provider: run.started?.provider ?? '',
        topology: run.started?.topology ?? '',
        status: run.status,
        waiting: waitingOf(run),
        steps: count(steps),
        agents: agentsOf(run),
        findings: new Set(outputs.flatMap(({ findings }) => findings.map(({ id }) => id))).size,
        ballots: outputs.reduce((total, { ballots }) => total + ballots.length, 0),
        decisions: decisionsOf(run),
        tokens: used?.tokens ?? 0,
        costUsd: used?.costUsd ?? 0,
        unpriced: used?.unpriced ?? 0,
        budgetUsd,
        startedAt: run.started?.at ?? null,
        endedAt: run.endedAt,
        last,
      };
    },
  };
}
