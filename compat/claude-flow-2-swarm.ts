import * as z from 'zod';
import { claudeFlowNameOf } from '../src/agent/roles/aliases.ts';
import { defineLegacy } from '../src/legacy/row.ts';
import type { LegacyRow } from '../src/legacy/row.ts';
import { sameArgument } from '../src/legacy/same-argument.ts';
import { words } from '../src/tools/input.ts';
import { agentListOutput, agentSpawnOutput } from '../src/tools/agent.ts';
import { swarmOutput, swarmStatusOutput } from '../src/tools/swarm.ts';
import { taskOutput } from '../src/tools/task.ts';

const FAMILY = 'claude-flow 2.7';

/** 2.7 and 3.x say `hierarchical`. */
const legacyTopology = (topology: string): string => (topology === 'hierarchy' ? 'hierarchical' : topology);

/** Statuses of a task that is under way or over; with any other it waits for something or somebody. */
const BEGUN: ReadonlySet<string> = new Set(['running', 'completed', 'failed', 'cancelled']);

const swarmInit = defineLegacy({
  name: 'swarm_init',
  family: FAMILY,
  description: 'claude-flow: swarm_create',
  listed: true,
  tools: ['swarm_create'],
  args: z.object({
    topology: z.enum(['hierarchical', 'mesh', 'ring', 'star']).optional(),
    maxAgents: z.number().optional(),
    strategy: words(64).optional(),
    config: z.unknown().optional(),
  }),
  plan: ({ topology, ...rest }) => ({
    tool: 'swarm_create',
    input: { topology: topology === 'hierarchical' ? 'hierarchy' : topology, ...rest },
    body: (output, timestamp) => {
      const swarm = swarmOutput.parse(output);
      return {
        success: true,
        swarmId: swarm.swarmId,
        topology: legacyTopology(swarm.topology),
        maxAgents: swarm.maxAgents,
        strategy: swarm.strategy,
        status: swarm.status,
        // The tool answers after its commit, and rejects when there is none.
        persisted: true,
        timestamp,
      };
    },
  }),
});

const agentSpawn = defineLegacy({
  name: 'agent_spawn',
  family: FAMILY,
  description: 'claude-flow: register an agent.',
  tools: ['agent_spawn'],
  args: z.looseObject({}),
  plan: (args) => ({
    tool: 'agent_spawn',
    input: sameArgument(args, 'type', 'agentType'),
    spelling: args['agentType'] === undefined ? {} : { type: 'agentType' },
    body: (output, timestamp) => {
      const agent = agentSpawnOutput.parse(output);
      return {
        success: true,
        agentId: agent.agentId,
        type: agent.type,
        name: agent.name,
        status: agent.status,
        capabilities: agent.capabilities,
        persisted: true,
        timestamp,
        role: claudeFlowNameOf(agent.type),
        swarmId: agent.swarmId,
        note: agent.note,
      };
    },
  }),
});

const agentList = defineLegacy({
  name: 'agent_list',
  family: FAMILY,
  description: 'claude-flow: list agents.',
  tools: ['agent_list'],
  args: z.looseObject({}),
  plan: (args) => ({
    tool: 'agent_list',
    input: args,
    body: (output, timestamp) => {
      const { swarmId, agents, total } = agentListOutput.parse(output);
      return {
        success: true,
        swarmId,
        agents: agents.map((agent) => ({ id: agent.agentId, ...agent, role: claudeFlowNameOf(agent.type) })),
        count: agents.length,
        timestamp,
        total,
      };
    },
  }),
});

const swarmStatus = defineLegacy({
  name: 'swarm_status',
  family: FAMILY,
  description: 'claude-flow: count agents and tasks of a swarm.',
  tools: ['swarm_status'],
  args: z.looseObject({}),
  plan: (args) => ({
    tool: 'swarm_status',
    input: args,
    body: (output, timestamp) => {
      const swarm = swarmStatusOutput.parse(output);
      const sum = (counts: Readonly<Record<string, number>>): number => Object.values(counts).reduce((total, n) => total + n, 0);
      return {
        success: true,
        swarmId: swarm.swarmId,
        topology: legacyTopology(swarm.topology),
        agentCount: sum(swarm.agents),
        activeAgents: swarm.busyAgents,
        taskCount: sum(swarm.tasks),
        pendingTasks: sum(Object.fromEntries(Object.entries(swarm.tasks).filter(([status]) => !BEGUN.has(status)))),
        completedTasks: swarm.tasks['completed'] ?? 0,
        timestamp,
        status: swarm.status,
        maxAgents: swarm.maxAgents,
        strategy: swarm.strategy,
        agentsByStatus: swarm.agents,
        tasksByStatus: swarm.tasks,
        createdAt: swarm.createdAt,
      };
    },
  }),
});

const taskOrchestrate = defineLegacy({
  name: 'task_orchestrate',
  family: FAMILY,
  description: 'claude-flow: task_submit',
  listed: true,
  tools: ['task_submit'],
  args: z.object({
    task: words(10_000),
    strategy: z.enum(['parallel', 'sequential', 'adaptive', 'balanced']).optional(),
    priority: z.enum(['low', 'medium', 'high', 'critical']).optional(),
    dependencies: z.array(words(64)).optional(),
    swarmId: words(64).optional(),
  }),
  plan: ({ task, ...rest }) => ({
    tool: 'task_submit',
    input: { description: task, ...rest },
    spelling: { description: 'task' },
    body: (output, timestamp) => {
      const submitted = taskOutput.parse(output);
      return {
        success: true,
        taskId: submitted.taskId,
        task: submitted.description,
        strategy: submitted.strategy,
        priority: submitted.priority,
        status: submitted.status,
        persisted: true,
        timestamp,
        reason: submitted.reason,
        swarmId: submitted.swarmId,
        dependencies: submitted.dependencies,
        runId: submitted.runId,
        next: submitted.next,
      };
    },
  }),
});

const taskStatus = defineLegacy({
  name: 'task_status',
  family: FAMILY,
  description: 'claude-flow: a task and its status.',
  tools: ['task_status'],
  args: z.looseObject({}),
  plan: (args) => ({
    tool: 'task_status',
    input: args,
    body: (output, timestamp) => {
      const { description, ...task } = taskOutput.parse(output);
      return { success: true, ...task, task: description, timestamp };
    },
  }),
});

/** Swarm, agent and task names of claude-flow 2.7. */
export const CLAUDE_FLOW_2_SWARM: readonly LegacyRow[] = [
  swarmInit,
  agentSpawn,
  taskOrchestrate,
  swarmStatus,
  agentList,
  taskStatus,
];
