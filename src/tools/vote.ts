import * as z from 'zod';
import { JUDGE_ANSWER } from '../agent/answer-schema.ts';
import { InvalidInputError } from '../errors.ts';
import type { PollView } from '../run/polls.ts';
import { OPTION_RULES } from '../swarm/consensus/count-options.ts';
import { goOn, progressText, taskProgressOutput } from './go-on.ts';
import { limit, rare, words } from './input.ts';
import { fields, moreLine, table } from './table.ts';
import { defineTool } from './tool.ts';
import type { App, TextStyle, ToolContext } from './tool.ts';

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
  description: 'Opens a vote among options. Each voter gives one ballot by vote_cast, secret until the last one closes the vote.',
  input: z.strictObject({
    question: words(10_000),
    options: z.array(words(200)).min(2).max(50).default(['yes', 'no']),
    rule: z.enum(OPTION_RULES).default('majority'),
    quorum: z.int().min(1).max(1000).optional().describe('ballots that must not abstain; rule quorum: for one option'),
    judge: words(100).optional().describe('rule judge: the voter who decides'),
    voters: z.array(words(100)).min(1).max(1000).optional().describe('default: the agents of the swarm or run'),
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

const FORMS = 'pollId, voter, choice and reason for a vote of vote_open; runId, stepId, epoch and ballots for a judging step';
const castInput = z.strictObject({
  pollId: words(64).optional(),
  voter: words(100).optional(),
  choice: words(200).optional(),
  ranking: z.array(words(200)).max(50).optional().describe('rule ranked: options, best first'),
  abstain: z.boolean().optional().describe('instead of a choice'),
  reason: words(2000).optional(),
  runId: words(64).optional(),
  stepId: words(200).optional(),
  epoch: z.int().min(1).max(999_999_999).optional(),
  ballots: JUDGE_ANSWER.shape.ballots.optional(),
});
/** A ballot of a vote among options, or the ballots of a judging step, as they come in. */
type CastInput = z.output<typeof castInput>;

const FIELDS = {
  poll: ['pollId', 'voter', 'choice', 'ranking', 'abstain', 'reason'],
  step: ['runId', 'stepId', 'epoch', 'ballots'],
} as const;

function castError(parameter: string, problem: string): InvalidInputError {
  return new InvalidInputError(`vote_cast: ${parameter} ${problem}`, {
    hint: `Give ${FORMS}; nothing was changed.`,
    details: { parameter },
  });
}

/** A parameter that this form needs. */
function needed<T>(value: T | undefined, parameter: keyof CastInput, form: string): T {
  if (value === undefined) throw castError(parameter, `is missing; ${form} needs it`);
  return value;
}

/** Which of the two is cast. Throws `InvalidInputError` for neither, for both, and for parts of the other one. */
function formOf(input: CastInput): 'poll' | 'step' {
  const isGiven = (name: keyof CastInput): boolean => input[name] !== undefined;
  if (input.pollId === undefined && input.runId === undefined) throw castError('pollId', 'is missing, and so is runId');
  if (input.pollId !== undefined && input.runId !== undefined) throw castError('pollId', 'and runId exclude each other');
  const [form, other] = input.runId === undefined ? (['poll', 'step'] as const) : (['step', 'poll'] as const);
  const foreign = FIELDS[other].find(isGiven);
  if (foreign !== undefined) throw castError(foreign, `does not go with ${FIELDS[form][0]}`);
  return form;
}

/** How a run goes on after the ballots of a judging step; nothing of the ballots of others. */
const stepVoteOutput = taskProgressOutput.extend({
  stepId: z.string(),
  /** How many of the ballots count: one for each finding that the step judges. */
  counted: z.number(),
  /** What was refused or is missing. */
  notes: z.array(z.string()),
});

async function castInStep(input: CastInput, context: ToolContext): Promise<z.output<typeof stepVoteOutput>> {
  const form = 'a judging step';
  const held = {
    runId: needed(input.runId, 'runId', form),
    stepId: needed(input.stepId, 'stepId', form),
    epoch: needed(input.epoch, 'epoch', form),
  };
  const ballots = needed(input.ballots, 'ballots', form);
  const output = await (await context.app.hostDesk()).complete(held, { ballots, text: '' }, 'judge');
  const notes = output.notes.map(({ message, count }) => (count === undefined ? message : `${message}: ${count}`));
  return { ...(await goOn(held.runId, context)), stepId: held.stepId, counted: output.ballots.length, notes };
}

const voteCast = defineTool({
  name: 'vote_cast',
  description:
    'Casts a final ballot in a vote of vote_open (pollId, voter, choice, reason), or those of a judging step of task_claim (runId, stepId, epoch, ballots).',
  input: castInput,
  output: z.union([voteOutput, stepVoteOutput]),
  annotations: { readOnly: false, destructive: false, idempotent: false },
  timeoutMs: 0,
  cli: { command: ['vote', 'cast'], positional: ['pollId', 'voter', 'choice'] },
  handler: async (input, context) => {
    if (formOf(input) === 'step') return castInStep(input, context);
    const { choice, ranking, abstain } = input;
    const form = 'a vote of vote_open';
    const [id, voter] = [needed(input.pollId, 'pollId', form), needed(input.voter, 'voter', form)];
    const reason = needed(input.reason, 'reason', form);
    return shownVote(await (await context.app.polls('write')).cast({ pollId: id, voter, choice, ranking, abstain, reason }));
  },
  text: (output, style) => {
    if ('pollId' in output) return voteText(output, style);
    const { stepId, counted, notes } = output;
    const facts = fields({ step: stepId, 'ballots counted': counted, notes: notes.join('; ') || null }, style);
    return `${facts}\n${progressText(output, style)}`;
  },
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

/** Which votes there are, the newest first. */
const votesOutput = z.object({
  votes: z.array(
    z.object({
      pollId: z.string(),
      place: z.string().nullable(),
      question: z.string(),
      status: z.enum(['open', 'closed']),
      outcome: z.enum(['decided', 'tie', 'no_quorum']).nullable(),
      winner: z.string().nullable(),
      createdAt: z.string(),
    }),
  ),
  total: z.number(),
});

async function listVotes(app: App, most: number): Promise<z.output<typeof votesOutput>> {
  const { polls, total } = await (await app.polls('read')).list({ limit: most });
  const votes = polls.map(({ pollId: id, place, question, status, result, createdAt }) => ({
    pollId: id,
    place,
    question,
    status,
    outcome: result?.outcome ?? null,
    winner: result?.winner ?? null,
    createdAt: iso(createdAt),
  }));
  return { votes, total };
}

function votesText({ votes, total }: z.output<typeof votesOutput>, style: TextStyle): string {
  if (total === 0) return 'No votes yet.';
  const rows = votes.map((vote) => [vote.pollId, vote.status, vote.outcome ?? '', vote.winner ?? '', vote.question]);
  return table(['vote', 'status', 'outcome', 'winner', 'question'], rows, style) + moreLine(rows.length, total, 0);
}

const decisionStatus = defineTool({
  name: 'decision_status',
  description: 'Shows a vote: how many voted; once closed, result and ballots, dissent first. Without pollId: lists votes.',
  input: z.strictObject({ pollId: pollId.optional(), limit: rare(limit(100, 1000), 'ballots or votes to return') }),
  output: z.union([voteOutput, votesOutput]),
  annotations: { readOnly: true, destructive: false, idempotent: true },
  cli: { command: ['vote', 'status'], positional: ['pollId'] },
  handler: async (input, { app }) =>
    input.pollId === undefined
      ? listVotes(app, input.limit)
      : shownVote(await (await app.polls('read')).status(input.pollId), input.limit),
  text: (output, style) => ('votes' in output ? votesText(output, style) : voteText(output, style)),
});

/** Votes among options. */
export const voteTools = [voteOpen, voteCast, decisionStatus, voteClose, voteSettle] as const;
