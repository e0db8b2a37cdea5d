import * as z from 'zod';
import { claudeFlowNameOf } from '../src/agent/roles/aliases.ts';
import { InvalidInputError, NotFoundError } from '../src/errors.ts';
import type { CallResult } from '../src/executor/executor.ts';
import { defineLegacy } from '../src/legacy/row.ts';
import type { CallTool, LegacyBody, LegacyRow } from '../src/legacy/row.ts';
import { agentMessageOutput } from '../src/tools/agent-mail.ts';
import { agentMetricsOutput, agentSpawnOutput, agentStatusOutput, agentListOutput } from '../src/tools/agent.ts';
import { words } from '../src/tools/input.ts';
import { voteOutput } from '../src/tools/vote.ts';
import { listAllAgents } from './all-agents.ts';
import { answered } from './answered.ts';

const FAMILY = 'claude-flow 2.7';

/** The agents that were named, by id or by name. Throws `NotFoundError`. */
function knownAgents(
  parameter: string,
  wanted: readonly string[],
  { agents }: z.output<typeof agentListOutput>,
): readonly string[] {
  return wanted.map((word) => {
    const found = agents.find(({ agentId }) => agentId === word) ?? agents.find(({ name }) => name === word);
    if (found !== undefined) return found.agentId;
    throw new NotFoundError(`${parameter}: there is no agent ${JSON.stringify(word)}`, {
      hint: 'Give ids that agent_list shows; nothing was changed.',
      details: { parameter },
    });
  });
}

const daaAgentCreate = defineLegacy({
  name: 'daa_agent_create',
  family: FAMILY,
  description: 'claude-flow: register an agent, in a new swarm where there is none.',
  tools: ['agent_spawn', 'swarm_create'],
  args: z.object({
    agent_type: z.string(),
    capabilities: z.array(z.string()).optional(),
    resources: z.unknown().optional(),
    name: z.string().optional(),
    swarmId: z.string().optional(),
  }),
  plan: ({ agent_type: type, resources, ...rest }) => {
    const input = { type, ...rest };
    return {
      tool: 'agent_spawn',
      input,
      spelling: { type: 'agent_type' },
      ask: async (call) => {
        const spawned = await call('agent_spawn', input);
        if (spawned.ok || spawned.error.code !== 'not_found' || rest.swarmId !== undefined) return spawned;
        const created = await call('swarm_create', {});
        return created.ok ? call('agent_spawn', input) : created;
      },
      body: (output, timestamp) => {
        const { agentId, type: kind, capabilities, status, createdAt, note, ...metadata } = agentSpawnOutput.parse(output);
        return {
          success: true,
          agentId,
          agent: {
            id: agentId,
            type: kind,
            capabilities,
            resources: {},
            status,
            created: createdAt,
            lastActivity: createdAt,
            tasks: [],
            metadata: { ...metadata, role: claudeFlowNameOf(kind) },
          },
          timestamp,
          note: resources === undefined ? note : `${note}; no resources were given to it: agents own none`,
        };
      },
    };
  },
});

const daaCapabilityMatch = defineLegacy({
  name: 'daa_capability_match',
  family: FAMILY,
  description: 'claude-flow: registered agents by how many requirements they meet.',
  tools: ['agent_list'],
  args: z.object({
    task_requirements: z.array(words(200)).min(1).max(100),
    available_agents: z.array(z.string()).optional(),
    swarmId: z.string().optional(),
  }),
  plan: ({ task_requirements: required, available_agents: available, swarmId }) => ({
    tool: 'agent_list',
    input: {},
    ask: async (call) => {
      const all = await listAllAgents(call, swarmId);
      return 'failed' in all ? all.failed : { ok: true, output: all.listed };
    },
    body: (output, timestamp) => {
      const listed = agentListOutput.parse(output);
      const wanted = available === undefined ? null : new Set(knownAgents('available_agents', available, listed));
      const candidates = listed.agents.filter(({ agentId, status }) => status === 'registered' && (wanted?.has(agentId) ?? true));
      const matches = candidates
        .map(({ agentId, type, role, capabilities }) => {
          const has = [type, role, claudeFlowNameOf(type), ...capabilities].map((word) => word.toLowerCase());
          const matched = required.filter((one) => has.some((word) => word.includes(one.toLowerCase())));
          return {
            agentId,
            agentType: type,
            score: matched.length / required.length,
            capabilities,
            matchedRequirements: matched,
          };
        })
        .filter(({ score }) => score > 0)
        .toSorted((a, b) => b.score - a.score);
      return { success: true, matches, totalCandidates: candidates.length, bestMatch: matches[0] ?? null, timestamp };
    },
  }),
});

/** Sends between two agents who are there. */
async function communicate(call: CallTool, from: string, to: string, message: string, swarmId?: string): Promise<CallResult> {
  const all = await listAllAgents(call, swarmId);
  if ('failed' in all) return all.failed;
  const [sender = from] = knownAgents('from', [from], all.listed);
  const place = all.listed.swarmId ?? swarmId;
  return call('agent_message', { from: sender, to, message, ...(place === undefined ? {} : { swarmId: place }) });
}

const daaCommunication = defineLegacy({
  name: 'daa_communication',
  family: FAMILY,
  description: 'claude-flow: put a message into a mailbox.',
  tools: ['agent_list', 'agent_message'],
  args: z.object({
    from: words(100),
    to: words(100),
    message: z.union([words(65_536), z.looseObject({})]),
    swarmId: z.string().optional(),
  }),
  plan: ({ from, to, message, swarmId }) => ({
    tool: 'agent_message',
    input: {},
    ask: (call) => communicate(call, from, to, typeof message === 'string' ? message : JSON.stringify(message), swarmId),
    body: (output, timestamp) => {
      const sent = agentMessageOutput.parse(output);
      return {
        success: true,
        messageId: String(sent.messageId),
        from: sent.from,
        to,
        // It is in the mailboxes; whether it was read, agent_metrics tells by its openMessages.
        delivered: true,
        timestamp,
        recipients: sent.recipients,
        swarmId: sent.swarmId,
      };
    },
  }),
});

const consensusArgs = z.object({
  agents: z.array(words(100)).min(1).max(1000).optional(),
  proposal: z.unknown().optional(),
  consensusId: z.string().optional().describe('reads one that was begun'),
  swarmId: z.string().optional(),
});

async function beginConsensus(
  call: CallTool,
  { agents, proposal, swarmId }: z.output<typeof consensusArgs>,
): Promise<CallResult> {
  if (agents === undefined || proposal === undefined) {
    const parameter = agents === undefined ? 'agents' : 'proposal';
    throw new InvalidInputError(`daa_consensus: ${parameter} is missing`, {
      hint: 'Give agents and proposal to begin a vote, or consensusId to read one; nothing was changed.',
      details: { parameter },
    });
  }
  const all = await listAllAgents(call, swarmId);
  if ('failed' in all) return all.failed;
  const voters = knownAgents('agents', agents, all.listed);
  const question = typeof proposal === 'string' ? proposal : JSON.stringify(proposal);
  const place = all.listed.swarmId ?? swarmId;
  return call('vote_open', { question, voters, ...(place === undefined ? {} : { swarmId: place }) });
}

function consensusBody(output: unknown, timestamp: string): LegacyBody {
  const { pollId, status, eligible, voted, result, ballots } = voteOutput.parse(output);
  const spoken = (ballots ?? []).filter(({ choices }) => choices.length > 0);
  const votes = Object.fromEntries(spoken.map(({ voter, choices }) => [voter, choices[0] === 'yes']));
  const approvals = Object.values(votes).filter(Boolean).length;
  const rejections = Object.keys(votes).length - approvals;
  return {
    success: true,
    consensusId: pollId,
    approved: result === null ? null : result.winner === 'yes',
    votes,
    summary: { total: eligible, approvals, rejections, approvalRate: result === null ? null : approvals / Math.max(1, voted) },
    timestamp,
    status,
    voted,
    outcome: result?.outcome ?? null,
    note: result === null ? 'each agent votes yes or no with vote_cast; call again with consensusId for the result' : result.note,
  };
}

const daaConsensus = defineLegacy({
  name: 'daa_consensus',
  family: FAMILY,
  description: 'claude-flow: begin a vote of agents on a proposal, or read its result.',
  tools: ['agent_list', 'vote_open', 'decision_status'],
  args: consensusArgs,
  plan: (args) => ({
    tool: 'vote_open',
    input: {},
    spelling: { pollId: 'consensusId', question: 'proposal', voters: 'agents' },
    ask: (call) =>
      args.consensusId === undefined
        ? beginConsensus(call, args)
        : call('decision_status', { pollId: args.consensusId, limit: 1000 }),
    body: consensusBody,
  }),
});

const STOPS = ['stop', 'pause', 'terminate'] as const;
const STARTS = ['start', 'resume', 'restart'] as const;

const daaLifecycleManage = defineLegacy({
  name: 'daa_lifecycle_manage',
  family: FAMILY,
  description: 'claude-flow: stop an agent, or make it a member again.',
  tools: ['agent_stop', 'agent_start'],
  args: z.object({ agentId: z.string(), action: z.enum([...STOPS, ...STARTS]) }),
  plan: ({ agentId, action }) => ({
    tool: STOPS.some((stop) => stop === action) ? 'agent_stop' : 'agent_start',
    input: { agentId },
    body: (output, timestamp) => {
      const { status, previousStatus } = agentStatusOutput.parse(output);
      return {
        success: true,
        message: previousStatus === status ? `it was ${status} already` : `it is ${status} now`,
        agentId,
        previousStatus,
        currentStatus: status,
        timestamp,
      };
    },
  }),
});

const daaFaultTolerance = defineLegacy({
  name: 'daa_fault_tolerance',
  family: FAMILY,
  description: 'claude-flow: failures of an agent; strategy restart makes a stopped one a member again.',
  tools: ['agent_metrics', 'agent_start'],
  args: z.object({ agentId: words(64), strategy: z.enum(['check', 'restart']).default('check') }),
  plan: ({ agentId, strategy }) => ({
    tool: 'agent_metrics',
    input: { agentId },
    ask: async (call) => {
      const before = await call('agent_metrics', { agentId });
      if (!before.ok || strategy === 'check') return before;
      const started = await call('agent_start', { agentId });
      return started.ok ? call('agent_metrics', { agentId }) : started;
    },
    body: answered('daa_fault_tolerance', { agentId, strategy }, (output) => {
      const [agent] = agentMetricsOutput.parse(output).agents;
      const failed = agent?.steps['failed'] ?? 0;
      const { status = null, retries = 0, steps = {}, lastActivityAt = null } = agent ?? {};
      return {
        message: `${status ?? 'an agent of runs'}: ${failed} steps failed, ${retries} attempts were repeated`,
        result: { agentId, strategy, status, failed, retries, steps, lastActivityAt },
      };
    }),
  }),
});

/** The names of claude-flow 2.7 about autonomous agents that have an effect here. */
export const CLAUDE_FLOW_2_DAA: readonly LegacyRow[] = [
  daaAgentCreate,
  daaCapabilityMatch,
  daaCommunication,
  daaConsensus,
  daaLifecycleManage,
  daaFaultTolerance,
];
