import { roleNameOf } from '../agent/roles/aliases.ts';
import { NotFoundError } from '../errors.ts';
import type { Address, Letter } from '../mail/letter.ts';
import { makePlan } from '../swarm/make-plan.ts';
import { neighboursIn } from './run-mail.ts';
import type { AgentRecord, SwarmRecord } from './swarm-records.ts';

/** Agents by whose side an agent stands in the topology. */
function neighboursOf({ topology }: SwarmRecord, agents: readonly AgentRecord[], agentId: string): ReadonlySet<string> {
  const members = agents.map(({ agentId: id, type, capabilities }) => ({ id, type, count: 1, capabilities }));
  return neighboursIn(makePlan({ topology, agents: members, roleOf: roleNameOf }), agentId);
}

/** Who is meant by a word: `all`, an agent's id or name, else a role or a type of agents. */
function addressOf(to: string, agents: readonly AgentRecord[]): Address {
  if (to === 'all') return 'all';
  const one = agents.find(({ agentId }) => agentId === to) ?? agents.find(({ name }) => name === to);
  if (one !== undefined) return { agent: one.agentId };
  const wanted = roleNameOf(to);
  return agents.some(({ role }) => role === wanted) ? { role: wanted } : { agent: to };
}

/**
 * A letter within a swarm. What an agent sends to all reaches those beside it in the topology; what somebody outside
 * sends to all reaches everybody.
 *
 * @throws NotFoundError a sender that looks like an agent's id and is no registered agent of the swarm
 */
export function swarmLetter(
  swarm: SwarmRecord,
  agents: readonly AgentRecord[],
  { from, to, body }: { readonly from: string; readonly to: string; readonly body: string },
): Letter {
  const isMember = agents.some(({ agentId }) => agentId === from);
  if (!isMember && from.startsWith('agent_')) {
    throw new NotFoundError(`from: ${JSON.stringify(from)} is no registered agent of ${swarm.swarmId}`, {
      hint: 'Give an agentId that agent_list shows as registered, or a name for somebody outside; nothing was sent.',
      details: { parameter: 'from' },
    });
  }
  const address = addressOf(to, agents);
  const neighbours = isMember && address === 'all' ? neighboursOf(swarm, agents, from) : undefined;
  return {
    place: swarm.swarmId,
    from,
    to: address,
    body,
    members: agents.map(({ agentId, role }) => ({ id: agentId, role })),
    ...(neighbours === undefined ? {} : { allowed: (id: string) => neighbours.has(id) }),
  };
}
