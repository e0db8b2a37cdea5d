import * as z from 'zod';
import { roleNameOf } from '../agent/roles/aliases.ts';
import { NotFoundError } from '../errors.ts';
import type { Queries, Row } from '../store/database.ts';
import { numberColumns, numberOf, numberOrNull, textColumns, textOf, textOrNull } from '../store/row.ts';
import { OPTION_RULES } from '../swarm/consensus/count-options.ts';
import type { OptionRule } from '../swarm/consensus/count-options.ts';
import { storedJson, storedValue } from './stored-json.ts';

const strings = z.array(z.string());
const countsJson = z.array(z.object({ option: z.string(), count: z.number() }));
const resultJson = z.object({
  outcome: z.enum(['decided', 'tie', 'no_quorum']),
  /** One of the options where it is decided. */
  winner: z.string().nullable(),
  /** Of each option: ballots, first places of a ranked vote, weights of a weighted one. */
  counts: countsJson,
  abstains: z.number(),
  /** Of a ranked vote. */
  rounds: z.array(z.object({ counts: countsJson, eliminated: strings, exhausted: z.number() })).exactOptional(),
  /** What a reader should know of how it came about. */
  note: z.string().nullable(),
  /** Which option turned out right, once that was said. */
  right: z.string().nullable(),
});
/** What came of a vote; decided once, when it closed. */
export type PollResult = z.infer<typeof resultJson>;

/** A vote among options that callers hold. Times in milliseconds since the epoch. */
export interface PollRecord {
  readonly pollId: string;
  /** A swarm's or a run's id. */
  readonly place: string | null;
  readonly question: string;
  readonly options: readonly string[];
  readonly rule: OptionRule;
  readonly quorum: number | null;
  /** Whose ballot decides, under the rule `judge`. */
  readonly judge: string | null;
  /** Ids of voters. */
  readonly eligible: readonly string[];
  readonly status: 'open' | 'closed';
  readonly createdAt: number;
  readonly closesAt: number | null;
  readonly closedAt: number | null;
  readonly result: PollResult | null;
}

/** One voter's ballot. */
export interface PollBallot {
  readonly voter: string;
  /** One option, or those it ranks, best first; empty: an abstention. */
  readonly choices: readonly string[];
  readonly reason: string;
  readonly at: number;
}

const ruleJson = z.object({ name: z.enum(OPTION_RULES), quorum: z.number().nullable(), judge: z.string().nullable() });
const ballotJson = z.object({ choices: strings, reason: z.string() });

/** A query for the rows of {@link toPoll}, without a condition. */
export const POLL = `SELECT ${textColumns(['id', 'place', 'question', 'options', 'rule', 'eligible', 'status', 'result'])},
  ${numberColumns(['created_at', 'closes_at', 'closed_at'])} FROM poll`;

export function toPoll(row: Row): PollRecord {
  const rule = storedJson(ruleJson, textOf(row, 'rule'), 'the rule of a vote');
  const result = textOrNull(row, 'result');
  return {
    pollId: textOf(row, 'id'),
    place: textOrNull(row, 'place'),
    question: textOf(row, 'question'),
    options: storedJson(strings, textOf(row, 'options'), 'the options of a vote'),
    rule: rule.name,
    quorum: rule.quorum,
    judge: rule.judge,
    eligible: storedJson(strings, textOf(row, 'eligible'), 'the voters of a vote'),
    status: storedValue(z.enum(['open', 'closed']), textOf(row, 'status'), 'the status of a vote'),
    createdAt: numberOf(row, 'created_at'),
    closesAt: numberOrNull(row, 'closes_at'),
    closedAt: numberOrNull(row, 'closed_at'),
    result: result === null ? null : storedJson(resultJson, result, 'the result of a vote'),
  };
}

/** Throws `NotFoundError`. */
export async function findPoll(queries: Queries, pollId: string): Promise<PollRecord> {
  const row = await queries.get(`${POLL} WHERE id = ?`, [pollId]);
  if (row !== undefined) return toPoll(row);
  throw new NotFoundError(`there is no vote ${JSON.stringify(pollId)}`, { hint: 'Give a pollId that vote_open returned.' });
}

/** The ballots of a vote, in the order they were cast. */
export async function ballotsOf(queries: Queries, pollId: string): Promise<readonly PollBallot[]> {
  const rows = await queries.all(
    `SELECT ${textColumns(['voter', 'ballot'])}, ${numberColumns(['at'])} FROM poll_ballot WHERE poll_id = ?
     ORDER BY poll_ballot.at, poll_ballot.voter`,
    [pollId],
  );
  return rows.map((row) => ({
    voter: textOf(row, 'voter'),
    at: numberOf(row, 'at'),
    ...storedJson(ballotJson, textOf(row, 'ballot'), 'a ballot'),
  }));
}

/** The roles of voters: of agents on record their own; other names are types, `<type>` or `<type>-<n>`. */
export async function rolesOf(queries: Queries, voters: readonly string[]): Promise<ReadonlyMap<string, string>> {
  const sql = `SELECT ${textColumns(['id', 'type', 'role'])} FROM agent WHERE id IN (SELECT value FROM json_each(?))`;
  const rows = await queries.all(sql, [JSON.stringify(voters)]);
  const known = new Map(rows.map((row) => [textOf(row, 'id'), textOrNull(row, 'role') ?? roleNameOf(textOf(row, 'type'))]));
  return new Map(voters.map((voter) => [voter, known.get(voter) ?? roleNameOf(voter.replace(/-\d+$/, ''))]));
}
