import { MAX_MAIL } from '../agent/prompt.ts';
import { roleNameOf } from '../agent/roles/aliases.ts';
import type { SeenMessage } from '../agent/provider.ts';
import type { RunEvent } from '../events.ts';
import type { Address, Letter } from '../mail/letter.ts';
import type { Mailbox } from '../mail/mailbox.ts';
import type { Queries } from '../store/database.ts';
import { numberColumns, numberOf, textBytes, textColumns, textOf } from '../store/row.ts';
import type { PlanStep } from '../swarm/plan.ts';

type Started = RunEvent & { readonly type: 'run_started' };

/** Messages in one read of a mailbox. */
const PAGE = 1000;

/** Agents by whose side an agent stands in a plan: one of the two sees what the other made. */
export function neighboursIn(
  { steps }: { readonly steps: readonly Pick<PlanStep, 'id' | 'agentId' | 'sees'>[] },
  agentId: string,
): ReadonlySet<string> {
  const owners = new Map(steps.map((step) => [step.id, step.agentId]));
  const edges = steps.flatMap(({ agentId: seer, sees }) => sees.map((id) => [seer, owners.get(id) ?? ''] as const));
  return new Set(edges.flatMap(([one, other]) => (one === agentId ? [other] : other === agentId ? [one] : [])));
}

/**
 * Where the members of a run have their mailboxes: in their swarm, whose agents they are, so that all its runs and what is
 * sent to the swarm share them; else in the run. A swarm's runs of earlier versions had members of their own.
 */
export async function mailPlace(queries: Queries, runId: string): Promise<string> {
  const row = await queries.get(
    `SELECT ${textColumns(['swarm_id'])} FROM run WHERE id = ? AND EXISTS (SELECT 1 FROM step
      JOIN agent ON agent.id = step.agent_id WHERE step.run_id = run.id AND agent.swarm_id = run.swarm_id)`,
    [runId],
  );
  return row === undefined ? runId : textOf(row, 'swarm_id');
}

/** Who is meant by a word: `all`, a member's id or name, else a role of members. */
function addressOf({ agents }: Started, to: string): Address {
  if (to === 'all') return 'all';
  const one = agents.find(({ id }) => id === to) ?? agents.find(({ name }) => name === to);
  if (one !== undefined) return { agent: one.id };
  const role = roleNameOf(to);
  return agents.some(({ type }) => roleNameOf(type) === role) ? { role } : { agent: to };
}

/**
 * A letter within a run, to one of its agents, all of a role, or `all`. What an agent sends to all goes along the edges of
 * the plan; what somebody outside sends to all reaches everybody. `place`: see {@link mailPlace}.
 */
export function runLetter(
  started: Started,
  place: string,
  { from, to, body }: { readonly from: string; readonly to: string; readonly body: string },
): Letter {
  const members = started.agents.map(({ id, type }) => ({ id, role: roleNameOf(type) }));
  const isMember = members.some(({ id }) => id === from);
  const near = isMember ? neighboursIn(started, from) : undefined;
  const allowed = near === undefined ? {} : { allowed: (id: string) => near.has(id) };
  return { place, from, to: addressOf(started, to), body, members, ...allowed };
}

async function readAll(box: Mailbox, place: string, agentId: string): Promise<readonly SeenMessage[]> {
  const found: SeenMessage[] = [];
  let after = 0;
  for (;;) {
    const page = await box.read(place, agentId, { limit: PAGE, after });
    found.push(...page.map(({ from, body }) => ({ from, body })));
    const last = page.at(-1);
    if (last === undefined || page.length < PAGE) return found;
    after = last.messageId;
  }
}

/** All mail of a member of a run that is not acknowledged, oldest first; it counts as read then. */
export async function openMail(
  queries: Queries,
  openBox: () => Promise<Mailbox>,
  { runId, agentId }: { readonly runId: string; readonly agentId: string },
): Promise<readonly SeenMessage[]> {
  // Ids of a swarm's agents are theirs alone, so at most one of the two places has mail for a member.
  const row = await queries.get(
    `SELECT ${textColumns(['place'])} FROM delivery
     WHERE place IN (?1, (SELECT swarm_id FROM run WHERE id = ?1)) AND agent = ?2 AND acked_at IS NULL LIMIT 1`,
    [runId, agentId],
  );
  return row === undefined ? [] : readAll(await openBox(), textOf(row, 'place'), agentId);
}

/** Shown to a completed step: read, and sent before the step was claimed. */
const SHOWN = `SELECT ${textBytes('delivery.place')} AS place, ${textBytes('delivery.agent')} AS agent,
  ${numberColumns(['message_id'])} FROM delivery JOIN message ON message.id = delivery.message_id
  WHERE delivery.place = (SELECT swarm_id FROM run WHERE id = ?1 AND status = 'completed')
    AND acked_at IS NULL AND read_at IS NOT NULL AND EXISTS (SELECT 1 FROM step WHERE run_id = ?1
      AND agent_id = delivery.agent AND step.status = 'completed' AND step.started_at > message.created_at)
  ORDER BY delivery.agent, message_id`;

/**
 * Acknowledges what the agents of a swarm were shown in a run that has completed: their work on it is done, and it comes in
 * no later run again. Mail of runs without a swarm ends with them.
 */
export async function acknowledgeShown(queries: Queries, openBox: () => Promise<Mailbox>, runId: string): Promise<void> {
  const boxes = new Map<string, { readonly place: string; readonly agent: string; readonly ids: number[] }>();
  for (const row of await queries.all(SHOWN, [runId])) {
    const agent = textOf(row, 'agent');
    const box = boxes.get(agent) ?? { place: textOf(row, 'place'), agent, ids: [] };
    box.ids.push(numberOf(row, 'message_id'));
    boxes.set(agent, box);
  }
  for (const { place, agent, ids } of boxes.values()) {
    // A prompt leaves out older ones than these.
    await (await openBox()).ack(place, agent, ids.slice(-MAX_MAIL));
  }
}
