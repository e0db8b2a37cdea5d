import * as z from 'zod';
import { dollars } from '../run/amount-words.ts';
import { AGENT_STATES } from '../run/swarm-records.ts';
import { printable } from '../printable.ts';
import { agentOutput, agentType, shownAgent } from './agent-output.ts';
import { limit, offset, rare, words } from './input.ts';
import { fields, moreLine, table } from './table.ts';
import { defineTool } from './tool.ts';
import type { App, ToolAnnotations } from './tool.ts';

const READS: ToolAnnotations = { readOnly: true, destructive: false, idempotent: true };
const ADDS: ToolAnnotations = { readOnly: false, destructive: false, idempotent: false };

const isoOrNull = (ms: number | null): string | null => (ms === null ? null : new Date(ms).toISOString());
const swarmId = words(64).optional().describe('default: newest');
const agentId = words(64);
const newAgent = {
  type: agentType,
  name: words(100).optional().describe('default: <type>-<n>'),
  capabilities: z.array(words(64)).max(32).default([]).describe('what it can do'),
};

/** As {@link agentOutput}, with what its status means. */
export const agentSpawnOutput = agentOutput.extend({ note: z.string() });
/** With its steps in all runs of the swarm, by status; `openSteps`: to be done yet; `busy`: somebody thinks for it now. */
const listedAgent = agentOutput.extend({
  steps: z.record(z.string(), z.number()),
  openSteps: z.number(),
  busy: z.boolean(),
  lastActivityAt: z.string().nullable(),
});
/** `swarmId` is `null`, and the page empty, when no swarm is active. */
export const agentListOutput = z.object({
  swarmId: z.string().nullable(),
  agents: z.array(listedAgent),
  total: z.number(),
  offset: z.number(),
});

const agentSpawn = defineTool({
  name: 'agent_spawn',
  description: 'Registers an agent in a swarm; runs nothing.',
  input: z.strictObject({ ...newAgent, name: rare(newAgent.name, 'default: <type>-<n>'), swarmId }),
  output: agentSpawnOutput,
  annotations: ADDS,
  cli: { command: ['agent', 'spawn'], positional: ['type'] },
  handler: async (input, { app }) => {
    const agent = await (await app.swarms('write')).spawnAgent(input);
    return {
      ...shownAgent(agent),
      note: 'registered: it runs nothing by itself; tasks of task_submit have steps for it, and whoever thinks does them as this agent',
    };
  },
  text: (agent, style) =>
    fields(
      { agent: agent.agentId, name: agent.name, type: agent.type, role: agent.role, swarm: agent.swarmId, note: agent.note },
      style,
    ),
});

export const agentSpawnManyOutput = z.object({ swarmId: z.string(), agents: z.array(agentOutput) });

const agentSpawnMany = defineTool({
  name: 'agent_spawn_many',
  description: 'Registers several agents in a swarm at once, all or none; runs nothing.',
  input: z.strictObject({ agents: z.array(z.strictObject(newAgent)).min(1).max(1000), swarmId }),
  output: agentSpawnManyOutput,
  annotations: ADDS,
  listed: false,
  cli: { command: ['agent', 'spawn-many'] },
  handler: async ({ agents, swarmId: wanted }, { app }) => {
    const swarms = await app.swarms('write');
    const { swarmId: id } = await swarms.status(wanted);
    return { swarmId: id, agents: (await swarms.spawnAgents(agents, id)).map(shownAgent) };
  },
});

const stepsText = (steps: Readonly<Record<string, number>>): string =>
  Object.entries(steps)
    .map(([status, n]) => `${n} ${status}`)
    .join(', ');

const agentList = defineTool({
  name: 'agent_list',
  description: 'Lists the agents of a swarm, with the steps that they did.',
  input: z.strictObject({ swarmId, limit: limit(50, 500), offset }),
  output: agentListOutput,
  annotations: READS,
  listed: false,
  cli: { command: ['agent', 'list'] },
  handler: async (input, { app }) => {
    const page = await (await app.swarms('read')).listAgents(input);
    const agents = page.agents.map(({ steps, openSteps, busy, lastActivityAt, ...agent }) => ({
      ...shownAgent(agent),
      steps: { ...steps },
      openSteps,
      busy,
      lastActivityAt: isoOrNull(lastActivityAt),
    }));
    return { ...page, agents, offset: input.offset };
  },
  text: (page, style) => {
    if (page.swarmId === null) return 'No active swarm.';
    if (page.total === 0) return `No agents in ${printable(page.swarmId)}.`;
    const rows = page.agents.map((agent) => [
      agent.agentId,
      agent.name,
      agent.role,
      agent.busy ? `${agent.status}, at work` : agent.status,
      stepsText(agent.steps),
      agent.capabilities.join(', '),
    ]);
    return (
      table(['agent', 'name', 'role', 'status', 'steps', 'capabilities'], rows, style) +
      moreLine(rows.length, page.total, page.offset)
    );
  },
});

/** An agent after a change of its status. */
export const agentStatusOutput = agentOutput.extend({ previousStatus: z.enum(AGENT_STATES) });

const setStatus = async (app: App, id: string, status: 'registered' | 'stopped'): Promise<z.output<typeof agentStatusOutput>> => {
  const { agent, previous } = await (await app.swarms('write')).setAgent(id, status);
  return { ...shownAgent(agent), previousStatus: previous };
};

const agentStop = defineTool({
  name: 'agent_stop',
  description:
    'Stops an agent of a swarm: it counts for no size, gets no mail, vote or new task. Runs that it is in keep it. agent_start undoes it.',
  input: z.strictObject({ agentId }),
  output: agentStatusOutput,
  annotations: { readOnly: false, destructive: true, idempotent: true },
  listed: false,
  cli: { command: ['agent', 'stop'], positional: ['agentId'] },
  handler: (input, { app }) => setStatus(app, input.agentId, 'stopped'),
});

const agentStart = defineTool({
  name: 'agent_start',
  description: 'Makes a stopped agent a member of its swarm again.',
  input: z.strictObject({ agentId }),
  output: agentStatusOutput,
  annotations: { readOnly: false, destructive: false, idempotent: true },
  listed: false,
  cli: { command: ['agent', 'start'], positional: ['agentId'] },
  handler: (input, { app }) => setStatus(app, input.agentId, 'registered'),
});

const usageOutput = z.object({
  requests: z.number(),
  inputTokens: z.number(),
  outputTokens: z.number(),
  cacheReadTokens: z.number(),
  cacheWriteTokens: z.number(),
  costUsd: z.number(),
  unpricedAttempts: z.number(),
});
const metricsOutput = z.object({
  agentId: z.string(),
  role: z.string(),
  swarmId: z.string().nullable(),
  status: z.enum(AGENT_STATES).nullable(),
  steps: z.record(z.string(), z.number()),
  retries: z.number(),
  durationMs: z.object({ total: z.number(), mean: z.number(), max: z.number() }).nullable(),
  usage: usageOutput.nullable(),
  ballots: z.number(),
  accuracy: z.object({ votes: z.number(), correct: z.number() }).nullable(),
  openMessages: z.number(),
  lastActivityAt: z.string().nullable(),
});
/** What is recorded of agents; what is not recorded is `null`, zero or absent. */
export const agentMetricsOutput = z.object({ agents: z.array(metricsOutput), total: z.number(), offset: z.number() });

const agentMetrics = defineTool({
  name: 'agent_metrics',
  description:
    'Shows what is recorded of agents of runs and swarms: steps by status, retries, durations, tokens, cost, votes, open messages.',
  input: z.strictObject({
    agentId: words(64).optional().describe('of agent_list or of a run; default: all'),
    role: words(64).optional(),
    runId: words(64).optional().describe('only in this run'),
    limit: limit(50, 500),
    offset,
  }),
  output: agentMetricsOutput,
  annotations: READS,
  listed: false,
  cli: { command: ['agent', 'metrics'], positional: ['agentId'] },
  handler: async (input, { app }) => {
    const { readAgentMetrics } = await import('../run/agent-metrics.ts');
    const runId = input.runId === undefined ? undefined : (await (await app.runs('read')).get(input.runId)).runId;
    const { agents, total } = await readAgentMetrics(await app.database('read'), { ...input, runId });
    const shown = agents.map(({ lastActivityAt, ...agent }) => ({
      ...agent,
      steps: { ...agent.steps },
      lastActivityAt: isoOrNull(lastActivityAt),
    }));
    return { agents: shown, total, offset: input.offset };
  },
  text: ({ agents, total, offset: passed }, style) => {
    if (total === 0) return 'Nothing is recorded of agents yet.';
    const rows = agents.map(({ agentId: id, role, steps, retries, durationMs, usage, ballots }) => [
      id,
      role,
      stepsText(steps),
      String(retries),
      durationMs === null ? '' : `${Math.round(durationMs.mean)} ms`,
      usage === null ? '' : `${usage.inputTokens + usage.outputTokens}`,
      usage === null ? '' : `${dollars(usage.costUsd)}${usage.unpricedAttempts > 0 ? '+?' : ''}`,
      String(ballots),
    ]);
    const heads = ['agent', 'role', 'steps', 'retries', 'mean time', 'tokens', 'cost', 'ballots'];
    return table(heads, rows, style) + moreLine(rows.length, total, passed);
  },
});

/** Agents of swarms: their records, and what is recorded of them. */
export const agentTools = [agentSpawn, agentSpawnMany, agentList, agentMetrics, agentStop, agentStart] as const;
