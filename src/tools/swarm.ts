import { z } from 'zod';
import type { AgentRecord, SwarmRecord, TaskRecord } from '../run/swarm-records.ts';
import { limit, offset, rare, words } from './input.ts';
import { fields, moreLine, table } from './table.ts';
import { defineTool } from './tool.ts';
import type { TextStyle, ToolAnnotations } from './tool.ts';

const READS: ToolAnnotations = { readOnly: true, destructive: false, idempotent: true };
const ADDS: ToolAnnotations = { readOnly: false, destructive: false, idempotent: false };

const swarmId = words(64).optional().describe('default: newest');
const isRole = (type: string): boolean => type.length <= 64 && /^[a-z][a-z0-9]*(?:-[a-z0-9]+)*$/.test(type);
const isSmall = (config: unknown): boolean => JSON.stringify(config).length <= 65_536;
/** Every parser of JSON takes some levels; what recurses into the value must not meet thousands. */
const isFlat = (value: unknown, levels = 32): boolean =>
  typeof value !== 'object' ||
  value === null ||
  (levels > 0 && Object.values(value).every((member) => isFlat(member, levels - 1)));
// The JSON Schema of what comes in is that of the left side: "an object", without the recursion that "any JSON" takes.
const anyJson = z
  .looseObject({})
  .refine((config) => isFlat(config), 'must be nested at most 32 levels deep')
  .pipe(z.record(z.string(), z.json()).refine(isSmall, 'must take at most 65,536 characters as JSON'));

const iso = (ms: number): string => new Date(ms).toISOString();

/** A swarm as tools answer it; times in ISO 8601. */
export const swarmOutput = z.object({
  swarmId: z.string(),
  topology: z.enum(['star', 'mesh', 'ring', 'hierarchy']),
  strategy: z.string(),
  maxAgents: z.number(),
  status: z.enum(['active', 'destroyed']),
  config: z.record(z.string(), z.json()),
  createdAt: z.string(),
  updatedAt: z.string(),
});
/** As {@link swarmOutput}, with its agents and tasks counted by status. */
export const swarmStatusOutput = swarmOutput.extend({
  agents: z.record(z.string(), z.number()),
  tasks: z.record(z.string(), z.number()),
});
const agentOutput = z.object({
  agentId: z.string(),
  swarmId: z.string(),
  type: z.string(),
  role: z.string(),
  name: z.string(),
  capabilities: z.array(z.string()),
  status: z.literal('registered'),
  createdAt: z.string(),
});
/** As {@link agentOutput}, with what its status means. */
export const agentSpawnOutput = agentOutput.extend({ note: z.string() });
/** `swarmId` is `null`, and the page empty, when no swarm is active. */
export const agentListOutput = z.object({
  swarmId: z.string().nullable(),
  agents: z.array(agentOutput),
  total: z.number(),
  offset: z.number(),
});
/** `runId`: the run that worked on it, where there is one; `reason`: why it is in this status. */
export const taskOutput = z.object({
  taskId: z.string(),
  swarmId: z.string().nullable(),
  description: z.string(),
  strategy: z.string(),
  priority: z.enum(['low', 'medium', 'high', 'critical']),
  dependencies: z.array(z.string()),
  status: z.literal('not_executed'),
  reason: z.string().nullable(),
  runId: z.string().nullable(),
  createdAt: z.string(),
  updatedAt: z.string(),
});

const shownSwarm = (swarm: SwarmRecord): z.output<typeof swarmOutput> => ({
  swarmId: swarm.swarmId,
  topology: swarm.topology,
  strategy: swarm.strategy,
  maxAgents: swarm.maxAgents,
  status: swarm.status,
  config: swarm.config,
  createdAt: iso(swarm.createdAt),
  updatedAt: iso(swarm.updatedAt),
});
const shownAgent = (agent: AgentRecord): z.output<typeof agentOutput> => ({
  agentId: agent.agentId,
  swarmId: agent.swarmId,
  type: agent.type,
  role: agent.role,
  name: agent.name,
  capabilities: [...agent.capabilities],
  status: agent.status,
  createdAt: iso(agent.createdAt),
});
const shownTask = (task: TaskRecord): z.output<typeof taskOutput> => ({
  ...task,
  dependencies: [...task.dependencies],
  createdAt: iso(task.createdAt),
  updatedAt: iso(task.updatedAt),
});

const counts = (byStatus: Readonly<Record<string, number>>): string => {
  const parts = Object.entries(byStatus).map(([status, n]) => `${n} ${status}`);
  return parts.length === 0 ? 'none' : parts.join(', ');
};
const taskText = (task: z.output<typeof taskOutput>, style: TextStyle): string =>
  fields(
    {
      task: task.taskId,
      description: task.description,
      status: task.status,
      reason: task.reason,
      swarm: task.swarmId,
      priority: task.priority,
      strategy: task.strategy,
      'depends on': task.dependencies.length === 0 ? null : task.dependencies.join(', '),
      run: task.runId,
      created: task.createdAt,
    },
    style,
  );

const swarmCreate = defineTool({
  name: 'swarm_create',
  description: 'Records a swarm for agents and tasks to belong to; runs nothing.',
  input: z.strictObject({
    topology: z.enum(['star', 'mesh', 'ring', 'hierarchy']).default('star').describe('who sees whose work'),
    maxAgents: z.int().min(1).max(1000).default(8).describe('most agents it takes'),
    strategy: rare(words(64).default('auto'), 'free word, kept'),
    config: rare(anyJson.default({}), 'kept as given'),
  }),
  output: swarmOutput,
  annotations: ADDS,
  cli: { command: ['swarm', 'create'] },
  handler: async (input, { app }) => shownSwarm(await (await app.swarms('write')).create(input)),
  text: (swarm, style) =>
    fields({ swarm: swarm.swarmId, topology: swarm.topology, 'most agents': swarm.maxAgents, strategy: swarm.strategy }, style),
});

const swarmStatus = defineTool({
  name: 'swarm_status',
  description: 'Shows a swarm, its agents and tasks counted by status.',
  input: z.strictObject({ swarmId }),
  output: swarmStatusOutput,
  annotations: READS,
  cli: { command: ['swarm', 'status'], positional: ['swarmId'] },
  handler: async (input, { app }) => {
    const swarm = await (await app.swarms('read')).status(input.swarmId);
    return { ...shownSwarm(swarm), agents: swarm.agents, tasks: swarm.tasks };
  },
  text: (swarm, style) =>
    fields(
      {
        swarm: swarm.swarmId,
        status: swarm.status,
        topology: swarm.topology,
        strategy: swarm.strategy,
        'most agents': swarm.maxAgents,
        agents: counts(swarm.agents),
        tasks: counts(swarm.tasks),
        created: swarm.createdAt,
      },
      style,
    ),
});

const agentSpawn = defineTool({
  name: 'agent_spawn',
  description: 'Registers an agent in a swarm; runs nothing.',
  input: z.strictObject({
    type: z
      .string()
      .refine(isRole, 'expected a kebab-case role of at most 64 characters, e.g. code-analyzer')
      .describe('e.g. coder'),
    name: words(100).optional().describe('default: <type>-<n>'),
    capabilities: z.array(words(64)).max(32).default([]).describe('what it can do'),
    swarmId,
  }),
  output: agentSpawnOutput,
  annotations: ADDS,
  cli: { command: ['agent', 'spawn'], positional: ['type'] },
  handler: async (input, { app }) => {
    const agent = await (await app.swarms('write')).spawnAgent(input);
    return {
      ...shownAgent(agent),
      note: 'registered: on record; nothing runs on its behalf, and skill_run brings its own agents',
    };
  },
  text: (agent, style) =>
    fields(
      { agent: agent.agentId, name: agent.name, type: agent.type, role: agent.role, swarm: agent.swarmId, note: agent.note },
      style,
    ),
});

const agentList = defineTool({
  name: 'agent_list',
  description: 'Lists the agents of a swarm.',
  input: z.strictObject({ swarmId, limit: limit(50, 500), offset }),
  output: agentListOutput,
  annotations: READS,
  cli: { command: ['agent', 'list'] },
  handler: async (input, { app }) => {
    const page = await (await app.swarms('read')).listAgents(input);
    return { ...page, agents: page.agents.map(shownAgent), offset: input.offset };
  },
  text: (page, style) => {
    if (page.swarmId === null) return 'No active swarm.';
    if (page.total === 0) return `No agents in ${page.swarmId}.`;
    const rows = page.agents.map((agent) => [agent.agentId, agent.name, agent.role, agent.status, agent.capabilities.join(', ')]);
    return (
      table(['agent', 'name', 'role', 'status', 'capabilities'], rows, style) + moreLine(rows.length, page.total, page.offset)
    );
  },
});

const taskSubmit = defineTool({
  name: 'task_submit',
  description: 'Records a task in words. Nobody executes it; skill_run does work.',
  input: z.strictObject({
    description: words(10_000).describe('the task'),
    strategy: rare(z.enum(['parallel', 'sequential', 'adaptive', 'balanced']).default('adaptive'), 'kept'),
    priority: z.enum(['low', 'medium', 'high', 'critical']).default('medium').describe('kept'),
    dependencies: z.array(words(64)).max(100).default([]).describe('ids of earlier tasks'),
    swarmId: swarmId.describe('default: newest, or none'),
  }),
  output: taskOutput,
  annotations: ADDS,
  cli: { command: ['task', 'submit'], positional: ['description'] },
  handler: async (input, { app }) => shownTask(await (await app.swarms('write')).submitTask(input)),
  text: taskText,
});

const taskStatus = defineTool({
  name: 'task_status',
  description: 'Shows a submitted task, its status and why.',
  input: z.strictObject({ taskId: words(64).describe('from task_submit') }),
  output: taskOutput,
  annotations: READS,
  cli: { command: ['task', 'status'], positional: ['taskId'] },
  handler: async (input, { app }) => shownTask(await (await app.swarms('read')).taskStatus(input.taskId)),
  text: taskText,
});

/** Swarms, agents and tasks as records. */
export const swarmTools = [swarmCreate, swarmStatus, agentSpawn, agentList, taskSubmit, taskStatus] as const;
