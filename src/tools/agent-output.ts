import * as z from 'zod';
import { AGENT_STATES } from '../run/swarm-records.ts';
import type { AgentRecord } from '../run/swarm-records.ts';

const isRole = (type: string): boolean => type.length <= 64 && /^[a-z][a-z0-9]*(?:-[a-z0-9]+)*$/.test(type);

/** A type of agents, as callers name it. */
export const agentType = z
  .string()
  .refine(isRole, 'expected a kebab-case role of at most 64 characters, e.g. code-analyzer')
  .describe('e.g. coder');

/** An agent as tools answer it; the time in ISO 8601. */
export const agentOutput = z.object({
  agentId: z.string(),
  swarmId: z.string(),
  type: z.string(),
  role: z.string(),
  name: z.string(),
  capabilities: z.array(z.string()),
  status: z.enum(AGENT_STATES),
  createdAt: z.string(),
});

export const shownAgent = (agent: AgentRecord): z.output<typeof agentOutput> => ({
  agentId: agent.agentId,
  swarmId: agent.swarmId,
  type: agent.type,
  role: agent.role,
  name: agent.name,
  capabilities: [...agent.capabilities],
  status: agent.status,
  createdAt: new Date(agent.createdAt).toISOString(),
});
