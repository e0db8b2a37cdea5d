import * as z from 'zod';
import { ConflictError, InvalidInputError, NotFoundError } from '../errors.ts';
import type { FoldedRun } from '../run/fold.ts';
import type { Letter } from '../mail/letter.ts';
import { limit, words } from './input.ts';
import { runId } from './run-detail.ts';
import { defineTool } from './tool.ts';
import type { App } from './tool.ts';

/** Characters of a message to an agent of a run: as many as its prompt shows of one. */
const MAX_RUN_MESSAGE = 4_000;
const CUT_NOTE = `a prompt shows its first ${MAX_RUN_MESSAGE} characters; agent_inbox shows all`;

type Started = NonNullable<FoldedRun['started']>;

/** A run by its id or the beginning of it. Throws `NotFoundError`, also for one of an earlier version. */
async function findRun(app: App, prefix: string): Promise<{ readonly state: FoldedRun; readonly started: Started }> {
  const { runId: id } = await (await app.runs('read')).get(prefix);
  const { state } = await (await app.runControl('read')).look(id);
  if (state.started === null) throw new NotFoundError(`there is no run ${JSON.stringify(id)}`, { hint: 'See run_list.' });
  return { state, started: state.started };
}

/** Why some of the recipients will not be shown a message, in words; `null`: all will. */
async function unshown(app: App, { started, steps }: { started: Started; steps: FoldedRun['steps'] }, ids: readonly string[]) {
  const known = new Set(await app.capabilities());
  const isAnalyzed = (id: string): boolean => {
    const capabilities = started.agents.find((agent) => agent.id === id)?.capabilities ?? [];
    return started.provider === 'local' || (capabilities.length > 0 && capabilities.every((one) => known.has(one)));
  };
  const waiting = new Set([...steps.values()].filter(({ status }) => status === 'waiting').map(({ agentId }) => agentId));
  const analyzers = ids.filter(isAnalyzed);
  const done = ids.filter((id) => !waiting.has(id) && !analyzers.includes(id));
  const parts = [
    ...(analyzers.length === 0 ? [] : [`no model thinks for ${analyzers.join(', ')}: analyzers read no messages`]),
    ...(done.length === 0
      ? []
      : [`no step is left in which ${done.join(', ')} would be shown it, unless one is repeated or added`]),
  ];
  return parts.length === 0 ? null : parts.join('; ');
}

interface Message {
  readonly to: string;
  readonly message: string;
  readonly from: string;
}

/** A letter to agents of a swarm. */
async function toSwarm(app: App, { to, message, from }: Message, wanted: string | undefined): Promise<Letter> {
  const { swarm, agents } = await (await app.swarms('write')).members(wanted);
  const { swarmLetter } = await import('../run/swarm-mail.ts');
  return swarmLetter(swarm, agents, { from, to, body: message });
}

/** A letter to agents of a run, which is still under way. */
async function toRun(
  app: App,
  { state, started }: Awaited<ReturnType<typeof findRun>>,
  { to, message, from }: Message,
): Promise<Letter> {
  const { runId: id } = started;
  if (state.status !== 'running' || state.cancelAsked !== null) {
    const how = state.status === 'running' ? 'is being cancelled' : `has ended: it is ${state.status}`;
    throw new ConflictError(`the run ${id} ${how}`, { hint: 'Its agents read nothing any more; nothing was sent.' });
  }
  if (message.length > MAX_RUN_MESSAGE) {
    throw new InvalidInputError(`message has ${message.length} characters; an agent of a run is shown ${MAX_RUN_MESSAGE}`, {
      hint: 'Shorten it, or store it with memory_store and send the key; nothing was sent.',
      details: { parameter: 'message' },
    });
  }
  const { mailPlace, runLetter } = await import('../run/run-mail.ts');
  return runLetter(started, await mailPlace(await app.database('read'), id), { from, to, body: message });
}

/** A message that is stored for its recipients. `address`: `agent:<id>`, `role:<role>` or `all`. */
export const agentMessageOutput = z.object({
  messageId: z.number(),
  /** Whose mailboxes they are; those of a swarm's agents are the same in all its runs. `runId`: the run that was named. */
  swarmId: z.string().nullable(),
  runId: z.string().nullable(),
  from: z.string(),
  address: z.string(),
  recipients: z.array(z.string()),
  /** What of it will not be shown, and to whom, where that is known. */
  note: z.string().nullable(),
});

/** Mailboxes are a swarm's, or those of the run itself. */
const whereIs = (place: string, run: string | null): { readonly swarmId: string | null; readonly runId: string | null } => ({
  swarmId: place === run ? null : place,
  runId: run,
});

const addressText = (to: Letter['to']): string =>
  to === 'all' ? 'all' : 'agent' in to ? `agent:${to.agent}` : `role:${to.role}`;

const agentMessage = defineTool({
  name: 'agent_message',
  description:
    "Puts a message into the mailboxes of a swarm's agents, or with runId of a run's: one, all of a role, or all. They are shown it, as data, with their next steps, until the run is done; agent_inbox reads it.",
  input: z.strictObject({
    to: words(200).describe('agentId, a name, a role, or all: from an agent those beside it in the topology'),
    message: words(65_536).describe('to a run at most 4,000 characters'),
    from: words(200).default('user').describe('an agentId, or a name for somebody outside'),
    swarmId: words(64).optional().describe('default: newest'),
    runId: runId.optional().describe('to agents of this run instead'),
  }),
  output: agentMessageOutput,
  annotations: { readOnly: false, destructive: false, idempotent: false },
  listed: false,
  cli: { command: ['agent', 'message'], positional: ['to', 'message'] },
  handler: async ({ swarmId, runId: prefix, ...message }, { app }) => {
    if (prefix !== undefined && swarmId !== undefined) {
      throw new InvalidInputError('runId: a message goes to agents of a run or of a swarm, not of both', {
        hint: 'Give one of runId and swarmId; nothing was sent.',
        details: { parameter: 'runId' },
      });
    }
    const run = prefix === undefined ? null : await findRun(app, prefix);
    const letter = run === null ? await toSwarm(app, message, swarmId) : await toRun(app, run, message);
    const { messageId, recipients } = await (await app.mail('write')).send(letter);
    return {
      messageId,
      ...whereIs(letter.place, run?.started.runId ?? null),
      from: message.from,
      address: addressText(letter.to),
      recipients: [...recipients],
      note:
        run !== null
          ? await unshown(app, { started: run.started, steps: run.state.steps }, recipients)
          : message.message.length > MAX_RUN_MESSAGE
            ? CUT_NOTE
            : null,
    };
  },
});

const mailOutput = z.object({
  messageId: z.number(),
  from: z.string(),
  address: z.string(),
  message: z.string(),
  sentAt: z.string(),
  /** When it was read before, first; `null`: this is the first time. */
  readAt: z.string().nullable(),
});
/** What is in a mailbox and not acknowledged, oldest first. */
const agentInboxOutput = z.object({
  agentId: z.string(),
  swarmId: z.string().nullable(),
  runId: z.string().nullable(),
  messages: z.array(mailOutput),
  /** How many were acknowledged by this call. */
  acked: z.number(),
});

interface Place {
  readonly place: string;
  readonly run: string | null;
}

/** Where an agent has its mailbox. Throws `NotFoundError`. */
async function placeOf(app: App, agentId: string, prefix: string | undefined): Promise<Place> {
  if (prefix === undefined) return { place: (await (await app.swarms('write')).getAgent(agentId)).swarmId, run: null };
  const { runId: id, agents } = (await findRun(app, prefix)).started;
  if (agents.some((agent) => agent.id === agentId)) {
    const { mailPlace } = await import('../run/run-mail.ts');
    return { place: await mailPlace(await app.database('read'), id), run: id };
  }
  throw new NotFoundError(`the run ${id} has no agent ${JSON.stringify(agentId)}`, {
    hint: `Its agents: ${agents
      .slice(0, 20)
      .map((agent) => agent.id)
      .join(', ')}.`,
  });
}

const agentInbox = defineTool({
  name: 'agent_inbox',
  description:
    "Reads an agent's messages until they are acknowledged with `ack`, which is done first; an agent of a run is not shown those any more.",
  input: z.strictObject({
    agentId: words(200),
    runId: runId.optional().describe('of an agent of this run'),
    ack: z.array(z.int().min(1)).max(1000).default([]).describe('messageIds that are done'),
    unreadOnly: z.boolean().default(false),
    limit: limit(20, 200),
  }),
  output: agentInboxOutput,
  annotations: { readOnly: false, destructive: false, idempotent: true },
  listed: false,
  cli: { command: ['agent', 'inbox'], positional: ['agentId'] },
  handler: async ({ agentId, runId: prefix, ack, unreadOnly, limit: most }, { app }) => {
    const { place, run } = await placeOf(app, agentId, prefix);
    const mail = await app.mail('write');
    const { acked } = await mail.ack(place, agentId, ack);
    const messages = await mail.read(place, agentId, { limit: most, unreadOnly });
    return {
      agentId,
      ...whereIs(place, run),
      messages: messages.map(({ messageId, from, address, body, sentAt, readAt }) => ({
        messageId,
        from,
        address,
        message: body,
        sentAt: new Date(sentAt).toISOString(),
        readAt: readAt === null ? null : new Date(readAt).toISOString(),
      })),
      acked,
    };
  },
});

/** The mail of agents: of swarms, and of runs. */
export const mailTools = [agentMessage, agentInbox] as const;
