import * as z from 'zod';
import { InvalidInputError, NotSupportedError } from '../src/errors.ts';
import type { CallResult } from '../src/executor/executor.ts';
import { defineLegacy } from '../src/legacy/row.ts';
import type { CallTool, LegacyBody, LegacyRow } from '../src/legacy/row.ts';
import { swarmBudgetOutput } from '../src/tools/swarm-budget.ts';
import { swarmTopologyOutput } from '../src/tools/swarm-topology.ts';
import { answered } from './answered.ts';

const FAMILY = 'claude-flow 2.7';

/** What can be limited here, by what callers may name it. */
const FIELD_OF = new Map(
  Object.entries({
    tokens: ['tokens', 'max_tokens', 'maxTokens'],
    costUsd: ['costUsd', 'cost_usd', 'cost', 'budget_usd'],
    wallMs: ['wallMs', 'wall_ms', 'timeMs', 'time_ms', 'time'],
    steps: ['steps', 'max_steps', 'maxSteps'],
  }).flatMap(([field, names]) => names.map((name) => [name, field] as const)),
);
const KNOWN = 'tokens, cost (dollars), time (milliseconds) and steps can be limited';

interface Wanted {
  readonly input: Record<string, unknown>;
  /** Fields of the tool as the caller named them. */
  readonly spelling: Record<string, string>;
}

/** Resources as limits. Throws for what nothing here limits. */
function limitsOf(resources: LegacyBody): Wanted {
  const unknown = Object.keys(resources).filter((name) => !FIELD_OF.has(name));
  if (unknown.length > 0) {
    const named = unknown.slice(0, 5).map((name) => JSON.stringify(name.slice(0, 60)));
    throw new NotSupportedError(`daa_resource_alloc: resources: nothing here limits ${named.join(', ')}`, {
      hint: `Of a swarm's tasks, ${KNOWN}; nothing was changed.`,
      details: { parameter: 'resources' },
    });
  }
  const wanted: Wanted = { input: {}, spelling: {} };
  for (const [name, amount] of Object.entries(resources)) {
    const field = FIELD_OF.get(name) ?? name;
    if (field in wanted.input) {
      throw new InvalidInputError(`daa_resource_alloc: resources: ${name} says again what another one says`, {
        hint: 'Give each resource once; nothing was changed.',
        details: { parameter: 'resources' },
      });
    }
    wanted.input[field] = amount;
    wanted.spelling[field] = `resources.${name}`;
  }
  if (Object.keys(wanted.input).length > 0) return wanted;
  throw new InvalidInputError('daa_resource_alloc: resources is empty', {
    hint: `Name what to limit: ${KNOWN}; nothing was changed.`,
    details: { parameter: 'resources' },
  });
}

/** The part of the fullest limit that is used, 0–1 and more; 0 without limits. */
function utilization({ allocation, used }: z.output<typeof swarmBudgetOutput>): number {
  const pool = allocation?.pool;
  const parts = (['tokens', 'costUsd', 'wallMs', 'steps'] as const).map((what) => {
    const limit = pool?.[what] ?? null;
    if (limit === null) return 0;
    return limit === 0 ? 1 : used[what] / limit;
  });
  return Math.max(...parts);
}

const isGiven = ([, amount]: readonly [string, number | null]): boolean => amount !== null;
const given = (limits: Readonly<Record<string, number | null>>): LegacyBody =>
  Object.fromEntries(Object.entries(limits).filter(isGiven));

function allocBody(output: unknown, timestamp: string): LegacyBody {
  const budget = swarmBudgetOutput.parse(output);
  const { allocation, used, left, swarmId } = budget;
  const { allocationId = null, agents = [], share = null } = allocation ?? {};
  return {
    success: true,
    allocationId,
    allocation:
      allocation === null
        ? null
        : {
            id: allocationId,
            resources: given(allocation.pool),
            agents,
            allocated: Object.fromEntries(agents.map((agentId) => [agentId, given(share ?? {})])),
            timestamp: allocation.setAt,
          },
    utilization: utilization(budget),
    timestamp,
    swarmId,
    used,
    left: given(left),
    note:
      allocation === null
        ? 'the tasks of the swarm have no limits'
        : 'tasks whose run starts from now on get what is left of it; a run that reaches its limit pauses',
  };
}

const daaResourceAlloc = defineLegacy({
  name: 'daa_resource_alloc',
  family: FAMILY,
  description: 'claude-flow: limit what the tasks of a swarm may use, in equal parts for agents; show or release it.',
  tools: ['swarm_budget'],
  args: z.object({
    resources: z.looseObject({}).optional().describe('tokens, cost (dollars), time (ms), steps'),
    agents: z.array(z.string()).optional(),
    action: z.enum(['allocate', 'status', 'release']).default('allocate'),
    swarmId: z.string().optional(),
  }),
  plan: ({ resources, agents = [], action, swarmId }) => {
    if (action === 'allocate' && resources === undefined) {
      throw new InvalidInputError('daa_resource_alloc: resources is missing', {
        hint: `Name what to limit: ${KNOWN}; nothing was changed.`,
        details: { parameter: 'resources' },
      });
    }
    if (action !== 'allocate' && (agents.length > 0 || resources !== undefined)) {
      throw new InvalidInputError(`daa_resource_alloc: action ${action} takes no resources and no agents`, {
        hint: 'Leave them out; nothing was changed.',
        details: { parameter: 'action' },
      });
    }
    const { input, spelling } = resources === undefined ? { input: {}, spelling: {} } : limitsOf(resources);
    return {
      tool: 'swarm_budget',
      input: {
        ...input,
        ...(agents.length === 0 ? {} : { agents }),
        ...(action === 'release' ? { release: true } : {}),
        ...(swarmId === undefined ? {} : { swarmId }),
      },
      spelling,
      body: allocBody,
    };
  },
});

/** Targets that are about who sees whose work, and words that add nothing to them. */
const COORDINATION = new Set(['topology', 'coordination', 'communication', 'collaboration', 'structure']);
const FILLERS = new Set(['agent', 'agents', 'swarm', 'optimize', 'optimise', 'optimization', 'optimisation', 'of', 'the']);

/** Throws `NotSupportedError` for a target that is about something else. */
function requireCoordination(target: string): void {
  const said = target.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? [];
  const isAbout = said.some((word) => COORDINATION.has(word));
  if (isAbout && said.every((word) => COORDINATION.has(word) || FILLERS.has(word))) return;
  throw new NotSupportedError(`daa_optimization: target ${JSON.stringify(target.slice(0, 100))} cannot be optimized here`, {
    hint: 'The target topology (or coordination) sets the topology that suits the agents; nothing was changed.',
    details: { parameter: 'target' },
  });
}

const optimized = z.object({ before: swarmTopologyOutput, after: swarmTopologyOutput });

/** Sets the topology that is recommended for the agents of a swarm. */
async function optimize(call: CallTool, input: LegacyBody): Promise<CallResult> {
  const compared = await call('swarm_topology', input);
  if (!compared.ok) return compared;
  const before = swarmTopologyOutput.parse(compared.output);
  const applied = await call('swarm_topology', { ...input, swarmId: before.swarmId, set: before.recommended });
  return applied.ok ? { ok: true, output: { before, after: swarmTopologyOutput.parse(applied.output) } } : applied;
}

/** A topology with the figures of its plan; `null` for `adaptive`, which chooses for each task. */
const planned = ({ topology, plans }: z.output<typeof swarmTopologyOutput>) => ({
  topology,
  plan: plans.find((plan) => plan.topology === topology) ?? null,
});

const daaOptimization = defineLegacy({
  name: 'daa_optimization',
  family: FAMILY,
  description: 'claude-flow: set the topology that suits the agents of a swarm; target: topology or coordination.',
  tools: ['swarm_topology'],
  args: z.object({
    target: z.string(),
    metrics: z.array(z.unknown()).optional(),
    swarmId: z.string().optional(),
    task: z.string().optional().describe('what for, in words'),
  }),
  plan: ({ target, metrics, ...input }) => {
    requireCoordination(target);
    const args = { target, ...(metrics === undefined ? {} : { metrics }), ...input };
    return {
      tool: 'swarm_topology',
      input,
      ask: (call) => optimize(call, input),
      body: answered('daa_optimization', args, (output) => {
        const { before, after } = optimized.parse(output);
        const { swarmId, agents, recommended, reason, changed } = after;
        const result = { swarmId, agents, changed, before: planned(before), after: planned(after), recommended, reason };
        const message = changed
          ? `topology ${before.topology} → ${after.topology}`
          : `topology ${after.topology} was set already`;
        const note = 'metrics were not used: the choice follows from the agents and the task; the figures are those of the plans';
        return { message: `${message}: ${reason}`, result: metrics === undefined ? result : { ...result, note } };
      }),
    };
  },
});

/** The names of claude-flow 2.7 that limit or tune what agents do. */
export const CLAUDE_FLOW_2_DAA_LIMITS: readonly LegacyRow[] = [daaResourceAlloc, daaOptimization];
