import { z } from 'zod';
import type { PollView } from '../run/polls.ts';
import { OPTION_RULES } from '../swarm/consensus/count-options.ts';
import { limit, rare, words } from './input.ts';
import { fields, table } from './table.ts';
import { defineTool } from './tool.ts';
import type { TextStyle } from './tool.ts';

const iso = (ms: number): string => new Date(ms).toISOString();
const pollId = words(64).describe('from vote_open');
const MONTH_MS = 30 * 24 * 3600 * 1000;

const countsOutput = z.array(z.object({ option: z.string(), count: z.number() }));
const ballotOutput = z.object({
  voter: z.string(),
  /** Best first; empty: an abstention. */
  choices: z.array(z.string()),
  reason: z.string(),
  /** Whether it was for another option than the one that won. */
  dissents: z.boolean(),
  at: z.string(),
});
/** A vote. While it is open, `result` and `ballots` are `null`: only how many have voted is told. */
export const voteOutput = z.object({
  pollId: z.string(),
  /** The swarm or run in which it is held. */
  place: z.string().nullable(),
  question: z.string(),
  options: z.array(z.string()),
  rule: z.enum(OPTION_RULES),
  quorum: z.number().nullable(),
  judge: z.string().nullable(),
  eligible: z.number(),
  voted: z.number(),
  status: z.enum(['open', 'closed']),
  createdAt: z.string(),
  closesAt: z.string().nullable(),
  closedAt: z.string().nullable(),
  result: z
    .object({
      outcome: z.enum(['decided', 'tie', 'no_quorum']),
      winner: z.string().nullable(),
      counts: countsOutput,
      abstains: z.number(),
      rounds: z.array(z.object({ counts: countsOutput, eliminated: z.array(z.string()), exhausted: z.number() })).exactOptional(),
      note: z.string().nullable(),
      /** Which option turned out right, once vote_settle said so. */
      right: z.string().nullable(),
    })
    .nullable(),
  /** Dissent first, else in the order they were cast. */
  ballots: z.array(ballotOutput).nullable(),
});
type Vote = z.output<typeof voteOutput>;

function shownVote(poll: PollView, most = 100): Vote {
  const { options, eligible, createdAt, closesAt, closedAt, ballots, ...rest } = poll;
  const winner = poll.result?.winner ?? null;
  const shown = ballots?.map(({ choices, at, ...ballot }) => ({
    ...ballot,
    choices: [...choices],
    dissents: winner !== null && choices.length > 0 && choices[0] !== winner,
    at: iso(at),
  }));
  return {
    ...rest,
    options: [...options],
    eligible: eligible.length,
    createdAt: iso(createdAt),
    closesAt: closesAt === null ? null : iso(closesAt),
    closedAt: closedAt === null ? null : iso(closedAt),
    ballots: shown?.toSorted((a, b) => Number(b.dissents) - Number(a.dissents)).slice(0, most) ?? null,
  };
}

function voteText(vote: Vote, style: TextStyle): string {
  const { result, ballots } = vote;
  const facts = fields(
    {
      vote: vote.pollId,
      question: vote.question,
      rule: vote.rule,
      status: vote.status,
      voted: `${vote.voted} of ${vote.eligible}`,
      outcome: result?.outcome ?? null,
      winner: result?.winner ?? null,
      counts: result?.counts.map(({ option, count }) => `${option}: ${count}`).join(', ') ?? null,
      note: result?.note ?? null,
      closes: vote.status === 'open' ? vote.closesAt : null,
    },
    style,
  );
  if (ballots === null || ballots.length === 0) return facts;
  const rows = ballots.map(({ voter, choices, dissents, reason }) => [
    voter,
    choices.length === 0 ? '(abstained)' : choices.join(' > '),
    dissents ? 'dissents' : '',
    reason,
  ]);
  return `${facts}\n\n${table(['voter', 'choice', '', 'reason'], rows, style)}`;
}

const voteOpen = defineTool({
  name: 'vote_open',
  description:
    'Opens a vote among options. Each voter gives one ballot by vote_cast; they are secret until the last one closes the vote.',
  input: z.strictObject({
    question: words(10_000),
    options: z.array(words(200)).min(2).max(50).default(['yes', 'no']),
    rule: z.enum(OPTION_RULES).default('majority'),
    quorum: z.int().min(1).max(1000).optional().describe('ballots that must not abstain; rule quorum: ballots for one option'),
    judge: words(100).optional().describe('rule judge: the voter who decides'),
    voters: z.array(words(100)).min(1).max(1000).optional().describe('ids; default: the agents of the swarm or run'),
    swarmId: rare(words(64).optional(), 'default: newest'),
    runId: rare(words(64).optional(), 'among the agents of a run instead'),
    closesInMs: rare(z.int().min(1).max(MONTH_MS).optional(), 'milliseconds until it closes by itself'),
  }),
  output: voteOutput,
  annotations: { readOnly: false, destructive: false, idempotent: false },
  cli: { command: ['vote', 'open'], positional: ['question'] },
  handler: async (input, { app }) => {
    const runId = input.runId === undefined ? undefined : (await (await app.runs('read')).get(input.runId)).runId;
    return shownVote(await (await app.polls('write')).open({ ...input, runId }));
  },
  text: voteText,
});

const voteCast = defineTool({
  name: 'vote_cast',
  description: 'Casts a ballot in a vote that vote_open began; it cannot be changed.',
  input: z.strictObject({
    pollId,
    voter: words(100),
    choice: words(200).optional(),
    ranking: z.array(words(200)).max(50).optional().describe('rule ranked instead: options, best first'),
    abstain: z.boolean().default(false).describe('instead of a choice'),
    reason: words(2000).describe('a sentence'),
  }),
  output: voteOutput,
  annotations: { readOnly: false, destructive: false, idempotent: false },
  cli: { command: ['vote', 'cast'], positional: ['pollId', 'voter', 'choice'] },
  handler: async (input, { app }) => shownVote(await (await app.polls('write')).cast(input)),
  text: voteText,
});

const voteClose = defineTool({
  name: 'vote_close',
  description: 'Closes a vote now and decides it with the ballots that are there. A closed one stays as it was decided.',
  input: z.strictObject({ pollId }),
  output: voteOutput,
  annotations: { readOnly: false, destructive: true, idempotent: true },
  listed: false,
  cli: { command: ['vote', 'close'], positional: ['pollId'] },
  handler: async (input, { app }) => shownVote(await (await app.polls('write')).close(input.pollId)),
  text: voteText,
});

const voteSettle = defineTool({
  name: 'vote_settle',
  description:
    'Says which option of a closed vote turned out right: weighted votes then weigh voters by how often their role was.',
  input: z.strictObject({ pollId, right: words(200).describe('one of the options') }),
  output: voteOutput,
  annotations: { readOnly: false, destructive: false, idempotent: false },
  listed: false,
  cli: { command: ['vote', 'settle'], positional: ['pollId', 'right'] },
  handler: async (input, { app }) => shownVote(await (await app.polls('write')).settle(input.pollId, input.right)),
  text: voteText,
});

const decisionStatus = defineTool({
  name: 'decision_status',
  description: 'Shows a vote: how many have voted, and once it is closed its result and ballots, dissent first.',
  input: z.strictObject({ pollId, limit: rare(limit(100, 1000), 'ballots to return') }),
  output: voteOutput,
  annotations: { readOnly: true, destructive: false, idempotent: true },
  cli: { command: ['vote', 'status'], positional: ['pollId'] },
  handler: async (input, { app }) => shownVote(await (await app.polls('read')).status(input.pollId), input.limit),
  text: voteText,
});

/** Votes among options. */
export const voteTools = [voteOpen, voteCast, decisionStatus, voteClose, voteSettle] as const;
