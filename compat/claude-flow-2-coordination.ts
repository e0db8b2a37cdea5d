import * as z from 'zod';
import { claudeFlowNameOf } from '../src/agent/roles/aliases.ts';
import { NotFoundError } from '../src/errors.ts';
import type { CallResult } from '../src/executor/executor.ts';
import { defineLegacy } from '../src/legacy/row.ts';
import type { CallTool, LegacyRow } from '../src/legacy/row.ts';
import { agentMessageOutput } from '../src/tools/agent-mail.ts';
import { agentMetricsOutput, agentSpawnManyOutput } from '../src/tools/agent.ts';
import { words } from '../src/tools/input.ts';
import { swarmDestroyOutput, swarmMonitorOutput, swarmScaleOutput, swarmSyncOutput } from '../src/tools/swarm.ts';
import { swarmTopologyOutput } from '../src/tools/swarm-topology.ts';
import { listAllAgents } from './all-agents.ts';
import { answered } from './answered.ts';

const FAMILY = 'claude-flow 2.7';

/** Agents under the role names that 2.7 answers with. */
const legacyRoles = <T extends { readonly type: string }>(agents: readonly T[]): readonly (T & { readonly role: string })[] =>
  agents.map((agent) => ({ ...agent, role: claudeFlowNameOf(agent.type) }));

const swarmScale = defineLegacy({
  name: 'swarm_scale',
  family: FAMILY,
  description: 'claude-flow: spawn or stop agents up to a size.',
  tools: ['swarm_scale'],
  args: z.looseObject({}),
  plan: (args) => ({
    tool: 'swarm_scale',
    input: args,
    body: answered('swarm_scale', args, (output) => {
      const result = swarmScaleOutput.parse(output);
      return {
        message: `${result.spawned.length} agents spawned, ${result.stopped.length} stopped`,
        result: {
          ...result,
          spawned: legacyRoles(result.spawned),
          stopped: legacyRoles(result.stopped),
          previousSize: result.before,
          newSize: result.after,
        },
      };
    }),
  }),
});

const swarmDestroy = defineLegacy({
  name: 'swarm_destroy',
  family: FAMILY,
  description: 'claude-flow: end a swarm.',
  tools: ['swarm_destroy'],
  args: z.looseObject({}),
  plan: (args) => ({
    tool: 'swarm_destroy',
    input: args,
    body: answered('swarm_destroy', args, (output) => {
      const { swarmId, status, agentsStopped, votesClosed, runsCancelled, tasksCancelled } = swarmDestroyOutput.parse(output);
      return {
        message: `destroyed: ${agentsStopped.length} agents stopped, ${runsCancelled.length} runs asked to end`,
        result: { swarmId, status, destroyed: true, agentsStopped, votesClosed, runsCancelled, tasksCancelled },
      };
    }),
  }),
});

const swarmMonitor = defineLegacy({
  name: 'swarm_monitor',
  family: FAMILY,
  description: 'claude-flow: counters of a swarm; with interval, twice.',
  tools: ['swarm_monitor'],
  args: z.looseObject({ interval: z.number().optional().describe('ms between two samples') }),
  plan: ({ interval, ...rest }) => ({
    tool: 'swarm_monitor',
    input: { ...(interval === undefined ? {} : { samples: 2, intervalMs: interval }), ...rest },
    spelling: { intervalMs: 'interval' },
    body: answered('swarm_monitor', { ...rest, ...(interval === undefined ? {} : { interval }) }, (output) => {
      const result = swarmMonitorOutput.parse(output);
      return { message: `${result.samples.length} samples`, result };
    }),
  }),
});

const agentMetrics = defineLegacy({
  name: 'agent_metrics',
  family: FAMILY,
  description: 'claude-flow: what is recorded of agents.',
  tools: ['agent_metrics'],
  args: z.looseObject({}),
  plan: (args) => ({
    tool: 'agent_metrics',
    input: args,
    body: answered('agent_metrics', args, (output) => {
      const { agents, total } = agentMetricsOutput.parse(output);
      return { message: `figures of ${agents.length} of ${total} agents`, result: { agents, total } };
    }),
  }),
});

const agentsSpawnParallel = defineLegacy({
  name: 'agents_spawn_parallel',
  family: FAMILY,
  description: 'claude-flow: register several agents.',
  tools: ['agent_spawn_many'],
  args: z.object({
    agents: z.array(z.object({ type: z.string(), name: z.string().optional(), capabilities: z.array(z.string()).optional() })),
    swarmId: z.string().optional(),
  }),
  plan: ({ agents, swarmId }) => ({
    tool: 'agent_spawn_many',
    input: { agents, ...(swarmId === undefined ? {} : { swarmId }) },
    body: answered('agents_spawn_parallel', { agents: agents.length }, (output) => {
      const result = agentSpawnManyOutput.parse(output);
      return {
        message: `${result.agents.length} agents registered; they run nothing by themselves, task_submit gives them steps`,
        result: { ...result, agents: legacyRoles(result.agents), count: result.agents.length },
      };
    }),
  }),
});

const topologyOptimize = defineLegacy({
  name: 'topology_optimize',
  family: FAMILY,
  description: 'claude-flow: compare topologies for the agents; apply: true sets the recommended one.',
  tools: ['swarm_topology'],
  args: z.object({ swarmId: z.string().optional(), task: z.string().optional(), apply: z.boolean().default(false) }),
  plan: ({ apply, ...input }) => ({
    tool: 'swarm_topology',
    input,
    ask: async (call) => {
      const compared = await call('swarm_topology', input);
      if (!compared.ok || !apply) return compared;
      const { swarmId, recommended } = swarmTopologyOutput.parse(compared.output);
      return call('swarm_topology', { ...input, swarmId, set: recommended });
    },
    body: answered('topology_optimize', { ...input, apply }, (output) => {
      const result = swarmTopologyOutput.parse(output);
      return { message: result.reason, result };
    }),
  }),
});

const assigned = z.object({
  swarmId: z.string(),
  assignments: z.array(
    z.object({
      task: z.string(),
      agentId: z.string(),
      agentName: z.string(),
      matched: z.array(z.string()),
      queue: z.number(),
      messageId: z.number(),
    }),
  ),
});

/** Capabilities and the role that a text names. */
function matchedIn(text: string, wanted: readonly string[]): readonly string[] {
  const said = ` ${text.toLowerCase().replaceAll(/[^\p{L}\p{N}]+/gu, ' ')} `;
  const spoken = (word: string): string =>
    ` ${word
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N}]+/gu, ' ')
      .trim()} `;
  return [...new Set(wanted)].filter((word) => spoken(word).trim() !== '' && said.includes(spoken(word)));
}

/** Gives each task to the agent that names most of its words, of several to the one with the fewest steps and messages open. */
async function assign(call: CallTool, tasks: readonly string[], swarmId: string | undefined): Promise<CallResult> {
  const all = await listAllAgents(call, swarmId);
  if ('failed' in all) return all.failed;
  const { listed } = all;
  const agents = listed.agents.filter(({ status }) => status === 'registered');
  if (listed.swarmId === null || agents.length === 0) {
    throw new NotFoundError('there are no registered agents to give tasks to', { hint: 'Register some with agent_spawn.' });
  }
  const queues = new Map<string, number>();
  for (const { agentId, openSteps } of agents) {
    const metrics = await call('agent_metrics', { agentId });
    if (!metrics.ok) return metrics;
    queues.set(agentId, openSteps + (agentMetricsOutput.parse(metrics.output).agents[0]?.openMessages ?? 0));
  }
  const assignments = [];
  for (const task of tasks) {
    const scored = agents.map((agent) => ({
      agent,
      matched: matchedIn(task, [agent.type, agent.role, claudeFlowNameOf(agent.type), ...agent.capabilities]),
      queue: queues.get(agent.agentId) ?? 0,
    }));
    const [best] = scored.toSorted((a, b) => b.matched.length - a.matched.length || a.queue - b.queue);
    if (best === undefined) break;
    const { agentId, name } = best.agent;
    const sent = await call('agent_message', { to: agentId, message: task, from: 'load_balance', swarmId: listed.swarmId });
    if (!sent.ok) return sent;
    const { messageId } = agentMessageOutput.parse(sent.output);
    queues.set(agentId, best.queue + 1);
    assignments.push({ task, agentId, agentName: name, matched: [...best.matched], queue: best.queue + 1, messageId });
  }
  return { ok: true, output: { swarmId: listed.swarmId, assignments } };
}

const loadBalance = defineLegacy({
  name: 'load_balance',
  family: FAMILY,
  description: 'claude-flow: put tasks into the mailboxes of agents, by capability and queue.',
  tools: ['agent_list', 'agent_metrics', 'agent_message'],
  args: z.object({ tasks: z.array(words(10_000)).min(1).max(100), swarmId: z.string().optional() }),
  plan: ({ tasks, swarmId }) => ({
    tool: 'agent_message',
    input: {},
    ask: (call) => assign(call, tasks, swarmId),
    body: answered('load_balance', { tasks: tasks.length }, (output) => {
      const result = assigned.parse(output);
      return {
        message: `${result.assignments.length} tasks are in mailboxes: their agents are shown them with the next task of task_orchestrate`,
        result,
      };
    }),
  }),
});

const coordinationSync = defineLegacy({
  name: 'coordination_sync',
  family: FAMILY,
  description: 'claude-flow: decide what is due, count what is open.',
  tools: ['swarm_sync'],
  args: z.object({ swarmId: z.string().optional() }),
  plan: (args) => ({
    tool: 'swarm_sync',
    input: args,
    body: answered('coordination_sync', args, (output) => {
      const result = swarmSyncOutput.parse(output);
      return { message: `${result.votesClosed.length} votes decided, ${result.openMessages} messages open`, result };
    }),
  }),
});

/** Names of claude-flow 2.7 about the size, the shape and the work of swarms. */
export const CLAUDE_FLOW_2_COORDINATION: readonly LegacyRow[] = [
  swarmScale,
  swarmDestroy,
  swarmMonitor,
  agentMetrics,
  agentsSpawnParallel,
  topologyOptimize,
  loadBalance,
  coordinationSync,
];
