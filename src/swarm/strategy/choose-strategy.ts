import type { Choice, TaskShape } from '../topology/choose-topology.ts';
import { firstPhrase } from '../topology/task-words.ts';

/** The strategies that a plan can have. */
export type FixedStrategy = 'plan' | 'cascade' | 'fusion' | 'neuro-divergent';

const OPEN_PHRASES = ['brainstorm', 'ideas', 'alternatives', 'explore', 'options', 'creative', 'what if', 'invent'];
const GROWING_PHRASES = ['improve', 'refine', 'iterate', 'iteratively', 'optimize', 'optimise', 'polish', 'until'];
const JOINT_PHRASES = ['summarize', 'summarise', 'summary', 'synthesize', 'synthesise', 'combine', 'consolidate', 'one answer'];

/**
 * Picks a strategy from the shape of a task. The first rule that applies, in this order:
 * 1. one agent: `plan`;
 * 2. the task asks for many different answers (brainstorm, ideas, alternatives, explore, options, creative, what if,
 *    invent): `neuro-divergent`;
 * 3. it asks for a result that gets better (improve, refine, iterate, iteratively, optimize, polish, until), and rounds may
 *    be added: `cascade`;
 * 4. it asks for one joint answer (summarize, summary, synthesize, combine, consolidate, one answer): `fusion`;
 * 5. else `plan`: once, as the topology says.
 */
export function chooseStrategy({ types, task }: TaskShape, maxRounds: number): Choice<FixedStrategy> {
  if (types.length <= 1) return { choice: 'plan', reason: 'Strategy plan: there is one agent.' };
  const open = firstPhrase(task, OPEN_PHRASES);
  if (open !== null) {
    return { choice: 'neuro-divergent', reason: `Strategy neuro-divergent: the task says "${open}", so styles are mixed.` };
  }
  const growing = maxRounds === 0 ? null : firstPhrase(task, GROWING_PHRASES);
  if (growing !== null) {
    return { choice: 'cascade', reason: `Strategy cascade: the task says "${growing}", so layers follow while they help.` };
  }
  const joint = firstPhrase(task, JOINT_PHRASES);
  if (joint !== null)
    return { choice: 'fusion', reason: `Strategy fusion: the task says "${joint}", so all work and one merges.` };
  return { choice: 'plan', reason: 'Strategy plan: nothing in the task asks for more than one pass.' };
}
