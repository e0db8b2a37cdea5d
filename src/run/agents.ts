import { roleNameOf } from '../agent/roles/aliases.ts';
import { ConflictError, InternalError, InvalidInputError, NotFoundError } from '../errors.ts';
import type { Runtime } from '../runtime.ts';
import type { Database, Queries, Row } from '../store/database.ts';
import { numberOf } from '../store/row.ts';
import { findActiveSwarm, findSwarm, insertRows, newestActive } from './find-swarm.ts';
import { NO_WORK, readAgentWork } from './agent-work.ts';
import type { AgentWork } from './agent-work.ts';
import { AGENT, toAgent } from './swarm-records.ts';
import type { AgentRecord, SwarmRecord } from './swarm-records.ts';

export interface NewAgent {
  readonly type: string;
  /** Default `<type>-<n>`, n counting all agents that the swarm ever had, from 1. */
  readonly name?: string | undefined;
  readonly capabilities?: readonly string[] | undefined;
}

/** An agent with what it did in the runs of its swarm. */
export interface ListedAgent extends AgentRecord, AgentWork {}

export interface AgentPage {
  /** `null` when no swarm was named and none is active. */
  readonly swarmId: string | null;
  /** In the order they were spawned, stopped ones too. */
  readonly agents: readonly ListedAgent[];
  /** How many the swarm has. */
  readonly total: number;
}

/** What a change of size did. */
export interface Scaled {
  readonly swarmId: string;
  /** Registered agents before and after: of the type, where one was given. */
  readonly before: number;
  readonly after: number;
  readonly spawned: readonly AgentRecord[];
  readonly stopped: readonly AgentRecord[];
}

/** The agents of swarms, as records. Where a `swarmId` may be left out, the newest active swarm is meant. */
export interface Agents {
  /** As {@link Agents.spawnAgents}, of one. */
  spawnAgent(agent: NewAgent & { readonly swarmId?: string | undefined }): Promise<AgentRecord>;
  /**
   * Puts agents of status `registered` on record, all or none. Throws `NotFoundError` when the swarm is unknown or
   * destroyed or none is active, `ConflictError` when more than `maxAgents` would be registered.
   */
  spawnAgents(agents: readonly NewAgent[], swarmId?: string): Promise<readonly AgentRecord[]>;
  /**
   * Spawns or stops agents until `targetSize` are registered: of `type` where it is given, else of all types. Without
   * a type the rarest present one grows first, and the newest agents are stopped first. Throws as
   * {@link Agents.spawnAgents}, and `InvalidInputError` when an empty swarm is to grow without a type.
   */
  scale(size: {
    readonly targetSize: number;
    readonly type?: string | undefined;
    readonly swarmId?: string | undefined;
  }): Promise<Scaled>;
  /** Empty when no swarm is named and none is active. Throws `NotFoundError` for an unknown swarm. */
  listAgents(options: {
    readonly swarmId?: string | undefined;
    readonly limit: number;
    readonly offset: number;
  }): Promise<AgentPage>;
  /** Throws `NotFoundError`. */
  getAgent(agentId: string): Promise<AgentRecord>;
  /**
   * Makes an agent `stopped`, which then counts for no size and gets no vote, or `registered` again. Resolves with the
   * record and its status before. Throws `NotFoundError`; to register one also when its swarm was destroyed, and
   * `ConflictError` when the swarm is full.
   */
  setAgent(
    agentId: string,
    status: AgentRecord['status'],
  ): Promise<{ readonly agent: AgentRecord; readonly previous: AgentRecord['status'] }>;
}

async function count(queries: Queries, condition: string, params: readonly string[]): Promise<number> {
  return numberOf((await queries.get(`SELECT count(*) AS n FROM agent WHERE ${condition}`, params)) ?? {}, 'n');
}

/** Registered agents of a swarm, in the order they were spawned. */
export async function registeredAgents(queries: Queries, swarmId: string): Promise<readonly AgentRecord[]> {
  const rows = await queries.all(`${AGENT} WHERE swarm_id = ? AND status = 'registered' ORDER BY rowid`, [swarmId]);
  return rows.map(toAgent);
}

async function findAgent(queries: Queries, agentId: string): Promise<AgentRecord> {
  const row = await queries.get(`${AGENT} WHERE id = ?`, [agentId]);
  if (row !== undefined) return toAgent(row);
  throw new NotFoundError(`there is no agent ${JSON.stringify(agentId)}`, { hint: 'Give an agentId of agent_list.' });
}

/** The swarm has room for `more` agents, or throws. */
async function checkRoom(queries: Queries, { swarmId, maxAgents }: SwarmRecord, more: number): Promise<void> {
  const present = await count(queries, "swarm_id = ? AND status = 'registered'", [swarmId]);
  if (present + more <= maxAgents) return;
  throw new ConflictError(`the swarm ${swarmId} has ${present} agents, and its maxAgents is ${maxAgents}`, {
    hint: 'Stop agents with agent_stop, or create a swarm with a larger maxAgents by swarm_create; nothing was changed.',
    details: { swarmId, maxAgents },
  });
}

/** The types of `more` new agents: each time the one that the swarm has fewest of, the first among equals. */
function typesToAdd(present: readonly AgentRecord[], more: number): readonly string[] {
  const counts = new Map<string, number>();
  for (const { type } of present) counts.set(type, (counts.get(type) ?? 0) + 1);
  return Array.from({ length: more }, () => {
    const [rarest] = [...counts].reduce((least, one) => (one[1] < least[1] ? one : least));
    counts.set(rarest, (counts.get(rarest) ?? 0) + 1);
    return rarest;
  });
}

/** The agents of one project's database. */
export function createAgents({ db, runtime }: { readonly db: Database; readonly runtime: Runtime }): Agents {
  const spawn = async (queries: Queries, swarm: SwarmRecord, agents: readonly NewAgent[]): Promise<readonly AgentRecord[]> => {
    await checkRoom(queries, swarm, agents.length);
    const known = await count(queries, 'swarm_id = ?', [swarm.swarmId]);
    const now = runtime.now();
    const rows = agents.map(({ type, name, capabilities }, at): Row => ({
      id: runtime.id('agent'),
      created_at: now,
      updated_at: now,
      swarm_id: swarm.swarmId,
      type,
      role: roleNameOf(type),
      name: name ?? `${type}-${known + at + 1}`,
      capabilities: JSON.stringify(capabilities ?? []),
      status: 'registered',
    }));
    await insertRows(queries, 'agent', rows);
    return rows.map(toAgent);
  };

  const stop = async (queries: Queries, agents: readonly AgentRecord[]): Promise<readonly AgentRecord[]> => {
    const now = runtime.now();
    await queries.run("UPDATE agent SET status = 'stopped', updated_at = ? WHERE id IN (SELECT value FROM json_each(?))", [
      now,
      JSON.stringify(agents.map(({ agentId }) => agentId)),
    ]);
    return agents.map((agent) => ({ ...agent, status: 'stopped', updatedAt: now }));
  };

  const scale: Agents['scale'] = ({ targetSize, type, swarmId }) =>
    db.write(async (queries) => {
      const swarm = await findActiveSwarm(queries, swarmId);
      const all = await registeredAgents(queries, swarm.swarmId);
      const present = type === undefined ? all : all.filter((agent) => agent.type === type);
      const more = targetSize - present.length;
      if (more > 0 && type === undefined && present.length === 0) {
        throw new InvalidInputError('type is missing: the swarm has no agents to add more of', {
          hint: 'Give the type of the agents to add; nothing was changed.',
          details: { parameter: 'type' },
        });
      }
      const types = more <= 0 ? [] : type === undefined ? typesToAdd(present, more) : Array.from({ length: more }, () => type);
      const spawned =
        types.length === 0
          ? []
          : await spawn(
              queries,
              swarm,
              types.map((one) => ({ type: one })),
            );
      const stopped = more >= 0 ? [] : await stop(queries, present.slice(more));
      return { swarmId: swarm.swarmId, before: present.length, after: targetSize, spawned, stopped };
    });

  const setAgent: Agents['setAgent'] = (agentId, status) =>
    db.write(async (queries) => {
      const agent = await findAgent(queries, agentId);
      if (agent.status === status) return { agent, previous: status };
      if (status === 'registered') await checkRoom(queries, await findActiveSwarm(queries, agent.swarmId), 1);
      const now = runtime.now();
      await queries.run('UPDATE agent SET status = ?, updated_at = ? WHERE id = ?', [status, now, agentId]);
      return { agent: { ...agent, status, updatedAt: now }, previous: agent.status };
    });

  const spawnAgents: Agents['spawnAgents'] = (agents, swarmId) =>
    db.write(async (queries) => spawn(queries, await findActiveSwarm(queries, swarmId), agents));

  return {
    spawnAgent: async ({ swarmId, ...agent }) => {
      const [spawned] = await spawnAgents([agent], swarmId);
      if (spawned === undefined) throw new InternalError('an agent was not recorded');
      return spawned;
    },
    spawnAgents,
    scale,
    setAgent,
    getAgent: (agentId) => findAgent(db, agentId),
    listAgents: async ({ swarmId, limit, offset }) => {
      const swarm = swarmId === undefined ? await newestActive(db) : await findSwarm(db, swarmId);
      if (swarm === undefined) return { swarmId: null, agents: [], total: 0 };
      const rows = await db.all(`${AGENT} WHERE swarm_id = ? ORDER BY rowid LIMIT ? OFFSET ?`, [swarm.swarmId, limit, offset]);
      const work = await readAgentWork(db, swarm.swarmId, runtime.now());
      const agents = rows.map(toAgent).map((agent) => ({ ...agent, ...(work.get(agent.agentId) ?? NO_WORK) }));
      return { swarmId: swarm.swarmId, agents, total: await count(db, 'swarm_id = ?', [swarm.swarmId]) };
    },
  };
}
