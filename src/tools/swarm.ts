import * as z from 'zod';
import { ConflictError, NotFoundError } from '../errors.ts';
import { TOPOLOGIES } from '../run/swarm-records.ts';
import type { SwarmRecord } from '../run/swarm-records.ts';
import type { SwarmSample } from '../run/swarms.ts';
import { agentOutput, agentType, shownAgent } from './agent-output.ts';
import { rare, words } from './input.ts';
import { swarmBudget } from './swarm-budget.ts';
import { swarmTopology } from './swarm-topology.ts';
import { fields, table } from './table.ts';
import { defineTool } from './tool.ts';
import type { App, ToolAnnotations } from './tool.ts';

const READS: ToolAnnotations = { readOnly: true, destructive: false, idempotent: true };
const ADDS: ToolAnnotations = { readOnly: false, destructive: false, idempotent: false };

const swarmId = words(64).optional().describe('default: newest');
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
  topology: z.enum(TOPOLOGIES),
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
  /** Agents that somebody thinks for now. */
  busyAgents: z.number(),
  tasks: z.record(z.string(), z.number()),
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

const counts = (byStatus: Readonly<Record<string, number>>): string => {
  const parts = Object.entries(byStatus).map(([status, n]) => `${n} ${status}`);
  return parts.length === 0 ? 'none' : parts.join(', ');
};

const swarmCreate = defineTool({
  name: 'swarm_create',
  description: 'Records a swarm for agents and tasks to belong to; runs nothing.',
  input: z.strictObject({
    topology: z.enum(TOPOLOGIES).default('star').describe('who sees whose work'),
    maxAgents: z.int().min(1).max(1000).default(8).describe('most agents it takes'),
    strategy: rare(words(64).default('auto'), 'free word, kept'),
    config: rare(anyJson.default({}), 'kept as given'),
  }),
  output: swarmOutput,
  annotations: ADDS,
  listed: false,
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
  listed: false,
  cli: { command: ['swarm', 'status'], positional: ['swarmId'] },
  handler: async (input, { app }) => {
    const swarm = await (await app.swarms('read')).status(input.swarmId);
    return { ...shownSwarm(swarm), agents: swarm.agents, busyAgents: swarm.busyAgents, tasks: swarm.tasks };
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
        'at work now': swarm.busyAgents,
        tasks: counts(swarm.tasks),
        created: swarm.createdAt,
      },
      style,
    ),
});

const countsOf = z.record(z.string(), z.number());

/** What changing the size did; counts are of registered agents, of the type where one was given. */
export const swarmScaleOutput = z.object({
  swarmId: z.string(),
  before: z.number(),
  after: z.number(),
  spawned: z.array(agentOutput),
  stopped: z.array(agentOutput),
});

const swarmScale = defineTool({
  name: 'swarm_scale',
  description: 'Spawns or stops agents until the swarm has that many, within its maxAgents; the newest stop first.',
  input: z.strictObject({
    targetSize: z.int().min(0).max(1000).describe('registered agents it shall have'),
    type: agentType.optional().describe('count and change only this type; default: all, the rarest grows first'),
    swarmId,
  }),
  output: swarmScaleOutput,
  annotations: { readOnly: false, destructive: true, idempotent: true },
  listed: false,
  cli: { command: ['swarm', 'scale'], positional: ['targetSize'] },
  handler: async (input, { app }) => {
    const { spawned, stopped, ...size } = await (await app.swarms('write')).scale(input);
    return { ...size, spawned: spawned.map(shownAgent), stopped: stopped.map(shownAgent) };
  },
  text: ({ swarmId: id, before, after, spawned, stopped }, style) => {
    const names = (agents: readonly { readonly name: string }[]): string => agents.map(({ name }) => name).join(', ') || 'none';
    return fields({ swarm: id, agents: `${before} → ${after}`, spawned: names(spawned), stopped: names(stopped) }, style);
  },
});

/** What came of destroying a swarm: ids of what was stopped, closed without a decision, asked to end. */
export const swarmDestroyOutput = swarmOutput.extend({
  agentsStopped: z.array(z.string()),
  votesClosed: z.array(z.string()),
  runsCancelled: z.array(z.string()),
  /** Those that never began. */
  tasksCancelled: z.array(z.string()),
});

/** Ends a run, unless it has ended in the meantime; who drives it hears of it. */
async function endRun(app: App, id: string, reason: string): Promise<void> {
  const { status } = await (await app.runs('read')).get(id);
  try {
    await (await app.runControl()).cancel(id, reason, status === 'running');
  } catch (error) {
    // A run of an earlier version has nothing that could be told to end.
    if (!(error instanceof ConflictError) && !(error instanceof NotFoundError)) throw error;
  }
}

const swarmDestroy = defineTool({
  name: 'swarm_destroy',
  description:
    'Ends a swarm: stops its agents, closes its open votes as no_quorum, asks its runs to end, cancels tasks that wait. The records stay, and cannot be used again.',
  input: z.strictObject({ swarmId: words(64) }),
  output: swarmDestroyOutput,
  annotations: { readOnly: false, destructive: true, idempotent: false },
  listed: false,
  cli: { command: ['swarm', 'destroy'], positional: ['swarmId'] },
  handler: async (input, { app }) => {
    const { swarm, stopped, polls, runs, tasks } = await (await app.swarms('write')).destroy(input.swarmId);
    for (const id of runs) await endRun(app, id, `its swarm ${swarm.swarmId} was destroyed`);
    return {
      ...shownSwarm(swarm),
      agentsStopped: stopped.map(({ agentId }) => agentId),
      votesClosed: [...polls],
      runsCancelled: [...runs],
      tasksCancelled: [...tasks],
    };
  },
  text: (swarm, style) =>
    fields(
      {
        swarm: swarm.swarmId,
        status: swarm.status,
        'agents stopped': swarm.agentsStopped.length,
        'votes closed': swarm.votesClosed.length,
        'runs asked to end': swarm.runsCancelled.length,
        'tasks cancelled': swarm.tasksCancelled.length,
      },
      style,
    ),
});

const sampleOutput = z.object({
  at: z.string(),
  agents: countsOf,
  tasks: countsOf,
  runs: countsOf,
  votes: countsOf,
  openMessages: z.number(),
});
/** The swarm's counters, each time they were read. */
export const swarmMonitorOutput = z.object({
  swarmId: z.string(),
  status: z.enum(['active', 'destroyed']),
  samples: z.array(sampleOutput),
});

const shownSample = ({ at, agents, tasks, runs, polls, openMessages }: SwarmSample): z.output<typeof sampleOutput> => ({
  at: iso(at),
  agents: { ...agents },
  tasks: { ...tasks },
  runs: { ...runs },
  votes: { ...polls },
  openMessages,
});

const swarmMonitor = defineTool({
  name: 'swarm_monitor',
  description: 'Reads the counters of a swarm now, or several times at an interval: agents, tasks, runs, votes, messages.',
  input: z.strictObject({
    swarmId,
    samples: z.int().min(1).max(60).default(1),
    intervalMs: z.int().min(10).max(60_000).default(1000),
  }),
  output: swarmMonitorOutput,
  annotations: READS,
  timeoutMs: 0,
  listed: false,
  cli: { command: ['swarm', 'monitor'], positional: ['swarmId'] },
  handler: async ({ swarmId: wanted, samples, intervalMs }, { app, signal, progress }) => {
    const swarms = await app.swarms('read');
    const first = await swarms.sample(wanted);
    const taken = [first];
    while (taken.length < samples) {
      progress(taken.length / samples, `${taken.length} of ${samples} samples`);
      await app.runtime.sleep(intervalMs, signal);
      taken.push(await swarms.sample(first.swarmId));
    }
    return { swarmId: first.swarmId, status: taken.at(-1)?.status ?? first.status, samples: taken.map(shownSample) };
  },
  text: ({ samples }, style) => {
    const rows = samples.map(({ at, agents, tasks, runs, votes, openMessages }) => [
      at.slice(11, 19),
      counts(agents),
      counts(tasks),
      counts(runs),
      counts(votes),
      String(openMessages),
    ]);
    return table(['at (UTC)', 'agents', 'tasks', 'runs', 'votes', 'open messages'], rows, style);
  },
});

/** What was brought up to date, and what is still open. */
export const swarmSyncOutput = z.object({
  swarmId: z.string(),
  /** Ids of votes that were decided now, since their time was over. */
  votesClosed: z.array(z.string()),
  votes: countsOf,
  openMessages: z.number(),
  runs: countsOf,
});

const swarmSync = defineTool({
  name: 'swarm_sync',
  description: 'Decides the votes of a swarm whose time is over, and counts what is open: votes, unacknowledged messages, runs.',
  input: z.strictObject({ swarmId }),
  output: swarmSyncOutput,
  annotations: { readOnly: false, destructive: false, idempotent: true },
  listed: false,
  cli: { command: ['swarm', 'sync'], positional: ['swarmId'] },
  handler: async ({ swarmId: wanted }, { app }) => {
    const swarms = await app.swarms('write');
    const { swarmId: id } = await swarms.status(wanted);
    const votesClosed = [...(await (await app.polls('write')).closeDue(id))];
    const { polls, openMessages, runs } = await swarms.sample(id);
    return { swarmId: id, votesClosed, votes: { ...polls }, openMessages, runs: { ...runs } };
  },
});

/** Swarms: their size, their shape, what they may use, their end. */
export const swarmTools = [
  swarmCreate,
  swarmStatus,
  swarmScale,
  swarmDestroy,
  swarmMonitor,
  swarmTopology,
  swarmBudget,
  swarmSync,
] as const;
