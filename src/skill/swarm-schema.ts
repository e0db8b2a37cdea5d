import * as z from 'zod';
import { duration } from './duration.ts';
import type { Topology } from './skill.ts';

/** Agents of a swarm, counts added up. */
export const MAX_AGENTS = 64;

export const KEBAB = /^[a-z0-9]+(-[a-z0-9]+)*$/;

const TOPOLOGIES: ReadonlyMap<string, Topology> = new Map<string, Topology>([
  ['star', 'star'],
  ['mesh', 'mesh'],
  ['ring', 'ring'],
  ['hierarchy', 'hierarchy'],
  // claude-flow's word for it.
  ['hierarchical', 'hierarchy'],
]);

const topology = z.string().transform((name, context) => {
  const known = TOPOLOGIES.get(name);
  if (known !== undefined) return known;
  const message = `"${name.slice(0, 40)}" is not supported; supported are star, mesh, ring and hierarchy`;
  context.addIssue({ code: 'custom', message, params: { code: 'unsupported_topology' } });
  return z.NEVER;
});

const rule = z.string().transform((name, context) => {
  if (name === 'majority' || name === 'quorum') return name;
  const message = `"${name.slice(0, 40)}" is not supported; supported are majority and quorum`;
  context.addIssue({ code: 'custom', message, params: { code: 'unsupported_consensus' } });
  return z.NEVER;
});

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
});

const decision = z.strictObject({ rule: rule.nullish(), quorum: whole(1, MAX_AGENTS).nullish() });
const coordination = z.strictObject({
  topology: topology.nullish(),
  consensus: rule.nullish(),
  decision: decision.nullish(),
  timeout: duration('1ms', '24h').nullish(),
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

/** The keys of swarm.yaml, and of the one-file form's frontmatter from `agents` on. */
export const swarmShape = {
  agents: z.array(agent).min(1).max(MAX_AGENTS),
  coordination: coordination.nullish(),
  memory: memory.nullish(),
  execution: execution.nullish(),
  outputs: z.array(output).min(1).max(16).nullish(),
} as const;

export const swarmSchema = z.strictObject(swarmShape);
export type SwarmFile = z.infer<typeof swarmSchema>;

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
};
