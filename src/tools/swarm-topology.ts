import * as z from 'zod';
import { TOPOLOGIES } from '../run/swarm-records.ts';
import { words } from './input.ts';
import { fields, table } from './table.ts';
import { defineTool } from './tool.ts';

const planFigures = z.object({
  topology: z.string(),
  /** Steps of the plan. */
  steps: z.number(),
  /** Steps of its longest chain: what it takes however many work at once. */
  criticalPath: z.number(),
  /** Outputs passed between agents. */
  messages: z.number(),
  /** Most steps in one round. */
  widest: z.number(),
});
/** What each topology makes of the swarm's registered agents. */
export const swarmTopologyOutput = z.object({
  swarmId: z.string(),
  topology: z.enum(TOPOLOGIES),
  agents: z.number(),
  plans: z.array(planFigures),
  recommended: z.string(),
  reason: z.string(),
  changed: z.boolean(),
});

/** Which topology a swarm has, and which would suit it. */
export const swarmTopology = defineTool({
  name: 'swarm_topology',
  description:
    "Compares the plans that each topology makes of a swarm's agents, recommends one for a task, and sets it with `set`.",
  input: z.strictObject({
    swarmId: words(64).optional().describe('default: newest'),
    task: words(10_000).optional().describe('what for, in words'),
    set: z.enum(TOPOLOGIES).optional(),
  }),
  output: swarmTopologyOutput,
  annotations: { readOnly: false, destructive: false, idempotent: true },
  listed: false,
  changes: ({ set }) => set !== undefined,
  cli: { command: ['swarm', 'topology'], positional: ['swarmId'] },
  handler: async ({ swarmId: wanted, task, set }, { app }) => {
    const swarms = await app.swarms(set === undefined ? 'read' : 'write');
    const { swarm, agents } = await swarms.members(wanted);
    const { compareTopologies } = await import('../run/compare-topologies.ts');
    const compared = compareTopologies(agents, task);
    const isNew = set !== undefined && set !== swarm.topology;
    const { topology } = isNew ? await swarms.setTopology(set, swarm.swarmId) : swarm;
    return { swarmId: swarm.swarmId, topology, agents: agents.length, ...compared, plans: [...compared.plans], changed: isNew };
  },
  text: ({ plans, recommended, reason, topology }, style) => {
    const rows = plans.map((plan) => [
      plan.topology,
      String(plan.criticalPath),
      String(plan.messages),
      String(plan.steps),
      String(plan.widest),
    ]);
    const facts = fields({ topology, recommended, why: reason }, style);
    return `${table(['topology', 'critical path', 'messages', 'steps', 'widest'], rows, style)}\n\n${facts}`;
  },
});
