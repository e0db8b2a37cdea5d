import type { Queries } from '../store/database.ts';
import { numberColumns, numberOf, textColumns, textOf } from '../store/row.ts';
import { countVotes } from '../swarm/consensus/count-options.ts';
import { weightsOf } from '../swarm/consensus/voter-weights.ts';
import type { VoterRecord } from '../swarm/consensus/voter-weights.ts';
import { POLL, ballotsOf, rolesOf, toPoll } from './poll-records.ts';
import type { PollBallot, PollRecord, PollResult } from './poll-records.ts';

/** How often voters of these roles were right. */
export async function voterRecords(queries: Queries, roles: readonly string[]): Promise<ReadonlyMap<string, VoterRecord>> {
  const rows = await queries.all(
    `SELECT ${textColumns(['voter'])}, ${numberColumns(['votes', 'correct'])} FROM voter_record
     WHERE voter IN (SELECT value FROM json_each(?))`,
    [JSON.stringify(roles)],
  );
  return new Map(rows.map((row) => [textOf(row, 'voter'), { votes: numberOf(row, 'votes'), correct: numberOf(row, 'correct') }]));
}

/** Weights of voters whose roles have a record. */
async function weightsOfVoters(queries: Queries, voters: readonly string[]): Promise<ReadonlyMap<string, number>> {
  const roles = await rolesOf(queries, voters);
  const records = await voterRecords(queries, [...new Set(roles.values())]);
  const known = voters.flatMap((voter) => {
    const record = records.get(roles.get(voter) ?? voter);
    return record === undefined ? [] : [[voter, record] as const];
  });
  return weightsOf(new Map(known));
}

async function countPoll(queries: Queries, poll: PollRecord, ballots: readonly PollBallot[]): Promise<PollResult> {
  const counted = countVotes({
    rule: poll.rule,
    options: poll.options,
    eligible: poll.eligible,
    ballots,
    ...(poll.quorum === null ? {} : { quorum: poll.quorum }),
    ...(poll.judge === null ? {} : { judges: [poll.judge] }),
    ...(poll.rule === 'weighted' ? { weights: await weightsOfVoters(queries, poll.eligible) } : {}),
  });
  const { outcome, winner, counts, abstains, rounds, note = null } = counted;
  return {
    outcome,
    winner,
    counts: [...counts],
    abstains,
    ...(rounds === undefined
      ? {}
      : { rounds: rounds.map((round) => ({ ...round, counts: [...round.counts], eliminated: [...round.eliminated] })) }),
    note,
    right: null,
  };
}

/** A vote as it is once it is closed, nothing written. `at`: ms since the epoch. */
export async function asClosed(queries: Queries, poll: PollRecord, at: number): Promise<PollRecord> {
  const result = await countPoll(queries, poll, await ballotsOf(queries, poll.pollId));
  return { ...poll, status: 'closed', closedAt: Math.min(at, poll.closesAt ?? at), result };
}

/** Decides an open vote, once: whoever comes later finds it closed. To be called within a transaction. */
export async function closePoll(queries: Queries, poll: PollRecord, at: number): Promise<PollRecord> {
  const closed = await asClosed(queries, poll, at);
  await queries.run("UPDATE poll SET status = 'closed', closed_at = ?, result = ? WHERE id = ? AND status = 'open'", [
    closed.closedAt,
    JSON.stringify(closed.result),
    poll.pollId,
  ]);
  return closed;
}

/** Decides the votes of a place whose time is over; resolves with their ids. Within a transaction. */
export async function closeDuePolls(queries: Queries, place: string, now: number): Promise<readonly string[]> {
  const due = `${POLL} WHERE place = ? AND status = 'open' AND poll.closes_at <= ? ORDER BY poll.id`;
  const polls = (await queries.all(due, [place, now])).map(toPoll);
  for (const poll of polls) await closePoll(queries, poll, now);
  return polls.map(({ pollId }) => pollId);
}

/** Closes the open votes of a place without a decision; resolves with their ids. Within a transaction. */
export async function endPolls(queries: Queries, place: string, now: number): Promise<readonly string[]> {
  await closeDuePolls(queries, place, now);
  const open = "place = ? AND status = 'open'";
  const rows = await queries.all(`SELECT ${textColumns(['id'])} FROM poll WHERE ${open} ORDER BY poll.id`, [place]);
  const note = 'the swarm was destroyed before the vote ended';
  const result: PollResult = { outcome: 'no_quorum', winner: null, counts: [], abstains: 0, note, right: null };
  await queries.run(`UPDATE poll SET status = 'closed', closed_at = ?, result = ? WHERE ${open}`, [
    now,
    JSON.stringify(result),
    place,
  ]);
  return rows.map((row) => textOf(row, 'id'));
}
