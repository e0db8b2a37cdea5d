import * as z from 'zod';
import { roleNameOf } from '../agent/roles/aliases.ts';
import type { Topology } from '../skill/skill.ts';
import type { Row } from '../store/database.ts';
import { numberColumns, numberOf, textColumns, textOf, textOrNull } from '../store/row.ts';
import { storedJson, storedValue } from './stored-json.ts';

export type Json = z.infer<ReturnType<typeof z.json>>;
export type SwarmState = 'active' | 'destroyed';
export type TaskPriority = 'low' | 'medium' | 'high' | 'critical';

/** A named group of agents. Times in milliseconds since the epoch. */
export interface SwarmRecord {
  readonly swarmId: string;
  readonly topology: Topology;
  readonly strategy: string;
  /** 1–1000; no more agents than that can be spawned. */
  readonly maxAgents: number;
  readonly status: SwarmState;
  /** What the creator wanted kept with it; `run/swarm-budget.ts` keeps a budget in a key of its own. */
  readonly config: Readonly<Record<string, Json>>;
  readonly createdAt: number;
  readonly updatedAt: number;
}

/** A swarm with its members and tasks counted, by status; an empty record when it has none. */
export interface SwarmOverview extends SwarmRecord {
  readonly agents: Readonly<Record<string, number>>;
  /** Agents that somebody thinks for now, in any run. */
  readonly busyAgents: number;
  readonly tasks: Readonly<Record<string, number>>;
}

/** `registered`: on record as a member; `stopped`: kept for the record, and no member any more. */
export type AgentState = 'registered' | 'stopped';
export const AGENT_STATES = ['registered', 'stopped'] as const satisfies readonly AgentState[];

/** A member of a swarm. */
export interface AgentRecord {
  readonly agentId: string;
  readonly swarmId: string;
  /** The type that was asked for. */
  readonly type: string;
  /** What the type stands for: the alias's target, or the type itself. */
  readonly role: string;
  readonly name: string;
  readonly capabilities: readonly string[];
  readonly status: AgentState;
  readonly createdAt: number;
  readonly updatedAt: number;
}

/** A task in words; `run/tasks.ts` says how it stands. */
export interface TaskRecord {
  readonly taskId: string;
  /** `null` when there was no swarm to belong to. */
  readonly swarmId: string | null;
  readonly description: string;
  readonly strategy: string;
  readonly priority: TaskPriority;
  /** Ids of other tasks. */
  readonly dependencies: readonly string[];
  /** The run that worked on it, where there is one. */
  readonly runId: string | null;
  readonly createdAt: number;
  readonly updatedAt: number;
}

export const TOPOLOGIES = ['star', 'mesh', 'ring', 'hierarchy', 'adaptive'] as const satisfies readonly Topology[];

const strings = z.array(z.string());
const config = z.record(z.string(), z.json());
const swarmColumns = z.object({
  topology: z.enum(TOPOLOGIES),
  status: z.enum(['active', 'destroyed']),
});
const taskColumns = z.object({ priority: z.enum(['low', 'medium', 'high', 'critical']) });

const TIMES = ['created_at', 'updated_at'] as const;
/** Queries for the rows of {@link toSwarm}, {@link toAgent} and {@link toTask}, without a condition. */
export const SWARM = `SELECT ${textColumns(['id', 'topology', 'strategy', 'status', 'config'])},
  ${numberColumns(['max_agents', ...TIMES])} FROM swarm`;
export const AGENT = `SELECT ${textColumns(['id', 'swarm_id', 'type', 'role', 'name', 'capabilities', 'status'])},
  ${numberColumns(TIMES)} FROM agent`;
export const TASK = `SELECT ${textColumns(['id', 'swarm_id', 'description', 'strategy', 'priority', 'dependencies'])},
  ${textColumns(['run_id'])}, ${numberColumns(TIMES)} FROM task`;

const times = (row: Row): { createdAt: number; updatedAt: number } => ({
  createdAt: numberOf(row, 'created_at'),
  updatedAt: numberOf(row, 'updated_at'),
});

export function toSwarm(row: Row): SwarmRecord {
  return {
    swarmId: textOf(row, 'id'),
    strategy: textOf(row, 'strategy'),
    maxAgents: numberOf(row, 'max_agents'),
    ...storedValue(swarmColumns, { topology: textOf(row, 'topology'), status: textOf(row, 'status') }, 'a swarm'),
    config: storedJson(config, textOrNull(row, 'config') ?? '{}', 'the config of a swarm'),
    ...times(row),
  };
}

export function toAgent(row: Row): AgentRecord {
  return {
    agentId: textOf(row, 'id'),
    swarmId: textOf(row, 'swarm_id'),
    type: textOf(row, 'type'),
    role: textOrNull(row, 'role') ?? roleNameOf(textOf(row, 'type')),
    name: textOrNull(row, 'name') ?? textOf(row, 'id'),
    capabilities: storedJson(strings, textOf(row, 'capabilities'), 'the capabilities of an agent'),
    status: storedValue(z.enum(AGENT_STATES), textOf(row, 'status'), 'the status of an agent'),
    ...times(row),
  };
}

export function toTask(row: Row): TaskRecord {
  return {
    taskId: textOf(row, 'id'),
    swarmId: textOrNull(row, 'swarm_id'),
    description: textOf(row, 'description'),
    strategy: textOf(row, 'strategy'),
    ...storedValue(taskColumns, { priority: textOf(row, 'priority') }, 'a task'),
    dependencies: storedJson(strings, textOf(row, 'dependencies'), 'the dependencies of a task'),
    runId: textOrNull(row, 'run_id'),
    ...times(row),
  };
}
