import { firstPhrase } from './task-words.ts';

/** The topologies that a plan can have. */
export type FixedTopology = 'star' | 'mesh' | 'ring' | 'hierarchy';

/** A choice and why, one sentence. */
export interface Choice<T> {
  readonly choice: T;
  readonly reason: string;
}

/** What the choice depends on. */
export interface TaskShape {
  /** Types of the agents, one each, in the order in which they are declared. */
  readonly types: readonly string[];
  /** What the run is for, in words; may be empty. */
  readonly task: string;
  /** How many agents report to one. */
  readonly span: number;
}

/** Roles in the order in which their work builds on each other's. */
const STAGES: ReadonlyMap<string, number> = new Map([
  ['researcher', 0],
  ['analyst', 0],
  ['architect', 1],
  ['coder', 2],
  ['optimizer', 3],
  ['tester', 4],
  ['reviewer', 5],
  ['documenter', 6],
]);
/** Whose product the later stages need: without one of them there is nothing to hand on. */
const MAKERS = ['architect', 'coder'] as const;

const SEQUENCE_PHRASES = ['step by step', 'one after the other', 'one after another', 'sequentially', 'pipeline', 'hand over'];
const JUDGING_PHRASES = 'review judge audit evaluate assess verify vote critique debate compare'.split(' ');
const JUDGING_ROLE = /(?:^|-)(?:reviewer|judge|critic|auditor|security-analyst)$/;

/** Judging costs n(n − 1) messages; beyond this many agents it no longer pays. */
const MAX_JUDGES = 16;

function isSequence(types: readonly string[]): boolean {
  const stages = types.map((type) => STAGES.get(type) ?? Number.NaN);
  const isRising = stages.every((stage, i) => i === 0 || stage > (stages[i - 1] ?? Number.NaN));
  return types.length > 1 && isRising && MAKERS.some((maker) => types.includes(maker));
}

function whySequence({ types, task }: TaskShape): string | null {
  if (isSequence(types)) return `each role builds on the one before (${types.join(' → ')})`;
  const phrase = firstPhrase(task, SEQUENCE_PHRASES);
  return phrase === null ? null : `the task says "${phrase}"`;
}

function whyJudging({ types, task }: TaskShape): string | null {
  if (types.length > MAX_JUDGES) return null;
  if (types.every((type) => JUDGING_ROLE.test(type))) return 'all agents are there to judge';
  const phrase = firstPhrase(task, JUDGING_PHRASES);
  return phrase === null ? null : `the task says "${phrase}", so each judges what the others made`;
}

/**
 * Picks a topology from the shape of a task. The first rule that applies, in this order:
 * 1. one agent: star, in which it just works;
 * 2. a sequence: ring. At least two agents whose roles rise strictly in the order researcher or analyst, architect, coder,
 *    optimizer, tester, reviewer, documenter, an architect or coder among them; or the task says "step by step", "one after
 *    the other", "one after another", "sequentially", "pipeline" or "hand over";
 * 3. judging, up to 16 agents: mesh. All types are `reviewer`, `judge`, `critic`, `auditor` or `security-analyst`, or end
 *    so after a hyphen; or the task says review, judge, audit, evaluate, assess, verify, vote, critique, debate or compare;
 * 4. more agents than one hub and `span` others: hierarchy;
 * 5. else star: the work can be divided and merged by one.
 */
export function chooseTopology(shape: TaskShape): Choice<FixedTopology> {
  const { types, span } = shape;
  const n = types.length;
  if (n <= 1) return { choice: 'star', reason: 'Topology star: one agent alone just works.' };
  const sequence = whySequence(shape);
  if (sequence !== null) return { choice: 'ring', reason: `Topology ring: ${sequence}.` };
  const judging = whyJudging(shape);
  if (judging !== null) return { choice: 'mesh', reason: `Topology mesh: ${judging}.` };
  if (n - 1 > span) {
    return { choice: 'hierarchy', reason: `Topology hierarchy: ${n} agents are more than one can lead with a span of ${span}.` };
  }
  return { choice: 'star', reason: `Topology star: ${n} agents can divide the work, and one of them merges it.` };
}
