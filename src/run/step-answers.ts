import { createFold } from './fold.ts';
import { finalAnswers } from './report-of.ts';
import type { Runs } from './runs.ts';

/** What an agent answered in words, in one of its steps. */
export interface StepAnswer {
  readonly agentId: string;
  /** Of agents of a swarm. */
  readonly agentName: string | null;
  readonly stepId: string;
  readonly kind: 'work' | 'judge' | 'merge';
  /** Whether the run has completed, and this is what its report ends with. */
  readonly final: boolean;
  /** Final ones are whole, others are cut. */
  readonly text: string;
  /** 0–1; `null` where it did not say. */
  readonly confidence: number | null;
}

export interface Answers {
  /** Final ones first, then in the plan's order. */
  readonly answers: readonly StepAnswer[];
  /** How many others there are. */
  readonly leftOut: number;
}

/** Characters of an answer that is not final, and how many of those are given. */
const MAX_TEXT = 4_000;
const MAX_OTHERS = 50;

const shortened = (text: string): string =>
  text.length <= MAX_TEXT ? text : `${text.slice(0, MAX_TEXT)}… (${text.length} characters in all)`;

/**
 * What the steps of a run have answered in words so far, whatever became of the run; what judges say only once it has
 * ended, as it may tell others that are yet to vote how they did. Throws `NotFoundError`.
 */
export async function readAnswers(runs: Runs, runId: string): Promise<Answers> {
  const fold = createFold();
  for (;;) {
    const events = await runs.events(runId, { after: fold.state.seq, limit: 1_000 });
    if (events.length === 0) break;
    fold.apply(events);
  }
  const { status, started } = fold.state;
  const steps = [...fold.state.steps.values()];
  const last = new Set(status === 'completed' ? finalAnswers(steps).map(({ stepId }) => stepId) : []);
  const names = new Map(started?.agents.map(({ id, name }) => [id, name]));
  const all = steps.flatMap(({ id, agentId, kind, output }): readonly StepAnswer[] => {
    const { text = '', confidence = null } = output ?? {};
    const final = last.has(id);
    const answer = { agentId, agentName: names.get(agentId) ?? null, stepId: id, kind, final };
    return text === '' || (kind === 'judge' && status === 'running')
      ? []
      : [{ ...answer, text: final ? text : shortened(text), confidence }];
  });
  const others = all.filter(({ final }) => !final);
  const shown = others.slice(0, MAX_OTHERS);
  return { answers: [...all.filter(({ final }) => final), ...shown], leftOut: others.length - shown.length };
}
