import * as z from 'zod';
import { DECISION_RULES } from '../ballot.ts';
import { nearest } from '../nearest.ts';
import { duration } from './duration.ts';
import { GATES } from './skill.ts';
import type { Strategy, Supervision, Topology } from './skill.ts';

/** Agents of a swarm, counts added up. */
export const MAX_AGENTS = 64;
/** Rounds that a growing strategy may add. */
const MAX_ROUNDS = 16;

export const KEBAB = /^[a-z0-9]+(-[a-z0-9]+)*$/;

const TOPOLOGIES: ReadonlyMap<string, Topology> = new Map<string, Topology>([
  ['star', 'star'],
  ['mesh', 'mesh'],
  ['ring', 'ring'],
  ['hierarchy', 'hierarchy'],
  ['adaptive', 'adaptive'],
  // The word of claude-flow and ruv-swarm for it.
  ['hierarchical', 'hierarchy'],
]);
const STRATEGIES = ['plan', 'cascade', 'fusion', 'neuro-divergent', 'adaptive'] as const satisfies readonly Strategy[];
const PROVIDERS = ['local', 'anthropic', 'claude-cli', 'host'] as const;
const RESTARTS = ['one_for_one', 'one_for_all', 'rest_for_one'] as const satisfies readonly Supervision['strategy'][];

/** One of some words; anything else is an error with the code `unsupported_<what>` that names them. */
function oneOf<T extends string>(words: ReadonlyMap<string, T>, what: string): z.ZodType<T> {
  const names = [...new Set(words.values())];
  const list = `${names.slice(0, -1).join(', ')} and ${names.at(-1)}`;
  return z.string().transform((name, context) => {
    const known = words.get(name);
    if (known !== undefined) return known;
    const [near] = nearest(name.slice(0, 40), [...words.keys()]);
    const meant = near === undefined ? '' : `; did you mean "${near}"?`;
    const message = `"${name.slice(0, 40)}" is not supported; supported are ${list}${meant}`;
    context.addIssue({ code: 'custom', message, params: { code: `unsupported_${what}` } });
    return z.NEVER;
  });
}

const itself = <T extends string>(words: readonly T[]): ReadonlyMap<string, T> => new Map(words.map((word) => [word, word]));

const topology = oneOf(TOPOLOGIES, 'topology');
const rule = oneOf(itself(DECISION_RULES), 'consensus');

const whole = (min: number, max: number): z.ZodType<number> => {
  const error = `expected a whole number from ${min} to ${max}`;
  return z.number({ error }).refine((value) => Number.isInteger(value) && value >= min && value <= max, { error });
};

const kebab = z
  .string()
  .min(1)
  .max(64)
  .regex(KEBAB, { error: 'expected lower-case letters, digits and single hyphens, e.g. security-analyst' });

const agent = z.strictObject({
  type: kebab,
  count: whole(1, MAX_AGENTS).nullish(),
  capabilities: z.array(z.string().trim().min(1).max(200)).max(32).nullish(),
  prompt: z.string().trim().min(1).max(16_384).nullish(),
  model: z
    .string()
    .regex(/^[A-Za-z0-9][\w.:/@[\]-]{0,127}$/, { error: 'expected the name of a model, e.g. claude-sonnet-4-5' })
    .nullish(),
});

const decision = z.strictObject({ rule: rule.nullish(), quorum: whole(1, MAX_AGENTS).nullish(), judge: kebab.nullish() });
const coordination = z.strictObject({
  topology: topology.nullish(),
  consensus: rule.nullish(),
  decision: decision.nullish(),
  timeout: duration('1ms', '24h').nullish(),
  strategy: oneOf(itself(STRATEGIES), 'strategy').nullish(),
  span: whole(1, MAX_AGENTS).nullish(),
  max_rounds: whole(0, MAX_ROUNDS).nullish(),
});
const memory = z.strictObject({
  persistence: z.boolean().nullish(),
  vector_search: z.boolean().nullish(),
  ttl: duration('1s', '3650d').nullish(),
});
const retryPolicy = z.strictObject({
  max_attempts: whole(1, 10).nullish(),
  backoff: z.enum(['fixed', 'linear', 'exponential']).nullish(),
  delay: duration('0ms', '30s').nullish(),
});
const execution = z.strictObject({
  parallel: z.boolean().nullish(),
  max_concurrent: whole(1, MAX_AGENTS).nullish(),
  retry_policy: retryPolicy.nullish(),
});
const output = z.strictObject({ type: kebab, format: z.enum(['markdown', 'json', 'sarif']) });

const limits = {
  tokens: whole(1, 1e12).nullish(),
  cost_usd: z
    .number({ error: 'expected dollars from 0 to 1000000' })
    .min(0, { error: 'expected dollars from 0 to 1000000' })
    .max(1e6, { error: 'expected dollars from 0 to 1000000' })
    .nullish(),
  wall: duration('1ms', '24h').nullish(),
  steps: whole(1, 100_000).nullish(),
} as const;
const agentBudget = z.strictObject(limits);
export type BudgetFile = z.infer<typeof agentBudget>;
const budget = z.strictObject({ ...limits, agent: agentBudget.nullish() });
const supervision = z.strictObject({
  strategy: oneOf(itself(RESTARTS), 'supervision').nullish(),
  intensity: whole(0, 100_000).nullish(),
  period: duration('1ms', '24h').nullish(),
});

/** The keys of swarm.yaml, and of the one-file form's frontmatter from `agents` on. */
export const swarmShape = {
  agents: z.array(agent).min(1).max(MAX_AGENTS),
  coordination: coordination.nullish(),
  memory: memory.nullish(),
  execution: execution.nullish(),
  outputs: z.array(output).min(1).max(16).nullish(),
  provider: oneOf(itself(PROVIDERS), 'provider').nullish(),
  budget: budget.nullish(),
  supervision: supervision.nullish(),
  approvals: z
    .array(oneOf(itself(GATES), 'approval'))
    .max(16)
    .nullish(),
} as const;

export const swarmSchema = z.strictObject(swarmShape);
export type SwarmFile = z.infer<typeof swarmSchema>;

/** Keys that keep a run from costing or writing what nobody wants: one that is misspelt must not go unheeded. */
export const GUARDS: ReadonlySet<string> = new Set(['approvals', 'budget']);

/** Known keys by the path of the object that they belong to, places in arrays left out. */
export const swarmKeys: Readonly<Record<string, readonly string[]>> = {
  '': Object.keys(swarmShape),
  agents: Object.keys(agent.shape),
  coordination: Object.keys(coordination.shape),
  'coordination.decision': Object.keys(decision.shape),
  memory: Object.keys(memory.shape),
  execution: Object.keys(execution.shape),
  'execution.retry_policy': Object.keys(retryPolicy.shape),
  outputs: Object.keys(output.shape),
  budget: Object.keys(budget.shape),
  'budget.agent': Object.keys(agentBudget.shape),
  supervision: Object.keys(supervision.shape),
};
